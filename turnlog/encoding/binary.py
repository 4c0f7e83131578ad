"""The compact encoding of values, states and events: msgpack arrays with integer tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Union

import msgspec

from turnlog.domain.events import EVENTS, Event
from turnlog.domain.state import State
from turnlog.domain.values import RawJson
from turnlog.errors import Corrupt, NewerFormat

MAX_EVENT_BYTES = 1_000_000
"""The largest event in a row, in bytes; values over 64 kB are stored apart (`encoding.apart`)."""

_RAW_JSON, APART = 1, 2  # msgpack extension types


def _enc_hook(value: Any) -> Any:
    if isinstance(value, RawJson):
        return msgspec.msgpack.Ext(_RAW_JSON, value.json)
    raise TypeError(f"a value of type {type(value).__name__} is not a JSON value")


def ext_hook(code: int, data: memoryview) -> Any:
    """Decodes msgpack's extension types: JSON kept as text, and the mark of a value stored
    apart.
    """
    if code == _RAW_JSON:
        return RawJson(bytes(data))
    if code == APART:
        raise ValueError("the value is stored apart from its row")
    raise NewerFormat(f"a value of extension type {code} is unknown to this version of turnlog")


AnyEvent: Any = Union[EVENTS]  # noqa: UP007  # | takes no tuple

_encoder = msgspec.msgpack.Encoder(enc_hook=_enc_hook)
_ordered = msgspec.msgpack.Encoder(enc_hook=_enc_hook, order="deterministic")
_state = msgspec.msgpack.Decoder(State, ext_hook=ext_hook)
_value = msgspec.msgpack.Decoder(ext_hook=ext_hook)

UNREADABLE = (msgspec.MsgspecError, TypeError, ValueError, RecursionError)
"""What msgspec raises for bytes that it cannot decode; UnicodeDecodeError is a ValueError."""

encode = _encoder.encode
encode_ordered = _ordered.encode


def decode(data: bytes) -> Any:
    """A plain value that `encode` wrote. Raises Corrupt for other bytes."""
    try:
        return _value.decode(data)
    except UNREADABLE as error:
        raise Corrupt(f"a stored value cannot be read: {error}") from error


def encode_state(state: State) -> bytes:
    """A state as bytes."""
    return _encoder.encode(state)


def decode_state(data: bytes) -> State:
    """The state that `encode_state` wrote. Raises Corrupt for other bytes."""
    try:
        return _state.decode(data)
    except UNREADABLE as error:
        raise Corrupt(f"a stored state cannot be read: {error}") from error


def encode_array(items: Iterable[bytes]) -> bytes:
    """An array of encoded values."""
    return _encoder.encode([*map(msgspec.Raw, items)])


def encode_events(events: Sequence[Event]) -> bytes:
    """Events as an array of bytes."""
    return _encoder.encode(events)


def decode_events(body: bytes) -> tuple[Event, ...]:
    """Events, each checked against its type."""
    return events_decoder().decode(body)


@cache
def events_decoder() -> msgspec.msgpack.Decoder[tuple[Event, ...]]:
    """The decoder of events, made on first use: a process that reads only heads starts faster."""
    return msgspec.msgpack.Decoder(tuple[AnyEvent, ...], ext_hook=ext_hook)
