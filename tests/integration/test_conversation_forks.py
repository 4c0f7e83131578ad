"""Forks share a past by reference; later changes to it reach them, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import turnlog
from turnlog import (
    BotUttered,
    ConversationTagged,
    HistoryContinued,
    MessageRedacted,
    PromptArmed,
    SlotSet,
    ThreadStarted,
    UserIdentified,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.audit.rebuilding import rebuild
from turnlog.audit.verify import verify
from turnlog.cli.upkeep import _counted
from turnlog.domain.fold import replay
from turnlog.engine.log import Turnlog
from turnlog.engine.query import summary
from turnlog.errors import InvalidEvent, OutOfRange, UnknownConversation
from turnlog.projections import projection, slot_history
from turnlog.projections.transcript import messages
from turnlog.training.plan import ExportPlan
from turnlog.training.select import selected


@pytest.fixture
def log(url: str) -> Iterator[Turnlog]:
    with turnlog.open(url, clock=lambda: 1000.0) as log:
        for view in ("slots", "transcript"):
            log.view(view)
        say(log, "a", "one", "two", "three")
        yield log
        assert verify(log.store).faults == []
        before = seen(log)
        rebuild(log.store)
        assert verify(log.store).faults == []
    if url != "memory:":
        with turnlog.open(url) as again:
            assert seen(again) == before


def seen(log: Turnlog) -> list[Any]:
    """Everything shown of every conversation."""
    return [
        (
            head, state, list(log.conversation(head.conversation).recorded()),
            list(messages(log.view("transcript"), head.conversation)),
            list(slot_history.changes(log.view("slots"), head.conversation)),
        )
        for head, state in log.heads()
    ]  # fmt: skip


def say(log: Turnlog, id: str, *said: str) -> None:
    for text in said:
        log.record(
            id, UserUttered(text, message_id=f"m {text}"), SlotSet("said", text), SlotSet(text, 1)
        )
        log.record(id, BotUttered(f"re {text}"), key=f"answer {text}")


def texts(log: Turnlog, id: str) -> list[str]:
    return [message.text for message in log.conversation(id).messages() if message.role == "user"]


def test_a_fork_has_the_past_and_continues_independently(log: Turnlog) -> None:
    recorded = log.fork("a", turn=2, as_="f")
    say(log, "f", "four")
    say(log, "a", "five")

    assert recorded.commits[0].events[0].event == 8  # type: ignore[attr-defined]
    assert texts(log, "f") == ["one", "two", "four"]
    assert texts(log, "a") == ["one", "two", "three", "five"]
    fork = log.conversation("f")
    assert (fork.turn, fork.version, fork.slots["said"]) == (3, 3, "four")
    assert [r.number for r in fork.recorded()] == list(range(1, 14))
    assert {r.conversation for r in fork.recorded()} == {"f"}
    assert log.conversation("f", turn=1).slots == log.conversation("a", turn=1).slots
    assert list(fork.newest_first()) == [*fork.recorded()][::-1]


def test_the_past_and_the_forks_own_events_fold_as_one(log: Turnlog) -> None:
    log.fork("a", event=5, as_="f")
    say(log, "f", "four")
    log.record("f", UserUtteranceReverted())
    events = log.read_events("f")
    assert isinstance(events[5], HistoryContinued)
    assert replay(events) == log.conversation("f").state
    for number in range(len(events) + 1):
        assert replay(events[:number]) == log.conversation("f", event=number).state


def test_without_a_place_the_fork_begins_at_the_end(log: Turnlog) -> None:
    log.fork("a", as_="f")
    assert texts(log, "f") == ["one", "two", "three"]


def test_forks_of_forks_read_the_past_they_share(log: Turnlog) -> None:
    log.fork("a", turn=2, as_="f")
    say(log, "f", "four")
    log.fork("f", turn=3, as_="g")
    log.fork("f", turn=1, as_="h")
    say(log, "g", "five")
    say(log, "h", "six")
    log.fork("g", as_="i")
    assert texts(log, "i") == ["one", "two", "four", "five"]
    assert texts(log, "h") == ["one", "six"]
    assert [m["text"] for m in messages(log.view("transcript"), "h")] == [
        "one", "re one", "six", "re six",
    ]  # fmt: skip


def test_a_fork_can_begin_within_a_commit(log: Turnlog) -> None:
    log.fork("a", event=2, as_="f")
    assert log.conversation("f").slots == {"said": "one"}
    assert len(log.read_events("f")) == 3


def test_going_back_in_a_fork_reaches_into_the_past_it_shares(log: Turnlog) -> None:
    log.fork("a", turn=2, as_="f")
    say(log, "f", "four")
    log.checkout("f", "again", turn=1)
    assert log.conversation("f").slots == log.conversation("a", turn=1).slots
    log.checkout("f", "main")
    assert log.conversation("f").slots["said"] == "four"


def test_keys_are_not_inherited(log: Turnlog) -> None:
    log.fork("a", turn=2, as_="f")
    assert log.record("f", UserUttered("one", message_id="m one")).new
    assert log.record("f", BotUttered("again"), key="answer two").new
    assert log.fork("a", turn=1, as_="g", key="fork").new
    assert not log.fork("a", turn=1, as_="g", key="fork").new


def test_prompts_are_not_inherited(log: Turnlog) -> None:
    log.record("a", ThreadStarted("unit", "state"), PromptArmed("token", due=5.0))
    log.fork("a", as_="f")
    thread = log.conversation("f").state.thread
    assert thread is not None
    assert (thread.unit, thread.prompts) == ("unit", {})
    assert [key for key, _ in log.view("due_prompts").entries("a")] == ["due token"]
    assert not list(log.view("due_prompts").entries("f"))


def test_timers_do_not_read_the_past_that_a_fork_shares(
    log: Turnlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.view("due_prompts")
    log.record("a", ThreadStarted("unit", "state"), PromptArmed("token", due=5.0))
    log.fork("a", as_="f")
    log.record("f", PromptArmed("other", due=6.0))
    with monkeypatch.context() as patched:
        patched.setattr(projection, "shown_whole", lambda *_: pytest.fail("the past was read"))
        assert [key for key, _ in log.view("due_prompts").entries("f")] == ["due other"]
    log.record("f", UserUttered("hi"), MessageRedacted(1))
    assert not list(log.view("due_prompts").entries("f"))


def test_a_redaction_of_the_origin_reaches_every_fork(log: Turnlog) -> None:
    log.fork("a", turn=2, as_="f")
    log.fork("f", turn=2, as_="g")
    log.fork("a", event=2, as_="h")
    log.record("a", MessageRedacted(1))
    for id in ("a", "f", "g", "h"):
        assert log.conversation(id).event(1) == UserUttered(timestamp=1000.0, message_id="m one")
        assert "one" not in log.conversation(id).slots
        assert log.current.known(log.store.reader, [id])[id].state.slots.get("one") is None
    assert texts(log, "f") == ["two"]


def test_a_redaction_after_the_fork_stays_in_the_origin(log: Turnlog) -> None:
    log.fork("a", turn=2, as_="f")
    version = log.conversation("f").version
    log.record("a", MessageRedacted(9))
    assert log.conversation("f").version == version


def test_a_fork_made_later_of_an_earlier_event_knows_of_the_redaction(log: Turnlog) -> None:
    log.record("a", MessageRedacted(1))
    log.fork("a", turn=2, as_="f")
    assert texts(log, "f") == ["two"]
    assert "one" not in log.conversation("f").slots


def test_a_redaction_in_a_fork_stays_in_the_fork(log: Turnlog) -> None:
    log.fork("a", turn=2, as_="f")
    log.fork("f", as_="g")
    log.record("f", MessageRedacted(1))
    assert (texts(log, "f"), texts(log, "g")) == (["two"], ["two"])
    assert texts(log, "a") == ["one", "two", "three"]


def test_a_deletion_of_the_origin_hides_the_shared_past(log: Turnlog) -> None:
    log.record("a", UserIdentified("ann"), ConversationTagged(("old",)))
    log.fork("a", as_="f")
    say(log, "f", "four")
    log.record("f", ConversationTagged(("new",)))
    log.fork("f", as_="g")

    log.delete("a")

    for id in ("f", "g"):
        state = log.conversation(id).state
        assert texts(log, id) == ["four"]
        assert state.slots == {"said": "four", "four": 1}
        assert (state.tags, state.user, state.turn) == (("new",), None, 4)
        assert not any(
            r.event.as_dict().get("text") for r in log.conversation(id).recorded() if r.number <= 14
        )
        said = [m["text"] for m in messages(log.view("transcript"), id)]
        assert said[:2] == ["four", "re four"]
    assert log.current.known(log.store.reader, ["f"])["f"].state.slots == {
        "said": "four",
        "four": 1,
    }
    say(log, "f", "five")
    assert texts(log, "f") == ["four", "five"]


def test_deleting_the_fork_in_between_hides_the_rest(log: Turnlog) -> None:
    log.fork("a", turn=1, as_="f")
    say(log, "f", "four")
    log.fork("f", as_="g")
    say(log, "g", "five")
    log.delete("f")
    assert texts(log, "g") == ["five"]
    assert texts(log, "a") == ["one", "two", "three"]


def test_a_fork_does_not_come_back_when_its_id_is_used_again(log: Turnlog) -> None:
    log.fork("a", turn=1, as_="f")
    log.delete("f")
    log.record("f", UserUttered("again"))
    log.record("a", MessageRedacted(1))
    assert texts(log, "f") == ["again"]
    assert log.conversation("f").version == 1


def test_an_impossible_fork_is_refused_by_name(log: Turnlog) -> None:
    log.record("gone", UserUttered("hi"))
    log.delete("gone")
    with pytest.raises(UnknownConversation):
        log.fork("gone", as_="f")
    with pytest.raises(UnknownConversation):
        log.fork("unknown", as_="f")
    with pytest.raises(InvalidEvent, match="exists already"):
        log.fork("a", as_="a")
    with pytest.raises(InvalidEvent, match="was deleted"):
        log.fork("a", as_="gone")
    with pytest.raises(OutOfRange, match="event 99 does not exist"):
        log.fork("a", event=99, as_="f")
    with pytest.raises(OutOfRange, match="event 0 does not exist"):
        log.fork("a", event=0, as_="f")
    with pytest.raises(OutOfRange, match="turn 9 does not exist"):
        log.fork("a", turn=9, as_="f")
    with pytest.raises(OutOfRange, match="pass either a turn or an event"):
        log.fork("a", turn=1, event=1, as_="f")
    log.fork("a", turn=1, as_="f")
    with pytest.raises(InvalidEvent, match="only by the log itself"):
        log.record("f", turnlog.OriginDeleted(1))
    assert "unknown" not in log


def test_a_trial_is_not_counted_and_a_shared_past_only_once(log: Turnlog, tmp_path: Path) -> None:
    log.fork("a", turn=2, as_="f")
    say(log, "f", "four")
    log.fork("f", as_="t", trial=True)
    say(log, "t", "five")
    log.fork("t", as_="u")
    assert list(log.ids()) == ["a", "f", "t", "u"]
    assert list(log.ids(trials=False)) == ["a", "f", "u"]
    assert [summary(*each).get("trial") for each in log.heads()] == [None, None, True, None]
    counts = _counted(log)
    assert (counts["conversations"], counts["turns"], counts["events"]) == (3, 5, 23)
    plan = ExportPlan("jsonl", log.store.reader.last_position())
    assert [each.id for each in selected(log, plan)] == ["a", "f", "u"]


def test_an_export_of_a_fork_is_a_whole_conversation(log: Turnlog) -> None:
    log.fork("a", turn=1, as_="f")
    say(log, "f", "four")
    fork = log.conversation("f")
    with turnlog.open("memory:") as other:
        other.import_dialogue(fork.dialogue())
        assert not other.import_dialogue(fork.dialogue()).commits
        assert [m.text for m in other.conversation("f").messages()] == [
            m.text for m in fork.messages()
        ]
        assert other.conversation("f").state.lineage.origin is None
    assert not log.import_dialogue(fork.dialogue()).commits


def test_a_long_chain_of_forks_costs_linear_time() -> None:
    with turnlog.open("memory:") as log:
        log.record("c0", UserUttered("hi"))
        for number in range(1, 120):
            log.fork(f"c{number - 1}", as_=f"c{number}")
        events = log.read_events("c119")
        assert (len(events), events[0]) == (120, UserUttered("hi", timestamp=events[0].timestamp))
