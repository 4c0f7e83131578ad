"""Branches of a conversation: named, left and continued, and named in every line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import turnlog
from turnlog import (
    BotUttered,
    HistoryContinued,
    SlotSet,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.domain.events import Event
from turnlog.domain.fold import replay
from turnlog.engine.log import Turnlog
from turnlog.errors import InvalidEvent, OutOfRange, UnknownConversation
from turnlog.projections.history import StoredHistory
from turnlog.projections.stream_rows import StreamRows
from turnlog.projections.transcript import messages
from turnlog.serializers.rasa.writer import to_rasa


@pytest.fixture
def log() -> Iterator[Turnlog]:
    with turnlog.open("memory:") as log:
        yield log


def say(log: Turnlog, *texts: str) -> None:
    for text in texts:
        log.record("c", UserUttered(text), SlotSet("said", text), BotUttered(f"re {text}"))


def texts(log: Turnlog) -> list[str]:
    return [message.text for message in log.conversation("c").messages() if message.role == "user"]


def test_a_branch_begins_at_a_turn_and_leaves_the_other_unchanged(log: Turnlog) -> None:
    say(log, "one", "two", "three")

    log.checkout("c", "retry", turn=1)
    say(log, "other")

    conversation = log.conversation("c")
    assert texts(log) == ["one", "other"]
    assert conversation.slots == {"said": "other"}
    assert conversation.branches == {"main": 9, "retry": 13}
    assert conversation.branch == "retry"
    assert conversation.turn == 4


def test_a_checkout_continues_where_the_branch_ended(log: Turnlog) -> None:
    say(log, "one", "two")
    log.checkout("c", "retry", turn=1)
    say(log, "other")

    log.checkout("c", "main")

    assert texts(log) == ["one", "two"]
    assert log.conversation("c").slots == log.conversation("c", event=6).slots
    assert log.conversation("c").branches == {"retry": 10, "main": 11}
    say(log, "three")
    log.checkout("c", "retry")
    assert texts(log) == ["one", "other"]


def test_the_current_branch_is_not_checked_out_again(log: Turnlog) -> None:
    say(log, "one")
    assert not log.checkout("c", "main").commits
    assert log.checkout("c", "new").commits
    assert not log.checkout("c", "new").commits


def test_without_a_name_the_branch_continues_from_the_target(log: Turnlog) -> None:
    say(log, "one", "two")
    log.checkout("c", event=3)
    say(log, "other")
    conversation = log.conversation("c")
    assert texts(log) == ["one", "other"]
    assert conversation.branches == {"main": 10}
    taken_back = [r.number for r in conversation.recorded() if r.taken_back is not None]
    assert taken_back == [4, 5, 6]
    assert all("branch" not in r.as_dict() for r in conversation.recorded())


def test_a_turn_ends_before_the_checkout_that_left_it(log: Turnlog) -> None:
    say(log, "one", "two")
    log.checkout("c", "retry", turn=1)
    log.checkout("c", "again", turn=2)
    assert texts(log) == ["one", "two"]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Versions of the rows that a history has read."""
    versions: list[int] = []
    found = StreamRows.row

    def row(self: StreamRows, version: int) -> Any:
        versions.append(version)
        return found(self, version)

    def commit(self: StoredHistory, rows: StreamRows, body: Any) -> Any:
        versions.append(body.version)
        return decoded(self, rows, body)

    decoded = StoredHistory._commit
    monkeypatch.setattr(StreamRows, "row", row)
    monkeypatch.setattr(StoredHistory, "_commit", commit)
    return versions


@pytest.mark.parametrize("sizes", [[1], [1, 40, 2], [300]])
def test_the_last_messages_are_found_behind_a_branch_that_was_left(
    sizes: list[int], read: list[int]
) -> None:
    said = 0
    with turnlog.open("memory:") as log:
        for number in range(900 // sum(sizes)):
            for size in sizes:
                asked = (UserUttered(f"{said + each}") for each in range(size))
                log.record("c", *asked)
                said += size
            if number % 100 == 50:
                log.checkout("c", f"b{number}", turn=said // 2)
        for number in range(300):
            log.checkout("c", f"b {number % 2}")
        every = list(log.conversation("c").messages())
        log.checkout("c", turn=said // 4)
        log.checkout("c", "b 0")
        conversation = log.conversation("c")
        read.clear()
        assert conversation.last(20) == every[-20:]
    assert len(read) < 60


def test_a_branch_without_new_events_keeps_its_end() -> None:
    with turnlog.open("memory:") as log:
        log.record("c", UserUttered("one"), UserUttered("two"))
        log.checkout("c", "new", event=1)
        log.checkout("c", "main")
        log.checkout("c", "new")
        log.checkout("c", "main")
        assert log.conversation("c").branches == {"new": 1, "main": 6}
        continued = [e for e in log.read_events("c") if isinstance(e, HistoryContinued)]
        assert [(e.event, e.from_branch) for e in continued] == [
            (1, "main"), (2, None), (1, "main"), (2, None),
        ]  # fmt: skip


def places(log: Turnlog, **moment: Any) -> list[tuple[int, str | None, int | None]]:
    recorded = log.conversation("c", **moment).recorded()
    return [(r.turn, r.branch, r.branch_turn) for r in recorded if type(r.event) is UserUttered]


def branched(log: Turnlog) -> None:
    say(log, "one", "two")
    log.checkout("c", "retry", turn=1)
    say(log, "other")
    log.record("c", UserUtteranceReverted())
    say(log, "third")
    log.checkout("c", "main")
    say(log, "four")


def test_lines_name_their_branch_and_its_turn(log: Turnlog) -> None:
    branched(log)
    assert places(log) == [
        (1, "main", 1), (2, "main", 2), (3, "retry", 2), (4, "retry", 2), (5, "main", 3),
    ]  # fmt: skip
    assert [m.branch_turn for m in log.conversation("c").messages() if m.role == "user"] == [
        1,
        2,
        3,
    ]
    line = next(r for r in log.conversation("c").recorded(6)).as_dict()
    assert (line["event"], line["to"], line["branch"], line["branch_turn"]) == (7, 3, "retry", 1)


def test_lines_are_the_same_from_any_event_on_and_from_the_end(log: Turnlog) -> None:
    branched(log)
    conversation = log.conversation("c")
    whole = list(conversation.recorded())
    assert list(conversation.newest_first()) == whole[::-1]
    for after in range(len(whole) + 1):
        assert list(conversation.recorded(after)) == whole[after:]


def test_lines_before_the_first_branch_name_no_branch(log: Turnlog) -> None:
    branched(log)
    assert places(log, event=6) == [(1, None, None), (2, None, None)]


def test_the_transcript_says_the_same(log: Turnlog) -> None:
    branched(log)
    said = {
        entry["event"]: (entry["turn"], entry["branch"], entry["branch_turn"])
        for entry in messages(log.view("transcript"), "c")
    }
    lines = {r.number: (r.turn, r.branch, r.branch_turn) for r in log.conversation("c").recorded()}
    assert said == {number: lines[number] for number in said}
    assert len(said) == 10


def test_a_checkout_equals_the_replay_of_the_branch(log: Turnlog) -> None:
    branched(log)
    events = log.read_events("c")
    for number in range(len(events) + 1):
        log.checkout("c", event=number)
        gone_back, prefix = log.conversation("c").state, replay(events[:number])
        assert gone_back.context == prefix.context


def test_rasa_reads_the_branch_that_counts() -> None:
    events: list[Event] = [
        UserUttered("one"), UserUttered("two"), HistoryContinued(1, branch="b"),
        UserUttered("three"), HistoryContinued(2, branch="main"), UserUttered("four"),
    ]  # fmt: skip
    assert [event["text"] for event in to_rasa(events)] == ["one", "two", "four"]


def test_an_unknown_branch_turn_or_event_is_refused(log: Turnlog) -> None:
    say(log, "one")
    with pytest.raises(InvalidEvent, match="event 9 does not exist"):
        log.checkout("c", event=9)
    with pytest.raises(OutOfRange, match="turn 2 does not exist"):
        log.checkout("c", "b", turn=2)
    with pytest.raises(OutOfRange, match="pass either a turn or an event"):
        log.checkout("c", "b", turn=1, event=1)
    with pytest.raises(OutOfRange, match="pass the branch"):
        log.checkout("c")
    with pytest.raises(UnknownConversation):
        log.checkout("unknown", "b")
    with pytest.raises(InvalidEvent, match="fork it"):
        log.record("c", HistoryContinued(1, conversation=5))
    with pytest.raises(InvalidEvent, match="only by the log itself"):
        log.record("c", turnlog.OriginDeleted(1))
    assert len(log.read_events("c")) == 3


async def test_the_awaitable_face_checks_out() -> None:
    async with turnlog.aopen("memory:") as log:
        await log.record("c", UserUttered("one"))
        await log.checkout("c", "b", event=0)
        assert (await log.conversation("c")).branches == {"main": 1, "b": 2}
        with pytest.raises(UnknownConversation):
            await log.checkout("unknown", "b")


@pytest.mark.parametrize("name", ["", "x" * 1001, "ä" * 501, "half \ud800"])
def test_an_invalid_branch_name_is_refused(log: Turnlog, name: str) -> None:
    say(log, "one")
    with pytest.raises(InvalidEvent, match=r"HistoryContinued\.branch"):
        log.checkout("c", name, turn=1)
    log.checkout("c", "x" * 1000, turn=1)
    assert log.conversation("c").branch == "x" * 1000
