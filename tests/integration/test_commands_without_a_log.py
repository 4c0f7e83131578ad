"""A mistyped --db: nothing is created, and the command fails."""

from __future__ import annotations

from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog.cli.app import COMMANDS
from turnlog.errors import NoSuchLog, StorageError, UnknownConversation
from turnlog.storage.urls import recorder

CREATE = {"import", "append", "restore", "serve", "demo"}
"""Commands that may create a log."""

WITHOUT = {"keygen", "check-proof", "witness", "keys", "compare", "accept"}
"""Commands that need no log."""

ARGUMENTS = {
    "list": [],
    "log": ["alice"],
    "show": ["alice"],
    "states": [],
    "diff": ["alice"],
    "export": ["--format", "jsonl", "--out", "out.jsonl"],
    "datasets": [],
    "checkout": ["alice", "other"],
    "fork": ["alice", "--as", "other"],
    "delete": ["alice"],
    "erase": ["alice", "--reason", "asked", "--actor", "carla"],
    "hold": ["alice", "--reason", "a case", "--actor", "carla"],
    "release": ["alice", "--reason", "closed", "--actor", "carla"],
    "backup": ["copy.db"],
    "rebuild": [],
    "stats": [],
    "why": ["alice", "people"],
    "verify": [],
    "head": ["--key", "k"],
    "prove": ["alice", "--turn", "1", "--key", "k", "--out", "p"],
    "audit": ["alice", "--out", "page.html"],
    "comply": [],
    "subject": ["ann", "--out", "pack"],
    "restrict": ["alice", "--reason", "r", "--actor", "a"],
    "retain": ["--config", "../rules.toml"],
    "access": [],
    "replay": ["--all", "--bot", "turnlog.bots.booking:bot"],
    "bundle": ["alice", "--bot", "turnlog.bots.booking:bot", "--out", "b.jsonl"],
    "minimise": ["alice", "--bot", "turnlog.bots.booking:bot"],
}
DIALOGUE = (
    '{"format":"turnlog/1","conversation":"a","events":[{"type":"UserUttered","text":"hi"}]}\n'
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rules.toml").write_text("[[rules]]\nname = 'all'\n")
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_every_command_either_creates_a_log_or_is_tried_here() -> None:
    assert CREATE | ARGUMENTS.keys() | WITHOUT == COMMANDS.keys()


@pytest.mark.parametrize("command", ARGUMENTS)
def test_a_command_that_needs_a_log_creates_none(command: str, folder: Path) -> None:
    ran = run(command, *ARGUMENTS[command], "--db", "sqlite:///mistyped.db")
    assert ran == (2, "", "turnlog: mistyped.db: no such log\n")
    assert list(folder.iterdir()) == []


def test_a_dry_run_of_an_import_creates_no_log(folder: Path) -> None:
    (folder / "in.jsonl").write_text(DIALOGUE)
    ran = run("import", "in.jsonl", "--dry-run", "--db", "sqlite:///mistyped.db")
    assert (ran.status, ran.err) == (2, "turnlog: mistyped.db: no such log\n")
    assert [path.name for path in folder.iterdir()] == ["in.jsonl"]


def test_an_empty_file_is_not_a_log_and_stays_empty(folder: Path) -> None:
    (folder / "empty.db").touch()
    ran = run("verify", "--db", "sqlite:///empty.db")
    assert (ran.status, ran.err) == (2, "turnlog: empty.db: no such log\n")
    assert [(path.name, path.stat().st_size) for path in folder.iterdir()] == [("empty.db", 0)]


def test_import_append_and_restore_create_one(folder: Path) -> None:
    (folder / "in.jsonl").write_text(DIALOGUE)
    (folder / "event.json").write_text('{"type": "BotUttered", "text": "hi"}')
    assert run("import", "in.jsonl", "--db", "sqlite:///one.db").status == 0
    assert run("append", "a", "event.json", "--db", "sqlite:///two.db").status == 0
    assert run("backup", "copy.db", "--db", "sqlite:///one.db").status == 0
    assert run("restore", "copy.db", "--db", "sqlite:///three.db").status == 0
    made = {path.name for path in folder.glob("*.db")}
    assert made == {"one.db", "two.db", "three.db", "copy.db"}


@pytest.mark.parametrize("url", ["sqlite:///mistyped.db", "memory:"])
def test_what_is_opened_to_be_read_is_never_created(url: str, folder: Path) -> None:
    with pytest.raises(NoSuchLog):
        turnlog.open(url, readonly=True)
    assert list(folder.iterdir()) == []


def test_a_log_opened_to_be_read_is_read_and_not_written() -> None:
    with turnlog.open("sqlite:///log.db") as log:
        log.record("alice", turnlog.UserUttered("a table for two"))
    with turnlog.open("sqlite:///log.db", readonly=True) as log:
        assert log.conversation("alice").turn == 1
        assert [text for _, text in log.view("transcript").entries("alice")]
        with pytest.raises(StorageError, match="read-only"):
            log.record("alice", turnlog.UserUttered("more"))
        with pytest.raises(StorageError, match="read-only"):
            log.delete("alice")
    with turnlog.open("sqlite:///log.db") as log:
        assert log.store.reader.last_position() == 1
        assert log.store.reader.checkpoint("transcript") is None


async def test_the_awaitable_log_is_opened_alike() -> None:
    with pytest.raises(NoSuchLog):
        await turnlog.aopen("sqlite:///mistyped.db", readonly=True)


def test_postgresql_without_tables_is_not_a_log(postgres_url: str) -> None:
    assert run("verify", "--db", postgres_url).status == 2
    with pytest.raises(NoSuchLog):
        turnlog.open(postgres_url, readonly=True)
    with turnlog.open(postgres_url) as log:
        log.record("alice", turnlog.UserUttered("hi"))
    with turnlog.open(postgres_url, readonly=True) as log:
        assert log.conversation("alice").turn == 1
        with pytest.raises(StorageError, match="read-only"):
            log.record("alice", turnlog.UserUttered("more"))
        with pytest.raises(UnknownConversation):
            log.conversation("bob")
    recorder(postgres_url, create=False).close()
