"""How a commit becomes the columns of a row, and back: format t1 (ADR 13).

A row says in clear when it was recorded and which types of events it contains. The content is in
its parts. Each event and each key has its own commitment, so that it can be proven or dropped
alone. The row's digest covers the commitments.

In the usual case no part is sealed or dropped. The commitments then follow from the content and are
not stored; `parts` is the secret from which their salts derive, followed by the content.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256, shake_256
from types import MappingProxyType

import msgspec

from turnlog.domain.attachment import LARGE, Attachment
from turnlog.domain.commit import Commit
from turnlog.domain.events import EVENTS, Event, EventErased
from turnlog.encoding import apart
from turnlog.encoding.apart import Contents, Put
from turnlog.encoding.binary import UNREADABLE, AnyEvent, encode, ext_hook
from turnlog.errors import Corrupt, NewerFormat

TOPIC = "t1"
"""The topic of a row that contains a commit of this format."""

_COMMIT_TOPIC = re.compile(r"t[0-9]+")

CLEAR, SEALED = 0, 1
"""Encodings of a row's parts at the time of writing."""

SALT_BYTES = 16
DIGEST_BYTES = 32

TAGS: dict[type[Event], int] = {kind: kind.__struct_config__.tag for kind in EVENTS}  # type: ignore[misc]
_NAMES = {tag: kind.__name__ for kind, tag in TAGS.items()}


class Skeleton(msgspec.Struct, frozen=True, array_like=True):
    """The clear part of a commit, which outlives its content.

    recorded: the log's clock, UTC seconds. tags: of the events, in order. keys: the number of
    idempotency keys.
    """

    recorded: float
    first_event: int
    first_turn: int
    tags: tuple[int, ...]
    keys: int = 0
    encoding: int = CLEAR


class Said(msgspec.Struct, frozen=True, array_like=True):
    """The content of a commit without sealed or dropped parts."""

    events: tuple[AnyEvent, ...]  # pyright: ignore
    keys: tuple[str, ...] = ()


class RawSaid(msgspec.Struct, frozen=True, array_like=True):
    """The content, each event as the bytes that its commitment covers."""

    events: tuple[msgspec.Raw, ...]
    keys: tuple[str, ...] = ()


class Content(msgspec.Struct, frozen=True, array_like=True):
    """The content of a part, and the salt of each event and then of each key."""

    salts: tuple[bytes, ...]
    events: tuple[msgspec.Raw, ...]
    keys: tuple[str, ...] = ()


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One part of a row.

    content: bytes if sealed, None if dropped. subjects: whose keys seal it. places: the places of
    its events' commitments in the row, then those of its keys.
    """

    content: Content | bytes | None
    subjects: tuple[bytes, ...]
    places: tuple[int, ...]


_skeleton = msgspec.msgpack.Decoder(Skeleton)
_raw_said = msgspec.msgpack.Decoder(RawSaid)
_parts = msgspec.msgpack.Decoder(tuple[Part, ...])


@cache
def _said() -> msgspec.msgpack.Decoder[Said]:
    """The decoder of content, made on first use: a process that reads only heads starts faster."""
    return msgspec.msgpack.Decoder(Said, ext_hook=ext_hook)


def type_name(tag: int) -> str:
    """The name of an event type by its tag; the number if the tag is unknown."""
    return _NAMES.get(tag, str(tag))


def is_commit(topic: str) -> bool:
    """Whether a row is turnlog's, in any version of the format, and not another application's."""
    if topic == TOPIC:
        return True
    return isinstance(topic, str) and _COMMIT_TOPIC.fullmatch(topic) is not None


# --- writing ------------------------------------------------------------------------------------


class Columns(msgspec.Struct, frozen=True):
    """What a row stores of a commit, and the commitments that follow from its parts."""

    topic: str
    skeleton: bytes
    parts: bytes
    commitments: bytes


def columns(
    commit: Commit,
    secret: bytes,
    put: Put | None = None,
    how: int = CLEAR,
    encoded: Mapping[int, bytes] = MappingProxyType({}),
) -> Columns:
    """The columns of a commit's row.

    secret: 16 random bytes known to nothing else. put: stores values apart from the row; None keeps
    all in it. how: how the parts will be encoded. encoded: encodings of events that are already
    known, by `id`.
    """
    events, keys = commit.events, () if commit.key is None else (commit.key,)
    skeleton = (
        commit.recorded, commit.first_event, commit.first_turn,
        [TAGS[type(event)] for event in events], len(keys), *([how] if how else ()),
    )  # fmt: skip
    said = [encoded.get(id(event)) or encode(event) for event in events]
    if put is not None and (sum(map(len, said)) > LARGE or apart.attaches(events)):
        said = [apart.split(encode(event), put) for event in apart.attached(events, put)]
    whole = encode(RawSaid(tuple(map(msgspec.Raw, said)), keys))
    each = [*said, *[key.encode() for key in keys]]
    return Columns(TOPIC, encode(skeleton), secret + whole, _following(secret, each))


def foreign_columns(topic: str, state: bytes, secret: bytes) -> Columns:
    """The columns of another application's row, which count as one event."""
    parts = secret + encode(((state,), ()))
    return Columns(topic, b"", parts, _following(secret, [encode(state)]))


def _salts(secret: bytes, count: int) -> list[bytes]:
    """One salt for each; a salt reveals nothing about the others."""
    stream = shake_256(secret).digest(count * SALT_BYTES)
    return [stream[at : at + SALT_BYTES] for at in range(0, len(stream), SALT_BYTES)]


def _commitments(salts: Sequence[bytes], said: Sequence[bytes | msgspec.Raw]) -> list[bytes]:
    return [sha256(salt + each).digest() for salt, each in zip(salts, said, strict=True)]


def _following(secret: bytes, said: Sequence[bytes | msgspec.Raw]) -> bytes:
    """The commitments to contents, with salts derived from a secret, in one pass."""
    salts, at, made = shake_256(secret).digest(len(said) * SALT_BYTES), 0, b""
    for each in said:
        made += sha256(salts[at : at + SALT_BYTES] + each).digest()
        at += SALT_BYTES
    return made


# --- reading ------------------------------------------------------------------------------------


def decode_skeleton(skeleton: bytes) -> Skeleton:
    """The clear part of a row. Raises Corrupt if `columns` did not write it."""
    try:
        return _skeleton.decode(skeleton)
    except UNREADABLE as error:
        raise Corrupt(f"the clear part of the row cannot be read: {error}") from error


def holds(topic: str, skeleton: bytes, tags: Collection[int]) -> bool:
    """Whether a row may contain an event with one of the tags, according to its clear part."""
    return topic != TOPIC or any(tag in tags for tag in decode_skeleton(skeleton).tags)


def decode_events(
    topic: str, skeleton: bytes, commitments: bytes, parts: bytes, contents: Contents | None
) -> tuple[int, tuple[Event, ...]]:
    """Number of the first event, and all events of a row. Raises NewerFormat or Corrupt.

    contents: reads what is stored apart from the row; None if nothing is.
    """
    in_clear, said = _decoded(topic, skeleton, commitments, parts, contents)
    return in_clear.first_event, said.events


def decode_commit(
    conversation: str, version: int, topic: str, skeleton: bytes, commitments: bytes,
    parts: bytes, position: int | None, life: int = 1, contents: Contents | None = None,
) -> Commit:  # fmt: skip
    """A stored commit, complete. Raises NewerFormat or Corrupt."""
    try:
        in_clear, said = _decoded(topic, skeleton, commitments, parts, contents)
    except (NewerFormat, Corrupt) as error:
        where = f"conversation {conversation!r}, version {version}"
        raise type(error)(f"{where}: {error}") from error
    return Commit(
        conversation, version, in_clear.first_event, in_clear.first_turn, in_clear.recorded,
        said.events, said.keys[0] if said.keys else None, position, life,
    )  # fmt: skip


def _decoded(
    topic: str, skeleton: bytes, commitments: bytes, parts: bytes, contents: Contents | None
) -> tuple[Skeleton, Said]:
    if topic != TOPIC:
        raise NewerFormat(
            f"stored in the format {topic!r}, which this version of turnlog does not know"
        )
    try:
        in_clear = _skeleton.decode(skeleton)
        if commitments:
            said = _gathered(in_clear, _parts.decode(parts), contents)
        else:
            said = _read(memoryview(parts)[SALT_BYTES:], contents)
    except UNREADABLE as error:
        raise Corrupt(str(error)) from error
    if len(said.events) != len(in_clear.tags):
        raise Corrupt("the row does not contain as many events as its clear part says")
    if contents is not None and not apart.attaching_tags().keys().isdisjoint(in_clear.tags):
        return in_clear, Said(apart.bound(said.events, contents), said.keys)
    return in_clear, said


def _read(parts: memoryview, contents: Contents | None) -> Said:
    try:
        return _said().decode(parts)
    except UNREADABLE:
        raw = _raw_said.decode(parts)
        if not any(apart.named_by(raw.events)):
            raise
        return Said(tuple(apart.decoded(each, contents) for each in raw.events), raw.keys)


def _gathered(skeleton: Skeleton, parts: Iterable[Part], contents: Contents | None) -> Said:
    """The content of several parts, in order; a dropped event is an EventErased with its type."""
    events: list[Event] = [EventErased(type_name(tag)) for tag in skeleton.tags]
    keys: list[str] = []
    for part in parts:
        if isinstance(part.content, bytes):
            raise Corrupt("a part is sealed and its key is not available")
        if part.content is None:
            continue
        for place, event in zip(part.places, part.content.events, strict=False):
            if not 0 <= place < len(events):
                raise Corrupt("a part names events that the row does not have")
            events[place] = apart.decoded(event, contents)
        keys += part.content.keys
    return Said(tuple(events), tuple(keys))


def foreign_state(commitments: bytes, parts: bytes) -> bytes:
    """What another application stored; empty if it was dropped."""
    said = _whole(parts).events if not commitments else ()
    state: bytes = msgspec.msgpack.decode(said[0]) if said else b""
    return state


def _whole(parts: bytes) -> RawSaid:
    try:
        return _raw_said.decode(memoryview(parts)[SALT_BYTES:])
    except UNREADABLE as error:
        raise Corrupt(f"the parts cannot be read: {error}") from error


def attachments(commitments: bytes, parts: bytes) -> Iterator[Attachment]:
    """The attachments that a row names."""
    if apart.MARK not in parts:  # true of nearly all rows
        return
    try:
        for part in parts_of(commitments, parts):
            if isinstance(part.content, Content):
                yield from apart.named_by(part.content.events)
    except UNREADABLE as error:
        raise Corrupt(f"the parts cannot be read: {error}") from error


def is_sealed(commitments: bytes, parts: bytes) -> bool:
    """Whether a part of the row is sealed."""
    return bool(commitments) and any(
        isinstance(part.content, bytes) for part in parts_of(commitments, parts)
    )


def parts_of(stored: bytes, parts: bytes) -> Sequence[Part]:
    """A row's parts. stored: its commitments; b"" if they follow from the only part."""
    if stored:
        return _parts.decode(parts)
    said = _whole(parts)
    count = len(said.events) + len(said.keys)
    salts = _salts(parts[:SALT_BYTES], count)
    return (Part(Content(tuple(salts), said.events, said.keys), (), tuple(range(count))),)


# --- commitments and digests --------------------------------------------------------------------


def commitments(parts: bytes) -> bytes:
    """The commitments that follow from the parts of a row without stored ones."""
    said = _whole(parts)
    return _following(parts[:SALT_BYTES], [*said.events, *[key.encode() for key in said.keys]])


def openings(stored: bytes, parts: bytes) -> dict[int, tuple[bytes, bytes]]:
    """By place, the salt and the bytes that open a commitment: events first, then keys.

    Omits sealed and dropped ones. Raises Corrupt.
    """
    try:
        return {
            place: (salt, bytes(said))
            for part in parts_of(stored, parts)
            if isinstance(part.content, Content)
            for place, salt, said in zip(
                part.places, part.content.salts, _said_by(part.content), strict=True
            )
        }
    except (*UNREADABLE, ValueError) as error:
        raise Corrupt(f"the parts cannot be read: {error}") from error


def disagreements(commitments: bytes, parts: bytes) -> list[int]:
    """Places whose content does not match its stored commitment."""
    size = DIGEST_BYTES
    try:
        return [
            place
            for part in _parts.decode(parts)
            if isinstance(part.content, Content)
            for place, made in zip(part.places, _of(part.content), strict=True)
            if commitments[place * size : (place + 1) * size] != made
        ]
    except UNREADABLE as error:
        raise Corrupt(f"the commitments cannot be made from the parts: {error}") from error


def _of(content: Content) -> list[bytes]:
    return _commitments(content.salts, _said_by(content))


def _said_by(content: Content) -> list[bytes | msgspec.Raw]:
    return [*content.events, *[key.encode() for key in content.keys]]


_ZEROS = bytes(DIGEST_BYTES)


def digest(
    owner: bytes, version: int, topic: str, previous: bytes, skeleton: bytes, commitments: bytes
) -> bytes:
    """The digest of a row. owner: its stream's commitment. Only `topic` has no fixed length."""
    try:
        number = version.to_bytes(8, "big", signed=True)
    except OverflowError as error:  # only in a row whose version was changed
        raise Corrupt(f"version {version} is too large") from error
    inner = sha256(skeleton).digest() + sha256(commitments).digest()
    return sha256(owner + number + previous + inner + topic.encode()).digest()


def genesis_skeleton(log_id: bytes) -> bytes:
    """The clear part of a log's genesis row: the log's id, and the hash of its digests."""
    return encode((log_id, "sha256"))


def log_id_in(skeleton: bytes) -> bytes:
    """The log's id in its genesis row. Raises Corrupt if it has none."""
    try:
        return _genesis.decode(skeleton)[0]
    except UNREADABLE as error:
        raise Corrupt(f"the genesis row does not name its log: {error}") from error


_genesis = msgspec.msgpack.Decoder(tuple[bytes, str])


def genesis_digest(skeleton: bytes) -> bytes:
    """The digest with which every stream of a log begins."""
    return digest(_ZEROS, 0, "genesis", _ZEROS, skeleton, b"")
