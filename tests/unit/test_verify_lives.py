"""Given a log whose ids began again or were dropped, verify finds what was changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import turnlog
from tests.stored import rows_of
from tests.unit.tables import Tables
from turnlog import BotUttered, UserUttered
from turnlog.audit.verify import verify
from turnlog.engine.log import Turnlog
from turnlog.errors import Corrupt


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Turnlog]:
    """Anna in her third life, Ben in his first; all derived tables are up to date."""
    url = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path / 'log.db'}"}.get(request.param)
    with turnlog.open(url or request.getfixturevalue("postgres_url")) as log:
        for life in range(3):
            for name in ("anna", "ben"):
                log.record(name, UserUttered(f"{name} says {life}"))
                log.record(name, BotUttered(f"hello, {name}"))
            if life < 2:
                log.delete("anna", f"reason {life}")
        log.current.catch_up()
        yield log


STORED_DIGEST = "does not match the digest stored with it"
"""Found in PostgreSQL's rows as well."""


def whats(log: Turnlog) -> list[tuple[str | None, str]]:
    faults = [(fault.conversation, fault.what) for fault in verify(log.store).faults]
    return [fault for fault in faults if STORED_DIGEST not in fault[1]]


def of(log: Turnlog, name: str, life: int | None = None) -> int:
    stream = log.store.reader.stream(name, life)
    assert stream is not None
    return stream.stream


def test_an_untouched_log_has_no_fault(log: Turnlog):
    assert whats(log) == []
    assert verify(log.store, ["anna", "ben"]).ok


@pytest.mark.parametrize("life", [1, 2])
def test_the_last_row_of_an_earlier_life_is_bound_by_the_next(log: Turnlog, life: int):
    row = rows_of(log.store.reader, "anna", life=life)[-1]
    words = row.parts.replace(b"reason", b"raisin")
    assert words != row.parts
    Tables(log.store).update("rows", row.position, parts=words)
    [(name, what)] = whats(log)
    assert name == "anna"
    assert "version 1 does not follow from the row before it" in what
    with pytest.raises(Corrupt, match="'anna', version 3 is not the row"):
        list(log.history("anna", life).events())
    if life == 2:
        with pytest.raises(Corrupt, match="'anna', version 1 does not follow"):
            list(turnlog.Turnlog(log.store).history("anna").events())


def test_a_removed_life_is_found(log: Turnlog):
    number = of(log, "anna", 2)
    tables = Tables(log.store)
    tables.remove_stream(number)
    assert ("anna", "its life 3 has no life before it: the earlier rows were removed") in whats(log)
    with pytest.raises(Corrupt, match="the rows of life 2 are missing"):
        list(turnlog.Turnlog(log.store).history("anna").events())


def test_lives_of_an_erased_id_stay_bound(log: Turnlog):
    tables = Tables(log.store)
    row = rows_of(log.store.reader, "anna", life=2)[-1]
    third = of(log, "anna", 3)
    for life in (3, 2, 1):
        tables.drop_id("anna", life)
    tables.remove_head("anna")
    assert whats(log) == []
    tables.update("rows", row.position, parts=row.parts.replace(b"reason", b"raisin"))
    what = "its first row does not follow from the life before it"
    assert whats(log) == [(f"\x1ferased {third:012x}", what)]


def _nothing_else(tables: Tables) -> None:
    pass


LEFT: dict[str, Callable[[Tables], None]] = {
    "the lookup and the head": _nothing_else,
    "the lookup": lambda tables: tables.remove_head("ben"),
    "the head": lambda tables: tables.drop_lookup("ben"),
}


@pytest.mark.parametrize("left", LEFT)
def test_a_name_may_be_missing_only_after_a_complete_erasure(log: Turnlog, left: str):
    tables = Tables(log.store)
    number = of(log, "ben")
    LEFT[left](tables)
    tables.drop_name(number)
    found = [what for _, what in whats(log)]
    if "lookup" in left:
        assert f"stream {number:012x}: its id was dropped, but not its lookup" in found
    if "head" in left:
        assert "its id was dropped, but its head was not" in found
    assert len(found) == 1 + (" and " in left)


def test_a_snapshot_of_an_erased_id_is_a_fault(log: Turnlog):
    for _ in range(300):
        log.record("ben", BotUttered("again"))
    log.current.catch_up()
    assert log.store.reader.snapshots(of(log, "ben"))
    tables = Tables(log.store)
    number = of(log, "ben")
    tables.drop_id("ben", 1)
    tables.remove_head("ben")
    found = whats(log)
    assert found == [
        (f"\x1ferased {number:012x}", "its id was dropped, but its snapshots were not")
    ]


def test_a_key_of_an_erased_id_is_a_fault(log: Turnlog):
    log.record("ben", UserUttered("once", message_id="m1"))
    log.current.catch_up()
    tables = Tables(log.store)
    tables.drop_id("ben", 1)
    tables.remove_head("ben")
    assert whats(log) == [(None, "the table of keys has 1 key without a row")]


def test_erasing_only_one_life_of_an_id_is_a_fault(log: Turnlog):
    tables = Tables(log.store)
    tables.drop_id("anna", 2)
    assert ("anna", "its life 3 has no life before it: the earlier rows were removed") in whats(log)


def test_postgresql_stores_a_digest_with_each_row_after_the_heads(log: Turnlog):
    if not log.store.gives_positions:
        pytest.skip("the high-water file of SQLite does this")
    log.record("ben", UserUttered("a word"))
    log.record("anna", UserUttered("more"))
    [row] = log.store.reader.rows_newest_first(of(log, "ben"), 2**62, 1)
    Tables(log.store).update("rows", row.position, parts=row.parts.replace(b"a word", b"a ward"))
    [fault] = verify(log.store).faults
    assert (fault.conversation, STORED_DIGEST in fault.what) == ("ben", True)
