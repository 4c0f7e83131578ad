"""Big JSON read in pieces: elements of a document, or lines, without loading the whole file."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import BinaryIO

import msgspec

from turnlog.errors import FormatError
from turnlog.serializers.shared.json_spans import JsonSpan, spans
from turnlog.serializers.shared.json_value import Broken, parse

CHUNK_BYTES = 1 << 16
"""Bytes in one read of a file."""
AT_ONCE_BYTES = 1 << 24
"""Bytes of a file that is read whole, which is faster."""

_BLANK = re.compile(rb"[ \t\r\n]*+")
_SCALAR = re.compile(rb"[^ \t\r\n,\]}]*+")
_INSIDE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_LEVELS = 6
"""The most levels of nesting that one match passes over."""


def _nested(levels: int) -> bytes:
    """A pattern of the contents of brackets, up to the first that is deeper or not closed here."""
    inner = rb"[{\[]" + _nested(levels - 1) + rb"[}\]]|" if levels else b""
    return rb'(?:[^"{}\[\]]++|' + inner + rb'"(?:[^"\\]++|\\.)*+")*+'


_INNER = re.compile(_nested(_LEVELS), re.DOTALL)
_QUOTE, _BACKSLASH = b'"'[0], b"\\"[0]
_OPEN = frozenset(b"{[")


class Element(msgspec.Struct, frozen=True):
    """A value of a stream, which begins in line `line`; key: its name if it is an object's member.

    whole is False if it has more bytes than the limit: json is then its beginning. alone: it has
    its own line, so a fault in it affects nothing else.
    """

    json: bytes
    line: int
    key: str | None = None
    whole: bool = True
    alone: bool = False


def lines(file: BinaryIO, keep: int) -> Iterator[Element]:
    """The lines that are not blank, at most `keep` bytes of each, without byte order marks."""
    number = 0
    while line := file.readline(keep + 2):
        number += 1
        kept = line
        while not line.endswith(b"\n") and (line := file.readline(CHUNK_BYTES)):
            pass
        if stripped := kept.removeprefix(BOM_UTF8).strip():
            whole = len(stripped) <= keep and (line == b"" or kept.endswith(b"\n"))
            yield Element(stripped, number, whole=whole, alone=True)


def elements(
    file: BinaryIO, keep: int, below: Sequence[str] = (), *, of: str = "[{"
) -> Iterator[Element | FormatError]:
    """The elements of the document's array, or the members of its object, in order.

    below: keys that lead from the top of the document to that array or object. of: the brackets it
    may begin with. A member with a duplicate key is a FormatError. Raises FormatError with the line
    where the document is broken; every element before has then been yielded.
    """
    most = min(AT_ONCE_BYTES, keep)
    whole = file.read(most + 1)
    found = spans(whole, below, of) if len(whole) <= most else None
    if found is not None:
        yield from _at_once(whole, found)
        return
    file.seek(0)
    yield from _in_pieces(file, keep, below, of)


def _at_once(whole: bytes, found: Iterable[JsonSpan]) -> Iterator[Element]:
    line, at = 1, 0
    for start, stop, key in found:
        line += whole.count(b"\n", at, start)
        at = start
        yield Element(whole[start:stop], line, key)


def _in_pieces(
    file: BinaryIO, keep: int, below: Sequence[str], of: str
) -> Iterator[Element | FormatError]:
    scanner = _Scanner(file)
    if not below and (scanner.peek() or b"?") not in of.encode():
        kinds = " or ".join({"[": "an array", "{": "an object"}[bracket] for bracket in of)
        raise scanner.error(f"expected {kinds}")
    yield from _walk(scanner, keep, list(below))
    if scanner.peek():
        raise scanner.error("text after the end of the document")


def documents(file: BinaryIO, keep: int) -> Iterator[Element | FormatError]:
    """The elements of an array, or JSON lines, or a single document."""
    head = file.read(CHUNK_BYTES)
    file.seek(0)
    if head.removeprefix(BOM_UTF8).lstrip().startswith(b"["):
        yield from elements(file, keep)
        return
    each = lines(file, keep)
    first = next(each, None)
    if first is None:
        raise FormatError("is empty")
    if first.whole and _complete(first.json):
        yield from chain((first,), each)
        return
    file.seek(0)
    whole = file.read(keep + 1)
    stripped = whole.removeprefix(BOM_UTF8).strip()
    yield Element(stripped, 1, whole=len(whole) <= keep)


def _complete(line: bytes) -> bool:
    try:
        parse(line, depth=10**9)
    except Broken:
        return False
    except (FormatError, RecursionError):
        return True
    return True


def _walk(scanner: _Scanner, keep: int, below: list[str]) -> Iterator[Element | FormatError]:
    if below and scanner.peek() != b"{":
        raise scanner.error(f"expected an object with {below[0]!r}")
    if scanner.peek() == b"{":
        yield from _members(scanner, keep, below)
    elif scanner.peek() == b"[":
        scanner.expect(b"[")
        for _ in scanner.separated(b"]"):
            yield scanner.value(keep)
    else:
        raise scanner.error("neither an array nor an object")


def _members(scanner: _Scanner, keep: int, below: list[str]) -> Iterator[Element | FormatError]:
    seen: set[str] = set()
    scanner.expect(b"{")
    for _ in scanner.separated(b"}"):
        key = scanner.key(keep)
        if key in seen:
            yield scanner.error("duplicate key", field=key)
            scanner.value(0)
            continue
        seen.add(key)
        if not below:
            yield scanner.value(keep, key)
        elif key == below[0]:
            yield from _walk(scanner, keep, below[1:])
        else:
            scanner.value(0)
    if below and below[0] not in seen:
        raise scanner.error("is missing", field=below[0])


class _Scanner:
    """Finds where values begin and end, with one chunk and the current value in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._chunk = file.read(CHUNK_BYTES)
        self._at = len(BOM_UTF8) if self._chunk.startswith(BOM_UTF8) else 0
        self.line = 1

    def error(self, why: str, field: str | None = None) -> FormatError:
        return FormatError(why, line=self.line, field=field)

    def peek(self) -> bytes:
        """The next byte that is not blank, b"" at the end."""
        while True:
            self._forward(_BLANK)
            if self._at < len(self._chunk):
                return self._chunk[self._at : self._at + 1]
            if not self._more():
                return b""

    def expect(self, wanted: bytes) -> None:
        byte = self.peek()
        if byte != wanted:
            what = f"{byte.decode('latin-1')!r}" if byte else "the end of the file"
            raise self.error(f"expected {wanted.decode()!r}, found {what}")
        self._at += 1

    def separated(self, end: bytes) -> Iterator[None]:
        """Yields once for each item up to `end`; the caller reads the item."""
        if self.peek() == end:
            self._at += 1
            return
        while True:
            yield
            if self.peek() != b",":
                self.expect(end)
                return
            self._at += 1

    def key(self, keep: int) -> str:
        if self.peek() != b'"':
            raise self.error("expected a key in double quotes")
        key = parse(self.value(keep).json, line=self.line)
        if not isinstance(key, str):
            raise self.error("a key contains a lone surrogate", field=repr(key))
        self.expect(b":")
        return key

    def value(self, keep: int, key: str | None = None) -> Element:
        """The next value, at most `keep` bytes of it."""
        first, line, taken = self.peek(), self.line, _Taken(keep)
        if first in (b"{", b"["):
            self._container(taken, line)
        elif first == b'"':
            self._take(taken, self._at + 1)
            self._string(taken, line)
        else:
            self._scalar(taken)
        if not taken.size:
            raise self.error("expected a value" if first else "the file ends early")
        return Element(bytes(taken.kept), line, key, taken.size <= keep)

    def _container(self, taken: _Taken, line: int) -> None:
        self._take(taken, self._at + 1)
        depth = 1
        while depth:
            stop = self._end(_INNER)
            if stop == len(self._chunk):
                self._take(taken, stop)
                self._must_have_more(line)
                continue
            byte = self._chunk[stop]
            self._take(taken, stop + 1)
            if byte == _QUOTE:
                self._string(taken, line)
                continue
            depth += 1 if byte in _OPEN else -1

    def _string(self, taken: _Taken, line: int) -> None:
        """The rest of a string, after its opening quote."""
        while True:
            stop = self._end(_INSIDE)
            if stop < len(self._chunk) and self._chunk[stop] == _QUOTE:
                self._take(taken, stop + 1)
                return
            self._take(taken, stop)
            self._must_have_more(line)

    def _scalar(self, taken: _Taken) -> None:
        while True:
            stop = self._end(_SCALAR)
            self._take(taken, stop)
            if stop < len(self._chunk) or not self._more():
                return

    def _end(self, pattern: re.Pattern[bytes]) -> int:
        match = pattern.match(self._chunk, self._at)
        return match.end() if match else self._at

    def _forward(self, pattern: re.Pattern[bytes]) -> None:
        stop = self._end(pattern)
        self.line += self._chunk.count(b"\n", self._at, stop)
        self._at = stop

    def _take(self, taken: _Taken, stop: int) -> None:
        self.line += self._chunk.count(b"\n", self._at, stop)
        taken.add(self._chunk, self._at, stop)
        self._at = stop

    def _must_have_more(self, line: int) -> None:
        if not self._more():
            raise self.error(f"the file ends inside the value that begins in line {line}")

    def _more(self) -> bool:
        read = self._file.read(CHUNK_BYTES)
        self._chunk = self._chunk[self._at :] + read
        self._at = 0
        return bool(read)


class _Taken:
    """A value's bytes so far: the first `keep` of them, and how many there were."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.size = 0
        self.kept = bytearray()

    def add(self, chunk: bytes, start: int, stop: int) -> None:
        room = self.keep - self.size
        if room > 0:
            self.kept += chunk[start : min(stop, start + room)]
        self.size += stop - start
