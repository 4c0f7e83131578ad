"""The proof of a turn: the rows that contain it, and the events it shows (ADR 18).

`extra` of the tlog-proof contains the rows without their contents. The sidecar names the
conversation and opens the commitments of the events that are shown.
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
    """A row without its contents. owner: of its stream."""

    owner: bytes
    version: int
    topic: str
    skeleton: bytes
    commitments: bytes


class ProvenRows(msgspec.Struct, frozen=True, array_like=True):
    """Rows that follow one another. previous: the digest of the row before the first."""

    previous: bytes
    rows: tuple[ProvenRow, ...]

    def encoded(self) -> bytes:
        """The bytes for `extra`, with each owner once."""
        owners = (b"", *(row.owner for row in self.rows))
        rows = [
            (b"" if row.owner == before else row.owner, *msgspec.structs.astuple(row)[1:])
            for before, row in zip(owners, self.rows, strict=False)
        ]
        return encode((self.previous, rows))

    @classmethod
    def decode(cls, content: bytes) -> ProvenRows:
        """The rows in `extra`. Raises InvalidProof."""
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
        """The digest of the last row. Raises InvalidProof if no row can be like one of these."""
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
    """The stream of some rows. name: salt and id, encoded, in base64."""

    life: int
    name: str

    def owner(self, genesis: bytes) -> bytes:
        """The stream's owner in the log that begins with `genesis`."""
        return owner(genesis, self.life, _bytes(self.name))


class ProvenEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event of the turn.

    says: its content. withheld: why it is not shown. salt, bytes: open its commitment; in base64.
    apart: its parts that are stored outside the row.
    """

    event: int
    type: str
    says: dict[str, Any] | None = None
    apart: list[dict[str, Any]] = []
    salt: str = ""
    bytes: str = ""
    withheld: str = ""


class Continuation(msgspec.Struct, frozen=True):
    """Proves that the proof's head continues an earlier one. path: hashes, in base64."""

    size: int
    path: list[str]

    def leads(self, old: LogCheckpoint, new: LogCheckpoint) -> bool:
        """Whether the path proves that `new` continues `old`."""
        path = [_bytes(hash) for hash in self.path]
        return merkle.is_consistent(old.size, new.size, old.root, new.root, path)


class Sidecar(msgspec.Struct, frozen=True, omit_defaults=True):
    """The file next to the proof. streams: of the rows, in order. goes_on: from which heads."""

    log: str
    conversation: str
    turn: int
    streams: list[ProvenStream]
    events: list[ProvenEvent]
    goes_on: list[Continuation] = []

    def encoded(self) -> bytes:
        """The sidecar as indented JSON."""
        return msgspec.json.format(plain.dumps(msgspec.to_builtins(self)), indent=1) + b"\n"

    @classmethod
    def parse(cls, content: bytes) -> Sidecar:
        """The sidecar in a file's bytes. Raises InvalidProof."""
        try:
            return msgspec.json.decode(content, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidProof(f"the sidecar cannot be read: {error}") from error


class ProvenTurn(NamedTuple):
    """What a proof shows. position: of the row in which the turn ends."""

    head: SignedCheckpoint
    sidecar: Sidecar
    position: int


def opened(event: int, salt: bytes, said: bytes) -> ProvenEvent:
    """An event that is shown. Raises StorageError if its bytes cannot be decoded."""
    decoded = apart.decoded(msgspec.Raw(said), apart.BARE)
    says = msgspec.json.decode(plain.dumps(plain.to_plain(decoded)))
    named = [
        {"name": each.name, "length": each.length, "type": each.type}
        for each in apart.named_by([msgspec.Raw(said)])
    ]
    kind = says.pop("type")
    return ProvenEvent(event, kind, says, named, _text(salt), _text(said))


def withheld(event: int, tag: int, why: str) -> ProvenEvent:
    """An event that was recorded and is not shown."""
    return ProvenEvent(event, encoding.type_name(tag), withheld=why)


def check(proof: InclusionProof, sidecar: Sidecar, verifiers: Sequence[Verifier]) -> ProvenTurn:
    """The turn that the proof shows. Raises InvalidProof or InvalidNote if the proof is invalid."""
    head = checked(proof.note, verifiers)
    rows = ProvenRows.decode(proof.extra)
    if not merkle.is_included(
        merkle.leaf(rows.digest()), proof.index, head.checkpoint.size, proof.path,
        head.checkpoint.root,
    ):  # fmt: skip
        raise InvalidProof("the rows of the turn are not in the log of the head")
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
        raise InvalidProof(
            f"the sidecar belongs to the log {sidecar.log!r:.60}, the head to {origin}"
        )
    if owners != [*dict.fromkeys(row.owner for row in rows.rows)] or name != sidecar.conversation:
        raise InvalidProof(f"the rows are not those of {sidecar.conversation!r:.60}")


class _Place(NamedTuple):
    """An event's number, turn and tag, and its commitment."""

    number: int
    turn: int
    tag: int
    commitment: bytes


def _places(rows: ProvenRows) -> Iterator[_Place]:
    """The places of all events in the rows. A fork's own events replace those it does not share."""
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
        raise InvalidProof(f"the rows do not contain turn {sidecar.turn} from its beginning")
    shown = [event.event for event in sidecar.events]
    if shown != [place.number for place in places]:
        raise InvalidProof("the sidecar does not list each event of the turn exactly once")
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
            raise InvalidProof(
                f"event {event.event}: its bytes cannot be decoded: {error}"
            ) from error
        if made != event:
            raise InvalidProof(f"event {event.event} does not match its bytes")
    if event.type != encoding.type_name(place.tag):
        raise InvalidProof(
            f"event {event.event} is a {encoding.type_name(place.tag)}, not a {event.type}"
        )


def _text(content: bytes) -> str:
    return b64encode(content).decode()


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise InvalidProof(f"{text!r:.40} is not base64") from error
