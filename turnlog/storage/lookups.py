"""How ids, keys and attachments are found again without being said."""

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
    """How an id is found again without being said."""
    return hmac.digest(secret, encode(conversation), "sha256")[:ID_BYTES]


def commitment_of(secret: bytes, id: str) -> str:
    """What stands for an id, a conversation's or a person's, where nobody shall read it."""
    return hmac.digest(secret, encode(f"\x1fperson {id}"), "sha256")[:COMMITMENT_BYTES].hex()


@lru_cache(1024)
def key_lookup(secret: bytes, conversation: str, key: str, life: int = 1) -> bytes:
    """The same of a key of a life; those of one conversation are neighbours in an index."""
    said = hmac.digest(secret, encode((conversation, life, key)), "sha256")
    return lookup_of(secret, conversation) + said[:KEY_BYTES]


@lru_cache(1024)
def message_lookup(secret: bytes, conversation: str, id: str, life: int = 1) -> bytes:
    """The same of the id of a user's message, which no key is mistaken for."""
    said = hmac.digest(secret, encode((conversation, life, "message", id)), "sha256")
    return lookup_of(secret, conversation) + said[:KEY_BYTES]


def repeat_lookup(secret: bytes, conversation: str, key: RepeatKey) -> bytes:
    """The same of whatever a commit is known again by."""
    lookup = message_lookup if key.is_message else key_lookup
    return lookup(secret, conversation, key.text, key.life)


def repeat_lookups(secret: bytes, commit: Commit) -> list[bytes]:
    """How a commit is known again."""
    conversation, life = commit.conversation, commit.life
    lookups = [message_lookup(secret, conversation, id, life) for id in message_ids(commit.events)]
    if commit.key is not None:
        lookups.append(key_lookup(secret, conversation, commit.key, life))
    return lookups


def forks_lookup(secret: bytes, origin: int) -> bytes:
    """What the lookups of a stream's forks begin with, in the table of keys."""
    return lookup_of(secret, _forks_of(origin))


def fork_lookup(secret: bytes, origin: int, fork: int) -> bytes:
    """How a fork is found by the stream that it is a fork of; both are numbers of streams."""
    return key_lookup(secret, _forks_of(origin), str(fork))


def _forks_of(origin: int) -> str:
    """No id that is given can be this."""
    return f"\x1fforks {origin:012x}"


def after_keys(prefix: bytes) -> bytes:
    """What comes after all lookups that begin so."""
    return prefix + b"\xff" * (ID_BYTES + KEY_BYTES)


@lru_cache(1024)
def stream_secret(secret: bytes, owner: bytes) -> bytes:
    """What attachments of a stream are named with; nobody finds its conversation's id by it."""
    return hmac.digest(secret, encode((owner, "attachments")), "sha256")


def attachment_name(stream_secret: bytes, sha256: bytes) -> bytes:
    """The name of what has this digest, which nobody guesses who does not know the secret."""
    return hmac.digest(stream_secret, sha256, "sha256")
