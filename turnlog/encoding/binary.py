"""The compact encoding of values, states and events: msgpack arrays with integer tags."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Union, get_args, get_type_hints

import msgspec

from turnlog.domain.errors import InvalidEvent
from turnlog.domain.events import EVENTS, Event
from turnlog.domain.state import State
from turnlog.domain.values import SCALARS, RawJson, is_json, unholdable
from turnlog.errors import Corrupt, NewerFormat

MAX_EVENT_BYTES = 1_000_000

_RAW_JSON = 1  # msgpack extension type
_NON_FINITE = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]")


def _enc_hook(value: Any) -> Any:
    if isinstance(value, RawJson):
        return msgspec.msgpack.Ext(_RAW_JSON, value.json)
    raise TypeError(f"a value of type {type(value).__name__} is no JSON value")


def ext_hook(code: int, data: memoryview) -> Any:
    if code == _RAW_JSON:
        return RawJson(bytes(data))
    raise NewerFormat(f"a value of extension type {code} is not known to this version")


AnyEvent: Any = Union[EVENTS]  # noqa: UP007  # | takes no tuple

_encoder = msgspec.msgpack.Encoder(enc_hook=_enc_hook)
_ordered = msgspec.msgpack.Encoder(enc_hook=_enc_hook, order="deterministic")
_state = msgspec.msgpack.Decoder(State, ext_hook=ext_hook)
_value = msgspec.msgpack.Decoder(ext_hook=ext_hook)

UNREADABLE = (msgspec.MsgspecError, TypeError, ValueError, RecursionError)
"""What msgspec raises for what it cannot decode: UnicodeDecodeError for a text of other bytes."""

encode = _encoder.encode
encode_ordered = _ordered.encode


def decode(data: bytes) -> Any:
    """A plain value that `encode` wrote. Raises Corrupt for what it did not."""
    try:
        return _value.decode(data)
    except UNREADABLE as error:
        raise Corrupt(f"a stored value cannot be read: {error}") from error


def encode_state(state: State) -> bytes:
    return _encoder.encode(state)


def decode_state(data: bytes) -> State:
    try:
        return _state.decode(data)
    except UNREADABLE as error:
        raise Corrupt(f"a stored state cannot be read: {error}") from error


def encode_events(events: Sequence[Event]) -> bytes:
    return _encoder.encode(events)


def decode_events(body: bytes) -> tuple[Event, ...]:
    """Events, each checked against its type."""
    return _events_decoder().decode(body)


@cache
def _events_decoder() -> msgspec.msgpack.Decoder[tuple[Event, ...]]:
    """Made when events are first read: what reads heads alone starts faster."""
    return msgspec.msgpack.Decoder(tuple[AnyEvent, ...], ext_hook=ext_hook)


def checked(conversation: str, events: Iterable[Event]) -> tuple[Event, ...]:
    """The events as the log will give them back: types held, values copied.

    Raises InvalidEvent, naming type and field, for what cannot be stored.
    """
    try:
        listed = tuple(events)
    except TypeError as error:
        if isinstance(events, Iterable):  # what a generator raises is its own affair
            raise
        raise InvalidEvent(conversation, "events", f"{events!r:.80} is no list") from error
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
    return result


def _is_made_of_json(part: Any) -> bool:
    """As `is_json`, through the structs that events are made of."""
    return _made_of_json_by_type().get(type(part), is_json)(part)


def _are_made_of_json(parts: Iterable[Any]) -> bool:
    return all(map(_is_made_of_json, parts))


_hints = cache(get_type_hints)


@cache
def _holds_any(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return any(map(_holds_any, _hints(annotation).values()))
    return annotation is Any or any(map(_holds_any, get_args(annotation)))


def _structs() -> Iterator[type[msgspec.Struct]]:
    """Every event type, and every struct type in one."""
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
def _open_fields() -> dict[type, tuple[str, ...]]:
    """The fields that can hold any value, of each event and each struct in one."""
    return {
        cls: tuple(name for name in cls.__struct_fields__ if _holds_any(_hints(cls)[name]))
        for cls in _structs()
    }


def _made_of_json(names: Iterable[str]) -> Callable[[Any], bool]:
    """`_is_made_of_json` for a struct with these open fields."""
    each = [
        f"(part.{name} is None or type(part.{name}) in scalars or is_made_of_json(part.{name}))"
        for name in names
    ]
    source = f"lambda part: {' and '.join(each) or True}"  # by getattr it takes five times as long
    known = {"scalars": SCALARS, "is_made_of_json": _is_made_of_json}
    made_of_json: Callable[[Any], bool] = eval(source, known)
    return made_of_json


@cache
def _made_of_json_by_type() -> dict[type, Callable[[Any], bool]]:
    structs = {cls: _made_of_json(names) for cls, names in _open_fields().items()}
    return {**structs, tuple: _are_made_of_json, list: _are_made_of_json}


def _check_sizes(conversation: str, events: Sequence[Event]) -> None:
    for event in events:
        if (size := len(_encoder.encode(event))) > MAX_EVENT_BYTES:
            why = f"has {size:,} bytes, more than the {MAX_EVENT_BYTES:,} an event may have"
            raise InvalidEvent(conversation, type(event).__name__, why)


def _find_fault(conversation: str, events: Sequence[Event]) -> None:
    for event in events:
        if not isinstance(event, Event):
            raise InvalidEvent(conversation, "events", f"{event!r:.80} is no event")
        for field in event.__struct_fields__:
            value = getattr(event, field)
            name = f"{type(event).__name__}.{field}"
            if isinstance(value, float) and not math.isfinite(value):
                raise InvalidEvent(conversation, name, f"is {value}, which JSON cannot say")
            typed_bytes = isinstance(value, bytes) and field not in _open_fields()[type(event)]
            if not typed_bytes and (why := _part_unholdable(value)):
                raise InvalidEvent(conversation, name, f"{_shown(value)} {why}")
        try:
            _events_decoder().decode(_encoder.encode([event]))
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
            why = str(error).replace("$[0]", "field ", 1)
            raise InvalidEvent(conversation, type(event).__name__, why) from error


def _shown(value: Any) -> str:
    """Of a value that may be too deep or too long to be shown whole."""
    try:
        return reprlib.repr(value)
    except ValueError:  # Python does not turn very long integers into text
        return f"a {type(value).__name__} of very many digits"


def _part_unholdable(value: Any) -> str | None:
    if isinstance(value, msgspec.Struct):
        parts = (_part_unholdable(getattr(value, name)) for name in value.__struct_fields__)
        return next(filter(None, parts), None)
    if isinstance(value, tuple | list) and value and isinstance(value[0], msgspec.Struct):
        return next(filter(None, map(_part_unholdable, value)), None)
    return unholdable(value)
