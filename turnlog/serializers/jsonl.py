"""The native format: one dialogue a line, its events as plain JSON with documented names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import Event
from turnlog.encoding.apart import with_contents
from turnlog.encoding.checking import CheckedEvents, checked_from_json
from turnlog.errors import FormatError
from turnlog.serializers.shared import json_stream
from turnlog.serializers.shared.codec import Example
from turnlog.serializers.shared.document import DocumentCodec, member, write_lines
from turnlog.serializers.shared.event_json import events_json
from turnlog.serializers.shared.json_head import begins_with
from turnlog.serializers.shared.json_stream import Element
from turnlog.serializers.shared.json_value import may_be_deeper
from turnlog.serializers.shared.plain import dumps, from_plain, from_twin, twins

VERSION = 1
FORMAT = f"turnlog/{VERSION}"
_FORMAT = re.compile(r"turnlog/([0-9]{1,9})\Z")
_SNIFF = re.compile(rb'"format"\s*:\s*"turnlog/')
_MEMBERS = frozenset(("format", "conversation", "events", "first_event", "first_turn", "origin"))


class JsonlCodec(DocumentCodec):
    """`{"format": "turnlog/1", "conversation": …, "events": […]}`, one a line.

    first_event and first_turn appear if the dialogue is only the end of a conversation; origin, of
    a fork, names the conversation that contains the events before.
    """

    name = "jsonl"
    suffix = ".jsonl"
    reads = writes = True
    writes_json = True
    id_fields = ("conversation",)
    holds_raw = whole = True
    envelope = 8

    def sniff(self, head: bytes, path: Path) -> bool:
        """Recognises the `format` of the first line."""
        return "format" in begins_with(head, "{") and _SNIFF.search(head) is not None

    def elements(self, file: BinaryIO) -> Iterator[Element | FormatError]:
        """One conversation a line."""
        return json_stream.lines(file, self.limits.conversation_bytes)

    def at_once(self, element: Element, depth: int) -> Dialogue | None:
        """A whole conversation that round-trips unchanged: nothing was lost."""
        try:
            line = _whole().decode(element.json)
            is_odd = line.format != FORMAT or dumps(line) != element.json
            if is_odd or may_be_deeper(element.json, depth):
                return None
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
            return None
        events = checked_from_json(tuple(map(from_twin, line.events)), are_typed=True)
        return Dialogue(line.conversation, events) if isinstance(events, CheckedEvents) else None

    def dialogue(self, value: Any, element: Element, path: Path) -> Dialogue:
        """A dialogue of version 1; undeclared members are refused."""
        _check_version(member(value, "format", str))
        for field in value.keys() - _MEMBERS:
            raise FormatError("unknown member", field=field)
        name = member(value, "conversation", str)
        events = tuple(_events(member(value, "events", list), name))
        events = checked_from_json(events, are_typed=True)
        first = {key: value[key] for key in ("first_event", "first_turn") if key in value}
        for key in first:
            member(value, key, int)
        if "origin" in value:
            first["origin"] = member(value, "origin", str)
        return Dialogue(name, events, **first)

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """One example: the whole dialogue."""
        content: dict[str, Any] = {"format": FORMAT, "conversation": dialogue.name}
        if dialogue.first_event != 1:
            content |= {"first_event": dialogue.first_event, "first_turn": dialogue.first_turn}
        if dialogue.origin is not None:
            content["origin"] = dialogue.origin
        content["events"] = events_json(with_contents(dialogue.events))
        yield Example.of(dialogue, content)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """One conversation a line."""
        write_lines(examples, out)


@cache
def _whole() -> msgspec.json.Decoder[Any]:
    """Of a line with a whole conversation."""
    listed: Any = list
    members = [("format", str), ("conversation", str), ("events", listed[twins()])]
    return msgspec.json.Decoder(msgspec.defstruct("Whole", members, forbid_unknown_fields=True))


def _check_version(text: str) -> None:
    match = _FORMAT.match(text)
    if match is None:
        raise FormatError(
            f"unknown format {text!r:.60}; expected turnlog/{VERSION}", field="format"
        )
    if int(match[1]) > VERSION:
        why = f"{text!r} was written by a newer version; this one reads turnlog/{VERSION}"
        raise FormatError(why, field="format")


def _events(values: list[Any], conversation: str) -> Iterator[Event]:
    for index, value in enumerate(values):
        try:
            yield from_plain(value)
        except FormatError as error:
            field = f"events[{index}]" + (f".{error.field}" if error.field else "")
            raise FormatError(error.why, conversation=conversation, field=field) from error
