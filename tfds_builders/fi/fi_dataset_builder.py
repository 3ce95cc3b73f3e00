"""Builder of FI from a user's folder in any of its layouts."""

import dataclasses
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from jaxsent.emotions import MIKELS, POLARITY, POSITIVE
from jaxsent.errors import UserError
from tfds_builders.fi.layouts import Item, find
from tfds_builders.survey import Survey, content, opaque

EXPECTED = 23_308


@dataclasses.dataclass
class Config(tfds.core.BuilderConfig):
    """`seed` draws the split where the folder has none. Another seed needs another name."""

    seed: int = 0


class Builder(tfds.core.GeneratorBasedBuilder):
    """DatasetBuilder for FI."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "Three layouts."}
    BUILDER_CONFIGS: ClassVar = [
        Config(name="default", description="The folder's split, or 80/5/15.")
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "a folder with Images/ and {Train,Val,Test}Images.txt of label/name lines, or "
        "{train,val,test}/<emotion>/*.jpg, or emotion_dataset/<emotion>/*.jpg. FI may not be "
        "redistributed: ask its authors (You et al., AAAI 2016), https://qzyou.github.io."
    )
    strict = False

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "label": tfds.features.ClassLabel(names=list(MIKELS)),
                    "polarity": tfds.features.ClassLabel(names=list(POLARITY)),
                    "file": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://qzyou.github.io",
            license="From its authors; not to be redistributed.",
        )

    def _split_generators(self, dl_manager):
        root = Path(dl_manager.manual_dir)
        splits = usable(root, self.builder_config.seed, self.strict)
        return {name: self._generate_examples(root, items) for name, items in splits.items()}

    def _generate_examples(self, root: Path, items: list[Item]):
        for path, label in items:
            file = path.relative_to(root).as_posix()
            example = {
                "image": opaque(path),
                "label": label,
                "polarity": int(label in POSITIVE),
                "file": file,
            }
            yield file, example


def usable(root: Path, seed: int, strict: bool) -> dict[str, list[Item]]:
    """The items of each split that decode; reports the others. An absent validation is left out.

    Raises UserError for another layout, an empty train or test and, if `strict`, anything short.
    """
    found = find(root, seed)
    if not found:
        names = ", ".join(sorted(p.name for p in root.iterdir())[:5])
        expected = Builder.MANUAL_DOWNLOAD_INSTRUCTIONS
        raise UserError(f"fi: {root} holds {names}; expected {expected}")
    digests = content(item.path for items in found.splits.values() for item in items)
    splits = {
        name: [item for item in items if digests[item.path]] for name, items in found.splits.items()
    }
    survey = Survey("fi", found.layout, EXPECTED, missing=found.missing)
    survey.found = sum(map(len, splits.values()))
    survey.undecodable = [str(p.relative_to(root)) for p, digest in digests.items() if not digest]
    survey.log(strict)
    for name in ("train", "test"):
        if not splits[name]:
            raise UserError(f"{survey.text()}; none for the split {name}")
    return {name: items for name, items in splits.items() if items}
