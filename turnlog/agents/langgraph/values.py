"""Any value that LangGraph keeps, as JSON and back, using LangGraph's own serializer.

A value that JSON lacks is an object whose key `$` names its kind: `b` bytes, `a` a bytearray, `f` a
non-finite number, `m` a mapping with keys other than plain texts, `x` an extension of LangGraph's
msgpack, unpacked so that its words can be found, or the name of a message's type.
"""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import ormsgpack
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from turnlog.agents.langgraph.message_fields import fields_of, kind_of, message_of
from turnlog.domain.plain import dumps
from turnlog.domain.values import is_text
from turnlog.errors import FormatError

TAG = "$"

_OPTION = ormsgpack.OPT_NON_STR_KEYS
_ATOMS = frozenset((str, bool, type(None)))
_INT64 = range(-(2**63), 2**64)


class ValueCodec:
    """Encodes and decodes with one serializer, whose allowlist applies when values are read."""

    def __init__(self, serde: JsonPlusSerializer) -> None:
        self._serde = serde

    def encoded(self, value: Any) -> bytes:
        """The value as JSON. Raises FormatError if only pickle can store it."""
        return dumps(self.plain(value))

    def plain(self, value: Any) -> Any:
        """The value as a JSON value.

        Raises FormatError if only pickle can store it, or if a text contains a lone surrogate.
        """
        kind = type(value)
        if kind is str and not is_text(value):
            raise FormatError(f"{value!r:.80} contains a lone surrogate")
        if kind in _ATOMS or (kind is int and value in _INT64):
            return value
        if kind is float and math.isfinite(value):
            return value
        if kind is list or kind is tuple:
            return [self.plain(item) for item in value]
        if kind is dict and all(type(key) is str and key != TAG for key in value):
            return {self.plain(key): self.plain(item) for key, item in value.items()}
        if (message := kind_of(value)) is not None:
            return {TAG: message, **self.plain(fields_of(value))}
        return self._foreign(value)

    def value(self, plain: Any) -> Any:
        """The value of a JSON value."""
        if isinstance(plain, list):
            return [self.value(item) for item in plain]
        if not isinstance(plain, dict):
            return plain
        tag = plain.get(TAG)
        if tag is None:
            return {key: self.value(item) for key, item in plain.items()}
        if (read := _READERS.get(tag)) is not None:
            return read(self, plain.get("v"))
        if tag == "x":
            packed = _packed(plain)
            return self._serde.loads_typed(("msgpack", ormsgpack.packb(packed, option=_OPTION)))
        fields = {key: self.value(item) for key, item in plain.items() if key != TAG}
        return message_of(str(tag), fields)

    def _foreign(self, value: Any) -> Any:
        """A value of any other type, encoded by LangGraph's serializer."""
        kind, data = self._serde.dumps_typed(value)
        if kind == "pickle":
            why = f"a {type(value).__name__} can only be stored with pickle, which the log refuses"
            raise FormatError(why)
        if kind == "msgpack":
            return _tree(ormsgpack.unpackb(data, ext_hook=_Extension, option=_OPTION))
        return {TAG: "b" if kind == "bytes" else "a", "v": b64encode(data).decode()}


class _Extension:
    """A packed extension of msgpack."""

    def __init__(self, code: int, data: bytes) -> None:
        self.code = code
        self.data = data


def _tree(value: Any) -> Any:
    """What msgpack returned, as JSON."""
    if isinstance(value, _Extension):
        inner = ormsgpack.unpackb(value.data, ext_hook=_Extension, option=_OPTION)
        return {TAG: "x", "code": value.code, "v": _tree(inner)}
    if isinstance(value, bytes):
        return {TAG: "b", "v": b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {TAG: "f", "v": str(value)}
    if isinstance(value, list | tuple):
        return [_tree(item) for item in value]
    if isinstance(value, dict):
        if all(type(key) is str and key != TAG for key in value):
            return {key: _tree(item) for key, item in value.items()}
        return {TAG: "m", "v": [[_tree(key), _tree(item)] for key, item in value.items()]}
    return value


def _packed(plain: Any) -> Any:
    """The inverse of `_tree`, ready to be packed."""
    if isinstance(plain, list):
        return [_packed(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    tag, held = plain.get(TAG), plain.get("v")
    if tag == "x":
        inner = ormsgpack.packb(_packed(held), option=_OPTION)
        return ormsgpack.Ext(plain["code"], inner)
    if tag == "b":
        return b64decode(held or "")
    if tag == "f":
        return float(held or "nan")
    if tag == "m":
        return {_key(_packed(key)): _packed(item) for key, item in held or ()}
    return {key: _packed(item) for key, item in plain.items()}


def _key(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key


_READERS: dict[str, Callable[[ValueCodec, Any], Any]] = {
    "b": lambda _, held: b64decode(held or ""),
    "a": lambda _, held: bytearray(b64decode(held or "")),
    "f": lambda _, held: float(held or "nan"),
    "m": lambda values, held: {
        _key(values.value(key)): values.value(item) for key, item in held or ()
    },
}
