"""Given a conversation from eventsourcing's repository, `save` has the same rules as `record`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.domain import Aggregate
from eventsourcing.persistence import (
    IntegrityError,
    ProgrammingError,
    StoredEvent,
    Tracking,
)

import turnlog
from tests.stored import rows_of, snapshots_of
from turnlog import Commit, SlotSet, Turnlog, UserUtteranceReverted, UserUttered
from turnlog.audit.verify import verify
from turnlog.encoding.rows import TOPIC
from turnlog.errors import InvalidEvent, UnknownConversation
from turnlog.projections.live_head import SNAPSHOT_EVERY


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Turnlog]:
    url = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/chat.db"}.get(request.param)
    with turnlog.open(url or request.getfixturevalue("postgres_url")) as opened:
        for n in range(3):
            opened.record("alice", UserUttered(f"{n}"), SlotSet("n", n))
        yield opened
        assert verify(opened.store).faults == []


def alice(log: Turnlog) -> Any:
    return log.repository.get("alice")


def rows(log: Turnlog) -> list[tuple[int, str | None]]:
    return [(row.version, row.commit().key) for row in rows_of(log.store.reader, "alice")]


def test_staged_events_are_stored_commit_by_commit_with_keys(log: Turnlog) -> None:
    staged = alice(log)
    staged.stage(UserUtteranceReverted(), recorded=5.0)
    staged.stage(UserUttered("again"), SlotSet("n", 9), recorded=6.0, key="m9")
    recordings = log.save(staged)
    assert [r.domain_event.originator_version for r in recordings] == [4, 5]
    assert [r.notification.id for r in recordings] == [4, 5]
    assert rows(log)[3:] == [(4, None), (5, "m9")]
    assert [commit.recorded for commit in log.history("alice").commits()][3:] == [5.0, 6.0]
    assert log.conversation("alice").state == staged.state
    assert not log.record("alice", UserUttered("again"), key="m9").new


def test_a_new_conversation_is_saved(log: Turnlog) -> None:
    fresh = turnlog.Conversation("bob", turnlog.State(), log.history("bob"))
    fresh.stage(UserUttered("hi"), recorded=5.0)
    log.save(fresh)
    assert log.conversation("bob").state == fresh.state


def test_saving_nothing_stores_nothing(log: Turnlog) -> None:
    assert log.save(alice(log)) == []
    assert len(rows(log)) == 3


def test_snapshots_are_taken(log: Turnlog) -> None:
    staged = alice(log)
    for n in range(SNAPSHOT_EVERY):
        staged.stage(SlotSet("n", n), recorded=5.0)
    log.save(staged)
    log.current.catch_up()
    assert [s.event for s in snapshots_of(log.store.reader, "alice")] == [SNAPSHOT_EVERY]


@pytest.mark.parametrize(
    ("event", "key", "why"),
    [
        (SlotSet("x", float("nan")), None, "nan"),
        (SlotSet("x", "y" * 2_000_000), None, "bytes"),
        (SlotSet("x", {"y": object()}), None, "SlotSet"),
        (SlotSet("x", 1), "k" * 1001, "key"),
    ],
)
def test_events_that_record_refuses_are_refused_and_not_stored(
    log: Turnlog, event: turnlog.Event, key: str | None, why: str
) -> None:
    staged = alice(log)
    staged.stage(SlotSet("good", 1), recorded=5.0)
    staged.stage(event, recorded=5.0, key=key)
    with pytest.raises(InvalidEvent, match=why):
        log.save(staged)
    assert len(rows(log)) == 3


@pytest.mark.parametrize("keys", [("known", "new"), ("new", "known"), ("new", "new")])
def test_a_known_key_is_refused_and_nothing_stored(log: Turnlog, keys: tuple[str, str]) -> None:
    log.record("alice", SlotSet("a", 1), key="known")
    staged = alice(log)
    for key in keys:
        staged.stage(SlotSet("a", 2), recorded=5.0, key=key)
    with pytest.raises(InvalidEvent, match="was recorded already"):
        log.save(staged)
    assert len(rows(log)) == 4


def test_two_savers_of_one_version_conflict(log: Turnlog) -> None:
    one, other = alice(log), alice(log)
    one.stage(SlotSet("n", 10), recorded=5.0)
    other.stage(SlotSet("n", 20), recorded=5.0)
    other.stage(SlotSet("n", 30), recorded=5.0)
    log.save(one)
    with pytest.raises(IntegrityError, match="expected version 3, found 4"):
        log.save(other)
    assert log.conversation("alice").slots == {"n": 10}


def test_conversations_are_saved_one_at_a_time(log: Turnlog) -> None:
    log.record("bob", UserUttered("hi"))
    one, other = alice(log), log.repository.get("bob")
    one.stage(SlotSet("n", 10), recorded=5.0)
    other.stage(SlotSet("n", 20), recorded=5.0)
    with pytest.raises(ProgrammingError, match="one conversation"):
        log.save(one, other)
    assert log.store.reader.last_position() == 4


def test_other_aggregates_and_tracking_are_not_saved_with_commits(log: Turnlog) -> None:
    with pytest.raises(ProgrammingError, match="only conversations can be saved"):
        log.save(Aggregate())
    with pytest.raises(ProgrammingError, match="tracking"):
        log.events.put([Commit("x", 1, 1, 0, 5.0, (SlotSet("a", 1),))], tracking=Tracking("a", 1))
    with pytest.raises(InvalidEvent, match="U\\+001F"):
        log.save(Commit("\x1fmine", 1, 1, 0, 5.0, (SlotSet("a", 1),)))
    with pytest.raises(ProgrammingError, match="only the log's writer"):
        log.recorder.insert_events([StoredEvent("x", 1, TOPIC, b"")])
    assert log.store.reader.last_position() == 3


def test_an_unknown_conversation_is_not_in_the_repository(log: Turnlog) -> None:
    with pytest.raises(UnknownConversation):
        log.repository.get("stranger")
