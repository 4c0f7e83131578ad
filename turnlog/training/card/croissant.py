"""Croissant 1.0: metadata for data set searches and loaders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnlog.training.card.counts import Shape
from turnlog.training.card.facts import Facts
from turnlog.training.records.manifest import File

ENCODINGS = {
    ".jsonl": "application/jsonlines",
    ".json": "application/json",
    ".parquet": "application/x-parquet",
}
"""Media types of the files that a card can describe, by the files' endings."""

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{
        term: f"cr:{term}"
        for term in (
            "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject",
            "fileProperty", "fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key",
            "md5", "parentField", "path", "recordSet", "references", "regex", "repeated",
            "replace", "samplingRate", "separator", "source", "subField", "transform",
        )
    },
}  # fmt: skip
"""The standard context, with which readers compare the document's."""

_FACTS = {
    "name": "name",
    "description": "description",
    "license": "license",
    "citation": "citeAs",
    "url": "url",
    "version": "version",
    "published": "datePublished",
}


def croissant(
    facts: Facts,
    files: Mapping[str, File],
    columns: Mapping[str, Mapping[str, Shape]],
    suffix: str,
) -> dict[str, Any]:
    """files: of the parts, by name; columns: of each of them, by part."""
    given = {theirs: getattr(facts, ours) for ours, theirs in _FACTS.items()}
    if facts.creator is not None:
        given["creator"] = {"@type": "sc:Organization", "name": facts.creator}
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        **{name: held for name, held in given.items() if held is not None},
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": name,
                "name": name,
                "contentUrl": name,
                "contentSize": f"{file.bytes} B",
                "encodingFormat": ENCODINGS[suffix],
                "sha256": file.sha256,
            }
            for name, file in files.items()
        ],
        "recordSet": [_records(part, suffix, names) for part, names in columns.items()],
    }


def _records(part: str, suffix: str, columns: Mapping[str, Shape]) -> dict[str, Any]:
    fields = (_field(part, name, shape, suffix) for name, shape in columns.items())
    described = [field for field in fields if field is not None]
    return {"@type": "cr:RecordSet", "@id": part, "name": part, "field": described}


def _field(part: str, column: str, shape: Shape, suffix: str) -> dict[str, Any] | None:
    """None for a column of objects, which Croissant's loaders cannot read."""
    id = f"{part}/{column}"
    extract = {"jsonPath": f"$[*].{column}"} if suffix == ".json" else {"column": column}
    source = {"fileObject": {"@id": f"{part}{suffix}"}, "extract": extract}
    field: dict[str, Any] = {"@type": "cr:Field", "@id": id, "name": column}
    text = {"dataType": "sc:Text", "source": source}
    if shape is None:
        return field | text
    if suffix == ".parquet":  # a list of JSON values, which other readers see as texts
        return field | text | {"repeated": True}
    parts = [
        {
            "@type": "cr:Field",
            "@id": f"{id}/{name}",
            "name": name,
            "dataType": "sc:Text",
            "source": {**source, "transform": {"jsonPath": name}},
        }
        for name in sorted(shape)
    ]
    return {**field, "source": source, "repeated": True, "subField": parts} if parts else None
