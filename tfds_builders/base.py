"""A TFDS builder of photographs in a user's folder; a data set states only what is its own."""

import collections
import dataclasses
import io
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from jaxsent.emotions import POLARITY
from jaxsent.errors import UserError
from tfds_builders import images, maps, origin, progress, rest, splits
from tfds_builders.card import Card
from tfds_builders.found import UNLABELLED, Found, Item, polarity
from tfds_builders.parallel import ahead
from tfds_builders.sift import relative, sift
from tfds_builders.survey import Survey


@dataclasses.dataclass
class SeededConfig(tfds.core.BuilderConfig):
    """`seed` draws the split where the folder has none. Another seed needs another name."""

    seed: int = 0


class FolderBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Finds a layout, opens every photograph, checks the splits, and writes what can be used.

    A subclass states CARD, its FEATURES beyond image, label, polarity and file, its MAPS by their
    kind, and `find`; if it draws its own splits, their SHARES (the rest is train). `survey` tells
    what was found once the set is being built, and is kept beside the prepared set.
    """

    CARD: ClassVar[Card]
    FEATURES: ClassVar[Mapping[str, Any]] = {}
    MAPS: ClassVar[Mapping[str, maps.Kind]] = {}
    SHARES: ClassVar[dict[str, float]] = {}
    REQUIRED: ClassVar[tuple[str, ...]] = ("train", "test")

    strict = False
    source = ""  # the user's folder or .zip, for the survey
    files: origin.Files | None = None  # what lies there (None: to be listed)
    track: Callable = staticmethod(progress.silent)
    survey: Survey | None = None

    def find(self, root: Path) -> Found | None:
        """The layout of a user's folder; None where it is none of the set's. Opens no image."""
        raise NotImplementedError

    def classes(self) -> tuple[str, ...]:
        """The set's own classes in label order, as far as they are known before it is found."""
        return self.CARD.classes

    def divide(self, items: list[Item], digests: Mapping[Path, str]) -> splits.Splits:
        """The split of each usable photograph: that of the layout, or drawn by us."""
        if items and not any(item.split for item in items):
            return splits.drawn(items, digests, self.SHARES, self.builder_config.seed)
        given: splits.Splits = {split: [] for split in ("train", "validation", "test")}
        for item in items:
            given.setdefault(item.split, []).append(item)
        return given

    def polarity(self, label: str) -> int:
        """Of a class: 1 positive, 0 negative, -1 neutral or not known."""
        return polarity(label)

    def _info(self) -> tfds.core.DatasetInfo:
        names = self.classes() or None  # None: those that `find` sets, or that were prepared
        grey = {name: tfds.features.Image(shape=(None, None, 1)) for name in self.MAPS}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "label": tfds.features.ClassLabel(names=names),
                    "polarity": tfds.features.ClassLabel(names=list(POLARITY)),
                    "file": tfds.features.Text(),
                    **self.FEATURES,
                    **grey,
                }
            ),
            supervised_keys=("image", "label"),
            homepage=self.CARD.homepage,
            license=self.CARD.licence,
        )

    def _split_generators(self, dl_manager):
        root = Path(dl_manager.manual_dir)
        parts, looks = self._usable(root)
        self.survey.save(self.data_dir)  # TFDS's temporary folder as yet
        origin.save(self.files, self.data_dir)
        return {
            split: self._generate_examples(split, items, root, looks)
            for split, items in parts.items()
        }

    def _usable(self, root: Path) -> tuple[splits.Splits, dict[Path, images.Looked]]:
        found = self.find(root)
        if found is None:
            names = ", ".join(sorted(p.name for p in root.iterdir())[:5])
            raise UserError(f"{self.name}: {root} holds {names}; expected {self.CARD.instructions}")
        total = found.expected.get("all", {}).get("all", self.CARD.images)
        self.survey = survey = Survey(self.name, found.layout, total, source=self.source)
        survey.missing, survey.left_out = found.missing, dict(found.left_out)
        survey.expected_counts = found.expected
        survey.nested, survey.empty = dict(found.nested), found.empty
        self.files = origin.files(root) if self.files is None else self.files
        survey.digest = origin.digest(self.files)
        rest.tell(origin.names(root), _names(found, root), found.listed, survey)
        items, looks = sift(found.items, root, self.MAPS, survey, self.track)
        survey.found = len({item.path for item in items})
        survey.maps = {name: sum(name in item.maps for item in items) for name in self.MAPS}

        labels = {item.label for item in items}
        if labels != {UNLABELLED}:
            survey.empty += [c for c in self.info.features["label"].names if c not in labels]

        digests = {path: look.digest for path, look in looks.items()}
        parts = self.divide(items, digests)
        survey.counts = {split: self._counts(part) for split, part in parts.items() if part}
        if unused := len(items) - sum(map(len, parts.values())):
            survey.left_out["to balance the classes"] = unused
        survey.log(self.strict)
        splits.check_apart(self.name, parts, digests)
        for split in self.REQUIRED:
            if not parts.get(split):
                raise UserError(f"{survey.text()}; none for the split {split}")
        return {split: part for split, part in parts.items() if part}, looks

    def _counts(self, items: list[Item]) -> dict[str, int]:
        counts = collections.Counter(item.label for item in items)
        return dict.fromkeys(self.info.features["label"].names, 0) | counts

    def _generate_examples(self, split, items, root, looks) -> Iterator[tuple[str, dict]]:
        examples = ahead(lambda item: self._example(item, root, looks[item.path]), items)
        for example in self.track(examples, f"writing {split}", len(items)):
            yield example["file"], example

    def _example(self, item: Item, root: Path, look: images.Looked) -> dict[str, Any]:
        names = self.info.features["label"].names
        # A plain file was decoded once, by the look; here its bytes are enough.
        image = images.read(item.path, root) if look.plain else images.encoded(item.path, root)
        grey = {
            name: io.BytesIO(maps.aligned(item.maps.get(name), root, look, kind))
            for name, kind in self.MAPS.items()
        }
        return {
            "image": io.BytesIO(image),
            "label": names.index(item.label) if item.label in names else -1,
            "polarity": self.polarity(item.label),
            "file": relative(item.path, root),
            **item.facts,
            **grey,
        }


def _names(found: Found, root: Path) -> set[str]:
    """The files that a layout knows of, named as `origin` does."""
    paths = itertools.chain(
        (path for item in found.items for path in (item.path, *item.maps.values())),
        found.aside,
        found.tables,
    )
    return {Path(os.path.relpath(path, root)).as_posix() for path in paths}
