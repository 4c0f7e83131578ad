"""Check a proof of turnlog, or a whole SQLite log, without turnlog: one file to read.

    python check_log.py proof turn.tlog-proof log.key.pub
    python check_log.py log chat.db monday.note log.key.pub

Needs Python 3.11 or newer and `pip install cryptography msgspec`. What is checked is written down
in docs/adr/0013 and 0018 and in c2sp.org's signed-note, tlog-checkpoint and tlog-proof.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from hashlib import sha256, shake_256
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MESSAGE_OF_A_USER = 10  # the type of event that opens a turn


class Wrong(Exception):
    pass


def require(holds: object, otherwise: str) -> None:
    if not holds:
        raise Wrong(otherwise)


# --- signed notes -------------------------------------------------------------------------------


class Head(NamedTuple):
    origin: str
    size: int
    root: bytes


def opened_head(note: str, key: str) -> Head:
    """The text of a note, if the key, `NAME+ID+BASE64`, has signed it."""
    name, key_id, material = key.strip().split("+", 2)
    public = b64decode(material, validate=True)
    expected = sha256(name.encode() + b"\n" + public).digest()[:4]
    require(expected.hex() == key_id and len(public) == 33, "the key is damaged")
    require(public[0] == 1, "not the key of a log")
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    for line in lines.splitlines():
        dash, signer, blob = line.split(" ")
        signature = b64decode(blob, validate=True)
        if dash == "\N{EM DASH}" and signer == name and signature[:4] == expected:
            try:
                Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature[4:], text.encode())
            except InvalidSignature:
                raise Wrong("the signature of the head is invalid") from None
            origin, size, root = text.split("\n")[:3]
            return Head(origin, int(size), b64decode(root, validate=True))
    raise Wrong(f"{name} has not signed the head")


# --- the tree of RFC 6962 -----------------------------------------------------------------------


def leaf(digest: bytes) -> bytes:
    return sha256(b"\0" + digest).digest()


def root_by_path(made: bytes, index: int, size: int, path: Iterable[bytes]) -> bytes | None:
    """The root that a path from a leaf leads to; RFC 9162, 2.1.3.2."""
    last = size - 1
    for sibling in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            made = sha256(b"\1" + sibling + made).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            made = sha256(b"\1" + made + sibling).digest()
        index, last = index >> 1, last >> 1
    return made if last == 0 else None


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over all leaves."""
    whole: list[bytes] = []  # the root of each full tree, the largest first
    for count, each in enumerate(leaves, 1):
        made, left = each, count
        while not left & 1:
            made, left = sha256(b"\1" + whole.pop() + made).digest(), left >> 1
        whole.append(made)
    made = whole.pop()
    while whole:
        made = sha256(b"\1" + whole.pop() + made).digest()
    return made


# --- rows ---------------------------------------------------------------------------------------


class Said(msgspec.Struct, array_like=True):
    """The parts of a row without sealed or dropped ones, after 16 secret bytes."""

    events: tuple[msgspec.Raw, ...]
    keys: tuple[str, ...] = ()


decoded_said = msgspec.msgpack.Decoder(Said).decode
decoded_parts = msgspec.msgpack.Decoder(list[tuple[msgspec.Raw, Any, list[int]]]).decode
decoded_content = msgspec.msgpack.Decoder(tuple[list[bytes], list[msgspec.Raw], list[str]]).decode


def commitments_of(stored: bytes, parts: bytes) -> bytes:
    """32 bytes for each event and key: SHA-256 of its salt and its bytes."""
    if stored:
        for content, _, places in decoded_parts(parts):
            require(is_kept(stored, content, places), "a part was changed")
        return stored
    said = decoded_said(memoryview(parts)[16:])
    every = [*said.events, *[key.encode() for key in said.keys]] if said.keys else said.events
    salts, at, made = shake_256(parts[:16]).digest(len(every) * 16), 0, b""
    for each in every:
        made += sha256(salts[at : at + 16] + each).digest()
        at += 16
    return made


def is_kept(stored: bytes, content: msgspec.Raw, places: Sequence[int]) -> bool:
    """Whether the content of a part, if it is neither sealed nor dropped, is unchanged."""
    if memoryview(content)[0] != 0x93:
        return True
    salts, events, keys = decoded_content(content)
    every = [*events, *[key.encode() for key in keys]]
    return all(
        sha256(salt + bytes(said)).digest() == stored[place * 32 : place * 32 + 32]
        for place, salt, said in zip(places, salts, every, strict=True)
    )


def row_digest(
    owner: bytes, version: int, topic: str, previous: bytes, skeleton: bytes, commitments: bytes
) -> bytes:
    inner = sha256(skeleton).digest() + sha256(commitments).digest()
    return sha256(owner + version.to_bytes(8, "big") + previous + inner + topic.encode()).digest()


def genesis_digest(skeleton: bytes) -> bytes:
    return row_digest(bytes(32), 0, "genesis", bytes(32), skeleton, b"")


def owner_of(genesis: bytes, life: int, name: bytes) -> bytes:
    """The digest that binds rows to their conversation and to the log."""
    return sha256(genesis + life.to_bytes(8, "big") + name).digest()


# --- a proof ------------------------------------------------------------------------------------


class Place(NamedTuple):
    number: int
    turn: int
    tag: int
    commitment: bytes


def check_proof(proof: str, sidecar: dict[str, Any], key: str) -> Iterator[str]:
    """The proven facts, one a line."""
    body, _, note = proof.partition("\n\n")
    first, extra, index, *path = body.split("\n")
    require(first == "c2sp.org/tlog-proof@v1" and extra.startswith("extra "), "not a proof")
    head = opened_head(note, key)
    digest, owners, places = rows_in(b64decode(extra[6:], validate=True))
    hashes = [b64decode(hash, validate=True) for hash in path]
    made = root_by_path(leaf(digest), int(index[6:]), head.size, hashes)
    require(made == head.root, "the turn is not in the log of the head")
    log_id = bytes.fromhex(head.origin.removeprefix("turnlog/"))
    genesis = genesis_digest(msgspec.msgpack.encode([log_id, "sha256"]))
    streams = [(s["life"], b64decode(s["name"], validate=True)) for s in sidecar["streams"]]
    require([owner_of(genesis, *each) for each in streams] == owners, "it is another's turn")
    name = msgspec.msgpack.decode(streams[-1][1])[1]
    yield f"turn {sidecar['turn']} of {name}, in the head of size {head.size} of {head.origin}"
    of_turn = [place for place in places if place.turn == sidecar["turn"]]
    numbers = [event["event"] for event in sidecar["events"]]
    require(numbers == [place.number for place in of_turn], "the events are not those of the turn")
    first = of_turn[0].tag == MESSAGE_OF_A_USER if sidecar["turn"] else numbers[:1] == [1]
    require(of_turn and first, "the rows do not contain the beginning of the turn")
    for place, event in zip(of_turn, sidecar["events"], strict=True):
        yield f"event {place.number}: {shown(place, event)}"


def rows_in(extra: bytes) -> tuple[bytes, list[bytes], list[Place]]:
    """The digest of a proof's last row, the owners of its rows, and the places of their events."""
    previous, rows = msgspec.msgpack.decode(extra)
    owner, owners, places = b"", list[bytes](), dict[int, Place]()
    for given, version, topic, skeleton, commitments in rows:
        owner = given or owner
        owners += [owner] * (owner not in owners)
        previous = row_digest(owner, version, topic, previous, skeleton, commitments)
        _, first, turn, tags, *_ = msgspec.msgpack.decode(skeleton)
        places = {number: place for number, place in places.items() if number < first}
        for number, tag in enumerate(tags, first):
            turn += tag == MESSAGE_OF_A_USER
            at = (number - first) * 32
            places[number] = Place(number, turn, tag, commitments[at : at + 32])
    return previous, owners, list(places.values())


def shown(place: Place, event: dict[str, Any]) -> str:
    """The content of an event's bytes: the number of its type, then its fields."""
    if why := event.get("withheld"):
        return f"not shown: {why}"
    said = b64decode(event["bytes"], validate=True)
    salted = b64decode(event["salt"], validate=True) + said
    require(sha256(salted).digest() == place.commitment, f"event {place.number} was changed")
    fields = msgspec.msgpack.decode(said, ext_hook=lambda code, data: bytes(data))
    require(fields[0] == place.tag, f"event {place.number} has another type")
    return f"{event['type']} {json.dumps(fields[1:], default=str, ensure_ascii=False)}"


# --- a whole log --------------------------------------------------------------------------------

EVERY_ROW = """
SELECT position, stream, version, topic, previous, skeleton, commitments, parts, life, owner, name
FROM rows_t1 LEFT JOIN streams USING (stream) WHERE position > 0 ORDER BY position
"""


def check_log(database: str, note: str, key: str) -> str:
    head = opened_head(note, key)
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as sql:
        [skeleton] = sql.execute("SELECT skeleton FROM rows_t1 WHERE position = 0").fetchone()
        log = Log(head, skeleton)
        root = root_of(log.leaves(sql.execute(EVERY_ROW)))
    require(log.size >= head.size, f"the log ends at {log.size - 1}, the head at {head.size - 1}")
    require(root == head.root, "the log differs from the head")
    return f"{head.size} rows as signed, {log.size - head.size} behind them"


class Log:
    def __init__(self, head: Head, skeleton: bytes) -> None:
        """skeleton: of the genesis row."""
        log_id, _ = msgspec.msgpack.decode(skeleton)
        require(head.origin == f"turnlog/{log_id.hex()}", "the head belongs to another log")
        self._signed = head.size
        self._genesis = genesis_digest(skeleton)
        self._newest: dict[int, tuple[int, bytes]] = {}
        self.size = 1

    def leaves(self, rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
        """The leaves under the head. Later rows are checked as well."""
        yield leaf(self._genesis)
        newest = self._newest
        for position, stream, version, topic, previous, skeleton, stored, parts, *of in rows:
            require(position == self.size, f"position {self.size} is missing")
            if (before := newest.get(stream)) is None:
                self._check_owner(position, *of)
            elif before != (version - 1, previous):
                raise Wrong(f"position {position} does not follow from the row before it")
            commitments = commitments_of(stored, parts)
            digest = row_digest(of[1], version, topic, previous, skeleton, commitments)
            newest[stream] = version, digest
            self.size += 1
            if position < self._signed:
                yield sha256(b"\0" + digest).digest()

    def _check_owner(self, position: int, life: int, owner: bytes, name: bytes | None) -> None:
        is_sealed = (name or b"")[:3] != b"\x92\xc4\x10"  # the root binds the owner anyway
        bound = is_sealed or owner == owner_of(self._genesis, life, name or b"")
        require(bound, f"position {position} does not belong to its conversation")


def main(arguments: Sequence[str]) -> int:
    try:
        match arguments:
            case ["proof", proof, key]:
                sidecar = json.loads(Path(f"{proof}.json").read_text())
                print(
                    *check_proof(Path(proof).read_text(), sidecar, Path(key).read_text()), sep="\n"
                )
            case ["log", database, note, key]:
                print(check_log(database, Path(note).read_text(), Path(key).read_text()))
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except (Wrong, ValueError, KeyError, msgspec.MsgspecError, sqlite3.Error) as error:
        print(f"wrong: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
