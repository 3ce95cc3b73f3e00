"""The units of work that executors run: look at some images, and write one shard of a split.

Both hold one image at a time.
"""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from jaxsent.data.photograph import ExtraNeeded
from jaxsent.emotions import POLARITY
from jaxsent.errors import UserError
from tfds_builders import images
from tfds_builders.flickr.layout import Item
from tfds_builders.found import readable

SIZE = 1024  # images a shard: about 100 MB of photographs


class Glance(NamedTuple):
    """What a look at an image found.

    `digest` is of its pixels, 16 bytes, empty where it does not decode; `plain` says that its file
    is stored as it is, `refused` that it is a link out of the root, `unread` that it is a HEIC
    without its extra.
    """

    digest: bytes
    plain: bool = False
    refused: bool = False
    unread: bool = False


class Shard(NamedTuple):
    """A file to write, its photographs in order, and which of them are not plain."""

    path: str
    root: str
    items: list[Item]
    odd: frozenset[str]


def features() -> tfds.features.FeaturesDict:
    """Of an example."""
    polarity = tfds.features.ClassLabel(names=list(POLARITY))
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": polarity,
            "polarity": polarity,
            "file": tfds.features.Text(),
            "pair": tfds.features.Text(),
            "sentiment": np.float32,
        }
    )


def cut(items: list[Item], size: int) -> list[list[Item]]:
    """Even runs of at most `size`, in order."""
    count = -(-len(items) // size)
    ends = [round(len(items) * i / count) for i in range(count + 1)]
    return [items[a:b] for a, b in zip(ends, ends[1:])]


def look(unit: tuple[str, list[str]]) -> list[Glance]:
    """At the files, which are relative to the root that comes before them."""
    cv2.setNumThreads(1)
    root, files = unit
    return [_look(Path(root), file) for file in files]


def write(shard: Shard) -> int:
    """Write a shard -> the bytes of its examples. Its file is whole or not there."""
    cv2.setNumThreads(1)
    with tfds.core.utils.incomplete_file(epath.Path(shard.path)) as temporary:
        sizes: list[int] = []
        writer = tfds.core.ExampleWriter(tfds.core.FileFormat.ARRAY_RECORD)
        writer.write(os.fspath(temporary), _serialized(shard, sizes))
    return sum(sizes)


def _look(root: Path, file: str) -> Glance:
    try:
        looked = images.look(root / file, root)
    except ExtraNeeded:
        return Glance(b"", unread=True)
    except UserError:
        return Glance(b"", refused=not images.inside(root / file, root))
    return Glance(bytes.fromhex(looked.digest[:32]), looked.plain)


def _serialized(shard: Shard, sizes: list[int]) -> Iterator[tuple[str, bytes]]:
    """Names and examples one after another; appends the bytes of each to `sizes`."""
    encode = features().encode_example
    serializer = tfds.core.ExampleSerializer(features().get_serialized_info())
    for item in shard.items:
        example = serializer.get_tf_example(encode(_example(item, shard)))
        # serialize_example() leaves the order of features to chance.
        data = example.SerializeToString(deterministic=True)
        sizes.append(len(data))
        yield item.file, data


def _example(item: Item, shard: Shard) -> dict:
    path = Path(shard.root, item.file)
    # To decode a plain file again would be in vain: look() has seen that it is stored as it is.
    odd = item.file in shard.odd
    data = images.encoded(path, Path(shard.root)) if odd else path.read_bytes()
    return {
        "image": io.BytesIO(data),
        "label": item.polarity,
        "polarity": item.polarity,
        "file": readable(item.file),
        "pair": readable(item.pair).replace("_", " "),
        "sentiment": item.sentiment,
    }
