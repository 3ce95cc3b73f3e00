"""The examples of a prepared set as they are stored: numbers, texts, and files not yet decoded."""

import dataclasses
from collections.abc import Sequence

import tensorflow_datasets as tfds
from tensorflow_datasets.proto import tf_example_pb2

from jaxsent.data import augment


@dataclasses.dataclass(frozen=True)
class Source:
    """Examples as a dict of feature -> int, float, bytes (texts and files), or a list of them.

    TFDS's own parser takes several times as long, in all as much as a resize.
    """

    records: Sequence[bytes]

    def __len__(self):
        return len(self.records)

    def __getitem__(self, i):
        features = tf_example_pb2.Example.FromString(self.records[i]).features.feature
        return {name: _value(feature) for name, feature in features.items()}

    def __iter__(self):
        return map(self.__getitem__, range(len(self)))


def source(builder, split: str) -> Source:
    """Random access to a split's examples, images as the bytes of their files."""
    raw = tfds.decode.DeserializeMethod.RAW_BYTES
    return Source(builder.as_data_source(split=split, deserialize_method=raw))


def names(builder, split: str) -> list[str]:
    """The names of a split's images, in order."""
    return [text(raw["file"]) for raw in source(builder, split)]


def _value(feature):
    values = getattr(feature, feature.WhichOneof("kind")).value
    return values[0] if len(values) == 1 else list(values)


@dataclasses.dataclass(frozen=True)
class Part:
    """Some of a source's examples, by their places in it."""

    source: Source
    rows: Sequence[int]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.source[int(self.rows[i])]


class CachedSource:
    """A source whose examples are kept once read, with the decoded `pixels` of their images.

    It takes what comes first until `room`, the bytes of these pixels, is used up; nothing is given
    up for another, as a shuffled epoch asks for all of them equally often.
    """

    def __init__(self, source: Source | Part, room: int):
        self.source, self.room = source, room
        self.examples = {}

    def __reduce__(self):
        return CachedSource, (self.source, self.room)  # another process keeps its own

    def __len__(self):
        return len(self.source)

    def __getitem__(self, i):
        example = self.examples.get(i)
        if example is None:
            example = self.source[i]
            if self.room > 0:
                example["pixels"] = augment.decode(example["image"], text(example["file"]))
                self.room -= example["pixels"].nbytes
                self.examples[i] = example
        return example


def text(value) -> str:
    """A text feature as it is read -> str."""
    return value.decode() if isinstance(value, bytes) else str(value)
