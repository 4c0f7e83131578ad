"""Proves turns of a log."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from turnlog.audit.publishing import check_continues
from turnlog.domain.events import UserUttered
from turnlog.encoding import apart
from turnlog.encoding import rows as encoding
from turnlog.engine.log import Turnlog
from turnlog.errors import InvalidKey, OutOfRange
from turnlog.projections.history import StoredHistory
from turnlog.projections.stream_rows import StreamRows
from turnlog.projections.tree import Tree
from turnlog.proof import merkle, turn_proof
from turnlog.proof.checkpoint import LogCheckpoint, signed
from turnlog.proof.inclusion import InclusionProof
from turnlog.proof.keys import Signer
from turnlog.proof.note import Note, encoded
from turnlog.proof.turn_proof import (
    Continuation,
    ProvenEvent,
    ProvenRow,
    ProvenRows,
    ProvenStream,
    Sidecar,
)
from turnlog.storage.contents import StoredContents
from turnlog.storage.rows import Body, Stream

_OPENS_TURN = encoding.TAGS[UserUttered]


class TurnRow(NamedTuple):
    """A row with events of a turn. numbers: of those events."""

    stream: Stream
    body: Body
    first_event: int
    numbers: range

    def without_content(self) -> ProvenRow:
        """The row with commitments in place of its contents."""
        body = self.body
        made = body.commitments or encoding.commitments(body.parts)
        return ProvenRow(self.stream.owner, body.version, body.topic, body.skeleton, made)


class ProvableTurn:
    """The rows that contain a turn, oldest first.

    Raises UnknownConversation, or OutOfRange if the turn does not exist or has no events.
    """

    def __init__(self, log: Turnlog, id: str, turn: int) -> None:
        log.conversation(id)
        head = log.current.head(log.store.reader, id)
        assert head is not None, "it was found"
        if not 0 <= turn <= head.turn:
            raise OutOfRange(id, f"turn {turn} does not exist; the last is {head.turn}")
        self._reader = log.store.reader
        stream = StreamRows.of(self._reader, log.current, head)
        self._redactions = StoredHistory(stream).redactions() if head.state.redacted else None
        self.conversation, self.turn = id, turn
        self.rows = list(self._read(stream))
        if not self.rows:
            raise OutOfRange(id, f"turn {turn} has no events")

    def _read(self, stream: StreamRows) -> Iterator[TurnRow]:
        """Reads the rows after the newest snapshot before the turn."""
        begin = stream.snapshot(turn=self.turn - 1) if self.turn else None
        for rows, bodies in stream.bodies(begin):
            of = self._reader.stream_of(rows.stream)
            assert of is not None, "its rows were read"
            for body in map(Body._make, bodies):
                skeleton = encoding.decode_skeleton(body.skeleton)
                if skeleton.first_turn > self.turn:
                    return
                if numbers := _numbers(skeleton, self.turn, rows.upto):
                    yield TurnRow(of, body, skeleton.first_event, numbers)

    @property
    def position(self) -> int:
        """The position of the row in which the turn ends."""
        return self.rows[-1].body.position

    def proof(self, tree: Tree, note: Note) -> InclusionProof:
        """Proves that the turn is in the log, under a note of that tree.

        Raises OutOfRange if the turn was recorded after the note.
        """
        size = LogCheckpoint.parse(note.text).size
        if self.position >= size:
            why = (
                f"turn {self.turn} ends at position {self.position}, after the head of size {size}"
            )
            raise OutOfRange(self.conversation, why)
        path = merkle.inclusion(tree.node, self.position, size)
        rows = tuple(row.without_content() for row in self.rows)
        extra = ProvenRows(self.rows[0].body.previous, rows).encoded()
        return InclusionProof(extra, self.position, tuple(path), note)

    def sidecar(self, origin: str, goes_on: Sequence[Continuation] = ()) -> Sidecar:
        """The file that shows the turn's events.

        goes_on: proofs that the head continues from earlier ones.
        """
        streams = {row.stream.stream: row.stream for row in self.rows}.values()
        named = [ProvenStream(s.life, b64encode(s.name or b"").decode()) for s in streams]
        events = [event for row in self.rows for event in self._events(row)]
        return Sidecar(origin, self.conversation, self.turn, named, events, [*goes_on])

    def _events(self, row: TurnRow) -> Iterator[ProvenEvent]:
        openings = encoding.openings(row.body.commitments, row.body.parts)
        tags = encoding.decode_skeleton(row.body.skeleton).tags
        for number in row.numbers:
            place = number - row.first_event
            if place not in openings:
                yield turn_proof.withheld(number, tags[place], "erased")
            elif self._is_hidden(number, openings[place][1]):
                yield turn_proof.withheld(number, tags[place], "redacted")
            else:
                yield turn_proof.opened(number, *openings[place])

    def _is_hidden(self, number: int, said: bytes) -> bool:
        """Whether a part of the event is redacted."""
        if self._redactions is None:
            return False
        contents = StoredContents(self._reader)
        [event] = apart.bound((apart.decoded(msgspec.Raw(said), contents),), contents)
        return number in self._redactions or self._redactions.shown(number, event) != event


def continuations(tree: Tree, note: Note, given: Note | None) -> list[Continuation]:
    """Proves that a note of the tree continues the given one; empty if they are the same."""
    if given is None or given.text == note.text:
        return []
    earlier = LogCheckpoint.parse(given.text)
    path = merkle.consistency(tree.node, earlier.size, tree.size)
    return [Continuation(earlier.size, [encoded(hash) for hash in path])]


def _numbers(skeleton: encoding.Skeleton, turn: int, upto: int | None) -> range:
    """Numbers of a turn's events in a row. upto: the last shared event, in a fork's origin."""
    at, numbers = skeleton.first_turn, list[int]()
    for number, tag in enumerate(skeleton.tags, skeleton.first_event):
        at += tag == _OPENS_TURN
        if at == turn and (upto is None or number <= upto):
            numbers.append(number)
    return range(numbers[0], numbers[-1] + 1) if numbers else range(0)


def note_for(
    tree: Tree, signers: Sequence[Signer], clock: Callable[[], float], given: Note | None
) -> Note:
    """The note for a proof: signed now if there are keys, otherwise the given one.

    Raises InvalidKey if both are missing, InvalidNote or Rewritten if the given note is not of this
    log.
    """
    if given is not None:
        check_continues(tree, LogCheckpoint.parse(given.text))
    if signers:
        return signed(tree.checkpoint(), signers, clock)
    if given is None:
        raise InvalidKey("a proof needs a head: pass a key to sign one, or a signed head")
    return given
