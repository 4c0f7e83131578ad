"""What the codecs of JSON documents and JSON lines have in common."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import msgspec
from msgspec.structs import replace

from turnlog.domain.dialogue import Dialogue
from turnlog.encoding import binary
from turnlog.encoding.checking import checked_from_json
from turnlog.errors import FormatError
from turnlog.serializers.shared.codec import Codec, Example
from turnlog.serializers.shared.json_head import member_of
from turnlog.serializers.shared.json_stream import Element
from turnlog.serializers.shared.json_value import Broken, parse, refuse_raw
from turnlog.serializers.shared.plain import dumps


class DocumentCodec(Codec):
    """A format whose conversations are JSON values, each parsed separately."""

    id_fields: ClassVar[tuple[str, ...]] = ("id",)
    """Members with a conversation's id; they name a conversation that is too big."""
    holds_raw: ClassVar[bool] = False
    """Whether to accept values that can only be stored as raw JSON."""
    envelope: ClassVar[int] = 0
    """Levels of nesting that the format puts around a value."""

    def elements(self, file: BinaryIO) -> Iterator[Element | FormatError]:
        """The conversations of a file, each as its JSON."""
        raise NotImplementedError

    def at_once(self, element: Element, depth: int) -> Dialogue | None:
        """A conversation in which nothing is odd, without a look at its values; None where it takes
        one."""
        return None

    def dialogue(self, value: Any, element: Element, path: Path) -> Dialogue:
        """A parsed conversation as a dialogue. Raises FormatError naming conversation and field."""
        raise NotImplementedError

    def read(self, path: Path) -> Iterator[Dialogue | FormatError]:
        """See `Codec.read`; one piece a conversation."""
        return (self.read_piece(piece, path) for piece in self.pieces(path))

    def pieces(self, path: Path) -> Iterator[Element | FormatError]:
        """The file in pieces, each of which can be read separately, in any process."""
        with path.open("rb") as file:
            try:
                yield from self.elements(file)
            except FormatError as error:
                raise _placed(error, path) from error

    def read_piece(self, element: Element | FormatError, path: Path) -> Dialogue | FormatError:
        """Raises FormatError if nothing after it can be read."""
        if isinstance(element, FormatError):
            return _placed(element, path)
        try:
            return self._read_one(element, path)
        except FormatError as error:
            if isinstance(error, Broken) and not element.alone:
                raise _placed(error, path) from error
            return _placed(error, path, element.line, self._name(element))

    def _read_one(self, element: Element, path: Path) -> Dialogue:
        if not element.whole:
            raise FormatError(f"has more than {self.limits.conversation_bytes:,} bytes")
        depth = self.limits.depth + self.envelope
        dialogue = self.at_once(element, depth)
        if dialogue is None:
            value = parse(element.json, depth=depth, line=element.line, holds_raw=self.holds_raw)
            dialogue = self.dialogue(value, element, path)
        if self.refuses_empty and not dialogue.events and dialogue.first_event == 1:
            raise FormatError("has no events", conversation=dialogue.name)
        if not dialogue.name:
            raise FormatError("an id must have at least one character", field=self.id_fields[0])
        if len(element.json) > self.limits.event_bytes:
            self._check_sizes(dialogue)
        return replace(dialogue, events=checked_from_json(dialogue.events))

    def _check_sizes(self, dialogue: Dialogue) -> None:
        most = self.limits.event_bytes
        for number, event in dialogue.numbered():
            if (size := len(binary.encode(event))) > most:
                kind = type(event).__name__
                why = f"event {number}, {kind}, has {size:,} bytes, more than {most:,}"
                raise FormatError(why, conversation=dialogue.name)

    def _name(self, element: Element) -> str | None:
        """The conversation's name if its JSON cannot be read."""
        if element.key is not None:
            return element.key
        for field in self.id_fields:
            if id := member_of(element.json, field):
                return _text(id)
        return None


def write_lines(examples: Iterable[Example], out: BinaryIO) -> None:
    """One example a line."""
    for example in examples:
        out.write(as_line(example.content))


def as_line(content: Any) -> bytes:
    """The content's JSON and a newline."""
    return dumps(content) + b"\n"


def write_array(examples: Iterable[Example], out: BinaryIO) -> None:
    """A JSON array, one example a line."""
    out.write(b"[")
    for number, example in enumerate(examples):
        out.write((b",\n" if number else b"\n") + as_line(example.content).rstrip(b"\n"))
    out.write(b"\n]\n")


def member(value: Any, field: str, kind: type | tuple[type, ...]) -> Any:
    """A required member of that type. FormatError names a missing or wrong one."""
    if not isinstance(value, dict):
        raise FormatError(f"expected an object, not {value!r:.60}", field=field)
    if field not in value:
        raise FormatError("is missing", field=field)
    held = value[field]
    if not isinstance(held, kind):
        raise FormatError(f"cannot be {held!r:.60}", field=field)
    return held


def refuse_raw_example(example: Example) -> None:
    """Raises Unholdable, naming conversation and field, if the format would have to contain raw
    JSON that other programs cannot read.
    """
    try:
        msgspec.json.encode(example.content)
    except TypeError:
        refuse_raw(example.content, conversation=example.conversation)
        raise


def _text(literal: bytes) -> str:
    try:
        return str(json.loads(literal)).encode(errors="replace").decode()
    except ValueError:
        return literal.decode(errors="replace")


def _placed(
    error: FormatError, path: Path, line: int | None = None, conversation: str | None = None
) -> FormatError:
    error.file = error.file or str(path)
    error.line = error.line or line
    error.conversation = error.conversation or conversation
    error.args = (str(error),)
    return error
