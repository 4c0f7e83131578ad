"""The places of a document's elements, for a JSON document that is in memory as a whole."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

_BLANK = re.compile(rb"[ \t\r\n]*+")
_BEFORE_ITEM = re.compile(rb"[ \t\r\n]*+,?+[ \t\r\n]*+")
_BEFORE_MEMBER = re.compile(
    rb'[ \t\r\n]*+,?+[ \t\r\n]*+("(?:[^"\\]++|\\.)*+")[ \t\r\n]*+:[ \t\r\n]*+', re.DOTALL
)
_END = re.compile(rb"[ \t\r\n]*+[\]}]")


class JsonSpan(NamedTuple):
    """Start and end of a value; key: its name if it is an object's member."""

    start: int
    stop: int
    key: str | None = None


def spans(source: bytes, below: Sequence[str], of: str) -> list[JsonSpan] | None:
    """Spans of the document's elements, the same as `json_stream.elements` yields.

    None if anything is wrong, or for a duplicate key: a stream finds out where.
    """
    begin = len(BOM_UTF8) if source.startswith(BOM_UTF8) else 0
    start = _end(_BLANK, source, begin)
    if start == len(source) or not (below or chr(source[start]) in of):
        return None
    try:
        return _within(source, JsonSpan(start, len(source)), list(below))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _within(source: bytes, span: JsonSpan, below: list[str]) -> list[JsonSpan] | None:
    """None for a duplicate or missing key."""
    value, is_array = memoryview(source)[span.start : span.stop], source[span.start] == b"["[0]
    find = _items if is_array else _members
    found = list(find(source, value, span.start + 1))
    if not _END.match(source, found[-1].stop if found else span.start + 1):
        return None
    if not below:
        return found
    inner = None if is_array else next((each for each in found if each.key == below[0]), None)
    return None if inner is None else _within(source, inner, below[1:])


def _end(pattern: re.Pattern[bytes], source: bytes, at: int) -> int:
    match = pattern.match(source, at)
    return match.end() if match else at


def _items(source: bytes, array: memoryview, at: int) -> Iterator[JsonSpan]:
    for raw in msgspec.json.decode(array, type=list[msgspec.Raw]):
        start = _end(_BEFORE_ITEM, source, at)
        at = start + len(bytes(raw))
        yield JsonSpan(start, at)


def _members(source: bytes, object: memoryview, at: int) -> Iterator[JsonSpan]:
    """Up to a duplicate key, of which only the last value is known."""
    for key, raw in msgspec.json.decode(object, type=dict[str, msgspec.Raw]).items():
        before = _BEFORE_MEMBER.match(source, at)
        if before is None or msgspec.json.decode(before[1]) != key:
            return
        if not source.startswith(value := bytes(raw), before.end()):
            return
        at = before.end() + len(value)
        yield JsonSpan(before.end(), at, key)
