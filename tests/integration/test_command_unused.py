"""A command that fails before it has stored anything leaves no empty log behind."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog import UserUttered
from turnlog.storage.unused import removed_unused

EVENT = '{"type": "UserUttered", "text": "hi"}'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNLOG_DB", "sqlite:///new.db")
    Path("bad.json").write_text('{"bad')
    Path("event.json").write_text(EVENT)
    with turnlog.open("sqlite:///damaged.db") as log:
        log.record("alice", UserUttered("hi"))
    with closing(sqlite3.connect("damaged.db")) as connection, connection:
        connection.execute("DROP TABLE heads")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ("import", "nothing.json"),
        ("import", "bad.json"),
        ("import", "--format", "nope", "event.json"),
        ("restore", "nothing.db"),
        ("restore", "bad.json"),
        ("restore", "damaged.db"),
        ("append", "alice", "nothing.json"),
        ("append", "alice", "bad.json"),
        ("append", "x" * 1001, "event.json"),
    ],
)
def test_nothing_is_left(folder: Path, command: tuple[str, ...]) -> None:
    before = sorted(folder.iterdir())
    assert run(*command).status == 2
    assert [path for path in sorted(folder.iterdir()) if "new.db" in path.name] == []
    assert set(before) <= set(folder.iterdir())


def test_what_is_stored_before_a_failure_stays(folder: Path) -> None:
    Path("good.jsonl").write_text('{"messages": [{"role": "user", "content": "hi"}]}\n')
    assert run("import", "good.jsonl", "bad.json").status == 2
    assert run("stats", "--json").json["conversations"] == 1


def test_an_existing_log_or_one_that_another_process_fills_stays(folder: Path) -> None:
    turnlog.open("sqlite:///new.db").close()
    assert run("import", "nothing.json").status == 2
    assert Path("new.db").exists()
    with suppress(ZeroDivisionError), removed_unused("other.db"):
        with turnlog.open("sqlite:///other.db") as log:
            log.record("alice", UserUttered("hi"))
        raise ZeroDivisionError
    with turnlog.open("sqlite:///other.db") as log:
        assert log.conversation("alice").turn == 1


def test_a_process_with_the_removed_log_open_is_refused(folder: Path) -> None:
    with suppress(ZeroDivisionError), removed_unused("other.db"):
        log = turnlog.open("sqlite:///other.db")
        raise ZeroDivisionError
    with log, pytest.raises(turnlog.errors.Unavailable, match="moved or removed"):
        log.record("alice", UserUttered("hi"))
