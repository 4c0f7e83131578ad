"""Values of more than 64 kB in an event, which are stored apart from its row (ADR 13).

In the row, an Attachment replaces bytes, and extension type 2 with an Attachment inside replaces
any other value. What the fold reads stays in the row, so that a fold never reads more than rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Protocol, get_args, get_type_hints

import msgspec
from msgspec.structs import replace

from turnlog.domain.apply import FOLDED
from turnlog.domain.attachment import LARGE, Attachment
from turnlog.domain.events import EVENTS, Event
from turnlog.encoding.binary import APART, AnyEvent, encode, ext_hook
from turnlog.errors import StorageError

MARK = encode("0" * 64)[:2]
"""The bytes before every attachment's name."""

_NEVER_FOLDED = ("data", "extra")

_BLANK = {
    kind: encode(value)
    for kind, value in (("text", ""), ("bytes", b""), ("list", []), ("object", {}), ("json", None))
}
"""What a fold sees in place of a value stored apart, by the value's type."""


class Contents(Protocol):
    """Where values stored apart are read."""

    def value(self, attachment: Attachment) -> bytes:
        """An encoded value. Raises Corrupt if it is missing or damaged."""
        ...

    def bound(self, attachment: Attachment) -> Attachment:
        """The attachment, bound so that it can be read."""
        ...


class Bare:
    """Contents for a fold: nothing is read."""

    def value(self, attachment: Attachment) -> bytes:
        """A blank value of the attachment's type."""
        return _BLANK.get(attachment.type or "", _BLANK["json"])

    def bound(self, attachment: Attachment) -> Attachment:
        """The attachment itself, unbound."""
        return attachment


BARE = Bare()

Put = Callable[[bytes | Attachment, str | None], Attachment]
"""Stores bytes with an optional type, and returns the attachment that replaces them."""


# --- attachments in place of bytes --------------------------------------------------------------


@cache
def _attaching() -> dict[type[Event], str]:
    """By event type, the field that can contain bytes."""
    return {
        kind: name
        for kind in EVENTS
        for name, hint in get_type_hints(kind).items()
        if Attachment in get_args(hint)
    }


@cache
def attaching_tags() -> dict[int, int]:
    """By tag, the place of that field in the encoded array."""
    return {
        _tag(kind): kind.__struct_fields__.index(name) + 1 for kind, name in _attaching().items()
    }


def _tag(kind: type[Event]) -> int:
    tag: int = kind.__struct_config__.tag  # type: ignore[assignment]  # every event has a number
    return tag


def attachments_in(events: Iterable[Event]) -> Iterator[Attachment]:
    """The attachments in events."""
    for event in events:
        if (name := _attaching().get(type(event))) is not None:
            held = getattr(event, name)
            if isinstance(held, Attachment):
                yield held


def attached(events: Sequence[Event], put: Put) -> Sequence[Event]:
    """The events, with an attachment in place of each large field of bytes."""
    return tuple(_attached(event, put) for event in events) if attaches(events) else events


def attaches(events: Iterable[Event]) -> bool:
    """Whether any event is of a type with a field for bytes."""
    return not _attaching().keys().isdisjoint(map(type, events))


def _attached(event: Event, put: Put) -> Event:
    name = _attaching().get(type(event))
    held = getattr(event, name) if name else None
    if name is None or not (isinstance(held, Attachment) or (held and len(held) > LARGE)):
        return event
    given = held.type if isinstance(held, Attachment) else getattr(event, "mime", None)
    changed: Event = replace(event, **{name: put(held, given)})
    return changed


def bound(events: tuple[Event, ...], contents: Contents) -> tuple[Event, ...]:
    """The events, with attachments that can be read."""
    return tuple(attached(events, lambda held, _: contents.bound(held)))  # type: ignore[arg-type]


def bound_as(events: tuple[Event, ...], given: Sequence[Event]) -> tuple[Event, ...]:
    """Copies of `events`, with the readable attachments of `given`."""
    if not attaches(events):
        return events
    given_there = attachments_in(given)

    def as_given(held: bytes | Attachment, type: str | None) -> Any:
        return next(given_there) if isinstance(held, Attachment) else held

    return tuple(attached(events, as_given))


def bytes_in_row(event: Event) -> int:
    """The number of bytes of an event that stay in its row."""
    blank = Attachment("0" * 64, 0)
    return len(split(encode(attached([event], lambda *_: blank)[0]), lambda *_: blank))


def with_contents(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """The events with bytes in place of attachments, for writing them out."""
    return tuple(map(_with_contents, events)) if attaches(events) else events


def _with_contents(event: Event) -> Event:
    name = _attaching().get(type(event))
    held = getattr(event, name) if name else None
    whole: Event = event
    if name is not None and isinstance(held, Attachment):
        whole = replace(event, **{name: bytes(held)})
    return whole


# --- attachments in place of other values -------------------------------------------------------

_fields = msgspec.msgpack.Decoder(list[msgspec.Raw])
_attachment = msgspec.msgpack.Decoder(Attachment)


@cache
def _event() -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(AnyEvent, ext_hook=ext_hook)


@cache
def _stays() -> dict[int, frozenset[int]]:
    """By tag, the places of the fields that a fold reads."""
    return {
        _tag(kind): frozenset(
            place
            for place, name in enumerate(kind.__struct_fields__, 1)
            if name not in _NEVER_FOLDED
        )
        for kind in FOLDED
    }


def split(encoded: bytes, put: Put) -> bytes:
    """An encoded event without the values to store apart."""
    if len(encoded) <= LARGE:
        return encoded
    fields = _fields.decode(encoded)
    stays = _stays().get(msgspec.msgpack.decode(fields[0]), ())
    for place, raw in enumerate(fields):
        if len(raw) > LARGE and place not in stays:
            attachment = put(bytes(raw), _kind(raw))
            fields[place] = msgspec.Raw(encode(msgspec.msgpack.Ext(APART, encode(attachment))))
    return encode(fields)


def _kind(raw: msgspec.Raw) -> str:
    """The type of an encoded value of more than 64 kB, by its first byte."""
    first = memoryview(raw)[0]
    return _OF_FEW.get(first >> 4) or _OF_MANY.get(first, "json")


_OF_FEW = {0x8: "object", 0x9: "list"}
_OF_MANY = {
    **dict.fromkeys((0xC5, 0xC6), "bytes"),
    **dict.fromkeys((0xDA, 0xDB), "text"),
    **dict.fromkeys((0xDC, 0xDD), "list"),
    **dict.fromkeys((0xDE, 0xDF), "object"),
}
"""Includes the short headers, because a value of 65,534 or 65,535 bytes has one."""


def decoded(encoded: msgspec.Raw, contents: Contents | None) -> Event:
    """The event as it was before `split`."""
    fields = _fields.decode(encoded)
    for place, raw in enumerate(fields):
        if (attachment := _attachment_in(raw)) is not None:
            if contents is None:
                raise StorageError("a value stored apart from its row cannot be read here")
            fields[place] = msgspec.Raw(contents.value(attachment))
    event: Event = _event().decode(encode(fields))
    return event


def _attachment_in(raw: msgspec.Raw) -> Attachment | None:
    """The attachment that replaces a value in its row; None for any other value."""
    if memoryview(raw)[0] != 0xC7:  # an extension with a short header
        return None
    held = msgspec.msgpack.decode(raw)
    return _attachment.decode(held.data) if held.code == APART else None


def named_by(events: Iterable[msgspec.Raw]) -> Iterator[Attachment]:
    """The attachments that encoded events name."""
    for event in events:
        if MARK in bytes(event):
            fields = _fields.decode(event)
            yield from filter(None, map(_attachment_in, fields))
            place = attaching_tags().get(msgspec.msgpack.decode(fields[0]), len(fields))
            if place < len(fields) and memoryview(fields[place])[0] == 0x93:
                yield _attachment.decode(fields[place])
