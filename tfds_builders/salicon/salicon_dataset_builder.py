"""Builder of SALICON from a user's folder: fixation maps and fixations, no emotions."""

import re
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from jaxsent.emotions import POLARITY
from tfds_builders.base import FolderBuilder
from tfds_builders.card import Card
from tfds_builders.found import UNLABELLED, Found, Item, counted
from tfds_builders.layouts import photographs
from tfds_builders.maps import SOFT, points
from tfds_builders.salicon.gaze import read_fixations

EACH = {"train": 10_000, "test": 5_000}
FOLDERS = {"train": "train", "test": "val"}  # of our splits; the test split's truth is withheld
WITHHELD = "test"


class Builder(FolderBuilder):
    """DatasetBuilder for SALICON."""

    CARD = Card(
        title="photographs of everyday scenes with fixations, and no emotions",
        images=sum(EACH.values()),
        classes=POLARITY,
        layout=(
            "a folder with images/{train,val,test}/*.jpg (or images/COCO_{train,val}2014_*.jpg), "
            "maps/{train,val}/*.png and, to measure on it, fixations/{train,val}/*.mat"
        ),
        source=(
            "SALICON is its authors' (Jiang et al., CVPR 2015), free to download from "
            "http://salicon.net/challenge-2017/; unpack maps.zip in a folder maps and "
            "fixations.zip in a folder fixations, beside images."
        ),
        homepage="http://salicon.net",
        licence=(
            "Annotations: CC BY 4.0. The photographs are of MS COCO: Flickr's terms of use apply, "
            "and their photographers' licences."
        ),
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = CARD.instructions
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "The release of 2017; its val is our test."}
    BUILDER_CONFIGS: ClassVar = [
        tfds.core.BuilderConfig(name="default", description="The authors' train and val.")
    ]
    MAPS: ClassVar = {"fixation_map": SOFT, "fixations": points(read_fixations)}

    def find(self, root: Path) -> Found | None:
        if not (root / "images").is_dir() or not (root / "maps").is_dir():
            return None
        measured = (root / "fixations").is_dir()
        found = Found("images/ + maps/" + (" + fixations/" if measured else ", no fixations/"), [])
        found.expected = counted(
            (split, UNLABELLED) for split, count in EACH.items() for _ in range(count)
        )
        for split, folder in FOLDERS.items():
            photos = _photographs(root, folder)
            files = {"fixation_map": _by_stem(photographs, root / "maps" / folder)}
            if measured:
                files["fixations"] = _by_stem(_matlab_files, root / "fixations" / folder)
            for stem in sorted(photos.keys() | files["fixation_map"].keys()):
                own = {name: paths[stem] for name, paths in files.items() if stem in paths}
                lacking = [name for name in files if name not in own]
                if stem in photos and not lacking:
                    found.items.append(Item(photos[stem], UNLABELLED, split, maps=own))
                else:
                    what = lacking[0] if stem in photos else "photograph"
                    found.missing.append(f"{folder}/{stem} {what}")
                    found.aside += [*own.values(), *filter(None, [photos.get(stem)])]
        if withheld := _photographs(root, WITHHELD):
            found.left_out["SALICON's test split, whose maps are not published"] = len(withheld)
            found.aside += withheld.values()
        return found


def _photographs(root: Path, folder: str) -> dict[str, Path]:
    """Of a folder of the release by stem; or of images/ itself, by MS COCO's names."""
    if (root / "images" / folder).is_dir():
        return _by_stem(photographs, root / "images" / folder)
    own = re.compile(f"COCO_{folder}")
    return {s: p for s, p in _by_stem(photographs, root / "images").items() if own.match(s)}


def _by_stem(listed, folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in listed(folder)} if folder.is_dir() else {}


def _matlab_files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix.lower() == ".mat"]
