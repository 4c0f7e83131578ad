"""Given a log on any back end, when a cell or row of it is edited, verify names what and where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import turnlog
from tests.unit.tables import Tables
from turnlog import BotUttered, SlotSet, UserUttered
from turnlog.audit.verify import verify
from turnlog.domain.commit import RepeatKey
from turnlog.encoding.dropping import dropped
from turnlog.engine.log import Turnlog
from turnlog.storage.lookups import repeat_lookup
from turnlog.storage.rows import Row


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Turnlog]:
    """Anna and Ben, with keys and snapshots; one event of Anna's was dropped."""
    url = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path / 'log.db'}"}.get(request.param)
    with turnlog.open(url or request.getfixturevalue("postgres_url")) as log:
        for turn in range(140):
            for name in ("anna", "ben"):
                said = UserUttered(f"{name} {turn}", message_id=f"{name}{turn}")
                log.record(name, said, SlotSet("n", turn), BotUttered("noted"))
        log.current.catch_up()
        row = row_of(log, "anna", 5)
        commitments, parts = dropped(row.commitments, row.parts, lambda place: place == 1)
        Tables(log.store).update("rows", row.position, commitments=commitments, parts=parts)
        assert verify(log.store).faults == []
        yield log


def number_of(log: Turnlog, name: str) -> int:
    stream = log.store.reader.stream(name)
    assert stream is not None
    return stream.stream


def row_of(log: Turnlog, name: str, version: int) -> Row:
    [row] = log.store.reader.rows(number_of(log, name), version - 1, version)
    return row


def lookup_of(log: Turnlog, name: str, key: str) -> bytes:
    return repeat_lookup(log.store.genesis.secret, name, RepeatKey(key, is_message=True))


def skeleton(log: Turnlog, tables: Tables) -> None:
    row = row_of(log, "anna", 7)
    tables.update("rows", row.position, skeleton=row.skeleton.replace(b"\x93\x0a", b"\x93\x0b"))


def swapped_commitments(log: Turnlog, tables: Tables) -> None:
    row = row_of(log, "anna", 5)
    stored = row.commitments
    swapped = stored[32:64] + stored[:32] + stored[64:]
    tables.update("rows", row.position, commitments=swapped)


def commitments_put_in(log: Turnlog, tables: Tables) -> None:
    row = row_of(log, "anna", 8)
    tables.update("rows", row.position, commitments=bytes(128))


def a_dropped_word(log: Turnlog, tables: Tables) -> None:
    row = row_of(log, "anna", 5)
    tables.update("rows", row.position, parts=row.parts.replace(b"anna 4", b"anna 5"))


def previous(log: Turnlog, tables: Tables) -> None:
    row = row_of(log, "anna", 9)
    tables.update("rows", row.position, previous=bytes(32))


def moved(log: Turnlog, tables: Tables) -> None:
    tables.move(row_of(log, "anna", 140).position, number_of(log, "ben"), 141)


def exchanged(log: Turnlog, tables: Tables) -> None:
    tables.exchange(number_of(log, "anna"), number_of(log, "ben"))


def exchanged_rows(log: Turnlog, tables: Tables) -> None:
    one, other = row_of(log, "anna", 11), row_of(log, "anna", 12)
    for row, parts in ((one, other.parts), (other, one.parts)):
        tables.update("rows", row.position, parts=parts)


def snapshot(column: str, value: object) -> Callable[[Turnlog, Tables], None]:
    return lambda log, tables: tables.edit_snapshot(number_of(log, "anna"), column, value)


def key(**change: object) -> Callable[[Turnlog, Tables], None]:
    return lambda log, tables: tables.edit_key(lookup_of(log, "anna", "anna3"), **change)  # type: ignore[arg-type]


EDITS: dict[str, tuple[Callable[[Turnlog, Tables], None], str | None, str]] = {
    "a skeleton": (skeleton, "anna", "version 8 does not follow from the row before it"),
    "swapped commitments": (swapped_commitments, "anna", "an event is not what was recorded"),
    "commitments put in": (commitments_put_in, "anna", "version 8 cannot be read"),
    "a word next to a dropped one": (a_dropped_word, "anna", "an event is not what was recorded"),
    "the digest that a row follows": (
        previous,
        "anna",
        "version 9 does not follow from the row before it",
    ),
    "a row in another stream": (moved, "ben", "version 141 does not follow from the row before it"),
    "the row that it left": (moved, "anna", "the head has a different version"),
    "two streams": (exchanged, "anna", "version 2 does not follow"),
    "the other stream": (exchanged, "ben", "does not follow"),
    "exchanged rows": (exchanged_rows, "anna", "version 12 does not follow"),
    "a snapshot's state": (snapshot("state", b"\xc0"), "anna", "has a different state"),
    "a snapshot's digest": (snapshot("digest", bytes(32)), "anna", "has a different digest"),
    "a snapshot's event": (snapshot("event", 5), "anna", "has a different event"),
    "a snapshot's turn": (snapshot("turn", 5), "anna", "has a different turn"),
    "a snapshot's version": (snapshot("version", 3), "anna", "of version 3 has a different"),
    "a snapshot of none": (
        snapshot("version", 999),
        "anna",
        "of version 999 has no row",
    ),
    "a snapshot's stream": (snapshot("stream", 77), None, "stream 77 has snapshots, but no rows"),
    "a key's position": (
        key(position=2),
        "anna",
        "the table of keys does not have the key of version 4",
    ),
    "a key's lookup": (key(to=b"another"), None, "the table of keys has 1 key without a row"),
    "a removed key": (key(), "anna", "the table of keys does not have the key of version 4"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_named(log: Turnlog, name: str):
    edit, conversation, says = EDITS[name]
    edit(log, Tables(log.store))
    faults = verify(log.store).faults
    assert any(fault.conversation == conversation and says in fault.what for fault in faults), [
        (fault.conversation, fault.what) for fault in faults
    ]
