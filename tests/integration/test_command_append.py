"""`turnlog append`: unknown fields are named, and nothing is lost."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import Ran, run
from turnlog.domain.actors import actor


@pytest.fixture
def db(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'log.db'}"


def append(db: str, events: Any, *arguments: str) -> Ran:
    file = Path(db.removeprefix("sqlite:///")).with_name("events.json")
    file.write_text(json.dumps(events))
    return run("append", "alice", file, "--db", db, *arguments)


def recorded(db: str) -> list[Any]:
    with turnlog.open(db) as log:
        return list(log.conversation("alice").events())


TYPO = {"type": "SlotSet", "name": "city", "vlaue": "Rome"}


def test_unknown_fields_are_named_counted_and_kept(db: str) -> None:
    ran = append(db, [TYPO, TYPO, {"type": "UserUttered", "text": "hi", "mood": "good"}], "--json")
    assert (ran.status, ran.json["recorded"]) == (0, 3)
    assert ran.json["unknown"] == {"SlotSet.vlaue": 2, "UserUttered.mood": 1}
    assert "unknown, kept in extra: 2 × SlotSet.vlaue; did you mean 'value'?" in ran.err
    assert [event.extra for event in recorded(db)] == [{"vlaue": "Rome"}] * 2 + [{"mood": "good"}]


def test_strict_refuses_them_and_records_nothing(db: str) -> None:
    ran = append(db, [{"type": "UserUttered", "text": "hi"}, TYPO], "--strict")
    assert (ran.status, ran.out) == (2, "")
    assert "events.json:1: vlaue: SlotSet has no such field; did you mean 'value'?" in ran.err
    assert run("list", "--db", db).err == f"turnlog: {db.removeprefix('sqlite:///')}: no such log\n"
    assert append(db, [{"type": "UserUttered", "text": "hi"}], "--strict").status == 0


@pytest.mark.parametrize(
    ("event", "place", "kept"),
    [
        (
            {"type": "MessageUnderstood", "intent": {"name": "a", "odd": 1}},
            "intent.odd",
            lambda event: event.intent.extra,
        ),
        (
            {"type": "MessageUnderstood", "entities": [{"entity": "b"}, {"entity": "a", "odd": 1}]},
            "entities.odd",
            lambda event: event.entities[1].extra,
        ),
        (
            {
                "type": "MessageAnnotated",
                "frames": [{"service": "a", "acts": [{"act": "b", "extra": {"x": 2}, "odd": 1}]}],
            },
            "frames.acts.odd",
            lambda event: {key: event.frames[0].acts[0].extra[key] for key in ("odd",)},
        ),
        (
            {"type": "UserUttered", "text": "a", "versions": {"model": "m", "odd": 1}},
            "versions.odd",
            lambda event: {"odd": event.extra["versions.odd"]},
        ),
    ],
)
def test_unknown_fields_within_an_event_are_kept_too(
    db: str, event: dict[str, Any], place: str, kept: Any
) -> None:
    ran = append(db, event, "--json")
    assert ran.json["unknown"] == {f"{event['type']}.{place}": 1}
    assert kept(recorded(db)[0]) == {"odd": 1}
    assert append(db, event, "--strict").status == 2


def test_extra_itself_is_not_an_unknown_field(db: str) -> None:
    ran = append(db, {"type": "SlotSet", "name": "a", "value": 1, "extra": {"odd": 1}}, "--json")
    assert "unknown" not in ran.json
    assert ran.err == ""


def test_the_actor_is_given_to_events_that_name_none(db: str) -> None:
    slot = {"type": "SlotSet", "name": "city", "value": "Rome"}
    assert append(db, [slot, {**slot, "actor": "bob"}], "--actor", "carla").status == 0
    assert [actor(event) for event in recorded(db)] == ["carla", "bob"]


def test_values_that_others_cannot_store_are_kept(db: str) -> None:
    assert append(db, {"type": "SlotSet", "name": "a", "value": ["\ud800", 10**40]}).status == 0
    out = Path(db.removeprefix("sqlite:///")).with_name("out.jsonl")
    assert run("export", "--format", "jsonl", "--out", out, "--db", db).status == 0
    assert b'["\\ud800",1' + b"0" * 40 in out.read_bytes()


def test_a_terminal_shows_that_stdin_is_read(db: str) -> None:
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-m", "turnlog", "append", "alice", "--db", db]
    with subprocess.Popen(command, stdin=its_end, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "Ctrl-D" in process.stderr.readline()
        os.write(terminal, b'{"type": "UserUttered", "text": "hi"}\n\x04')
        assert process.wait(30) == 0
    os.close(terminal)
    os.close(its_end)
    assert len(recorded(db)) == 1
