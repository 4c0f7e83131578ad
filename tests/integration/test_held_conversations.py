"""A conversation object keeps to its life while others delete and restart the conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import turnlog
from turnlog import BotUttered, Conversation, MessageRedacted, UserUtteranceReverted, UserUttered
from turnlog.engine.log import Turnlog
from turnlog.errors import OutOfRange, UnknownConversation
from turnlog.projections import live_head


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def logs(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Turnlog, Turnlog]]:
    """One log that reads and one that deletes; in memory there can be no second."""
    monkeypatch.setattr(live_head, "SNAPSHOT_EVERY", 4)
    if request.param == "memory":
        with turnlog.open("memory:") as log:
            yield log, log
        return
    url = f"sqlite:///{tmp_path}/chat.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    with turnlog.open(url) as ours, turnlog.open(url) as others:
        yield ours, others


def begin(log: Turnlog, *, redacted: bool = False) -> None:
    for turn in range(1, 6):
        log.record("alice", UserUttered(f"old {turn}"), BotUttered("noted"))
    log.record("alice", UserUtteranceReverted())
    if redacted:
        log.record("alice", MessageRedacted(1))


def delete(log: Turnlog) -> None:
    log.delete("alice")


def begin_again(log: Turnlog) -> None:
    log.delete("alice")
    for turn in range(1, 9):
        log.record("alice", UserUttered(f"new {turn}"))


def said(events: Any) -> set[str]:
    """The first words of the messages of users."""
    return {(e.text or "hidden").split()[0] for e in events if isinstance(e, UserUttered)}


READS: dict[str, Callable[[Conversation], Any]] = {
    "events": lambda held: list(held.events()),
    "the last events": lambda held: list(held.events(7)),
    "an event": lambda held: held.event(3),
    "recorded": lambda held: list(held.recorded()),
    "newest first": lambda held: list(held.newest_first()),
    "messages": lambda held: list(held.messages()),
    "dialogue": lambda held: held.dialogue(),
    "the last turn": lambda held: held.dialogue(1),
    "states": lambda held: list(held.states()),
    "an earlier moment": lambda held: held.at(3),
    "a moment at a snapshot": lambda held: held.at(8),
    "an undo": lambda held: held.stage(UserUtteranceReverted(), recorded=1.0),
}


@pytest.mark.parametrize("deleting", [delete, begin_again])
@pytest.mark.parametrize("reading", READS)
def test_reading_a_deleted_conversation_is_an_error(
    logs: tuple[Turnlog, Turnlog], reading: str, deleting: Callable[[Turnlog], None]
) -> None:
    ours, others = logs
    begin(ours)
    held = ours.conversation("alice")
    READS[reading](ours.conversation("alice"))
    deleting(others)
    assert (held.turn, held.state.event) == (5, 11)
    with pytest.raises(UnknownConversation, match="'alice'"):
        READS[reading](held)


@pytest.mark.parametrize("redacted", [False, True])
@pytest.mark.parametrize(
    "moment", [{}, {"turn": 2}, {"event": 5}, {"version": 3}, {"life": 1}], ids=str
)
@pytest.mark.parametrize("seam", ["bodies", "stream", "snapshot", "rows_newest_first"])
def test_a_life_that_ends_between_two_reads_is_not_mixed_with_the_next(
    logs: tuple[Turnlog, Turnlog],
    monkeypatch: pytest.MonkeyPatch,
    seam: str,
    moment: dict[str, int],
    redacted: bool,
) -> None:
    """Before any of the reads, the other life begins."""
    ours, others = logs
    begin(ours, redacted=redacted)
    reader = type(ours.store.reader)
    read = getattr(reader, seam)
    begun: list[int] = []

    def begun_again(self: Any, *asked: Any, **named: Any) -> Any:
        if not begun:
            begun.append(1)
            begin_again(others)
        return read(self, *asked, **named)

    with monkeypatch.context() as patch:
        patch.setattr(reader, seam, begun_again)
        try:
            held = ours.conversation("alice", **moment)
            found = [*held.events()], [r.event for r in held.newest_first()]
        except UnknownConversation:
            found = [], []
    assert said([*found[0], *found[1]]) <= {"old", "hidden"}
    if begun:
        assert said(ours.conversation("alice").events()) == {"new"}


def test_a_deleted_life_named_by_its_number_stays_readable(logs: tuple[Turnlog, Turnlog]) -> None:
    ours, others = logs
    begin(ours)
    held = ours.conversation("alice", deleted=True)
    begin_again(others)
    assert said(held.events()) == {"old"}
    assert said(held.dialogue().events) == {"old"}
    earlier = ours.conversation("alice", deleted=True, life=1, turn=2)
    assert said(earlier.events()) == {"old"}
    others.delete("alice")
    assert said(earlier.events()) == {"old"}


def test_reading_that_began_before_the_deletion_ends_with_the_life(
    logs: tuple[Turnlog, Turnlog], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, others = logs
    for turn in range(200):
        ours.record("alice", UserUttered(f"old {turn}"))
    reading = ours.conversation("alice").events()
    next(reading)
    begin_again(others)
    with pytest.raises(UnknownConversation):
        list(reading)


def test_an_earlier_moment_is_the_conversation_as_it_was(logs: tuple[Turnlog, Turnlog]) -> None:
    log, _ = logs
    begin(log, redacted=True)
    whole = log.conversation("alice")
    for event in range(1, whole.state.event + 1):
        at, asked = whole.at(event), log.conversation("alice", event=event)
        assert at.state == asked.state
        assert list(at.events()) == list(asked.events())
    with pytest.raises(OutOfRange, match="event 13 does not exist"):
        whole.at(13)
