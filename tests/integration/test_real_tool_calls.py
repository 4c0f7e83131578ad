"""tau-bench and tau2-bench: every message, tool call, argument and id is kept and given back."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.serializers.formats import codec, detect

FILES = [
    pytest.param("tau_bench/gpt-4o-airline_subset.json", 577, 0, id="tau"),
    pytest.param("tau2_bench/*.json", 413, 195, id="tau2"),
]
files = pytest.mark.parametrize(("pattern", "calls", "by_the_user"), FILES)


@files
def test_every_message_call_argument_and_id_is_kept(
    shared_data: Path, pattern: str, calls: int, by_the_user: int
) -> None:
    called = {None: 0, "user": 0}
    for dialogue, messages in trajectories(shared_data, pattern):
        assert [call for m in messages for call in calls_of(m)] == [
            (event.call_id, event.name, event.arguments, event.actor)
            for event in dialogue.events
            if isinstance(event, e.ToolCalled)
        ]
        assert [answer(m) for m in messages if m["role"] == "tool"] == [
            (event.call_id, event.result, event.actor)
            for event in dialogue.events
            if isinstance(event, e.ToolReturned)
        ]
        assert [m["content"] for m in messages if m["role"] == "user" and m["content"]] == [
            event.text for event in dialogue.events if isinstance(event, e.UserUttered)
        ]
        for event in dialogue.events:
            assert not isinstance(event, e.Unknown)
            if isinstance(event, e.ToolCalled):
                called[event.actor] += 1
    assert called == {None: calls, "user": by_the_user}


@files
def test_export_gives_back_equal_messages(
    shared_data: Path, tmp_path: Path, pattern: str, calls: int, by_the_user: int
) -> None:
    openai = codec("openai")
    left_out = 0
    for dialogue, messages in trajectories(shared_data, pattern):
        (example,) = openai.examples(dialogue)
        expected = [plain(m) for m in messages if not of_the_users_side(m)]
        assert [plain(m) for m in example.content["messages"]] == expected, dialogue.name
        left_out += example.lost.get("ToolCalled of the user's side", 0)
        assert equal_again(openai, dialogue, tmp_path / "again.jsonl")
    assert left_out == by_the_user


def equal_again(openai: Any, dialogue: Dialogue, path: Path) -> bool:
    """Whether what was exported is exported again from its own import."""
    (example,) = openai.examples(dialogue)
    out = io.BytesIO()
    openai.write([example], out)
    path.write_bytes(out.getvalue())
    (again,) = openai.read(path)
    (same,) = openai.examples(again)
    return bool(again.name == dialogue.name and same.content == example.content)


def trajectories(folder: Path, pattern: str) -> list[tuple[Dialogue, list[dict[str, Any]]]]:
    found = []
    for path in sorted(folder.glob(pattern)):
        document = json.loads(path.read_text())
        if isinstance(document, list):
            sources = {f"{d['task_id']}-{d['trial']}": d["traj"] for d in document}
        else:
            sources = {d["id"]: d["messages"] for d in document["simulations"]}
        reader = detect(path)
        assert reader is not None
        assert reader.name == "openai"
        for dialogue in reader.read(path):
            assert isinstance(dialogue, Dialogue), dialogue
            found.append((dialogue, sources.pop(dialogue.name)))
        assert not sources
    return found


def calls_of(message: dict[str, Any]) -> list[tuple[Any, ...]]:
    actor = "user" if message["role"] == "user" else None
    return [(*call, actor) for call in plain(message).get("tool_calls", [])]


def answer(message: dict[str, Any]) -> tuple[Any, ...]:
    actor = "user" if message.get("requestor") == "user" else None
    return message.get("tool_call_id", message.get("id")), message["content"], actor


def of_the_users_side(message: dict[str, Any]) -> bool:
    calls = message["role"] == "user" and bool(message.get("tool_calls"))
    return calls or message.get("requestor") == "user"


def plain(message: dict[str, Any]) -> dict[str, Any]:
    """What makes messages equal: role, content, calls (id, name, parsed arguments), the id."""
    made = {"role": message["role"], "content": message.get("content")}
    if message.get("tool_calls"):
        functions = [(call["id"], call.get("function", call)) for call in message["tool_calls"]]
        made["tool_calls"] = [(i, f["name"], parsed(f["arguments"])) for i, f in functions]
    if message["role"] == "tool":
        made["tool_call_id"] = message.get("tool_call_id", message.get("id"))
    return made


def parsed(arguments: Any) -> Any:
    return json.loads(arguments) if isinstance(arguments, str) else arguments
