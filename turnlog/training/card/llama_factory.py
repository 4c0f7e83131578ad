"""`dataset_info.json`, which tells LLaMA-Factory a data set's files and columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

_DESCRIBED: dict[str, dict[str, Any]] = {
    "alpaca": {
        "columns": {
            "prompt": "instruction",
            "query": "input",
            "response": "output",
            "system": "system",
            "history": "history",
        }
    },
    "sharegpt": {
        "formatting": "sharegpt",
        "columns": {"messages": "conversations", "system": "system", "tools": "tools"},
    },
}


def is_read(format: str) -> bool:
    """Whether LLaMA-Factory reads the format."""
    return format in _DESCRIBED


def dataset_info(format: str, columns: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """An entry for each part. columns: those that its examples have; LLaMA-Factory fails on
    others.
    """
    described = _DESCRIBED[format]
    names = described["columns"].items()
    return {
        part: {
            "file_name": f"{part}.json",
            **described,
            "columns": {theirs: ours for theirs, ours in names if ours in held},
        }
        for part, held in columns.items()
    }
