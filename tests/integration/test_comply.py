"""`turnlog comply`: each line shows what the log proves about an article."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import turnlog
from turnlog import (
    AgentUttered,
    AiDisclosed,
    BotUttered,
    ConversationExported,
    ErasureRecorded,
    HandoverStarted,
    IncidentReported,
    MessageEdited,
    OutcomeRecorded,
    ProcessingRestricted,
    UserIdentified,
    UserUttered,
    Versions,
)
from turnlog.audit.compliance import CHECKS, NOT, SATISFIED, UNDECIDABLE
from turnlog.cli import main
from turnlog.domain.retention import RetentionRule
from turnlog.domain.streams import UPKEEP
from turnlog.engine.erasure.retention import set_rules
from turnlog.engine.request import Request

ONE, OTHER = Versions("1", "m1", "p1"), Versions("1", "m2", "p1")


def checked(
    db: str, captured: pytest.CaptureFixture[bytes], *options: str
) -> tuple[int, list[dict[str, Any]]]:
    with pytest.raises(SystemExit) as exited:
        main(["comply", "--db", db, "--json", *options])
    lines = captured.readouterr().out.decode().splitlines()
    return int(exited.value.code or 0), [json.loads(line) for line in lines]


@pytest.fixture
def db(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'log.db'}"


def verdicts(found: list[dict[str, Any]]) -> dict[str, str]:
    return {line["article"]: line["verdict"] for line in found}


def test_an_empty_log_decides_nothing(db, capsysbinary):
    turnlog.open(db).close()
    status, found = checked(db, capsysbinary)
    assert status == 0
    assert NOT not in verdicts(found).values()
    assert len(found) == len(CHECKS)
    assert all(line["evidence"] and line["asks"] for line in found)


def test_a_satisfied_article_has_evidence(db, capsysbinary):
    with turnlog.open(db) as log:
        log.record("a", AiDisclosed(), UserUttered("hello"), BotUttered("hi", versions=ONE))
        log.record("a", UserUttered("more"), BotUttered("yes", versions=OTHER))
        log.record("a", MessageEdited(3, "hi!", actor="Eva"), HandoverStarted("Eva"))
        log.record("a", AgentUttered("I am Eva", actor="Eva"), OutcomeRecorded("resolved"))
        log.record("a", IncidentReported("leak"), ConversationExported("Partner Ltd"))
    status, found = checked(db, capsysbinary)
    assert status == 0
    said = verdicts(found)
    assert said.pop("GDPR 17") == UNDECIDABLE
    assert said.pop("GDPR 18") == UNDECIDABLE
    assert said.pop("AI Act 19(1), 26(6)") == UNDECIDABLE
    assert said.pop("AI Act 12(3)") == UNDECIDABLE
    assert said.pop("AI Act 18, Annex IV") == UNDECIDABLE
    assert said.pop("GDPR 12(3), 15") == UNDECIDABLE
    assert set(said.values()) == {SATISFIED}
    versions = next(line for line in found if line["article"] == "AI Act 12(2)(a)")
    assert "1 change of version" in versions["evidence"]
    assert "'a' event 5: code 1, model m2, prompt p1" in versions["evidence"]


@pytest.mark.parametrize(
    ("events", "article", "shows"),
    [
        ([BotUttered("hi")], "AI Act 50(1)", "conversations without: 1 of 1 ('a')"),
        ([BotUttered("hi"), AiDisclosed()], "AI Act 50(1)", "conversations without: 1 of 1"),
        ([BotUttered("hi")], "AI Act 12(2)(a)", "1 of 1 answer name none"),
        ([AgentUttered("hi")], "AI Act 14, 26(2)", "1 of them without a person's name"),
        ([HandoverStarted()], "AI Act 14, 26(2)", "1 of them without a person's name"),
        ([UserUttered("hi")], "AI Act 12(2)(b), 72", "no outcome"),
    ],
)
def test_an_unsatisfied_article_sets_the_exit_status(db, capsysbinary, events, article, shows):
    with turnlog.open(db) as log:
        log.record("a", *events)
    status, found = checked(db, capsysbinary)
    line = next(line for line in found if line["article"] == article)
    assert (status, line["verdict"]) == (1, NOT)
    assert shows in line["evidence"]


def test_a_log_with_a_fault_is_not_recorded_over_its_lifetime(db, capsysbinary, tmp_path):
    with turnlog.open(db) as log:
        log.record("a", UserUttered("hello"))
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        connection.execute("UPDATE heads SET turn = 7")
        connection.commit()
    status, found = checked(db, capsysbinary)
    assert (status, found[0]["verdict"]) == (1, NOT)
    assert "1 fault" in found[0]["evidence"]


def test_the_register_lists_what_the_log_knows_and_what_it_does_not(db, capsysbinary):
    with turnlog.open(db) as log:
        log.record("a", UserIdentified("Ann"), UserUttered("hi", channel="whatsapp"))
        log.record("a", ConversationExported("Partner Ltd", purpose="training"))
        log.record("b", UserUttered("ho", channel="web"))
        log.delete("b")
    status, (made,) = checked(db, capsysbinary, "--register")
    assert status == 0
    assert made["channels"] == {"whatsapp": 1}
    assert made["recipients"] == {"Partner Ltd": 1}
    assert made["purposes"] == {"training": 1}
    assert (made["conversations"], made["persons identified"], made["deletions"]) == (1, 1, 1)
    assert "legal basis" in made["not in the log"]


@pytest.mark.parametrize(("floor", "verdict"), [(183.0, SATISFIED), (182.0, NOT), (None, NOT)])
def test_six_months_are_a_floor_of_every_rule(db, capsysbinary, floor, verdict):
    with turnlog.open(db) as log:
        seconds = None if floor is None else floor * 86_400
        set_rules(log, (RetentionRule(name="all", floor=seconds),), "Eva")
    _, found = checked(db, capsysbinary)
    assert verdicts(found)["AI Act 19(1), 26(6)"] == verdict


def test_erasures_and_restrictions_are_counted(db, capsysbinary):
    with turnlog.open(db) as log:
        for id in ("a", "b"):
            log.record(id, UserUttered("hi"))
        log.erase("a", reason="asked for", actor="Eva")
        log.record("b", ProcessingRestricted(actor="Eva"))
    _, found = checked(db, capsysbinary)
    lines = {line["article"]: (line["verdict"], line["evidence"]) for line in found}
    assert lines["GDPR 17"] == (SATISFIED, "1 erasure recorded and finished")
    assert lines["GDPR 18"] == (SATISFIED, "1 conversation restricted now; lifted: 0")


def test_an_erasure_that_was_cut_off_is_named(db, capsysbinary, tmp_path):
    with turnlog.open(db) as log:
        log.record("a", UserUttered("hi"))
        event = ErasureRecorded("asked for", "conversation", actor="Eva")
        log.writer.perform(Request(UPKEEP, lambda state, past: (event,), log.clock()))
    _, found = checked(db, capsysbinary)
    assert verdicts(found)["GDPR 17"] == NOT


def test_conversations_are_counted_and_not_exports(db, capsysbinary, tmp_path):
    with turnlog.open(db) as log:
        for id in ("a", "b"):
            log.record(id, UserUttered("hi"), BotUttered("ho"))
    out = str(tmp_path / "out.jsonl")
    with pytest.raises(SystemExit):
        main(["export", "--db", db, "--format", "jsonl", "--to", "Lab 7", "--out", out])
    capsysbinary.readouterr()
    _, found = checked(db, capsysbinary)
    lines = {line["article"]: line["evidence"] for line in found}
    assert lines["GDPR 19"] == "2 conversations went to: Lab 7"
