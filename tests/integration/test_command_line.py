"""The command line, run in this process: what all commands have in common."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog.cli import app as commands
from turnlog.storage import urls


@pytest.fixture
def db(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url, clock=lambda: 1000.0) as log:
        log.record("alice", turnlog.UserUttered("a table for two"), turnlog.SlotSet("people", 2))
    return url


def test_the_database_is_accepted_before_and_after_the_command(db, monkeypatch):
    before = run("--db", db, "list", "--json")
    after = run("list", "--json", "--db", db)
    monkeypatch.setenv("TURNLOG_DB", db)
    environment = run("list", "--json")
    assert before == after == environment
    assert json.loads(before[1])["conversation"] == "alice"


def test_an_unknown_conversation_is_one_line_and_status_2(db):
    status, out, err = run("show", "bob", "--db", db)
    assert (status, out) == (2, "")
    assert err == "turnlog: conversation 'bob': does not exist\n"


def test_an_unexpected_error_is_one_line_and_status_70(db, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(urls, "recorder", broken)
    status, _, err = run("list", "--db", db)
    assert status == commands.UNEXPECTED
    assert (
        err == "turnlog: unexpected ZeroDivisionError: by zero (TURNLOG_TRACEBACK=1 shows where)\n"
    )
    monkeypatch.setenv("TURNLOG_TRACEBACK", "1")
    assert "Traceback" in run("list", "--db", db)[2]


def test_it_runs_as_a_module_and_ignores_a_reader_that_goes_away(db, tmp_path):
    with turnlog.open(db) as log:
        log.record("long", *(turnlog.BotUttered("x" * 1000) for _ in range(500)))
    command = [sys.executable, "-m", "turnlog", "log", "long", "--json", "--db", db]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
