"""--where: terms about a conversation's state, and terms about its events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog import BotUttered, UserUttered
from turnlog.domain import events as e
from turnlog.domain.event import Versions
from turnlog.engine.conditions import Candidate, Condition
from turnlog.engine.query import matching
from turnlog.errors import FormatError


@pytest.fixture
def log() -> Iterator[turnlog.Turnlog]:
    with turnlog.open("memory:") as log:
        fill(log)
        yield log


def fill(log: turnlog.Turnlog) -> None:
    log.record("alice", e.UserIdentified("al"), UserUttered("a table", data={"lang": "de-AT"}))
    log.record("alice", e.MessageUnderstood(e.Intent("book")), BotUttered("Where?"))
    log.record("alice", e.MessageRated(2, "good"), e.MessageRated(2, 5.0), e.UserIdentified("ann"))
    log.record("alice", e.OutcomeRecorded("abandoned"), e.OutcomeRecorded("resolved"))
    log.record("bob", e.UserIdentified("bob"), UserUttered("hello", channel="web"))
    log.record(
        "bob",
        e.MessageUnderstood(e.Intent("greet")),
        BotUttered("hi", versions=Versions(code="1.2")),
    )
    log.record("bob", UserUttered("no"), e.MessageUnderstood(e.Intent("deny")))
    log.record("bob", e.UserUtteranceReverted(), e.SessionEnded("timeout"))
    log.record("bob", e.OutcomeRecorded(succeeded=False))
    metadata = {"metadata": {"language": "en"}}
    log.record("carol", UserUttered("hey", extra=metadata), BotUttered("yes?", message_id="m"))
    log.record("carol", e.AnswerMeasured(model="gpt-9"), e.IdentityMerged("al", "allie"))
    log.record("carol", e.MessageRated(1, "bad"))


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("user=al", ["alice", "carol"]),
        ("user=ann", ["alice"]),
        ("user=allie", ["carol"]),
        ("user=bob,channel=web", ["bob"]),
        ("user=unknown", []),
        ("user=", []),
        ("intent=book", ["alice"]),
        ("intent=deny", []),
        ("intent=", []),
        ("outcome=resolved", ["alice"]),
        ("outcome=abandoned", []),
        ("outcome=failed", ["bob"]),
        ("outcome=succeeded", []),
        ("outcome=", []),
        ("rating=5", ["alice"]),
        ("rating=good", []),
        ("rating=bad", ["carol"]),
        ("rating=null", []),
        ("ended=timeout", ["bob"]),
        ("ended=", ["alice", "carol"]),
        ("ended=expired", []),
        ("version=1.2", ["bob"]),
        ("version=gpt-9", ["carol"]),
        ("version=", []),
        ("language=de", ["alice"]),
        ("language=DE_at", ["alice"]),
        ("language=d", []),
        ("language=en", ["carol"]),
        ("language=", []),
        ("intent=greet,outcome=failed,user=bob", ["bob"]),
        ("intent=greet,user=al", []),
        ('"user=al",language=en', ["carol"]),
    ],
)
def test_a_term_selects_the_conversations_it_is_true_of(log, where, found):
    assert [head.conversation for head, _ in matching(log, where=where)] == found


@pytest.mark.parametrize("where", ["intents=x", "user", "outcome", "slot.=3", "rating:5", "=x"])
def test_an_invalid_term_is_named(log, where):
    with pytest.raises(
        FormatError, match=f"{where!r} is not a term of --where; known: .*language="
    ):
        list(matching(log, where=where))


ODD = e.MessageUnderstood(e.Intent('book "now", please'))


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ("slot.a.b.c=x  y", True),
        ("slot.näme=Ümlaut 👍", True),
        ('"slot.list=[1, ""a""]"', True),
        ('"intent=book ""now"", please"', True),
        ("outcome=well, done", "'done' is not a term"),
        ('"outcome=well, done"', True),
        ('"tag=two\nlines"', True),
        ("user=Zoë O'Neil", True),
        ("user= Zoë O'Neil", False),
        ("version=1.2=beta", True),
        ("rating=👍", True),
        ("after=1970-01-01T02:16:40+02:00,before=1970-01-01T00:16:41Z", True),
        ("after=1970-01-01T00:16:40-00:01", False),
        ('intent="book ""now"", please"', "double quotes as a whole"),
        ('"user=Zoë', "'\"user=Zoë' cannot be split"),
        ('"user=Zoë"x', "cannot be split into terms"),
        ("user=Zoë\ntag=x", r"Zoë\ntag=x' cannot be split"),
        ("\n", r"'\n' is not a term"),
        (",", "'' is not a term"),
        ("after=nan", "'nan' is neither ISO 8601"),
        ("before=inf", "'inf' is neither ISO 8601"),
        ("after=2026-13-01", "'2026-13-01' is neither"),
        ("before=2026-11-26T10:00+25:00", "+25:00' is neither"),
    ],
)
def test_odd_values_match_or_are_named(tmp_path, where, holds):
    """holds: or the text of the error."""
    db = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(db, clock=lambda: 1000.0) as log:
        versions = Versions(code="1.2=beta")
        log.record("c", e.UserIdentified("Zoë O'Neil"), UserUttered("hi"), ODD)
        log.record("c", e.SlotSet("a.b.c", "x  y"), e.SlotSet("näme", "Ümlaut 👍"))
        log.record("c", e.SlotSet("list", [1, "a"]), BotUttered("yes", versions=versions))
        log.record("c", e.MessageRated(2, "👍"), e.OutcomeRecorded("well, done"))
        log.record("c", turnlog.ConversationTagged(("two\nlines",)))
    ran = run("list", "--db", db, "--where", where, "--json")
    if isinstance(holds, str):
        assert (ran.status, holds in ran.err) == (2, True), ran.err
    else:
        assert [x["conversation"] for x in ran.lines] == ["c"] * holds


def test_terms_of_the_state_read_no_event(log):
    def read() -> list[e.Event]:
        raise AssertionError("something was read")

    _, state = log.head("bob")
    for where, holds in (("slot.a=1", False), ("channel=web,ended=timeout", True)):
        assert Condition(log, where)(Candidate("bob", state, read)) is holds
    for where in ("channel=sms,intent=greet", "user=al", "user=al,intent=greet"):
        assert Condition(log, where)(Candidate("bob", state, read)) is False
    with pytest.raises(AssertionError, match="something was read"):
        Condition(log, "intent=greet")(Candidate("bob", state, read))


def test_a_redacted_word_is_not_found(log):
    log.record("alice", e.MessageRedacted(2))
    for where in ("intent=book", "language=de"):
        assert [*matching(log, where=where)] == []


def test_an_export_applies_its_terms_at_its_position(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(db) as log:
        fill(log)
        position = log.store.reader.last_position()
        log.record("bob", e.UserIdentified("al"), e.OutcomeRecorded("resolved"))
        log.record("dora", UserUttered("hi"), BotUttered("yes?"), e.OutcomeRecorded("resolved"))
    for where, then, now in (
        ("user=al", {"alice", "carol"}, {"alice", "bob", "carol"}),
        ("outcome=resolved", {"alice"}, {"alice", "bob", "dora"}),
    ):
        asked = ["export", "--db", db, "--format", "jsonl", "--where", where, "--out"]
        assert run(*asked, tmp_path / "then", "--at-position", position).status == 0
        assert run(*asked, tmp_path / "now").status == 0
        found = []
        for name in ("then", "now"):
            manifest = json.loads((tmp_path / f"{name}.manifest.json").read_text())
            found.append({entry["conversation"] for entry in manifest["examples"]})
            verified = run("export", "--db", db, "--verify", tmp_path / f"{name}.manifest.json")
            assert verified.status == 0
        assert found == [then, now]
