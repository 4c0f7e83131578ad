"""What can be stored: events of the right types and size, with values that JSON can represent."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec

from turnlog.domain.attachment import Attachment
from turnlog.domain.errors import InvalidEvent
from turnlog.domain.events import EVENTS, Event
from turnlog.domain.values import SCALARS, is_json, unholdable
from turnlog.encoding import apart
from turnlog.encoding.binary import (
    MAX_EVENT_BYTES,
    decode_events,
    encode,
    encode_array,
    encode_events,
    events_decoder,
)

_NON_FINITE = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]")


class CheckedEvents(tuple[Event, ...]):
    """Checked events, which no caller shares, with the encoding of each."""

    said: Sequence[bytes]

    @classmethod
    def of(cls, events: Iterable[Event], said: Sequence[bytes]) -> CheckedEvents:
        """Events with their encodings, one each."""
        made = cls(events)
        made.said = said
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _decoded, (self.said,)


def _decoded(said: Sequence[bytes]) -> CheckedEvents:
    return CheckedEvents.of(decode_events(encode_array(said)), said)


def encodings(events: Sequence[Event]) -> Mapping[int, bytes]:
    """The known encodings of events, by `id`."""
    if not isinstance(events, CheckedEvents):
        return {}
    return dict(zip(map(id, events), events.said, strict=True))


def checked_from_json(events: tuple[Event, ...], *, are_typed: bool = False) -> tuple[Event, ...]:
    """The events if all can be stored, checked in one pass; for values that were read from JSON.

    Returns them unchecked if one cannot be stored, so that `checked` names it. are_typed: whether
    msgspec made them, with values of the right types.
    """
    if isinstance(events, CheckedEvents):
        return events
    try:
        said = [*map(encode, events)]
        body = encode_array(said)
        result = events if are_typed else decode_events(body)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        return events
    if len(body) > MAX_EVENT_BYTES or _NON_FINITE.search(body) or apart.attaches(events):
        return events
    return CheckedEvents.of(result, said)


def checked(conversation: str, events: Iterable[Event]) -> tuple[Event, ...]:
    """The events as the log will return them, with copied values.

    Raises InvalidEvent, which names type and field, for what cannot be stored.
    """
    if isinstance(events, CheckedEvents):
        return events
    try:
        listed = tuple(events)
    except TypeError as error:
        if isinstance(events, Iterable):  # an error of the caller's generator
            raise
        raise InvalidEvent(conversation, "events", f"{events!r:.80} is not a list") from error
    try:
        body = encode_events(listed)
        if not _are_made_of_json(listed) or _NON_FINITE.search(body):
            _find_fault(conversation, listed)
        result = decode_events(body)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        _find_fault(conversation, listed)
        raise InvalidEvent(conversation, "events", str(error)) from error
    if len(body) > MAX_EVENT_BYTES:
        _check_sizes(conversation, listed)
    return apart.bound_as(result, listed)


def _is_made_of_json(part: Any) -> bool:
    """`is_json`, through the structs that events contain."""
    return _made_of_json_by_type().get(type(part), is_json)(part)


def _are_made_of_json(parts: Iterable[Any]) -> bool:
    return all(map(_is_made_of_json, parts))


_hints = cache(get_type_hints)


@cache
def _holds_any(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return any(map(_holds_any, _hints(annotation).values()))
    return annotation is Any or any(map(_holds_any, get_args(annotation)))


@cache
def _holds_structs(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return True
    return any(map(_holds_structs, get_args(annotation)))


def _structs() -> Iterator[type[msgspec.Struct]]:
    """All types of events and of the structs in them."""
    waiting: list[Any] = list(EVENTS)
    seen: set[Any] = set()
    while waiting:
        annotation = waiting.pop()
        if annotation in seen:
            continue
        seen.add(annotation)
        if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
            waiting += _hints(annotation).values()
            yield annotation
        else:
            waiting += get_args(annotation)


@cache
def _open_fields() -> dict[type[msgspec.Struct], tuple[str, ...]]:
    """By type, the fields that can contain any value."""
    return {
        cls: tuple(name for name in cls.__struct_fields__ if _holds_any(_hints(cls)[name]))
        for cls in _structs()
    }


def _made_of_json(cls: type[msgspec.Struct], names: Iterable[str]) -> Callable[[Any], bool]:
    """`_is_made_of_json` for a struct with these open fields."""
    each = [
        f"(part.{name} is None or type(part.{name}) in scalars or {made}(part.{name}))"
        for name in names
        for made in ("is_made_of_json" if _holds_structs(_hints(cls)[name]) else "is_json",)
    ]
    source = f"lambda part: {' and '.join(each) or True}"  # getattr would take five times as long
    known = {"scalars": SCALARS, "is_made_of_json": _is_made_of_json, "is_json": is_json}
    made_of_json: Callable[[Any], bool] = eval(source, known)
    return made_of_json


@cache
def _made_of_json_by_type() -> dict[type, Callable[[Any], bool]]:
    structs = {cls: _made_of_json(cls, names) for cls, names in _open_fields().items()}
    return {**structs, tuple: _are_made_of_json, list: _are_made_of_json}


def _check_sizes(conversation: str, events: Sequence[Event]) -> None:
    for event in events:
        if (size := apart.bytes_in_row(event)) > MAX_EVENT_BYTES:
            why = f"has {size:,} bytes; the limit for an event is {MAX_EVENT_BYTES:,}"
            raise InvalidEvent(conversation, type(event).__name__, why)


def _find_fault(conversation: str, events: Sequence[Event]) -> None:
    for event in events:
        if not isinstance(event, Event):
            raise InvalidEvent(conversation, "events", f"{event!r:.80} is not an event")
        open_fields = _open_fields()[type(event)]
        for field in event.__struct_fields__:
            value = getattr(event, field)
            name = f"{type(event).__name__}.{field}"
            if isinstance(value, float) and not math.isfinite(value):
                raise InvalidEvent(conversation, name, f"is {value}, which JSON cannot represent")
            is_typed = field not in open_fields and _is_binary(value)
            if not is_typed and (why := _part_unholdable(value, _hints(type(event))[field])):
                raise InvalidEvent(conversation, name, f"{_shown(value)} {why}")
        try:
            events_decoder().decode(encode([event]))
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
            why = str(error).replace("$[0]", "field ", 1)
            raise InvalidEvent(conversation, type(event).__name__, why) from error


def _is_binary(value: Any) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(map(_is_binary, value))
    return isinstance(value, bytes | Attachment)


def _shown(value: Any) -> str:
    """A value's repr, shortened if it is too deep or too long."""
    try:
        return reprlib.repr(value)
    except ValueError:  # Python does not convert very long integers to text
        return f"a {type(value).__name__} with too many digits to show"


def _part_unholdable(value: Any, annotation: Any) -> str | None:
    """`unholdable`, through structs if the annotation has a place for them."""
    if not _holds_structs(annotation):
        return unholdable(value)
    if type(value) in _open_fields():
        kind: Any = type(value)
        hints = _hints(kind)
        parts = (_part_unholdable(getattr(value, name), hints[name]) for name in hints)
        return next(filter(None, parts), None)
    if isinstance(value, tuple | list) and value and isinstance(value[0], msgspec.Struct):
        return next(filter(None, (_part_unholdable(part, annotation) for part in value)), None)
    return unholdable(value)
