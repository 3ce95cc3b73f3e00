"""Builder of Flickr from a user's folder, in parallel and in constant memory."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from jaxsent.emotions import POLARITY
from jaxsent.errors import UserError
from tfds_builders import executors, origin, progress, rest
from tfds_builders.base import SeededConfig
from tfds_builders.card import Card
from tfds_builders.flickr import shards
from tfds_builders.flickr.layout import Found, Item, find, split_items
from tfds_builders.found import readable
from tfds_builders.survey import Survey

Glances = dict[str, shards.Glance]


class Builder(tfds.core.dataset_builder.FileReaderBuilder):
    """DatasetBuilder for Flickr.

    No GeneratorBasedBuilder: that one writes from one process, and its way through Beam sends
    every image through a shuffle, which the direct runner holds in memory. Here a unit of work is
    a whole shard, so only names and counts travel.

    `beam`: Apache Beam's options, [] for the direct runner; None for `workers` processes instead
    (None: one a core). The files are the same whichever writes them.
    """

    CARD = Card(
        title="photographs of Flickr, labelled by the adjective-noun pair that found them",
        images=484_258,
        classes=POLARITY,
        layout=(
            "a folder with <adjective>_<noun>/*.jpg or bi_concepts1553/<adjective>_<noun>/*.jpg, "
            "and the pairs' sentiment values in 3244ANPs.txt (Visual Sentiment Ontology) or in "
            "lines of `adjective_noun value` in anps.txt"
        ),
        source="From its authors (Borth et al., ACM MM 2013).",
        homepage="https://www.ee.columbia.edu/ln/dvmm/vso/download/sentibank.html",
        licence="Each photograph's own; not to be redistributed.",
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = CARD.instructions
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "Polarity from the pair's sentiment value."}
    BUILDER_CONFIGS: ClassVar = [
        SeededConfig(name="default", description="A tenth of each pair is test.")
    ]

    strict = False
    source = ""  # the user's folder or .zip, for the survey
    files: origin.Files | None = None  # what lies there (None: to be listed)
    track: Callable = staticmethod(progress.silent)
    survey: Survey | None = None
    beam: list[str] | None = None
    workers: int | None = None
    shard_size = shards.SIZE

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=shards.features(),
            supervised_keys=("image", "label"),
            homepage=self.CARD.homepage,
            license=self.CARD.licence,
        )

    def _download_and_prepare(self, dl_manager, download_config) -> None:
        root = Path(dl_manager.manual_dir)
        found = find(root)
        with self._executor() as run:
            glances = self._look(root, found, run)
            splits = self._usable(root, found, glances)
            self.survey.save(self.data_dir)  # TFDS's temporary folder as yet
            origin.save(self.files, self.data_dir)
            infos = self._write(root, splits, glances, run)
        self.info.set_splits(tfds.core.SplitDict(infos))

    def _executor(self):
        if self.beam is None:
            return executors.processes(self.workers)
        return executors.beam(self.beam, Path(self.data_dir), (shards.look, shards.write))

    def _look(self, root: Path, found: Found, run: executors.Run) -> Glances:
        """A glance at each item's file, as many a unit of work as a shard holds."""
        files, size = [item.file for item in found.items], self.shard_size
        units = [(str(root), files[i : i + size]) for i in range(0, len(files), size)]
        results = self.track(run(shards.look, units), "reading", len(units))
        return dict(zip(files, (g for result in results for g in result), strict=True))

    def _usable(self, root: Path, found: Found, glances: Glances) -> dict[str, list[Item]]:
        """The items of each split that can be used; keeps and tells the survey of the others.

        Raises UserError for an empty split and, if strict, for anything short.
        """
        survey = self.survey = Survey(self.name, found.layout, self.CARD.images, source=self.source)
        survey.left_out, survey.empty = found.left_out, found.empty
        self.files = origin.files(root) if self.files is None else self.files
        survey.digest = origin.digest(self.files)
        rest.tell(origin.names(root), glances.keys() | found.aside, False, survey)
        for file, glance in glances.items():
            if not glance.digest:
                why = "refused" if glance.refused else "unread" if glance.unread else "undecodable"
                getattr(survey, why).append(readable(file))
        items = _consistent(found.items, glances, survey)
        survey.found = len(items)
        digests = {item.file: glances[item.file].digest for item in items}
        splits = split_items(items, digests, self.builder_config.seed)
        survey.counts = {
            name: dict(Counter(POLARITY[item.polarity] for item in part))
            for name, part in splits.items()
        }
        survey.log(self.strict)
        for name, part in splits.items():
            if not part:
                raise UserError(f"{survey.text()}; none for the split {name}, a tenth of each pair")
        return splits

    def _write(self, root, splits, glances, run) -> list[tfds.core.SplitInfo]:
        """Every shard of every split into TFDS's temporary folder."""
        templates = {name: self._get_filename_template(split_name=name) for name in splits}
        parts = {name: shards.cut(items, self.shard_size) for name, items in splits.items()}
        units = [
            shards.Shard(
                os.fspath(templates[name].sharded_filepath(shard_index=i, num_shards=len(runs))),
                str(root),
                items,
                frozenset(item.file for item in items if not glances[item.file].plain),
            )
            for name, runs in parts.items()
            for i, items in enumerate(runs)
        ]
        sizes = list(self.track(run(shards.write, units), "writing", len(units)))
        return [
            tfds.core.SplitInfo(
                name=name,
                shard_lengths=[len(items) for items in runs],
                num_bytes=sum(sizes.pop(0) for _ in runs),
                filename_template=templates[name],
            )
            for name, runs in parts.items()
        ]


def _consistent(items: list[Item], glances: Glances, survey: Survey) -> list[Item]:
    """Without pictures under pairs of both polarities; these and duplicates go to `survey`."""
    pictures: dict[bytes, list[Item]] = {}
    for item in items:
        if digest := glances[item.file].digest:
            pictures.setdefault(digest, []).append(item)
    torn = set()
    for digest, same in pictures.items():
        names = [readable(item.file) for item in same]
        if len({item.polarity for item in same}) > 1:
            torn.add(digest)
            survey.contradictory.append(f"{' = '.join(names)} ({', '.join(POLARITY)})")
        elif len(same) > 1:
            survey.duplicates.append(names)
    return [i for i in items if (digest := glances[i.file].digest) and digest not in torn]
