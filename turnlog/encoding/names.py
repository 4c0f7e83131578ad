"""The names of streams, to which their commitments are made."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

import msgspec

from turnlog.encoding.binary import UNREADABLE, encode
from turnlog.errors import Corrupt


def encode_name(conversation: str, salt: bytes) -> bytes:
    """A stream's name: the id of its conversation, with a salt."""
    return encode((salt, conversation))


@lru_cache(4096)
def decode_name(name: bytes) -> str:
    """The conversation that a stream's name contains. Raises Corrupt if it is not a name."""
    return decode_salted(name)[1]


def decode_salted(name: bytes) -> tuple[bytes, str]:
    """The salt and the conversation of a stream's name. A seal replaces the salt (ADR 19).

    Raises Corrupt if it is not a name.
    """
    try:
        return _name.decode(name)
    except UNREADABLE as error:
        raise Corrupt(f"the name of a stream cannot be read: {error}") from error


_name = msgspec.msgpack.Decoder(tuple[bytes, str])


def owner(genesis: bytes, life: int, name: bytes) -> bytes:
    """A stream's commitment to its conversation. life: counts from 1 for each id."""
    return sha256(genesis + life.to_bytes(8, "big", signed=True) + name).digest()
