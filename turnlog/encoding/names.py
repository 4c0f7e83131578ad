"""The names of streams: the id that a stream's commitment is to."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

import msgspec

from turnlog.encoding.binary import UNREADABLE, encode
from turnlog.errors import Corrupt


def encode_name(conversation: str, salt: bytes) -> bytes:
    return encode((salt, conversation))


@lru_cache(4096)
def decode_name(name: bytes) -> str:
    """The conversation that a stream's name says. Raises Corrupt for what is not a name."""
    return decode_salted(name)[1]


def decode_salted(name: bytes) -> tuple[bytes, str]:
    """With its salt, which what is sealed takes the place of (ADR 19). Raises as that does."""
    try:
        return _name.decode(name)
    except UNREADABLE as error:
        raise Corrupt(f"the name of a stream cannot be read: {error}") from error


_name = msgspec.msgpack.Decoder(tuple[bytes, str])


def owner(genesis: bytes, life: int, name: bytes) -> bytes:
    """The commitment of a stream: whose rows they are. life: counts from 1 for each id."""
    return sha256(genesis + life.to_bytes(8, "big", signed=True) + name).digest()
