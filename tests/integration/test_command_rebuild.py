"""`turnlog rebuild` never makes a damaged log look whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog.domain.streams import UPKEEP


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "log.db"
    monkeypatch.setenv("TURNLOG_DB", f"sqlite:///{path}")
    with turnlog.open(f"sqlite:///{path}") as log:
        for number in range(3):
            log.record("alice", turnlog.UserUttered(f"message {number}"))
        log.record("bob", turnlog.UserUttered("hi"))
        log.view("transcript")
    return path


def edited(file: Path, *statements: str) -> None:
    database = sqlite3.connect(file)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


CUT = {
    "a conversation's tail": "DELETE FROM rows_t1 WHERE version = 3",
    "the log's tail": "DELETE FROM rows_t1 WHERE position >= 3",
    "a whole conversation": "DELETE FROM rows_t1 WHERE position = 4",
    "a newest row changed": "UPDATE rows_t1 SET skeleton = x'90' WHERE position = 4",
}


@pytest.mark.parametrize("statement", CUT.values(), ids=CUT)
def test_a_fault_that_only_the_heads_show_is_not_hidden(file: Path, statement: str) -> None:
    edited(file, statement)
    assert run("verify").status == 1
    before = file.read_bytes()
    ran = run("rebuild", "--json")
    assert (ran.status, ran.json["rebuilt"]) == (1, {})
    assert ran.json["faults"]
    assert "--force" in ran.err
    assert file.read_bytes() == before
    assert run("verify").status == 1


def test_the_command_prints_what_was_found(file: Path) -> None:
    edited(file, CUT["a conversation's tail"])
    ran = run("rebuild")
    assert "the head is at version 3, the rows end at 2" in ran.out


def test_force_records_that_it_ran_by_whom_and_what_it_found(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "carla")
    edited(file, CUT["a conversation's tail"])
    ran = run("rebuild", "--force", "--json")
    assert ran.status == 0
    assert ran.json["rebuilt"]["heads"] == 3
    with turnlog.open(f"sqlite:///{file}") as log:
        (recorded,) = log.history(UPKEEP).recorded()
        assert recorded.actor == "carla"
        assert recorded.event.count == len(recorded.event.faults) > 0
        assert recorded.event.faults[0]["conversation"] == "alice"
        assert list(log.ids()) == ["alice", "bob"]
        assert log.conversation("alice").turn == 2


@pytest.mark.parametrize("statement", CUT.values(), ids=CUT)
def test_a_forced_rebuild_leaves_no_head_without_rows_and_is_shown(
    file: Path, statement: str
) -> None:
    edited(file, statement)
    assert run("log", "--upkeep", "--json").lines == []
    assert run("rebuild", "--force").status == 0
    with closing(sqlite3.connect(file)) as database:
        orphans = "SELECT conversation FROM heads WHERE stream NOT IN (SELECT stream FROM rows_t1)"
        assert database.execute(orphans).fetchall() == []
    shown = run("log", "--upkeep", "--json").lines
    assert shown[-1]["type"] == "LogRebuilt"
    assert shown[-1]["count"] == len(shown[-1]["faults"]) > 0
    assert "LogRebuilt" in run("log", "--upkeep").out


def test_the_log_command_needs_a_conversation_or_upkeep(file: Path) -> None:
    assert (run("log").status, run("log", "alice", "--upkeep").status) == (2, 2)


def test_wrong_read_models_are_made_again_without_force(file: Path) -> None:
    edited(file, "UPDATE heads SET state = x'90', turn = 7 WHERE conversation = 'alice'")
    edited(file, "DELETE FROM models")
    assert run("verify").status == 1
    ran = run("rebuild", "--json")
    assert ran.status == 0
    assert ran.json["faults"]
    assert run("verify").status == 0
    with turnlog.open(f"sqlite:///{file}") as log:
        assert list(log.history(UPKEEP).recorded()) == []


def test_missing_heads_are_made_again(file: Path) -> None:
    edited(file, "DELETE FROM heads WHERE conversation = 'bob'")
    assert run("rebuild").status == 0
    assert run("verify").status == 0


def test_a_whole_log_is_rebuilt_without_mention_of_faults(file: Path) -> None:
    ran = run("rebuild", "--json")
    assert (ran.status, list(ran.json), ran.err) == (0, ["rebuilt"], "")
