"""The proof of a turn: which rows it is in, and what of them is shown (ADR 18).

`extra` of the tlog-proof holds the rows that the turn is in without what they say. The sidecar
says whose they are and opens the commitments of the events that are shown.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from turnlog.domain import plain
from turnlog.domain.events import UserUttered
from turnlog.encoding import apart
from turnlog.encoding import rows as encoding
from turnlog.encoding.binary import UNREADABLE, encode
from turnlog.encoding.names import decode_name, owner
from turnlog.errors import InvalidNote, InvalidProof, StorageError
from turnlog.proof import merkle
from turnlog.proof.checkpoint import LogCheckpoint, SignedCheckpoint, checked, log_id_in
from turnlog.proof.inclusion import InclusionProof
from turnlog.proof.keys import Verifier

_OPENS_TURN = encoding.TAGS[UserUttered]


class ProvenRow(msgspec.Struct, frozen=True, array_like=True):
    """A row without what it says; owner: of its stream."""

    owner: bytes
    version: int
    topic: str
    skeleton: bytes
    commitments: bytes


class ProvenRows(msgspec.Struct, frozen=True, array_like=True):
    """Rows each of which goes on from the one before; previous: digest of the one before them."""

    previous: bytes
    rows: tuple[ProvenRow, ...]

    def encoded(self) -> bytes:
        """With each owner once."""
        owners = (b"", *(row.owner for row in self.rows))
        rows = [
            (b"" if row.owner == before else row.owner, *msgspec.structs.astuple(row)[1:])
            for before, row in zip(owners, self.rows, strict=False)
        ]
        return encode((self.previous, rows))

    @classmethod
    def decode(cls, content: bytes) -> ProvenRows:
        """Raises InvalidProof."""
        try:
            stored = msgspec.msgpack.decode(content, type=cls)
        except UNREADABLE as error:
            raise InvalidProof(f"its extra data cannot be read: {error}") from error
        rows, owner = list[ProvenRow](), b""
        for row in stored.rows:
            owner = row.owner or owner
            rows.append(msgspec.structs.replace(row, owner=owner))
        if not owner:
            raise InvalidProof("its extra data has no rows")
        sizes = {len(stored.previous), *(len(row.owner) for row in rows)}
        if sizes != {encoding.DIGEST_BYTES} or any(row.topic != encoding.TOPIC for row in rows):
            raise InvalidProof("its extra data has rows of another format")
        return cls(stored.previous, tuple(rows))

    def digest(self) -> bytes:
        """Of the last of them. Raises InvalidProof where there can be no such row."""
        previous = self.previous
        try:
            for row in self.rows:
                previous = encoding.digest(
                    row.owner, row.version, row.topic, previous, row.skeleton, row.commitments
                )
        except StorageError as error:
            raise InvalidProof(str(error)) from error
        return previous


class ProvenStream(msgspec.Struct, frozen=True):
    """Whose rows they are; name: salt and id, encoded, in base64."""

    life: int
    name: str

    def owner(self, genesis: bytes) -> bytes:
        return owner(genesis, self.life, _bytes(self.name))


class ProvenEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event of the turn. says: what its bytes say. withheld: why it is not shown.

    salt, bytes: in base64, what opens its commitment. apart: what of it stands apart from its row.
    """

    event: int
    type: str
    says: dict[str, Any] | None = None
    apart: list[dict[str, Any]] = []
    salt: str = ""
    bytes: str = ""
    withheld: str = ""


class Continuation(msgspec.Struct, frozen=True):
    """That the head of a proof goes on from an earlier one. path: hashes, in base64."""

    size: int
    path: list[str]

    def leads(self, old: LogCheckpoint, new: LogCheckpoint) -> bool:
        path = [_bytes(hash) for hash in self.path]
        return merkle.is_consistent(old.size, new.size, old.root, new.root, path)


class Sidecar(msgspec.Struct, frozen=True, omit_defaults=True):
    """streams: of the rows, in the order in which they come. goes_on: from which heads."""

    log: str
    conversation: str
    turn: int
    streams: list[ProvenStream]
    events: list[ProvenEvent]
    goes_on: list[Continuation] = []

    def encoded(self) -> bytes:
        return msgspec.json.format(plain.dumps(msgspec.to_builtins(self)), indent=1) + b"\n"

    @classmethod
    def parse(cls, content: bytes) -> Sidecar:
        """Raises InvalidProof."""
        try:
            return msgspec.json.decode(content, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidProof(f"the sidecar cannot be read: {error}") from error


class ProvenTurn(NamedTuple):
    """What a proof shows. head: what it is under. position: of the row that the turn ends with."""

    head: SignedCheckpoint
    sidecar: Sidecar
    position: int


def opened(event: int, salt: bytes, said: bytes) -> ProvenEvent:
    """An event that is shown. Raises StorageError where its bytes say nothing."""
    decoded = apart.decoded(msgspec.Raw(said), apart.BARE)
    says = msgspec.json.decode(plain.dumps(plain.to_plain(decoded)))
    named = [
        {"name": each.name, "length": each.length, "type": each.type}
        for each in apart.named_by([msgspec.Raw(said)])
    ]
    kind = says.pop("type")
    return ProvenEvent(event, kind, says, named, _text(salt), _text(said))


def withheld(event: int, tag: int, why: str) -> ProvenEvent:
    """An event that was there, and is not shown."""
    return ProvenEvent(event, encoding.type_name(tag), withheld=why)


def check(proof: InclusionProof, sidecar: Sidecar, verifiers: Sequence[Verifier]) -> ProvenTurn:
    """What they show. Raises InvalidProof, or InvalidNote, where they do not."""
    head = checked(proof.note, verifiers)
    rows = ProvenRows.decode(proof.extra)
    if not merkle.is_included(
        merkle.leaf(rows.digest()), proof.index, head.checkpoint.size, proof.path,
        head.checkpoint.root,
    ):  # fmt: skip
        raise InvalidProof("the rows of the turn are not in the log that the head is of")
    _check_owners(rows, sidecar, head.checkpoint.origin)
    _check_events(rows, sidecar)
    return ProvenTurn(head, sidecar, proof.index)


def _check_owners(rows: ProvenRows, sidecar: Sidecar, origin: str) -> None:
    try:
        genesis = encoding.genesis_digest(encoding.genesis_skeleton(log_id_in(origin)))
        owners = [stream.owner(genesis) for stream in sidecar.streams]
        name = decode_name(_bytes(sidecar.streams[-1].name)) if owners else ""
    except (InvalidNote, StorageError) as error:
        raise InvalidProof(str(error)) from error
    if sidecar.log != origin:
        raise InvalidProof(f"the sidecar is of the log {sidecar.log!r:.60}, the head of {origin}")
    if owners != [*dict.fromkeys(row.owner for row in rows.rows)] or name != sidecar.conversation:
        raise InvalidProof(f"the rows are not those of {sidecar.conversation!r:.60}")


class _Place(NamedTuple):
    """Where an event is: its number, turn and tag, and its commitment."""

    number: int
    turn: int
    tag: int
    commitment: bytes


def _places(rows: ProvenRows) -> Iterator[_Place]:
    """Of every event in the rows; one that a fork does not go on from gives way to its own."""
    found: dict[int, _Place] = {}
    for row in rows.rows:
        try:
            skeleton = encoding.decode_skeleton(row.skeleton)
        except StorageError as error:
            raise InvalidProof(str(error)) from error
        found = {number: at for number, at in found.items() if number < skeleton.first_event}
        turn, size = skeleton.first_turn, encoding.DIGEST_BYTES
        for place, tag in enumerate(skeleton.tags):
            turn += tag == _OPENS_TURN
            number = skeleton.first_event + place
            commitment = row.commitments[place * size : (place + 1) * size]
            found[number] = _Place(number, turn, tag, commitment)
    return iter(found.values())


def _check_events(rows: ProvenRows, sidecar: Sidecar) -> None:
    places = [place for place in _places(rows) if place.turn == sidecar.turn]
    begins = places and (places[0].tag == _OPENS_TURN if sidecar.turn else places[0].number == 1)
    if not begins:
        raise InvalidProof(f"the rows do not hold turn {sidecar.turn} from its beginning on")
    shown = [event.event for event in sidecar.events]
    if shown != [place.number for place in places]:
        raise InvalidProof("the sidecar does not list the events of the turn, each of them once")
    for place, event in zip(places, sidecar.events, strict=True):
        _check_event(place, event)


def _check_event(place: _Place, event: ProvenEvent) -> None:
    if not event.withheld:
        salt, said = _bytes(event.salt), _bytes(event.bytes)
        if sha256(salt + said).digest() != place.commitment:
            raise InvalidProof(f"event {event.event} is not as it was recorded")
        try:
            made = opened(event.event, salt, said)
        except (StorageError, *UNREADABLE) as error:
            raise InvalidProof(f"event {event.event}: its bytes say nothing: {error}") from error
        if made != event:
            raise InvalidProof(f"event {event.event} is not what its bytes say")
    if event.type != encoding.type_name(place.tag):
        raise InvalidProof(f"event {event.event} is a {encoding.type_name(place.tag)}")


def _text(content: bytes) -> str:
    return b64encode(content).decode()


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise InvalidProof(f"{text!r:.40} is not base64") from error
