"""LangGraph's threads in other views: commands, exports, imports and the inspector."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph

from tests.command_line import run
from turnlog.agents.langgraph import TurnlogSaver
from turnlog.agents.langgraph.messages import said
from turnlog.domain.message_equality import alike
from turnlog.domain.recorded import traced
from turnlog.server.timeline import item

ALICE: Any = {"configurable": {"thread_id": "alice"}}


def model(state: MessagesState) -> dict[str, Any]:
    last = state["messages"][-1]
    if last.type == "tool":
        usage: Any = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
        return {"messages": [AIMessage(f"It is {last.content}.", usage_metadata=usage)]}
    call: Any = {"name": "weather", "args": {"city": last.content}, "id": f"call {last.content}"}
    return {"messages": [AIMessage("", tool_calls=[call])]}


def tools(state: MessagesState) -> dict[str, Any]:
    last: Any = state["messages"][-1]
    return {"messages": [ToolMessage("sunny", tool_call_id=last.tool_calls[0]["id"])]}


def agent(saver: TurnlogSaver) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("model", model)
    builder.add_node("tools", tools)
    builder.add_edge(START, "model")
    builder.add_conditional_edges(
        "model", lambda state: "tools" if state["messages"][-1].tool_calls else END, ["tools", END]
    )
    builder.add_edge("tools", "model")
    return builder.compile(checkpointer=saver)


@pytest.fixture
def url(sqlite_url: str) -> str:
    """A log with a thread in which the second question was asked again in other words."""
    with TurnlogSaver(sqlite_url) as saver:
        chat = agent(saver)
        chat.invoke({"messages": [("user", "Oslo")]}, ALICE)
        earlier = chat.get_state(ALICE).config
        chat.invoke({"messages": [("user", "Rome")]}, ALICE)
        chat.invoke({"messages": [("user", "Bern")]}, earlier)
    return sqlite_url


def expected(city: str) -> list[dict[str, Any]]:
    call = {"name": "weather", "arguments": json.dumps({"city": city}, separators=(",", ":"))}
    return [
        {"role": "user", "content": city},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": f"call {city}", "type": "function", "function": call}]},
        {"role": "tool", "content": "sunny", "tool_call_id": f"call {city}"},
        {"role": "assistant", "content": "It is sunny."},
    ]  # fmt: skip


def exported(url: str, tmp_path: Path, form: str) -> Path:
    out = tmp_path / f"out.{form}"
    ran = run("--db", url, "export", "--format", form, "--out", out)
    assert ran.status == 0, ran.err
    return out


def test_an_export_for_training_contains_what_counts(url: str, tmp_path: Path):
    [line] = exported(url, tmp_path, "openai").read_text().splitlines()
    assert without_empty(json.loads(line)["messages"]) == without_empty(
        [*expected("Oslo"), *expected("Bern")]
    )


def without_empty(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without an empty content, which has two spellings."""
    return [{name: held for name, held in each.items() if held} for each in messages]


@pytest.mark.parametrize("form", ["trl", "sharegpt", "alpaca", "rasa-tracker", "rasa-dialogue"])
def test_every_format_that_supports_a_thread_writes_it(url: str, tmp_path: Path, form: str):
    text = exported(url, tmp_path, form).read_text()
    assert "Oslo" in text
    assert "It is sunny." in text
    assert form.startswith("rasa") or "Rome" not in text  # Rasa's formats contain retracted events


def test_an_exported_thread_continues_after_an_import(url: str, tmp_path: Path):
    another = f"sqlite:///{tmp_path}/another.db"
    ran = run("--db", another, "import", exported(url, tmp_path, "jsonl"))
    assert ran.status == 0, ran.err
    with TurnlogSaver(url) as saver, TurnlogSaver(another) as imported:
        assert list(imported.list(ALICE)) == list(saver.list(ALICE))
        chat = agent(imported)
        found = chat.invoke({"messages": [("user", "Paris")]}, ALICE)["messages"]
        assert [message.text for message in found if message.type == "human"] == [
            "Oslo", "Bern", "Paris",
        ]  # fmt: skip
    assert run("--db", another, "verify").status == 0


def test_log_marks_what_was_retracted(url: str):
    lines = run("--db", url, "--json", "log", "alice").lines
    shown = {line["text"]: line for line in lines if line["type"] == "UserUttered"}
    back = next(line["event"] for line in lines if line["type"] == "HistoryContinued")
    assert {text: line.get("taken_back") for text, line in shown.items()} == {
        "Oslo": None, "Rome": back, "Bern": None,
    }  # fmt: skip
    assert run("--db", url, "log", "alice").status == 0
    assert run("--db", url, "--json", "show", "alice").json["latest_message"]["text"] == "Bern"


def test_the_inspector_shows_each_event(url: str):
    with TurnlogSaver(url) as saver:
        conversation = saver.log.conversation("alice")
        items = [item(each) for each in traced(conversation.recorded())]
        assert len(items) == conversation.state.event
        shown = [each["fields"].get("text") for each in items if each["type"] == "UserUttered"]
        assert shown == ["Oslo", "Rome", "Bern"]
        state = agent(saver).get_state(ALICE).values["messages"]
        assert alike(conversation.messages(), map(said, state))
