"""Seals and opens what a log stores: rows, names, heads, snapshots, entries and chunks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from turnlog.domain.streams import UPKEEP
from turnlog.domain.subjects import (
    EVERYBODY,
    OF_CONVERSATION,
    OF_LOG,
    OF_UNIDENTIFIED,
    About,
    Subjects,
)
from turnlog.encoding import binary
from turnlog.encoding import rows as encoding
from turnlog.encoding.binary import UNREADABLE, encode
from turnlog.encoding.names import decode_name, decode_salted, encode_name
from turnlog.errors import Corrupt
from turnlog.keys import parts
from turnlog.keys.cipher import NONCE_BYTES, TAG_BYTES, Cipher
from turnlog.keys.store import SUBJECT_BYTES, KeyStore
from turnlog.storage.rows import (
    AHEAD,
    BlobChunk,
    Body,
    Entry,
    Head,
    PlacedChunk,
    Row,
    SealedRow,
    Snapshot,
    Stream,
    WrittenRow,
)

KEPT = 50_000

ADDED_BYTES = SUBJECT_BYTES + NONCE_BYTES + TAG_BYTES
"""How much longer a sealed chunk is."""

_ORDERED = re.compile(r"(?:(?:0000\d{8}|92233720368\d{8})(?: |$))*")
"""The beginning of an entry's key that stays readable because entries are sorted by it: numbers of
events, and positions counted from the end.
"""

_KEYED = "\x1fkey "
"""The beginning of an entry's `conversation` if the entry is found by another key."""

_box = msgspec.msgpack.Decoder(tuple[tuple[bytes, ...], bytes])
_state = msgspec.msgpack.Decoder(tuple[str, bytes])
_entry = msgspec.msgpack.Decoder(tuple[str, str, bytes])

Kept = TypeVar("Kept", Row, Body, Stream)


class Sealing:
    """Seals under the keys of one store.

    The recorder below sees a token instead of a conversation's id.
    """

    def __init__(self, store: KeyStore) -> None:
        self.store = store
        self._generation = store.generation
        self._names: dict[bytes, bytes | None] = {}
        self._known: dict[tuple[str, Subjects], tuple[tuple[bytes, ...], Cipher]] = {}

    def refresh(self) -> int:
        """The store's current generation. A change empties the cache of opened names."""
        generation = self.store.refresh()
        if generation != self._generation:
            self._names, self._known, self._generation = {}, {}, generation
        return generation

    def below(self, conversation: str) -> str:
        """The conversation's token; the id itself for the stream that names the key store."""
        return conversation if conversation == UPKEEP else self.store.token(conversation)

    # --- names ----------------------------------------------------------------------------------

    def stream(self, stream: Stream) -> Stream:
        """The stream with its name sealed under the conversation's own key, next to the token."""
        name = stream.name
        if name is None or (conversation := decode_name(name)) == UPKEEP:
            return stream
        self.store.made({conversation: OF_CONVERSATION})
        [subject] = self.store.known(conversation, OF_CONVERSATION)
        box = subject + self._cipher((subject,)).seal(name, stream.owner)
        return stream._replace(name=encode_name(self.below(conversation), box))

    def opened_name(self, name: bytes | None, owner: bytes) -> bytes | None:
        """The name in clear; None if it was dropped or its key was destroyed."""
        if name is None:
            return None
        kept = self._names
        if name not in kept:
            if len(kept) >= KEPT:
                kept.clear()
            kept[name] = self._opened_name(name, owner)
        return kept[name]

    def _opened_name(self, name: bytes, owner: bytes) -> bytes | None:
        box, token = decode_salted(name)
        if token == UPKEEP:
            return name
        cipher = self.store.cipher((box[:SUBJECT_BYTES],))
        if cipher is None:
            return None
        if (opened := cipher.opened(box[SUBJECT_BYTES:], owner)) is None:
            raise Corrupt(f"the name of {token} is not what was sealed under its key")
        return opened

    def opened_stream(self, stream: Stream) -> Stream:
        """The stream with its name in clear."""
        return stream._replace(name=self.opened_name(stream.name, stream.owner))

    # --- rows -----------------------------------------------------------------------------------

    def rows(self, rows: Sequence[Row], whose: Callable[[Row], str]) -> list[Row]:
        """The rows with their parts sealed.

        New keys are durable on return, before any row is written. whose: the conversation of a row
        that does not say whom it is about.
        """
        abouts = [_about_of(row, whose) for row in rows]
        asked: dict[str, set[Subjects]] = {}
        merged: list[tuple[str, str]] = []
        for about in abouts:
            asked.setdefault(about.conversation, set()).update((*about.events, about.key))
            merged += about.merged
        self.store.made({name: frozenset().union(*each) for name, each in asked.items()}, merged)
        return [self._row(*each) for each in zip(rows, abouts, strict=True)]

    def again(self, row: Row) -> Row | None:
        """The row, sealed under the keys of an earlier row about the same people.

        None if it knows no such row. Most rows have one, and this takes a fifth of the time of
        `rows`.
        """
        if not isinstance(row, WrittenRow) or (about := row.about) is None:
            return None
        if about.events.count(about.key) != len(about.events):
            return None
        if (known := self._known.get((about.conversation, about.key))) is None:
            return None
        subjects, cipher = known
        places = tuple(range(len(row.made) // encoding.DIGEST_BYTES))
        place = _place(row.owner, row.version, row.skeleton)
        return _written(row, parts.whole(row.parts, place, places, subjects, cipher))

    def _row(self, row: Row, about: About) -> Row:
        groups = [*about.events, *[about.key] * _keys_of(row)]
        if not any(about.events):
            return row
        place = _place(row.owner, row.version, row.skeleton)
        if row.commitments or groups.count(about.key) != len(groups):
            sealed = parts.divided(
                row.commitments, row.parts, place, groups,
                lambda subjects: self.store.known(about.conversation, subjects), self.store.cipher,
            )  # fmt: skip
            return _written(row, sealed)
        subjects = self.store.known(about.conversation, about.key)
        cipher = self._cipher(subjects)
        if not any(each.kind == EVERYBODY for each in about.key):  # may be more people next time
            if len(self._known) >= KEPT:
                self._known = {}
            self._known[about.conversation, about.key] = subjects, cipher
        return _written(
            row, parts.whole(row.parts, place, tuple(range(len(groups))), subjects, cipher)
        )

    def opened_row(self, row: Row) -> Row:
        """The row with its parts and its name in clear."""
        commitments, opened = self._opened(row, row.owner)
        name = self.opened_name(row.name, row.owner)
        found = row._replace(commitments=commitments, parts=opened, name=name)
        if isinstance(row, SealedRow) and isinstance(found, SealedRow):
            found.seal = row.seal
        return found

    def opened_body(self, body: Body, owner: bytes) -> Body:
        """The body with its parts in clear. owner: the owner of its stream."""
        commitments, opened = self._opened(body, owner)
        return Body(*body[:5], commitments, opened)

    def _opened(self, row: Row | Body, owner: bytes) -> tuple[bytes, bytes]:
        if not row.commitments:  # no part is sealed
            return b"", row.parts
        place = _place(owner, row.version, row.skeleton)
        return parts.opened(row.commitments, row.parts, place, self.store.cipher)

    def left(self, row: Row, left: bytes) -> tuple[int, bytes, bytes]:
        """Position, commitments and sealed parts of a row after parts of it were dropped.

        left: the remaining parts, in clear.
        """
        if not row.commitments:
            return row.position, encoding.commitments(row.parts), left
        place = _place(row.owner, row.version, row.skeleton)
        kept = parts.left(row.commitments, row.parts, left, place, self.store.cipher)
        return row.position, row.commitments, kept

    # --- what is derived, and chunks ------------------------------------------------------------

    def prepare(self, conversations: Sequence[str], subjects: Subjects = OF_CONVERSATION) -> None:
        """Makes all missing subjects in one transaction, before derived data is sealed."""
        self.store.made(dict.fromkeys(conversations, subjects))

    def _sealed(self, conversation: str, said: bytes, place: bytes) -> bytes:
        """Sealed under the keys of all subjects in a conversation."""
        return self._box(tuple(self.store.subjects_in(conversation)), said, place)

    def _box(self, subjects: tuple[bytes, ...], said: bytes, place: bytes) -> bytes:
        return encode((subjects, self._cipher(subjects).seal(said, place)))

    def _unsealed(self, box: bytes, place: bytes) -> bytes | None:
        """The plaintext; None if a key was destroyed."""
        try:
            subjects, sealed = _box.decode(box)
        except UNREADABLE as error:
            raise Corrupt(f"what was sealed cannot be read: {error}") from error
        if (cipher := self.store.cipher(subjects)) is None:
            return None
        if (said := cipher.opened(sealed, place)) is None:
            raise Corrupt("what was derived from the rows is not what was sealed")
        return said

    def head(self, head: Head) -> Head:
        """The head with its id and state sealed."""
        token = self.below(head.conversation)
        said = encode((head.conversation, head.state))
        place = b"head" + token.encode()
        return head._replace(conversation=token, state=self._sealed(head.conversation, said, place))

    def opened_head(self, head: Head) -> Head | None:
        """The head in clear; None if a key was destroyed."""
        said = self._unsealed(head.state, b"head" + head.conversation.encode())
        if said is None:
            return None
        conversation, state = _state.decode(said)
        return head._replace(conversation=conversation, state=state)

    def snapshot(self, snapshot: Snapshot, conversation: str) -> Snapshot:
        """The snapshot with its state sealed."""
        place = _place_of_snapshot(snapshot)
        return snapshot._replace(state=self._sealed(conversation, snapshot.state, place))

    def opened_snapshot(self, snapshot: Snapshot) -> Snapshot | None:
        """The snapshot in clear; None if a key was destroyed."""
        said = self._unsealed(snapshot.state, _place_of_snapshot(snapshot))
        return None if said is None else snapshot._replace(state=said)

    def entry(self, entry: Entry) -> Entry:
        """The entry of a read model with its id, key and value sealed."""
        model, conversation, key, value = entry
        token, hidden = self.below(conversation), self.entry_key(key)
        said = encode((conversation, key, value))
        place = encode((model, token, hidden))
        return Entry(model, token, hidden, self._sealed(whose(entry), said, place))

    def entry_key(self, key: str) -> str:
        """The stored form of an entry's key: its readable beginning, and a token for the rest."""
        match = _ORDERED.match(key)
        ordered = match[0] if match else ""
        return ordered if ordered == key and key else f"{ordered}!{self.store.token(key)}"

    def opened_entry(self, entry: Entry) -> Entry | None:
        """The entry in clear; None if a key was destroyed."""
        said = self._unsealed(entry.value, encode(entry[:3]))
        return None if said is None else Entry(entry.model, *_entry.decode(said))

    def chunks(self, chunks: Sequence[BlobChunk]) -> list[BlobChunk]:
        """The chunks of attachments with their contents sealed."""
        asked: dict[str, Subjects] = {}
        for chunk in chunks:
            conversation, subjects = _whose_chunk(chunk)
            asked[conversation] = asked.get(conversation, frozenset()) | subjects
        self.store.made(asked)
        return [self._chunk(chunk, *_whose_chunk(chunk)) for chunk in chunks]

    def _chunk(self, chunk: BlobChunk, conversation: str, subjects: Subjects) -> BlobChunk:
        if chunk.number == AHEAD:
            return chunk
        [subject] = self.store.known(conversation, subjects)
        box = subject + self._cipher((subject,)).seal(chunk.content, _place_of_chunk(chunk))
        return chunk._replace(content=box)

    def opened_chunk(self, chunk: BlobChunk) -> BlobChunk | None:
        """The chunk in clear; None if its key was destroyed."""
        if chunk.number == AHEAD:
            return chunk
        box, place = chunk.content, _place_of_chunk(chunk)
        if (cipher := self.store.cipher((box[:SUBJECT_BYTES],))) is None:
            return None
        if (said := cipher.opened(box[SUBJECT_BYTES:], place)) is None:
            raise Corrupt(f"chunk {chunk.number} of {chunk.name.hex()} is not what was sealed")
        return chunk._replace(content=said)

    def _cipher(self, subjects: tuple[bytes, ...]) -> Cipher:
        if (cipher := self.store.cipher(subjects)) is None:  # destroyed after they were made
            raise LookupError("a key was destroyed meanwhile")
        return cipher


def is_ordered(key: str) -> bool:
    """Whether the stored form of an entry's key sorts as the key itself."""
    match = _ORDERED.match(key)
    return match is not None and match[0] != ""


def whose(entry: Entry) -> str:
    """The conversation of an entry. An entry that is found by another key names it in its value."""
    if entry.conversation.startswith(_KEYED):
        conversation: str = binary.decode(entry.value)[0]
        return conversation
    return entry.conversation


def _about_of(row: Row, whose: Callable[[Row], str]) -> About:
    if isinstance(row, WrittenRow) and row.about is not None:
        return row.about
    count = len(row.commitments or _made(row)) // encoding.DIGEST_BYTES
    return About(whose(row), [OF_UNIDENTIFIED] * (count - _keys_of(row)), OF_UNIDENTIFIED)


def _written(row: Row, sealed: bytes) -> Row:
    commitments = row.commitments or _made(row)
    written = WrittenRow._make((*row[:6], commitments, sealed, *row[8:]))
    written.known = row.digest()
    return written


def _made(row: Row) -> bytes:
    return row.made if isinstance(row, WrittenRow) and row.made else encoding.commitments(row.parts)


def _keys_of(row: Row) -> int:
    return encoding.decode_skeleton(row.skeleton).keys if encoding.is_commit(row.topic) else 0


def _place(owner: bytes, version: int, skeleton: bytes) -> bytes:
    return owner + version.to_bytes(8, "big", signed=True) + skeleton


def _place_of_snapshot(snapshot: Snapshot) -> bytes:
    return b"snapshot" + encode((snapshot.stream, snapshot.version))


def _place_of_chunk(chunk: BlobChunk) -> bytes:
    return b"chunk" + encode((chunk.name, chunk.number))


def _whose_chunk(chunk: BlobChunk) -> tuple[str, Subjects]:
    if isinstance(chunk, PlacedChunk) and chunk.about is not None:
        return chunk.about
    return UPKEEP, OF_LOG
