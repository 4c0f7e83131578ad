"""Given a log that records its readers, when a user reads, then that is recorded first."""

from __future__ import annotations

from pathlib import Path

import pytest

import turnlog
from tests.command_line import Ran, run
from tests.integration.test_readonly import READING, in_separate_process, obeying
from turnlog import UserUttered
from turnlog.domain.streams import ACCESS, UPKEEP, is_conversation
from turnlog.engine.access import AccessWatch, access_request, accesses, set_recording

SILENT = {"stats", "verify", "import"}
"""Commands that show no content."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log that records its readers, and a user with a name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNLOG_ACTOR", "Eva Lind")
    monkeypatch.setenv("TURNLOG_REASON", "complaint 7")
    (tmp_path / "in.jsonl").write_text("")
    with turnlog.open("sqlite:///chat.db") as log:
        log.record("alice", UserUttered("hello"))
        log.record("bob", UserUttered("hello"))
    assert asked("access", "--record", "on", "--reason", "audited").status == 0
    return tmp_path


def asked(*arguments: str) -> Ran:
    return run(*arguments, "--db", "sqlite:///chat.db")


def read(folder: Path) -> list[tuple[str, str, list[str], str | None]]:
    with turnlog.open(f"sqlite:///{folder / 'chat.db'}", readonly=True) as log:
        lines = list(accesses(log))
    return [(each["actor"], each["way"], each["conversations"], each["reason"]) for each in lines]


@pytest.mark.parametrize("name", [name for name in READING if name not in SILENT])
def test_a_command_that_shows_content_is_recorded(folder: Path, name: str):
    command, named = name.split()[0], ["alice"] if "alice" in READING[name] else []
    asked(command, *READING[name])
    assert read(folder) == [("Eva Lind", f"turnlog {command}", named, "complaint 7")]


@pytest.mark.parametrize("name", sorted(SILENT - {"import"}))
def test_a_command_that_shows_no_content_is_not_recorded(folder: Path, name: str):
    assert asked(name, *READING[name]).status == 0
    assert read(folder) == []


def test_accesses_are_listed_and_listing_them_is_recorded(folder: Path):
    asked("show", "alice")
    asked("show", "bob")
    asked("states")
    found = asked("access", "--json", "alice").lines
    ways = [(line["way"], line["conversations"]) for line in found]
    assert ways == [
        ("turnlog show", ["alice"]), ("turnlog states", []), ("turnlog access", ["alice"]),
    ]  # fmt: skip
    assert all(line["actor"] == "Eva Lind" and line["time"] for line in found)


def test_an_access_that_cannot_be_recorded_is_reported(folder: Path):
    refused = in_separate_process(obeying(folder), "log")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "this log records its readers, so reading needs write access: " in refused.stderr
    folder.chmod(0o755)


def test_recording_ends_when_switched_off(folder: Path):
    asked("show", "alice")
    assert asked("access", "--record", "off").out == "recording of readers: off\n"
    asked("show", "alice")
    assert len(read(folder)) == 1


def test_a_switch_names_no_conversation(folder: Path):
    assert asked("access", "alice", "--record", "on").status == 2
    assert asked("access", "--record", "maybe").status == 2


def test_the_record_contains_no_id_and_is_not_a_conversation(url: str):
    with turnlog.open(url) as log:
        log.record("+49 170 1234567", UserUttered("hello"))
        set_recording(log, on=True, actor="Eva")
        asks = access_request(log, "turnlog show", ["+49 170 1234567", "unknown"], actor="Eva")
        log.writer.perform(asks)
        [event] = log.history(ACCESS).events()
        assert "1234567" not in repr(event)
        assert [line["conversations"] for line in accesses(log)] == [["+49 170 1234567"]]
        assert list(log.ids()) == ["+49 170 1234567"]
        assert not is_conversation(ACCESS)


def test_a_watch_sees_the_switch_of_another_process(url: str):
    if url == "memory:":
        pytest.skip("a log in memory has one process")
    with turnlog.open(url) as log, turnlog.open(url) as other:
        watch = AccessWatch(log)
        assert not watch.on
        set_recording(other, on=True, actor="Eva")
        assert watch.on
        other.record("a", UserUttered("x"))
        set_recording(other, on=False, actor="Eva", reason="over")
        assert not watch.on
        assert [event.reason for event in log.history(UPKEEP).events()] == [None, "over"]
