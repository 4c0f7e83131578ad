"""JSON Patch (RFC 6902): changes of a stack of flows."""

from __future__ import annotations

import json
from typing import Any


class BadPatch(ValueError):
    """A malformed patch, or one that does not fit its document."""


def patched(document: Any, patch: str) -> Any:
    """A new document after the operations of a patch. Raises BadPatch."""
    try:
        operations = json.loads(patch)
        for operation in operations:
            document = _OPERATIONS[operation["op"]](document, operation)
    except (KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
        raise BadPatch(f"{error!r}") from error
    return document


def _add(document: Any, operation: Any) -> Any:
    return _changed(document, _path(operation["path"]), operation["value"], adds=True)


def _remove(document: Any, operation: Any) -> Any:
    *parents, last = _path(operation["path"])
    parent = _at(document, parents)
    if isinstance(parent, list):
        index = _index(last, len(parent) - 1)
        left: Any = parent[:index] + parent[index + 1 :]
    else:
        left = {key: value for key, value in parent.items() if key != last}
        if len(left) == len(parent):
            raise KeyError(last)
    return _changed(document, parents, left)


def _replace(document: Any, operation: Any) -> Any:
    path = _path(operation["path"])
    _at(document, path)
    return _changed(document, path, operation["value"])


def _move(document: Any, operation: Any) -> Any:
    value = _at(document, _path(operation["from"]))
    left = _remove(document, {"path": operation["from"]})
    return _changed(left, _path(operation["path"]), value, adds=True)


def _copy(document: Any, operation: Any) -> Any:
    value = _at(document, _path(operation["from"]))
    return _changed(document, _path(operation["path"]), value, adds=True)


def _test(document: Any, operation: Any) -> Any:
    if _at(document, _path(operation["path"])) != operation["value"]:
        raise ValueError(f"{operation['path']} is not {operation['value']!r:.80}")
    return document


_OPERATIONS = {
    "add": _add, "remove": _remove, "replace": _replace, "move": _move, "copy": _copy,
    "test": _test,
}  # fmt: skip


def _path(pointer: str) -> list[str]:
    """The keys of a JSON pointer (RFC 6901)."""
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is not a JSON pointer")
    return [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]


def _at(document: Any, path: list[str]) -> Any:
    for key in path:
        document = document[_index(key, len(document) - 1) if isinstance(document, list) else key]
    return document


def _changed(document: Any, path: list[str], value: Any, *, adds: bool = False) -> Any:
    """A copy with another value at a path; unchanged parts are shared."""
    if not path:
        return value
    key, *rest = path
    if isinstance(document, list):
        end = len(document) if adds and not rest else len(document) - 1
        index = _index(key, end)
        kept = index if adds and not rest else index + 1
        inner = _changed(document[index] if rest else None, rest, value, adds=adds)
        return [*document[:index], inner, *document[kept:]]
    inner = _changed(document[key] if rest else None, rest, value, adds=adds)
    return {**document, key: inner}


def _index(key: str, last: int) -> int:
    index = last if key == "-" else int(key)
    if not 0 <= index <= last:
        raise IndexError(key)
    return index
