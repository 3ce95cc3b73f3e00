"""Croissant metadata (mlcommons.org/croissant/1.0) of a prepared data set, as JSON-LD.

https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

import hashlib
from pathlib import Path

import numpy as np

FILE = "croissant.json"
"""What it is called beside a prepared set."""

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    **{
        name: f"cr:{name}"
        for name in "citeAs column equivalentProperty extract field fileObject fileProperty "
        "fileSet format includes isLiveDataset jsonPath key md5 parentField path recordSet "
        "references regex repeated replace samplingRate separator source subField transform".split()
    },
}
ARRAY_RECORD = "https://github.com/google/array_record"  # there is no MIME type
SPLITS = {"train": "Training", "validation": "Validation", "test": "Test"}


def croissant(builder) -> dict:
    """The metadata of a prepared set: its files with their hashes, its features, labels and splits.

    Reads every file once, for the hashes.

    Args:
      builder: of TFDS, prepared as array_record.
    """
    info = builder.info
    licence = info.redistribution_info
    document = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": info.full_name.rpartition("/")[0].removesuffix("/default").replace("/", "_"),
        "description": info.description,
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "license": getattr(licence, "license", "") or "see the description",
        "url": info.homepage,
        "version": str(info.version),
        "citeAs": info.citation,
        "distribution": _files(info),
        "recordSet": [_splits(info), *_labels(info), _records(info)],
    }
    return {key: value for key, value in document.items() if value}


def _files(info) -> list[dict]:
    files = [
        {
            "@type": "cr:FileObject",
            "@id": path.name,
            "name": path.name,
            "contentUrl": path.name,
            "contentSize": f"{path.stat().st_size} B",
            "encodingFormat": ARRAY_RECORD,
            "sha256": _sha256(path),
        }
        for split in info.splits.values()
        for path in map(Path, split.filepaths)
    ]
    records = {
        "@type": "cr:FileSet",
        "@id": "records",
        "name": "records",
        "description": "Each record is a serialized tf.train.Example; columns are its features.",
        "encodingFormat": ARRAY_RECORD,
        "includes": "*.array_record*",
    }
    return [*files, records]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _splits(info) -> dict:
    """The splits as an enumeration, with Croissant's names for those that it knows."""
    rows = []
    for name in info.splits:
        known = {"splits/url": f"cr:{SPLITS[name]}Split"} if name in SPLITS else {}
        rows.append({"splits/name": name} | known)
    fields = [_field("splits/name", "sc:Text"), _field("splits/url", "sc:URL")]
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": fields,
        "data": rows,
    }


def _labels(info) -> list[dict]:
    """An enumeration for every feature that is an index of named classes."""
    sets = []
    for name, feature in info.features.items():
        if getattr(feature, "names", None):
            key = f"{name}_names"
            index, text = f"{key}/index", f"{key}/name"
            sets.append(
                {
                    "@type": "cr:RecordSet",
                    "@id": key,
                    "name": key,
                    "dataType": "sc:Enumeration",
                    "key": {"@id": index},
                    "field": [_field(index, "sc:Integer"), _field(text, "sc:Text")],
                    "data": [{index: i, text: word} for i, word in enumerate(feature.names)],
                }
            )
    return sets


def _records(info) -> dict:
    fields = []
    for name, feature in info.features.items():
        field = _field(f"examples/{name}", _type(feature), {"column": name})
        if getattr(feature, "names", None):
            field["references"] = {"field": {"@id": f"{name}_names/index"}}
        fields.append(field)
    split = _field("examples/split", "sc:Text", {"fileProperty": "filename"})
    split["source"]["transform"] = {"regex": r"-([^-]+)\.array_record"}
    split["references"] = {"field": {"@id": "splits/name"}}
    return {
        "@type": "cr:RecordSet",
        "@id": "examples",
        "name": "examples",
        "field": [*fields, split],
    }


def _field(key: str, kind: str, extract: dict | None = None) -> dict:
    field = {
        "@type": "cr:Field",
        "@id": key,
        "name": key.rpartition("/")[2],
        "dataType": kind,
    }
    if extract:
        field["source"] = {"fileSet": {"@id": "records"}, "extract": extract}
    return field


def _type(feature) -> str:
    """schema.org's name for what a feature holds."""
    if type(feature).__name__ == "Image":
        return "sc:ImageObject"
    kind = np.dtype(feature.np_dtype).kind
    return {"i": "sc:Integer", "u": "sc:Integer", "f": "sc:Float", "b": "sc:Boolean"}.get(
        kind, "sc:Text"
    )
