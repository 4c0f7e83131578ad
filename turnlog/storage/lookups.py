"""Lookups: HMACs by which ids, keys and attachments are found without being stored."""

from __future__ import annotations

import hmac
from functools import lru_cache

from turnlog.domain.commit import Commit, RepeatKey, message_ids
from turnlog.encoding.binary import encode

ID_BYTES = 8
KEY_BYTES = 12
COMMITMENT_BYTES = 16


@lru_cache(4096)
def lookup_of(secret: bytes, conversation: str) -> bytes:
    """The lookup of a conversation's id."""
    return hmac.digest(secret, encode(conversation), "sha256")[:ID_BYTES]


def commitment_of(secret: bytes, id: str) -> str:
    """The HMAC that replaces the id of a conversation or person where no one may read it."""
    return hmac.digest(secret, encode(f"\x1fperson {id}"), "sha256")[:COMMITMENT_BYTES].hex()


@lru_cache(1024)
def key_lookup(secret: bytes, conversation: str, key: str, life: int = 1) -> bytes:
    """The lookup of an idempotency key of a life. Those of a conversation are adjacent in
    an index.
    """
    said = hmac.digest(secret, encode((conversation, life, key)), "sha256")
    return lookup_of(secret, conversation) + said[:KEY_BYTES]


@lru_cache(1024)
def message_lookup(secret: bytes, conversation: str, id: str, life: int = 1) -> bytes:
    """The lookup of a user message's id, distinct from those of keys."""
    said = hmac.digest(secret, encode((conversation, life, "message", id)), "sha256")
    return lookup_of(secret, conversation) + said[:KEY_BYTES]


def repeat_lookup(secret: bytes, conversation: str, key: RepeatKey) -> bytes:
    """The lookup of a repeat key: of an idempotency key or a message id."""
    lookup = message_lookup if key.is_message else key_lookup
    return lookup(secret, conversation, key.text, key.life)


def repeat_lookups(secret: bytes, commit: Commit) -> list[bytes]:
    """The lookups by which a repetition of the commit is recognized."""
    conversation, life = commit.conversation, commit.life
    lookups = [message_lookup(secret, conversation, id, life) for id in message_ids(commit.events)]
    if commit.key is not None:
        lookups.append(key_lookup(secret, conversation, commit.key, life))
    return lookups


def forks_lookup(secret: bytes, origin: int) -> bytes:
    """The prefix of the lookups of a stream's forks in the table of keys."""
    return lookup_of(secret, _forks_of(origin))


def fork_lookup(secret: bytes, origin: int, fork: int) -> bytes:
    """The lookup of a fork under its origin, by the numbers of both streams."""
    return key_lookup(secret, _forks_of(origin), str(fork))


def _forks_of(origin: int) -> str:
    """A name that no conversation's id can equal."""
    return f"\x1fforks {origin:012x}"


def after_keys(prefix: bytes) -> bytes:
    """The end of the range of lookups with a prefix."""
    return prefix + b"\xff" * (ID_BYTES + KEY_BYTES)


@lru_cache(1024)
def stream_secret(secret: bytes, owner: bytes) -> bytes:
    """The secret from which a stream's attachments are named; it does not reveal the conversation's
    id.
    """
    return hmac.digest(secret, encode((owner, "attachments")), "sha256")


def attachment_name(stream_secret: bytes, sha256: bytes) -> bytes:
    """The name of content with a digest. It cannot be guessed without the secret."""
    return hmac.digest(stream_secret, sha256, "sha256")
