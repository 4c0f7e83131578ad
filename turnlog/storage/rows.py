"""What the tables of a log contain, in every back end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple, Self, TypeVar, get_args, get_type_hints

from turnlog.domain.attachment import Attachment
from turnlog.domain.commit import Commit
from turnlog.domain.subjects import About, Subjects
from turnlog.encoding import rows as encoding
from turnlog.encoding.apart import Contents
from turnlog.encoding.binary import encode
from turnlog.encoding.names import decode_name, encode_name, owner
from turnlog.errors import Corrupt
from turnlog.storage.lookups import lookup_of

HEADS = "heads"
"""The name of the checkpoint that heads, keys and snapshots share."""


class Genesis(NamedTuple):
    """The beginning of a log, at position 0. skeleton: `[log id, name of the hash]`, encoded.

    secret: makes the lookups of ids and keys. It is part of no digest.
    """

    skeleton: bytes
    secret: bytes

    @classmethod
    def new(cls, random: Random) -> Self:
        """A new log's genesis. random: returns random bytes."""
        return cls(encoding.genesis_skeleton(random(16)), random(32))

    def columns(self) -> tuple[int, int, int, str, bytes, bytes, bytes, bytes]:
        """The genesis row."""
        return (0, 0, 0, "genesis", b"", self.skeleton, b"", b"")

    @property
    def digest(self) -> bytes:
        """The digest from which the first row of every stream continues."""
        return encoding.genesis_digest(self.skeleton)


class Stream(NamedTuple):
    """One life of one conversation, and its number in rows and indexes.

    owner: the commitment to genesis, life and name. name: `[salt, id]`, encoded; None if it was
    dropped. life: counts from 1 for each id.
    """

    stream: int
    life: int
    owner: bytes
    name: bytes | None

    @property
    def conversation(self) -> str:
        """The conversation's id, or a substitute if it was dropped."""
        return named(self.stream, self.name)

    def lookup(self, secret: bytes) -> bytes | None:
        """The lookup of its id; None if the id was dropped."""
        return None if self.name is None else lookup_of(secret, decode_name(self.name))

    @classmethod
    def of(cls, conversation: str, life: int, genesis: bytes, random: Random) -> Self:
        """A new stream with a random number. random: returns random bytes."""
        name = encode_name(conversation, random(encoding.SALT_BYTES))
        number = int.from_bytes(random(6), "big") >> 1
        return cls(number, life, owner(genesis, life, name), name)


Random = Callable[[int], bytes]
"""Returns a number of random bytes."""


class Row(NamedTuple):
    """A commit as stored, or another application's row, with its stream.

    previous: digest of the stream's row before, of the genesis row for the first. commitments: b""
    as long as they follow from the parts. owner, name, life: of the stream.
    """

    position: int
    stream: int
    version: int
    topic: str
    previous: bytes
    skeleton: bytes
    commitments: bytes
    parts: bytes
    owner: bytes
    name: bytes | None
    life: int

    @property
    def conversation(self) -> str:
        """The conversation's id, or a substitute if it was dropped."""
        return named(self.stream, self.name)

    @property
    def body(self) -> bytes:
        """The state of a stored event in eventsourcing's terms."""
        if encoding.is_commit(self.topic):
            return encode((self.skeleton, self.commitments, self.parts))
        return encoding.foreign_state(self.commitments, self.parts)

    def digest(self) -> bytes:
        """SHA-256 over everything but the position, including dropped content."""
        made = self.commitments or encoding.commitments(self.parts)
        return encoding.digest(
            self.owner, self.version, self.topic, self.previous, self.skeleton, made
        )

    def commit(self, contents: Contents | None = None) -> Commit:
        """The commit in the row. contents: reads what is stored apart from it; None if
        nothing is.
        """
        return encoding.decode_commit(
            self.conversation, self.version, self.topic, self.skeleton, self.commitments,
            self.parts, self.position, self.life, contents,
        )  # fmt: skip

    def attachments(self) -> Iterator[Attachment]:
        """The attachments that the row names."""
        return encoding.attachments(self.commitments, self.parts)


class WrittenRow(Row):
    """A new row whose digest, commitments and subjects are known."""

    known = b""
    made = b""
    about: About | None = None

    def digest(self) -> bytes:
        """The known digest, or a computed one."""
        return self.known or super().digest()


class SealedRow(Row):
    """A row whose digest the back end stores with it."""

    seal = b""


def genesis_in(rows: Sequence[Any], secrets: Sequence[Any]) -> Genesis | None:
    """The genesis that was read; None if it is missing or was changed."""
    if len(rows) != 1 or len(secrets) != 1:
        return None
    genesis = Genesis(rows[0][5], secrets[0][0])
    sound = type(genesis.skeleton) is bytes and type(genesis.secret) is bytes
    return genesis if sound and tuple(rows[0]) == genesis.columns() else None


def named(stream: int, name: bytes | None) -> str:
    """The id in a stream's name, or a substitute if it was dropped."""
    return erased(stream) if name is None else decode_name(name)


def erased(stream: int) -> str:
    """The substitute for a dropped id, which no id can equal."""
    return f"\x1ferased {stream:012x}"


def lookup_left(stream: int) -> str:
    """The complaint about a stream whose id was dropped but can still be looked up."""
    return f"stream {stream:012x}: its id was dropped, but not its lookup"


class Body(NamedTuple):
    """A row without the columns that all rows of its stream share."""

    position: int
    version: int
    topic: str
    previous: bytes
    skeleton: bytes
    commitments: bytes
    parts: bytes


class Key(NamedTuple):
    """A lookup made by `repeat_lookup`, and the position of its first row."""

    lookup: bytes
    position: int


class Head(NamedTuple):
    """A conversation's state at the checkpoint of the heads, derived from its rows.

    digest: of its newest row. snapshot: number of the event after which its newest snapshot was
    taken. state: the encoded State.
    """

    conversation: str
    stream: int
    owner: bytes
    life: int
    version: int
    position: int
    digest: bytes
    event: int
    turn: int
    snapshot: int
    state: bytes


class Snapshot(NamedTuple):
    """The encoded State after a commit. digest: of that commit's row.

    previous: number of the event of the snapshot before, 0 for the first.
    """

    stream: int
    version: int
    event: int
    turn: int
    digest: bytes
    state: bytes
    previous: int


class Checkpoint(NamedTuple):
    """How far a derived table has come. digest: of the row at that position, if known."""

    model: str
    position: int
    digest: bytes | None


class Entry(NamedTuple):
    """One entry of a read model, as stored."""

    model: str
    conversation: str
    key: str
    value: bytes


class BlobChunk(NamedTuple):
    """64 kB, or the rest, of a value stored apart from a row.

    name: of the attachment. number: from 0. Number -1 marks chunks written before the event that
    will name them, and contains the lookup of their conversation, in a log that is not sealed.
    """

    name: bytes
    number: int
    content: bytes


AboutChunk = tuple[str, Subjects]
"""The conversation of a chunk's attachment, and the persons it concerns."""


class PlacedChunk(BlobChunk):
    """A chunk whose subjects are known."""

    about: AboutChunk | None = None

    @classmethod
    def of(cls, about: AboutChunk, name: bytes, number: int, content: bytes) -> Self:
        """A chunk with its subjects."""
        chunk = cls(name, number, content)
        chunk.about = about
        return chunk


AHEAD = -1

EVERY_CHUNK = 2**62
"""Greater than every chunk's number."""

Stored = TypeVar("Stored", Stream, Row, Body, Key, Head, Snapshot, Checkpoint, Entry, BlobChunk)
"""The types of what is read from the tables."""


KINDS = (Stream, Row, Body, Key, Head, Snapshot, Checkpoint, Entry)


def _shapes(kind: Any) -> frozenset[tuple[type, ...]]:
    """The types that a table's columns may have."""
    return frozenset(
        product(*(get_args(hint) or (hint,) for hint in get_type_hints(kind).values()))
    )


_SHAPES = {kind: _shapes(kind) for kind in (*KINDS, BlobChunk)}
_SHAPES |= dict.fromkeys((WrittenRow, SealedRow), _SHAPES[Row])
_SHAPES[PlacedChunk] = _SHAPES[BlobChunk]


def has_types(stored: Stored) -> bool:
    """Whether every column has its type; a changed database may contain any."""
    return tuple(map(type, stored)) in _SHAPES[type(stored)]


def sound(stored: Stored) -> Stored:
    """What was read from a table. Raises Corrupt if a column has another type."""
    if has_types(stored):
        return stored
    hints = get_type_hints(type(stored))
    wrong = ", ".join(
        f"{column} is {value!r:.40}"
        for column, value in zip(stored._fields, stored, strict=True)
        if type(value) not in (get_args(hints[column]) or (hints[column],))
    )
    kind, (first, second, *_) = type(stored).__name__.lower(), stored
    raise Corrupt(f"stored {kind} ({first!r:.80}, {second!r:.80}): {wrong}, of another type")


_TYPES: dict[Any, tuple[frozenset[type], ...]] = {
    kind: tuple(map(frozenset, zip(*shapes, strict=True))) for kind, shapes in _SHAPES.items()
}


def check_types(kind: type[Stored], found: Sequence[Sequence[Any]]) -> None:
    """Raises Corrupt if a column of one of a table's rows has another type."""
    if len(found) == 1:
        whole = tuple(map(type, found[0])) in _SHAPES[kind]
    else:  # many rows are checked faster by columns
        columns = zip(_TYPES[kind], zip(*found, strict=True), strict=False)
        whole = all(types.issuperset(map(type, column)) for types, column in columns)
    for row in () if whole else found:
        sound(kind._make(row))


def as_found(stored: Stored) -> Stored:
    """Whatever was read, unchecked; for a search for faults."""
    return stored


def check_nothing(kind: type[Stored], found: Sequence[Sequence[Any]]) -> None:
    """Whatever was read, unchecked; for a search for faults."""


def readable(text: bytes) -> Any:
    """A text as stored; bytes if it is not UTF-8."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text
