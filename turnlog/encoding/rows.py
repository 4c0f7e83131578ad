"""How a commit becomes the columns of a row, and back: format t1 (ADR 13).

A row says in clear when it was recorded and which types of events it holds. What was said is in
its parts, one in the usual case. Each event and each key has a commitment of its own, so that one
can be proven, or dropped, alone; the row's digest covers the commitments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from hashlib import sha256, shake_256
from typing import Any

import msgspec

from turnlog.domain.commit import Commit
from turnlog.domain.events import EVENTS, Event, EventErased
from turnlog.encoding.binary import UNREADABLE, AnyEvent, encode, ext_hook
from turnlog.errors import Corrupt, NewerFormat

TOPIC = "t1"
"""What a row that holds a commit of this format is called."""

_COMMIT_TOPIC = re.compile(r"t[0-9]+")

CLEAR, SEALED = 0, 1
"""Encodings of a row's parts when it was written."""

SALT_BYTES = 16
DIGEST_BYTES = 32

TAGS: dict[type[Event], int] = {kind: kind.__struct_config__.tag for kind in EVENTS}  # type: ignore[misc]
_NAMES = {tag: kind.__name__ for kind, tag in TAGS.items()}


class Skeleton(msgspec.Struct, frozen=True, array_like=True):
    """What of a commit outlives what it says; recorded: the log's clock, UTC seconds.

    tags: of the events, in order. keys: how many idempotency keys the commit has.
    """

    recorded: float
    first_event: int
    first_turn: int
    tags: tuple[int, ...]
    encoding: int = CLEAR
    keys: int = 0


class Content(msgspec.Struct, frozen=True, array_like=True):
    """What a part says. secret: the salts of the commitments come from it.

    Where one event was dropped from among others, secret holds the salts of those that are left.
    """

    secret: bytes | tuple[bytes, ...]
    events: tuple[Any, ...]
    keys: tuple[str, ...] = ()


class EventContent(Content, frozen=True, array_like=True):
    events: tuple[AnyEvent, ...]  # pyright: ignore


class RawContent(Content, frozen=True, array_like=True):
    """Each event as the bytes that its commitment covers."""

    events: tuple[msgspec.Raw, ...]


class Part(msgspec.Struct, frozen=True, array_like=True):
    """subjects: whose keys it is sealed under. content: bytes where sealed, None where dropped.

    places: which of the row's commitments are about its events and then its keys; none for all.
    """

    content: Any
    subjects: tuple[bytes, ...] = ()
    places: tuple[int, ...] = ()


class _EventPart(Part, frozen=True, array_like=True):
    content: EventContent | bytes | None


class _RawPart(Part, frozen=True, array_like=True):
    content: RawContent | bytes | None


_skeleton = msgspec.msgpack.Decoder(Skeleton)


@cache
def _parts() -> msgspec.msgpack.Decoder[tuple[_EventPart, ...]]:
    """Made when events are first read: what reads heads alone starts faster."""
    return msgspec.msgpack.Decoder(tuple[_EventPart, ...], ext_hook=ext_hook)


@cache
def _raw_parts() -> msgspec.msgpack.Decoder[tuple[_RawPart, ...]]:
    return msgspec.msgpack.Decoder(tuple[_RawPart, ...])


def is_commit(topic: str) -> bool:
    """Whether a row is ours, of whatever format version; a foreign application's is not."""
    return topic == TOPIC or _COMMIT_TOPIC.fullmatch(topic) is not None


# --- writing ------------------------------------------------------------------------------------


class Columns(msgspec.Struct, frozen=True):
    """What a row holds of a commit, and the commitments that follow from its parts."""

    topic: str
    skeleton: bytes
    parts: bytes
    commitments: bytes


def columns(commit: Commit, secret: bytes) -> Columns:
    """secret: 16 random bytes that nobody else gets to know."""
    events = commit.events
    keys = () if commit.key is None else (commit.key,)
    skeleton = Skeleton(
        commit.recorded, commit.first_event, commit.first_turn,
        tuple([TAGS[type(event)] for event in events]), CLEAR, len(keys),
    )  # fmt: skip
    encoded = [encode(event) for event in events]
    return Columns(TOPIC, encode(skeleton), *_part(encoded, keys, secret))


def foreign_columns(topic: str, state: bytes, secret: bytes) -> Columns:
    """The same of what another application stores, which is one event of its own."""
    return Columns(topic, b"", *_part([encode(state)], (), secret))


def _part(encoded: Sequence[bytes], keys: tuple[str, ...], secret: bytes) -> tuple[bytes, bytes]:
    content = Content(secret, tuple(map(msgspec.Raw, encoded)), keys)
    said = [*encoded, *(key.encode() for key in keys)]
    return encode((Part(content),)), b"".join(_commitments(_salts(secret, len(said)), said))


def _salts(secret: bytes | Sequence[bytes], count: int) -> Sequence[bytes]:
    """A salt for each; what one of them is says nothing of the others."""
    if not isinstance(secret, bytes):
        return secret
    stream = shake_256(secret).digest(count * SALT_BYTES)
    return [stream[at : at + SALT_BYTES] for at in range(0, count * SALT_BYTES, SALT_BYTES)]


def _commitments(salts: Iterable[bytes], said: Iterable[bytes]) -> list[bytes]:
    return [sha256(salt + each).digest() for salt, each in zip(salts, said, strict=True)]


# --- reading ------------------------------------------------------------------------------------


def decode_skeleton(skeleton: bytes) -> Skeleton:
    """Raises Corrupt for what `columns` did not write."""
    try:
        return _skeleton.decode(skeleton)
    except UNREADABLE as error:
        raise Corrupt(f"what the row says in clear cannot be read: {error}") from error


def decode_events(topic: str, skeleton: bytes, parts: bytes) -> tuple[int, tuple[Event, ...]]:
    """Number of the first event, and the events. Raises NewerFormat or Corrupt, never half."""
    in_clear, events, _ = _decoded(topic, skeleton, parts)
    return in_clear.first_event, events


def decode_commit(
    conversation: str, version: int, topic: str, skeleton: bytes, parts: bytes,
    position: int | None, life: int = 1,
) -> Commit:  # fmt: skip
    """A stored commit. Raises NewerFormat or Corrupt, never half a commit."""
    try:
        in_clear, events, keys = _decoded(topic, skeleton, parts)
    except (NewerFormat, Corrupt) as error:
        where = f"conversation {conversation!r}, version {version}"
        raise type(error)(f"{where}: {error}") from error
    return Commit(
        conversation, version, in_clear.first_event, in_clear.first_turn, in_clear.recorded,
        events, keys[0] if keys else None, position, life,
    )  # fmt: skip


def _decoded(
    topic: str, skeleton: bytes, parts: bytes
) -> tuple[Skeleton, tuple[Event, ...], Sequence[str]]:
    if topic != TOPIC:
        raise NewerFormat(
            f"stored in the format {topic!r}, which this version of turnlog does not know"
        )
    try:
        in_clear = _skeleton.decode(skeleton)
        found = _parts().decode(parts)
    except UNREADABLE as error:
        raise Corrupt(str(error)) from error
    if len(found) == 1 and not found[0].places and isinstance(found[0].content, Content):
        content: Content = found[0].content
        if len(content.events) != len(in_clear.tags):
            raise Corrupt("it does not hold as many events as it says in clear")
        return in_clear, content.events, content.keys
    return in_clear, _gathered(in_clear, found), _keys(found)


def _keys(parts: Iterable[Part]) -> list[str]:
    return [key for part in parts if isinstance(part.content, Content) for key in part.content.keys]


def _gathered(skeleton: Skeleton, parts: Iterable[Part]) -> tuple[Event, ...]:
    """The events of several parts, in order; of one that was dropped its type alone."""
    events: list[Event] = [EventErased(_NAMES.get(tag, str(tag))) for tag in skeleton.tags]
    for part in parts:
        if isinstance(part.content, bytes):
            raise NewerFormat("a part is sealed, which this version of turnlog cannot open")
        if part.content is None:
            continue
        places = part.places or range(len(events))
        try:
            for place, event in zip(places, part.content.events, strict=False):
                events[place] = event
        except IndexError as error:
            raise Corrupt("a part does not hold the events that it names") from error
    return tuple(events)


def foreign_state(parts: bytes) -> bytes:
    """What another application stored."""
    [part] = _decode_raw(parts)
    if not isinstance(part.content, RawContent):
        return b""  # it was dropped
    state: bytes = msgspec.msgpack.decode(part.content.events[0])
    return state


def _decode_raw(parts: bytes) -> tuple[_RawPart, ...]:
    try:
        return _raw_parts().decode(parts)
    except UNREADABLE as error:
        raise Corrupt(f"the parts cannot be read: {error}") from error


# --- commitments and digests --------------------------------------------------------------------


def commitments(parts: bytes) -> bytes:
    """The commitments that follow from the parts of a row of which nothing was dropped."""
    found = _decode_raw(parts)
    try:
        if len(found) == 1 and not found[0].places:
            return b"".join(_of(found[0].content))
        made = dict(pair for part in found for pair in _placed(part))
        return b"".join(made[place] for place in range(len(made)))
    except (AttributeError, TypeError, ValueError, LookupError) as error:
        raise Corrupt(f"the commitments cannot be made from the parts: {error}") from error


def _of(content: Any) -> list[bytes]:
    """Those of a part's events, then those of its keys."""
    said = [*map(bytes, content.events), *(key.encode() for key in content.keys)]
    return _commitments(_salts(content.secret, len(said)), said)


def _placed(part: _RawPart) -> Iterator[tuple[int, bytes]]:
    made = _of(part.content)
    return zip(part.places or range(len(made)), made, strict=True)


def disagreements(commitments: bytes, parts: bytes) -> list[int]:
    """Places of what is not as its stored commitment says."""
    size = DIGEST_BYTES
    try:
        return [
            place
            for part in _decode_raw(parts)
            if isinstance(part.content, RawContent)
            for place, made in _placed(part)
            if commitments[place * size : (place + 1) * size] != made
        ]
    except (TypeError, ValueError) as error:
        raise Corrupt(f"the commitments cannot be made from the parts: {error}") from error


_ZEROS = bytes(DIGEST_BYTES)


def digest(
    owner: bytes, version: int, topic: str, previous: bytes, skeleton: bytes, commitments: bytes
) -> bytes:
    """The digest of a row; owner: the commitment of its stream. Only topic has no fixed length."""
    return sha256(
        b"%b%b%b%b%b%b"
        % (
            owner,
            version.to_bytes(8, "big", signed=True),
            previous,
            sha256(skeleton).digest(),
            sha256(commitments).digest(),
            topic.encode(),
        )
    ).digest()


def genesis_digest(skeleton: bytes) -> bytes:
    """The digest that every stream of a log begins with."""
    return digest(_ZEROS, 0, "genesis", _ZEROS, skeleton, b"")


# --- names --------------------------------------------------------------------------------------


def encode_name(conversation: str, salt: bytes) -> bytes:
    return encode((salt, conversation))


@lru_cache(4096)
def decode_name(name: bytes) -> str:
    """The conversation that a stream's name says. Raises Corrupt for what is no name."""
    try:
        return _name.decode(name)[1]
    except UNREADABLE as error:
        raise Corrupt(f"the name of a stream cannot be read: {error}") from error


_name = msgspec.msgpack.Decoder(tuple[bytes, str])


def owner(genesis: bytes, life: int, name: bytes) -> bytes:
    """The commitment of a stream: whose rows they are. life: counts from 1 for each id."""
    return sha256(genesis + life.to_bytes(8, "big", signed=True) + name).digest()


# --- dropping -----------------------------------------------------------------------------------


def dropped(stored: bytes, parts: bytes, drops: Callable[[int], bool]) -> tuple[bytes, bytes]:
    """Commitments and parts of a row without what is at the places that `drops` says.

    The row's digest stays what it was, and what is left can be proven as before.
    """
    left = [_without(part, drops) for part in _decode_raw(parts)]
    return stored or commitments(parts), encode(left)


def _without(part: _RawPart, drops: Callable[[int], bool]) -> Part:
    content = part.content
    if not isinstance(content, RawContent):
        return part
    count = len(content.events)
    salts = _salts(content.secret, count + len(content.keys))
    places = part.places or range(len(salts))
    kept = [index for index, place in enumerate(places) if not drops(place)]
    if len(kept) == len(places):
        return part
    if not kept:
        return Part(None, part.subjects, tuple(places))
    remaining = RawContent(
        tuple(salts[index] for index in kept),
        tuple(content.events[index] for index in kept if index < count),
        tuple(content.keys[index - count] for index in kept if index >= count),
    )
    return Part(remaining, part.subjects, tuple(places[index] for index in kept))
