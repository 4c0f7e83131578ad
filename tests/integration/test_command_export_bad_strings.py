"""One bad string never blocks an export, in any format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Ran, run
from turnlog.serializers.formats import BUILT_IN, codec

HALF = "\ud800"
WRITTEN = [name for name in BUILT_IN if codec(name).writes]


def spoken(*events: dict[str, Any]) -> list[dict[str, Any]]:
    hi, hello = {"type": "UserUttered", "text": "hi"}, {"type": "BotUttered", "text": "hello"}
    understood = {"type": "MessageUnderstood", "message": 1, "intent": {"name": "greet"}}
    return [hi, understood, *events, hello]


BAD: dict[str, list[dict[str, Any]]] = {
    "user text": [{"type": "UserUttered", "text": HALF}, {"type": "BotUttered", "text": "hello"}],
    "bot text": [{"type": "UserUttered", "text": "hi"}, {"type": "BotUttered", "text": HALF}],
    "slot": spoken({"type": "SlotSet", "name": "city", "value": f"Rome{HALF}"}),
    "slot's key": spoken({"type": "SlotSet", "name": "city", "value": {HALF: 1}}),
    "slot's name": spoken({"type": "SlotSet", "name": HALF, "value": 1}),
    "number": spoken({"type": "SlotSet", "name": "city", "value": 10**40}),
    "action": spoken({"type": "ActionExecuted", "name": HALF}),
    "tool": spoken(
        {"type": "ToolCalled", "name": "find", "arguments": {"at": HALF}, "call_id": "1"},
        {"type": "ToolReturned", "result": HALF, "call_id": "1", "name": "find"},
    ),
    "extra": [{**event, "odd": HALF, "data": {"odd": HALF}} for event in spoken()],
    "entity": [
        {"type": "UserUttered", "text": "hi"},
        {
            "type": "MessageUnderstood",
            "message": 1,
            "intent": {"name": "greet"},
            "entities": [{"entity": "city", "start": 0, "end": 2, "value": HALF}],
        },
        {"type": "BotUttered", "text": "hello"},
    ],
}


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{tmp_path / 'log.db'}"


def brought_in(db: str, conversations: dict[str, list[dict[str, Any]]]) -> None:
    lines = [
        json.dumps({"format": "turnlog/1", "conversation": id, "events": events})
        for id, events in conversations.items()
    ]
    Path("in.jsonl").write_text("\n".join(lines))
    assert run("import", "in.jsonl", "--db", db).status == 0


def exported(db: str, format: str, *arguments: str) -> Ran:
    return run("export", "--format", format, "--out", "out", "--json", "--db", db, *arguments)


@pytest.mark.parametrize("format", WRITTEN)
@pytest.mark.parametrize("kind", BAD)
def test_the_others_are_written(db: str, format: str, kind: str) -> None:
    brought_in(db, {"a": spoken(), "b": BAD[kind], "c": spoken()})
    alone = exported(db, format, "a", "c").json
    ran = exported(db, format)
    assert ran.status == (2 if ran.json["refused"] else 0)
    assert {fault["conversation"] for fault in ran.json["refused"]} <= {"b"}
    assert ran.json["faulty"] == []
    assert ran.json["examples"] >= alone["examples"]
    assert run("export", "--verify", "out.manifest.json", "--db", db).status == 0
    assert exported(db, format, "--skip-faulty").status == 0


def test_unstorable_values_are_refused_by_name(db: str) -> None:
    brought_in(db, {"a": spoken(), "b": BAD["tool"]})
    ran = run("export", "--format", "openai", "--out", "out", "--db", db)
    assert ran.status == 2
    assert "1 example in out" in ran.out
    assert "refused: conversation 'b': turn 1: messages[1].tool_calls[0].function" in ran.err


@pytest.mark.parametrize(
    "sessions",
    [
        r'{"a":{"unit":"\ud800"}}',
        r'{"a":{"unit":"x","state":"y","variables":{"x":{"\udfff":["\ud800"]}}},"b":{"unit":"z"}}',
        r'{"a":{"request":{"text":"\ud83d"},"response":{"text":"\ude00"}}}',
        r'{"\ud800":{"unit":"x"},"b":{"unit":"\ud800\ud800"}}',
    ],
)
def test_naif_sessions_round_trip_byte_for_byte(db: str, sessions: str) -> None:
    laid_out = json.dumps(json.loads(sessions), indent=2)
    Path("sessions.json").write_text(laid_out)
    assert run("import", "sessions.json", "--format", "naif", "--db", db).status == 0
    brought_in(db, {"other": spoken()})
    assert exported(db, "naif").status == 0
    assert Path("out").read_text() == laid_out
    assert run("export", "--verify", "out.manifest.json", "--db", db).status == 0
    for format in WRITTEN:
        assert exported(db, format).status == 0
