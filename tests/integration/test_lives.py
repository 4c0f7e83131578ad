"""After a deletion an id can be used again; the deleted life stays deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import ActionExecuted, BotUttered, Dialogue, MessageRedacted, SlotSet, UserUttered
from turnlog.audit.rebuilding import rebuild
from turnlog.audit.verify import verify
from turnlog.engine.log import Turnlog
from turnlog.errors import InvalidEvent, UnknownConversation, VersionConflict
from turnlog.projections.transcript import messages
from turnlog.serializers.shared.plain import to_plain


@pytest.fixture
def log(url: str) -> Iterator[Turnlog]:
    with turnlog.open(url, clock=lambda: 1000.0) as opened:
        opened.record("alice", UserUttered("my card is 4111", message_id="m1"), SlotSet("n", 1))
        opened.record("alice", BotUttered("noted"), key="answer")
        opened.record("alice", MessageRedacted(1))
        opened.delete("alice", "asked to", actor="carla")
        yield opened
        assert verify(opened.store).faults == []


def texts(log: Turnlog) -> list[Any]:
    return [getattr(event, "text", None) for event in log.conversation("alice").events()]


def test_a_message_begins_a_new_life_that_counts_from_one(log: Turnlog) -> None:
    recorded = log.record("alice", UserUttered("hello again", message_id="m2"))
    assert recorded.new
    [commit] = recorded.commits
    assert (commit.version, commit.first_event, commit.first_turn, commit.life) == (1, 1, 0, 2)
    log.record("alice", BotUttered("hi"), key="answer 2")
    now = log.conversation("alice")
    assert (now.turn, now.version, now.slots, now.state.event) == (1, 2, {}, 2)
    assert texts(log) == ["hello again", "hi"]
    assert list(log.ids()) == ["alice"]
    assert [m["text"] for m in messages(log.view("transcript"), "alice")] == ["hello again", "hi"]


def test_a_message_of_the_old_life_is_known_and_opens_nothing(log: Turnlog) -> None:
    again = log.record("alice", UserUttered("my card is 4111", message_id="m1"))
    assert (again.new, again.events) == (False, [])
    assert "alice" not in log
    log.record("alice", UserUttered("hello", message_id="m2"))
    again = log.record("alice", UserUttered("my card is 4111", message_id="m1"))
    assert not again.new
    assert not log.record("alice", UserUttered("hello", message_id="m2")).new
    assert texts(log) == ["hello"]


@pytest.mark.parametrize("late", [BotUttered("late"), SlotSet("n", 2), MessageRedacted(1)])
def test_a_late_answer_begins_nothing(log: Turnlog, late: turnlog.Event) -> None:
    with pytest.raises(InvalidEvent, match="was deleted"):
        log.record("alice", late)
    assert "alice" not in log


def test_expecting_no_conversation_begins_one_with_any_event(log: Turnlog) -> None:
    with pytest.raises(VersionConflict):
        log.record("bob", UserUttered("hi"), expected_version=3)
    begun = log.record("alice", BotUttered("Hello!"), expected_version=0)
    assert [(commit.version, commit.life) for commit in begun.commits] == [(1, 2)]
    with pytest.raises(VersionConflict):
        log.record("alice", BotUttered("Hello!"), expected_version=0)
    log.record("bob", BotUttered("Hello!"), expected_version=0)


def test_a_life_begins_after_the_actions_that_rasa_runs_first(log: Turnlog) -> None:
    with pytest.raises(InvalidEvent, match="was deleted"):
        log.record("alice", ActionExecuted("utter_greet"))
    assert log.record("alice", ActionExecuted("action_listen")).new
    assert log.record("alice", UserUttered("hi", message_id="m2")).new
    assert texts(log) == [None, "hi"]


def test_an_import_does_not_undo_a_deletion(log: Turnlog) -> None:
    with pytest.raises(InvalidEvent, match="was deleted"):
        log.import_dialogue(Dialogue("alice", (UserUttered("from a file"),)))


def test_the_old_life_stays_deleted_and_is_shown_by_its_number(log: Turnlog) -> None:
    log.record("alice", UserUttered("hello again"))
    log.delete("alice", "again", actor="dora")
    log.record("alice", UserUttered("a third time"))
    deletions = [(each.life, each.actor, each.event) for each in log.deletions()]
    assert [(life, actor) for life, actor, _ in deletions] == [(1, "carla"), (2, "dora")]
    old = log.conversation("alice", life=1, deleted=True)
    assert [type(event).__name__ for event in old.events()][-1] == "ConversationDeleted"
    assert "4111" not in repr([to_plain(event) for event in old.events()])
    assert old.state.deleted
    with pytest.raises(UnknownConversation):
        log.conversation("alice", life=1)
    with pytest.raises(UnknownConversation):
        log.conversation("alice", life=9, deleted=True)
    assert texts(log) == ["a third time"]


def test_followers_and_read_models_distinguish_the_lives(log: Turnlog) -> None:
    log.record("alice", UserUttered("hello again"), SlotSet("n", 5))
    log.record("alice", MessageRedacted(1))
    live = {name: _entries(log, name) for name in ("transcript", "slots")}
    rebuild(log.store)
    assert {name: _entries(log, name) for name in live} == live
    followed = [log.next_commits(turnlog_subscription(log))]
    said = repr([to_plain(event) for commits in followed for _, c in commits for event in c.events])
    assert "4111" not in said
    assert "hello again" not in said


def _entries(log: Turnlog, model: str) -> list[Any]:
    log.view(model)
    return list(log.store.reader.entries(model))


def turnlog_subscription(log: Turnlog) -> Any:
    from turnlog.storage.subscription import Subscription

    return Subscription(log.store)


def test_a_session_begins_again(tmp_path: Path) -> None:
    pytest.importorskip("pywce")
    url = f"sqlite:///{tmp_path}/chat.db"
    from turnlog.sessions.pywce import TurnlogSessionManager

    with TurnlogSessionManager(db=url) as manager:
        manager.save("alice", "stage", "START")
        manager.log.delete("alice")
        assert manager.get("alice", "stage") is None
        manager.save("alice", "stage", "AGAIN")
        assert manager.get("alice", "stage") == "AGAIN"


def test_the_commands_name_the_life(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path}/chat.db"
    with turnlog.open(db) as log:
        log.record("alice", UserUttered("old"))
        log.delete("alice", "asked to", actor="carla")
        log.record("alice", UserUttered("new"))
        log.delete("alice", actor="dora")
        log.record("alice", UserUttered("newest"))
    lines = run("audit", "--deleted", "--json", "--db", db).lines
    assert [(line.get("life", 1), line["actor"]) for line in lines] == [(1, "carla"), (2, "dora")]
    assert [line.get("text") for line in run("log", "alice", "--json", "--db", db).lines] == [
        "newest"
    ]
    old = run("log", "alice", "--life", "1", "--json", "--db", db)
    assert [line.get("text") for line in old.lines] == ["old", None]
    assert run("show", "alice", "--life", "2", "--json", "--db", db).json["event"] == 1
    assert run("log", "alice", "--life", "7", "--db", db).status == 2
