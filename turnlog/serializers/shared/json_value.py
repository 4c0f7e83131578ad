"""One JSON value read strictly: nothing in it is lost, and what cannot be held stays raw."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import msgspec

from turnlog.domain.plain import as_json
from turnlog.domain.values import INT_MAX, INT_MIN, MAX_DEPTH, RawJson
from turnlog.errors import FormatError

LONGEST_NUMBER = 40
"""A number with a fraction or exponent and more characters than this keeps its text."""

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BARE_STRING = re.compile(rb'"[^"]*"')
_NO_BRACKETS = bytes(set(range(256)) - set(b'"[]{}'))
_KEY_OR_BRACKET = re.compile(rb'("(?:[^"\\]++|\\.)*+")\s*+(:?)|[][{}]', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(
    source: bytes,
    *,
    depth: int = MAX_DEPTH,
    line: int = 1,
    twins: list[str] | None = None,
    holds_raw: bool = True,
) -> Any:
    """The value, with RawJson for parts that cannot be held.

    Raises FormatError with the line, counted from `line`, for broken JSON, for nesting deeper than
    `depth` and for a duplicate key; with `twins` the last value counts and the key is added there.
    Raises Unholdable for RawJson unless `holds_raw`.
    """
    with suppress(_Odd):
        return _plainly(source, depth)
    if depth_of(source, depth) > depth:
        field = _outermost_key(source, depth)
        raise FormatError(f"is nested deeper than {depth}", line=line, field=field)
    reader = _JsonReader(twins)
    try:
        value = reader.decode(source)
    except UnicodeDecodeError as error:
        broken_line = line + source.count(b"\n", 0, error.start)
        raise FormatError(f"is not UTF-8: {error.reason}", line=broken_line) from error
    except json.JSONDecodeError as error:
        why = f"{error.msg}, column {error.colno}"
        raise Broken(why, line=line + error.lineno - 1) from error
    except _Twice as error:
        raise FormatError("duplicate key", line=line, field=str(error)) from error
    if not holds_raw:
        refuse_raw(value)
    return value


class Broken(FormatError):
    """Bytes that are not JSON."""


class Unholdable(FormatError):
    """A value that can only be stored as raw JSON, in a place that other programs must read."""

    def __init__(self, raw: RawJson, **place: Any) -> None:
        shown = raw.json[:40].decode("latin-1")
        super().__init__(f"{shown} is a value that this format cannot hold", **place)

    def __reduce__(self) -> tuple[Any, ...]:
        return FormatError, (self.why,), self.__dict__


class _Odd(Exception):
    """JSON that needs the strict parser."""


def _plainly(source: bytes, depth: int) -> Any:
    """The value, many times as fast as the strict parser, which alone says what is wrong.

    Raises _Odd if anything is wrong or cannot be held.
    """
    try:
        value = _decoder.decode(source)
        msgspec.msgpack.encode(value)  # refuses raw parts and integers beyond 64 bits
        # Of duplicate keys only one is left, so colons are missing.
        written = msgspec.json.encode(value)
        is_odd = b"\\u003" in source or written.count(b":") != source.count(b":")
        is_odd = is_odd or may_be_deeper(written, depth)
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _Odd from error
    if is_odd:
        raise _Odd
    return value


def may_be_deeper(source: bytes, depth: int) -> bool:
    """Whether a value may be nested deeper; counts a space at the beginning of a line as a
    level.
    """
    if depth >= len(source):  # each level takes a byte
        return False
    return not depth or b"\n" + b" " * depth in msgspec.json.format(source, indent=1)


def depth_of(source: bytes, enough: int) -> int:
    """How deeply a value is nested; a number not above `enough` may be an upper bound."""
    if (bound := source.count(b"{") + source.count(b"[")) <= enough:
        return bound
    brackets = left = _brackets(source)
    bound = 0
    while left and bound <= enough:
        left = left.replace(b"[]", b"").replace(b"{}", b"")  # one level or two
        bound += 2
    return bound if bound <= enough else _depth(brackets)


def _brackets(source: bytes) -> bytes:
    """Only the brackets outside strings."""
    unescaped = source.replace(rb"\\", b"").replace(rb"\"", b"")
    kept = unescaped.translate(None, _NO_BRACKETS).replace(b'""', b"")
    return _BARE_STRING.sub(b"", kept)


def _depth(brackets: bytes) -> int:
    depth = deepest = 0
    for bracket in brackets:
        depth += 1 if bracket in b"{[" else -1
        deepest = max(deepest, depth)
    return deepest


def _outermost_key(source: bytes, depth: int) -> str | None:
    """The key of a member whose value is nested deeper; None without one."""
    key, of, level = None, 0, 0
    for found in _KEY_OR_BRACKET.finditer(source):
        if found[2] and (key is None or level == of):
            key, of = found[1], level
        elif found[0] in (b"{", b"["):
            level += 1
            if level > depth:
                break
        elif found[0] in (b"}", b"]"):
            level -= 1
            key = key if level >= of else None
    return None if key is None else json.loads(key)


def raw_parts(value: Any, field: str = "") -> Iterator[tuple[str, RawJson]]:
    """The parts of a value that stay raw, each with its place."""
    if isinstance(value, RawJson):
        yield field, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from raw_parts(item, f"{field}.{key}" if field else key)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from raw_parts(item, f"{field}[{index}]")


def refuse_raw(value: Any, **place: Any) -> None:
    """Raises Unholdable, naming the field, for a value that can only be stored as raw JSON."""
    for field, raw in raw_parts(value):
        raise Unholdable(raw, field=field, **place)


class _Twice(Exception):
    """A duplicate key in an object."""


class _JsonReader:
    def __init__(self, twins: list[str] | None) -> None:
        self._twins = twins
        self._strings: dict[str, RawJson] = {}
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=lambda name: RawJson(name.encode()),
        )

    def decode(self, source: bytes) -> Any:
        if not _SURROGATE.search(source):
            return self._decoder.decode(source.decode())
        # Strings with a lone surrogate are replaced by a name that the source does not contain.
        mark = "raw"
        while mark.encode() in source:
            mark += "-"
        set_aside = _STRING.sub(lambda match: self._set_aside(match[0], mark), source)
        return self._put_back(self._decoder.decode(set_aside.decode()))

    def _set_aside(self, literal: bytes, mark: str) -> bytes:
        if not _SURROGATE.search(literal) or _is_unicode(literal):
            return literal
        name = f"{mark} {len(self._strings)}"
        self._strings[name] = RawJson(literal)
        return b'"' + name.encode() + b'"'

    def _put_back(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._strings.get(value, value)
        if isinstance(value, list):
            return [self._put_back(item) for item in value]
        if isinstance(value, dict):
            kept = {key: self._put_back(item) for key, item in value.items()}
            return self._raw_object(kept) if self._strings.keys() & kept.keys() else kept
        return value

    def _raw_object(self, members: dict[str, Any]) -> RawJson:
        """An object with a key that cannot be held, as its source text."""
        parts = []
        for key, item in members.items():
            name = self._strings[key].json if key in self._strings else as_json(key)
            parts.append(name + b":" + as_json(item))
        return RawJson(b"{" + b",".join(parts) + b"}")

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            twice = _repeated(key for key, _ in pairs)
            if self._twins is None:
                raise _Twice(twice[0])
            self._twins += twice
        return members


def _repeated(keys: Iterable[str]) -> list[str]:
    """Keys that repeat an earlier one, once for each repetition."""
    seen: set[str] = set()
    again: list[str] = []
    for key in keys:
        if key in seen:
            again.append(key)
        seen.add(key)
    return again


def _is_unicode(literal: bytes) -> bool:
    try:
        str(json.loads(literal)).encode()
    except ValueError:
        return False
    return True


def _integer(text: str) -> int | RawJson:
    if len(text) < 19:
        return int(text)
    if len(text) > LONGEST_NUMBER or not INT_MIN <= (value := int(text)) <= INT_MAX:
        return RawJson(text.encode())
    return value


def _float(text: str) -> float | RawJson:
    if len(text) > LONGEST_NUMBER or not math.isfinite(value := float(text)):
        return RawJson(text.encode())
    return value


_decoder = msgspec.json.Decoder(float_hook=_float)
