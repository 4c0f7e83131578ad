"""Given rules, holds and restrictions, when time passes, then exactly what must go is erased."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import Ran, run
from turnlog import OutcomeRecorded, UserIdentified, UserUttered
from turnlog.domain.events import ConversationTagged, RetentionRulesSet
from turnlog.domain.retention import Aged, RetentionRule, rule_for
from turnlog.domain.streams import UPKEEP
from turnlog.engine.erasure.retention import (
    floor_under,
    planned,
    read_rules,
    rules_in_force,
    set_rules,
)
from turnlog.errors import FormatError, Held, Restricted, UnknownConversation

DAY = 86_400.0
NOW = 1_767_690_000.0

RULES = """
[[rules]]
name = "resolved chats"
channel = "whatsapp"
outcome = "resolved"
floor = "10d"
ceiling = "30d"

[[rules]]
name = "billing"
tag = "billing"
floor = "52w"

[[rules]]
name = "all"
floor = "5d"
ceiling = "90d"
"""


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(url: str, clock: Clock) -> Any:
    """Conversations of 1, 20, 40 and 100 days, by their ids."""
    with turnlog.open(url, clock=clock) as opened:
        for days in (100, 40, 20, 1):
            clock.now = NOW - days * DAY
            said = UserUttered("hello", channel="whatsapp")
            opened.record(f"resolved {days}", said, OutcomeRecorded("resolved"))
            opened.record(f"billing {days}", UserUttered("hi"), ConversationTagged(("billing",)))
            opened.record(f"other {days}", UserIdentified(f"ann {days}"), UserUttered("hi"))
        clock.now = NOW
        yield opened


def test_the_first_matching_rule_decides_what_is_erased(log: Any):
    plan = planned(log, read_rules(RULES, "rules.toml"), NOW)
    assert dict(plan.goes) == {
        "resolved 100": "resolved chats", "resolved 40": "resolved chats", "other 100": "all",
    }  # fmt: skip
    assert plan.kept == []


def test_deleted_conversations_are_erased_in_their_time(log: Any):
    log.delete("other 100")
    plan = planned(log, read_rules(RULES, "rules.toml"), NOW + 91 * DAY)
    assert "other 100" in dict(plan.goes)


def test_a_hold_wins(log: Any):
    log.hold("other 100", reason="a claim", actor="Eva")
    plan = planned(log, read_rules(RULES, "rules.toml"), NOW)
    assert "other 100" not in dict(plan.goes)
    assert [(kept.conversation, kept.rule) for kept in plan.kept] == [("other 100", "all")]
    assert "held by Eva" in plan.kept[0].why


def test_a_floor_prevents_an_erasure_and_is_named(log: Any, clock: Clock):
    set_rules(log, read_rules(RULES, "rules.toml"), "Eva")
    with pytest.raises(Held, match="kept until 2026-01-10 by the rule 'all'"):
        log.erase("other 1", reason="asked", actor="Eva")
    log.record("shared", UserIdentified("ann 40"), UserUttered("new words"))
    erased = log.erase(person="ann 40", reason="asked", actor="Eva", vacuum="no")
    assert list(erased.kept) == ["shared"]
    assert "kept until" in erased.kept["shared"][0]
    assert "other 40" not in log
    clock.now += 6 * DAY
    assert floor_under(log, "other 1") is None
    log.erase("other 1", reason="asked", actor="Eva", vacuum="no")
    assert "other 1" not in log


def test_rules_are_recorded_once_and_the_newest_count(log: Any):
    first = read_rules(RULES, "rules.toml")
    for _ in range(2):
        set_rules(log, first, "Eva")
    second = (RetentionRule(name="none"),)
    set_rules(log, second, "Eva")
    assert rules_in_force(log).rules == second
    recorded = [e for e in log.history(UPKEEP).events() if isinstance(e, RetentionRulesSet)]
    assert [event.rules for event in recorded] == [first, second]


def test_a_rule_without_conditions_matches_everything():
    aged = Aged("a", None, (), None, 0.0)
    rules = (RetentionRule(name="tagged", tag="x"), RetentionRule(name="any"))
    assert rule_for(rules, aged) == rules[1]
    assert rule_for(rules[:1], aged) is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "must contain [[rules]]"),
        ("rules = 1", "must contain [[rules]]"),
        ("rules = [1]", "rule 1"),
        ("[[rules", "is not TOML"),
        ("[[rules]]\nname = 'a'\nage = '1d'", "rule 1: unknown age"),
        ("[[rules]]\nname = 'a'\nfloor = 5", "floor is not a text"),
        ("[[rules]]\nname = 'a'\nfloor = '5 days'", "'5 days'"),
        ("[[rules]]\nname = 'a'\nfloor = '5d'\nceiling = '4d'", "above the ceiling"),
        ("[[rules]]\nfloor = '5d'", "has no name"),
        ("[[rules]]\nname = 'a'\n[[rules]]\nname = 'a'", "same name"),
        ("x = 1\n[[rules]]\nname = 'a'", "nothing else"),
    ],
)
def test_a_fault_in_a_file_is_named(text: str, names: str):
    with pytest.raises(FormatError) as refused:
        read_rules(text, "rules.toml")
    assert names in str(refused.value)
    assert "rules.toml" in str(refused.value)


# --- restrictions -------------------------------------------------------------------------------


def restrict(log: Any, id: str | None = None, person: str | None = None) -> list[str]:
    from turnlog.domain.events import ProcessingRestricted
    from turnlog.engine.restriction import restrict as made

    return made(log, id, person, ProcessingRestricted("disputed", actor="Eva"))


def test_a_restricted_conversation_is_stored_and_not_otherwise_used(log: Any):
    held = log.conversation("other 1")
    assert restrict(log, "other 1") == ["other 1"]
    assert "other 1" not in log
    assert "other 1" not in list(log.ids())
    for asked in (
        lambda: log.conversation("other 1"),
        lambda: log.conversation("other 1", deleted=True),
        lambda: log.read_events("other 1"),
        lambda: list(held.events()),
        lambda: log.record("other 1", UserUttered("more")),
        lambda: log.fork("other 1", as_="copy"),
    ):
        with pytest.raises(Restricted, match="is restricted"):
            asked()
    assert all(commit.conversation != "other 1" for commit in _followed(log))


def _followed(log: Any) -> list[Any]:
    """The commits that a follower gets, up to one that is not restricted."""
    log.record("end", UserUttered("bye"))
    found = []
    for _, commit in log.follow(0):
        found.append(commit)
        if commit.conversation == "end":
            break
    return found


def test_a_person_is_restricted_wherever_they_talk(log: Any):
    log.record("more", UserIdentified("ann 1"), UserUttered("hi"))
    assert sorted(restrict(log, person="ann 1")) == ["more", "other 1"]
    with pytest.raises(UnknownConversation):
        log.conversation("more")


def test_an_unknown_conversation_is_neither_restricted_nor_released(log: Any):
    from turnlog.domain.events import RestrictionLifted
    from turnlog.engine.restriction import restrict as made

    with pytest.raises(UnknownConversation):
        restrict(log, "mistyped")
    with pytest.raises(UnknownConversation):
        made(log, "mistyped", None, RestrictionLifted("settled", actor="Eva"))
    assert "mistyped" not in log


def test_a_restriction_reaches_forks_of_forks(log: Any):
    log.fork("other 1", as_="fork")
    log.fork("fork", as_="fork of fork")
    assert sorted(restrict(log, "other 1")) == ["fork", "fork of fork", "other 1"]
    for id in ("fork", "fork of fork"):
        with pytest.raises(Restricted, match="is restricted"):
            log.conversation(id)


def test_a_person_receives_their_restricted_data(log: Any):
    from turnlog.audit.subject import subject

    restrict(log, "other 1")
    assert [one.id for one in subject(log, "ann 1").conversations] == ["other 1"]


# --- commands -----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNLOG_DB", "sqlite:///chat.db")
    (tmp_path / "rules.toml").write_text("[[rules]]\nname = 'year'\nceiling = '52w'\n")
    with turnlog.open("sqlite:///chat.db") as log:
        log.record("old", UserUttered("long ago", timestamp=NOW - 4000 * DAY))
        log.record("held", UserUttered("long ago", timestamp=NOW - 4000 * DAY))
        log.record("new", UserIdentified("ann"), UserUttered("today"))
    run("hold", "held", "--reason", "a claim", "--actor", "Eva")
    return tmp_path


def asked(*arguments: str) -> Ran:
    return run(*arguments, "--json")


def test_retain_reports_first_and_then_erases(folder: Path):
    before = (folder / "chat.db").read_bytes()
    tried = asked("retain", "--config", "rules.toml", "--dry-run")
    assert [(x["conversation"], x["action"]) for x in tried.lines] == [
        ("old", "would go"), ("held", "kept"),
    ]  # fmt: skip
    assert (folder / "chat.db").read_bytes() == before
    done = asked("retain", "--config", "rules.toml", "--actor", "Eva")
    assert [(x["conversation"], x["action"]) for x in done.lines] == [
        ("old", "erased"), ("held", "kept"),
    ]  # fmt: skip
    assert [x["conversation"] for x in asked("list").lines] == ["held", "new"]
    assert b"long ago" in (folder / "chat.db").read_bytes()  # of the held one
    assert asked("verify").json["ok"]


def test_restrict_and_release(folder: Path):
    done = asked("restrict", "--person", "ann", "--reason", "disputed", "--actor", "Eva")
    assert done.json["restricted"] == ["new"]
    assert "is restricted" in asked("show", "new").err
    assert asked("export", "--format", "jsonl", "--out", "all.jsonl").status == 0
    assert "today" not in (folder / "all.jsonl").read_text()
    assert asked("verify").json["ok"]
    released = asked("release", "new", "--reason", "settled", "--actor", "Eva")
    assert released.json["ended"] == ["restriction of new"]
    assert asked("show", "new").status == 0
    again = asked("release", "new", "--reason", "settled", "--actor", "Eva")
    assert again.status == 2


def test_a_second_restriction_is_named(folder: Path):
    why = ("--reason", "disputed", "--actor", "Eva")
    assert asked("restrict", "new", *why).status == 0
    assert "'new': is restricted already" in asked("restrict", "new", *why).err


def test_the_origin_of_a_restricted_fork_can_be_deleted(log: Any):
    log.fork("other 1", as_="fork")
    restrict(log, "fork")
    log.delete("other 1", reason="asked", actor="Eva")
    assert "other 1" not in log
    with pytest.raises(Restricted):
        log.conversation("fork")
