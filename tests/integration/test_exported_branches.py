"""Branches in exports: left branches are omitted, or marked with their name."""

from __future__ import annotations

from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog import BotUttered, SlotSet, UserUttered
from turnlog.engine.log import Turnlog
from turnlog.serializers.formats import codec, names

CHATS = ["openai", "trl", "sharegpt", "alpaca", "sgd", "multiwoz", "rasa-tracker", "rasa-dialogue"]
"""Formats that contain the words of all sides as text."""


def say(log: Turnlog, word: str) -> None:
    log.record("c", UserUttered(f"say {word}"), SlotSet("said", word))
    log.record("c", BotUttered(f"re {word}"))


@pytest.fixture
def db(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/log.db"
    with turnlog.open(url) as log:
        say(log, "one")
        say(log, "two")
        log.checkout("c", "retry", turn=1)
        say(log, "other")
        log.checkout("c", "main")
        say(log, "three")
    return url


def export(db: str, format: str, out: Path) -> bytes:
    ran = run("--db", db, "export", "--format", format, "--out", out, "--ids", "keep")
    assert ran.status == 0, ran.err
    return out.read_bytes()


@pytest.mark.parametrize("format", CHATS)
def test_a_chat_contains_the_current_branch(db: str, tmp_path: Path, format: str) -> None:
    written = export(db, format, tmp_path / "out").decode()
    assert [written.count(f"re {word}") for word in ("one", "two", "other", "three")] == [
        1,
        1,
        0,
        1,
    ]


def test_only_jsonl_contains_left_branches(db: str, tmp_path: Path) -> None:
    writing = [name for name in names() if codec(name).writes]
    holding = [name for name in writing if b"other" in export(db, name, tmp_path / name)]
    assert holding == ["jsonl"]


def test_jsonl_contains_all_branches(db: str, tmp_path: Path) -> None:
    export(db, "jsonl", tmp_path / "out")
    other = f"sqlite:///{tmp_path}/other.db"
    assert run("--db", other, "import", tmp_path / "out").status == 0
    lines = [run("--db", url, "log", "c", "--json").lines for url in (db, other)]
    assert lines[0] == lines[1]
    said = [line for line in lines[1] if line["type"] == "BotUttered"]
    assert [(line["branch"], line["branch_turn"]) for line in said] == [
        ("main", 1), ("main", 2), ("retry", 2), ("main", 3),
    ]  # fmt: skip
    with turnlog.open(db) as log, turnlog.open(other) as made:
        assert made.conversation("c").branches == log.conversation("c").branches


def test_the_audit_report_says_the_branch_of_each_line(db: str, tmp_path: Path) -> None:
    assert run("--db", db, "audit", "c", "--out", tmp_path / "page.html").status == 0
    page = (tmp_path / "page.html").read_text()
    assert "branch retry, turn 2 on it" in page
    assert "continued from event 3, on the branch &#39;retry&#39;" in page.replace("'", "&#39;")
