"""Heads with a timestamp of an RFC 3161 authority."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnlog
from tests.command_line import Ran, run
from tests.conftest import needing
from tests.parts import timestamps
from turnlog import UserUttered

VERIFY = ("verify", "--json", "--head", "note", "--verifier", "key.pub", "--tsa", "tsa/root.pem")


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The authority's URL; in the same folder a log with a message, and a key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNLOG_DB", "sqlite:///chat.db")
    with turnlog.open("sqlite:///chat.db") as log:
        log.record("alice", UserUttered("hi"))
    assert run("keygen", "--out", "key").status == 0
    Path("tsa").mkdir()
    with needing("openssl"), timestamps.running(tmp_path / "tsa") as url:
        yield url


def stamped(url: str) -> Ran:
    return run("head", "--key", "key", "--out", "note", "--timestamp", url)


def test_a_row_backdated_before_a_timestamped_head_is_found(authority: str) -> None:
    assert stamped(authority).status == 0
    assert run(*VERIFY).status == 0
    with turnlog.open("sqlite:///chat.db", clock=lambda: time.time() - 3600) as log:
        log.record("alice", UserUttered("I said so before"))
    ran = run(*VERIFY)
    [fault] = ran.json["faults"]
    assert (ran.status, fault["conversation"], fault["event"]) == (1, "alice", 2)
    assert "it was forged, or a clock was set back" in fault["what"]
    assert run(*VERIFY[:-2]).status == 0, "no witness says when the head was signed"


def test_a_timestamp_of_something_else_is_refused(authority: str) -> None:
    assert stamped(authority).status == 0
    other = Path("note.tsr").read_bytes()
    with turnlog.open("sqlite:///chat.db") as log:
        log.record("alice", UserUttered("more"))
    assert stamped(authority).status == 0
    for content in (other, b"no timestamp", other[:-9]):
        Path("note.tsr").write_bytes(content)
        ran = run(*VERIFY)
        assert (ran.status, ran.out) == (2, "")
        assert "its timestamp is invalid" in ran.err


def test_an_untrusted_authority_proves_nothing(authority: str, tmp_path: Path) -> None:
    assert stamped(authority).status == 0
    (tmp_path / "other").mkdir()
    with needing("openssl"), timestamps.running(tmp_path / "other"):
        ran = run(*VERIFY[:-1], "other/root.pem")
    assert ran.status == 2
    assert "its timestamp is invalid" in ran.err
    assert run(*VERIFY[:-1], "key.pub").status == 2


def test_an_unreachable_authority_is_named(authority: str) -> None:
    ran = stamped("http://127.0.0.1:9/")
    assert ran.status == 2
    assert "127.0.0.1:9" in ran.err
    assert run("head", "--key", "key", "--timestamp", authority).status == 2
