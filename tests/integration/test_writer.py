"""One writer that trusts its memory, and reads again when the tables refuse a commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import turnlog
from tests.stored import rows_of, snapshots_of
from turnlog import SlotSet, UserUttered
from turnlog.audit.verify import verify
from turnlog.domain.state import State
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Request
from turnlog.engine.writer import BATCH_REQUESTS, Writer
from turnlog.errors import InvalidEvent, Unavailable, VersionConflict
from turnlog.projections import live_head
from turnlog.projections.heads import Heads
from turnlog.projections.rebuilding import rebuild_heads
from turnlog.storage.memory import MemoryRecorder
from turnlog.storage.recorder import Transaction
from turnlog.storage.sqlite import SqliteRecorder


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        found: str = request.getfixturevalue("postgres_url")
        return found
    return f"sqlite:///{tmp_path / 'log.db'}"


@pytest.fixture
def logs(url: str) -> Iterator[tuple[Turnlog, Turnlog]]:
    """Two logs on one store, as two processes have them; the first takes itself for the only
    writer.
    """
    with turnlog.open(url) as ours, turnlog.open(url) as theirs:
        ours.record("alice", UserUttered("hello"), key="m1")
        ours.record("carol", UserUttered("hello"))
        yield ours, theirs


def texts(log: Turnlog, id: str) -> list[str | None]:
    return [e.text for e in log.conversation(id).events() if isinstance(e, UserUttered)]


def test_the_writer_continues_after_the_commits_of_another(logs: tuple[Turnlog, Turnlog]) -> None:
    ours, theirs = logs
    for n in range(3):
        theirs.record("alice", UserUttered(f"theirs {n}"))
        ours.record("alice", UserUttered(f"ours {n}"))
        ours.record("bob", UserUttered(f"ours {n}"))
    expected = ["hello", *(f"{who} {n}" for n in range(3) for who in ("theirs", "ours"))]
    assert texts(ours, "alice") == texts(theirs, "alice") == expected
    assert [row.position for row in ours.store.reader.tail(0, 99)] == list(range(1, 12))


def test_a_key_of_another_process_is_known(logs: tuple[Turnlog, Turnlog]) -> None:
    ours, theirs = logs
    theirs.record("alice", UserUttered("once"), key="m2")
    again = ours.record("alice", UserUttered("once"), key="m2")
    assert not again.new
    assert [e.text for e in again.events if isinstance(e, UserUttered)] == ["once"]
    assert texts(ours, "alice") == ["hello", "once"]


def test_a_key_of_long_ago_is_known_and_its_neighbours_are_stored(
    logs: tuple[Turnlog, Turnlog],
) -> None:
    ours, _ = logs
    requests = [
        ours.request("bob", [UserUttered("new")], key="m1"),
        ours.request("alice", [UserUttered("hello")], key="m1"),
        ours.request("alice", [UserUttered("and on")], key="m2"),
    ]
    for request in requests:
        ours.writer.submit(request)
    ours.writer.flush()
    assert [request.result().new for request in requests] == [True, False, True]
    assert texts(ours, "alice") == ["hello", "and on"]


def test_a_key_sent_twice_concurrently_is_recorded_once(logs: tuple[Turnlog, Turnlog]) -> None:
    ours, _ = logs
    requests = [ours.request("bob", [UserUttered("once")], key="k") for _ in range(3)]
    for request in requests:
        ours.writer.submit(request)
    ours.writer.flush()
    assert [request.result().new for request in requests] == [True, False, False]
    assert texts(ours, "bob") == ["once"]


def test_the_first_commit_of_a_split_request_has_the_key(
    logs: tuple[Turnlog, Turnlog],
) -> None:
    ours, _ = logs
    said = [UserUttered(str(n)) for n in range(5)]
    ours.writer.perform(Request("bob", lambda *_: said, 1.0, key="k", split=2))
    assert [row.commit().key for row in rows_of(ours.store.reader, "bob")] == ["k", None, None]
    assert texts(ours, "bob") == ["0", "1", "2", "3", "4"]


def test_two_writers_that_catch_up_in_turn_leave_correct_tables(
    logs: tuple[Turnlog, Turnlog], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = logs
    monkeypatch.setattr(live_head, "SNAPSHOT_EVERY", 2)
    for number in range(8):
        (ours, theirs)[number % 2].record("alice", UserUttered(f"{number}"), key=f"k{number}")
        (ours, theirs)[number % 3 == 0].record(f"{number}", UserUttered("x"))
        if number % 3 == 2:
            theirs.current.catch_up()
    ours.current.catch_up()
    before = [*ours.store.reader.heads()], [*snapshots_of(ours.store.reader, "alice")]
    assert verify(ours.store).faults == []
    rebuild_heads(theirs.store)
    assert ([*ours.store.reader.heads()], [*snapshots_of(ours.store.reader, "alice")]) == before
    assert len(before[1]) > 2


def test_a_refused_request_does_not_affect_others_of_its_batch(
    logs: tuple[Turnlog, Turnlog],
) -> None:
    ours, _ = logs
    requests = [
        ours.request("alice", [UserUttered("before")]),
        ours.request("alice", [SlotSet("x", float("nan"))]),
        ours.request("alice", [UserUttered("stale")], expected_version=1),
        ours.request("alice", [UserUttered("after")], expected_version=2),
    ]
    for request in requests:
        ours.writer.submit(request)
    ours.writer.flush()
    assert [type(request.outcome) for request in requests[1:3]] == [InvalidEvent, VersionConflict]
    assert texts(ours, "alice") == ["hello", "before", "after"]


def test_an_empty_request_with_a_known_key_returns_the_recorded_commit(
    logs: tuple[Turnlog, Turnlog],
) -> None:
    ours, _ = logs
    known = ours.writer.perform(Request("alice", lambda *_: [], 1.0, key="m1"))
    assert not known.new
    assert len(known.events) == 1
    nothing = ours.writer.perform(Request("alice", lambda *_: [], 1.0, key="m9"))
    assert nothing.new
    assert not nothing.events


def test_a_command_sees_the_commits_of_another(logs: tuple[Turnlog, Turnlog]) -> None:
    ours, theirs = logs
    theirs.record("alice", SlotSet("count", 1))
    seen: list[int] = []

    def count(state: State, _: object) -> list[SlotSet]:
        seen.append(state.slots.get("count", 0))
        return [SlotSet("count", state.slots.get("count", 0) + 1)]

    ours.writer.perform(ours.request("alice", count))
    assert seen == [0, 1]  # first with the state in memory, then with the stored one
    assert ours.conversation("alice").slots == {"count": 2}
    assert theirs.conversation("alice").slots == {"count": 2}


def test_a_command_without_events_has_seen_the_commits_of_another(
    logs: tuple[Turnlog, Turnlog],
) -> None:
    ours, theirs = logs
    theirs.record("alice", SlotSet("armed", True))

    def answer(state: State, _: object) -> list[SlotSet]:
        return [SlotSet("answered", True)] if state.slots.get("armed") else []

    assert ours.writer.perform(ours.request("alice", answer)).events


def test_a_turn_of_a_known_conversation_is_one_statement(tmp_path: Path) -> None:
    statements: list[str] = []
    with turnlog.open(f"sqlite:///{tmp_path / 'log.db'}") as log:
        for n in range(3):
            log.record("alice", UserUttered(str(n)), key=str(n))
        assert isinstance(log.store, SqliteRecorder)
        log.store._writer.set_trace_callback(statements.append)
        log.record("alice", UserUttered("and on"), key="m")
        log.store._writer.set_trace_callback(None)
    assert [statement.split()[0] for statement in statements] == ["INSERT"]


def test_two_writers_in_turn_repeat_only_one_decision(logs: tuple[Turnlog, Turnlog]) -> None:
    seen: list[int] = []

    def count(state: State, _: object) -> list[SlotSet]:
        seen.append(state.slots.get("count", 0))
        return [SlotSet("count", seen[-1] + 1)]

    for log in logs * 3:
        log.writer.perform(log.request("alice", count))
    assert seen == [0, 1, 1, 2, 3, 4, 5]


def test_the_last_thousand_conversations_need_no_reading(tmp_path: Path) -> None:
    statements: list[str] = []
    with turnlog.open(f"sqlite:///{tmp_path / 'log.db'}") as log:
        for _ in range(2):  # the second time no one else has written
            for n in range(1_001):
                log.writer.submit(log.request(str(n), [UserUttered("hello")]))
            log.writer.flush()
        assert isinstance(log.store, SqliteRecorder)
        log.store.reader._connection.set_trace_callback(statements.append)
        for id, reads in (("1", False), ("1000", False), ("0", True)):
            log.record(id, UserUttered("and on"))
            assert any(sql.startswith("SELECT") for sql in statements) == reads
            statements.clear()


class Away(MemoryRecorder):
    """A database that cannot be reached."""

    tries = 0

    def transaction(self) -> AbstractContextManager[Transaction]:
        self.tries += 1
        raise Unavailable("the database is away")


def test_requests_behind_an_unavailable_database_are_refused_with_the_first() -> None:
    recorder = Away()
    log = Turnlog(recorder)
    requests = [log.request(str(n), [UserUttered("hello")]) for n in range(BATCH_REQUESTS * 2 + 1)]
    for request in requests:
        log.writer.submit(request)
    log.writer.flush()
    assert recorder.tries == 1
    for request in requests:
        with pytest.raises(Unavailable, match="is away"):
            request.result()


def test_a_stream_that_draws_a_taken_number_draws_again() -> None:
    drawn = iter([b"same 1", b"same 1", b"others"])

    def random(count: int) -> bytes:
        return next(drawn) if count == 6 else bytes(count)

    recorder = MemoryRecorder()
    found = Heads(recorder)
    writer = Writer(recorder, found, random)
    with Turnlog(recorder) as log:
        for name in ("a", "b"):
            assert writer.perform(log.request(name, [UserUttered("hi")])).new
        assert [log.conversation(name).turn for name in ("a", "b")] == [1, 1]
        assert verify(recorder).faults == []
