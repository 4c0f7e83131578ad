"""`turnlog checkout`: in the same conversation, on the named branch."""

from __future__ import annotations

from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog import BotUttered, UserUttered


@pytest.fixture
def db(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/chat.db"
    with turnlog.open(url) as log:
        for text in ("one", "two"):
            log.record("c", UserUttered(text), BotUttered(f"re {text}"))
    return url


def test_it_begins_a_branch_and_goes_back_to_the_one_before(db: str) -> None:
    assert run("checkout", "c", "retry", "--at-turn", "1", "--db", db, "--json").json == {
        "conversation": "c", "branch": "retry", "event": 5, "turn": 2, "branch_turn": 1, "to": 2,
    }  # fmt: skip
    assert run("checkout", "c", "main", "--db", db, "--json").json == {
        "conversation": "c", "branch": "main", "event": 6, "turn": 2, "branch_turn": 2, "to": 4,
    }  # fmt: skip
    there = run("checkout", "c", "main", "--db", db, "--json").json
    assert (there["event"], there["to"]) == (6, None)


def test_without_a_branch_later_events_are_rewound(db: str) -> None:
    assert run("checkout", "c", "--at-event", "1", "--db", db).out == (
        "c continues from event 1: branch main, turn 1\n"
    )
    lines = run("log", "c", "--db", db, "--json").lines
    assert [line.get("taken_back") for line in lines] == [None, 5, 5, 5, None]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (["missing", "x"], "does not exist"),
        (["c"], "pass BRANCH, --at-turn or --at-event"),
        (["c", "x", "--at-turn", "1", "--at-event", "1"], "pass only one of"),
        (["c", "x", "--at-turn", "9"], "turn 9 does not exist"),
        (["c", "x", "--at-event", "99"], "event 99 does not exist"),
        (["c", "--at-event", "-1"], "event -1 does not exist"),
        (["c", ""], "HistoryContinued.branch"),
    ],
)
def test_an_impossible_checkout_is_refused(db: str, asked: list[str], why: str) -> None:
    ran = run("checkout", *asked, "--db", db)
    assert (ran.status, ran.out) == (2, "")
    assert why in ran.err
    assert len(run("log", "c", "--db", db, "--json").lines) == 4
