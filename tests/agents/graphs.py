"""Made-up graphs and random steps in them, the same for any saver."""

from __future__ import annotations

import operator
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Annotated, Any, TypedDict

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages
from langgraph.types import Command, StateSnapshot, interrupt


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    notes: Annotated[list[Any], operator.add]
    count: Annotated[int, operator.add]
    last: Any
    summary: str


WORDS = ("hello", "a table for two", "", "café ☕", "2", "human", "tool", "x" * 300, '{"a": 1}')
VALUES = (
    None, 1, 1.5, True, "text", b"\x00\xff", (1, (2, 3)), {1: "one", "$": "dollar"}, {"$e": "hole"},
    {1, 2}, datetime(2026, 11, 26, tzinfo=UTC), float("inf"), [], {}, [[1], {"deep": [b"x"]}],
)  # fmt: skip


class Script:
    """A graph's nodes, which depend on the state alone: the same for any saver."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def pick(self, state: State, salt: str) -> Random:
        return Random(f"{self.seed} {salt} {state.get('count', 0)} {len(state['messages'])}")

    def id(self, state: State, salt: str) -> str:
        return f"{salt}-{state.get('count', 0)}-{len(state['messages'])}"

    def model(self, state: State) -> dict[str, Any]:
        random, id = self.pick(state, "model"), self.id(state, "ai")
        text = random.choice(WORDS)
        calls = [
            {"name": "look_up", "args": {"of": random.choice(WORDS), "n": n}, "id": f"{id}-{n}"}
            for n in range(random.choice((0, 0, 1, 2)))
        ]
        content: Any = text
        if random.random() < 0.3:
            content = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": text}]
        usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
        answer = AIMessage(
            content, id=id, tool_calls=calls,
            usage_metadata=usage if random.random() < 0.5 else None,
            response_metadata={"model_name": "m", "finish_reason": "stop"} if text else {},
        )  # fmt: skip
        return {"messages": [answer], "count": 1, "last": random.choice(VALUES)}

    def tools(self, state: State) -> dict[str, Any]:
        random = self.pick(state, "tools")
        results = [
            ToolMessage(
                random.choice(WORDS), tool_call_id=call["id"], name=call["name"],
                id=f"t-{call['id']}", status=random.choice(("success", "success", "error")),
            )
            for call in state["messages"][-1].tool_calls
        ]  # fmt: skip
        return {"messages": results, "notes": [random.choice(VALUES)], "count": 1}

    def ask(self, state: State) -> dict[str, Any]:
        random = self.pick(state, "ask")
        answer = interrupt({"question": random.choice(WORDS)}) if random.random() < 0.6 else "no"
        return {"notes": [answer], "count": 1}

    def route(self, state: State) -> str:
        if state["messages"] and getattr(state["messages"][-1], "tool_calls", None):
            return "tools"
        return self.pick(state, "route").choice(("ask", "sub", END))


def compiled(seed: int, saver: BaseCheckpointSaver) -> Any:
    script = Script(seed)
    inner = StateGraph(State)
    inner.add_node("model", script.model)
    inner.add_node("ask", script.ask)
    inner.add_edge(START, "model")
    inner.add_edge("model", "ask")
    outer = StateGraph(State)
    outer.add_node("model", script.model)
    outer.add_node("tools", script.tools)
    outer.add_node("ask", script.ask)
    outer.add_node("sub", inner.compile())
    outer.add_edge(START, "model")
    outer.add_conditional_edges("model", script.route, ["tools", "ask", "sub", END])
    outer.add_edge("tools", "ask")
    outer.add_edge("ask", END)
    outer.add_edge("sub", END)
    return outer.compile(checkpointer=saver)


@dataclass
class Run:
    """A graph with one saver, and what has happened in it."""

    graph: Any
    random: Random
    thread: str = "alice"
    said: int = 0

    def __post_init__(self) -> None:
        self.threads = [self.thread]

    @property
    def config(self) -> dict[str, Any]:
        return {"configurable": {"thread_id": self.thread}}

    def step(self) -> str:
        """Takes the next step; equal seeds give equal steps."""
        state = self.graph.get_state(self.config)
        names = [*_ALWAYS]
        if state.next:
            names += ["resume"] * 6 + ["continue_run"] * 2
        if state.values.get("messages"):
            names += ["edit", "edit_last", "remove_last", "remove_first", "remove_some"]
            names += ["replace_all", "trim"]
        if state.parent_config:
            names += ["replay", "fork", "branch", "copy", "copy_thread"]
        if len(self.threads) > 1:
            names.append("switch")
        name = self.random.choice(names)
        try:
            getattr(self, name)(state)
        except Exception as error:  # the same for any saver
            return f"{name}: {type(error).__name__}"
        return name

    def _human(self) -> HumanMessage:
        self.said += 1
        return HumanMessage(self.random.choice(WORDS), id=f"human-{self.said}")

    def say(self, state: StateSnapshot) -> None:
        self.graph.invoke({"messages": [self._human()]}, self.config)

    def instruct(self, state: StateSnapshot) -> None:
        self.said += 1
        message = SystemMessage(self.random.choice(WORDS), id=f"system-{self.said}")
        self.graph.update_state(self.config, {"messages": [message], "notes": [self.said]}, "ask")

    def resume(self, state: StateSnapshot) -> None:
        self.graph.invoke(Command(resume=self.random.choice(("yes", 7, None))), self.config)

    def continue_run(self, state: StateSnapshot) -> None:
        self.graph.invoke(None, self.config)

    def edit(self, state: StateSnapshot) -> None:
        self._edit(self.random.choice(state.values["messages"]))

    def edit_last(self, state: StateSnapshot) -> None:
        self._edit(state.values["messages"][-1])

    def _edit(self, message: Any) -> None:
        changed = message.model_copy(update={"content": f"edited {self.random.random()}"})
        self.graph.update_state(self.config, {"messages": [changed]}, "ask")

    def remove_last(self, state: StateSnapshot) -> None:
        gone = [RemoveMessage(state.values["messages"][-1].id)]
        self.graph.update_state(self.config, {"messages": gone}, "ask")

    def remove_first(self, state: StateSnapshot) -> None:
        gone = [RemoveMessage(state.values["messages"][0].id)]
        self.graph.update_state(self.config, {"messages": gone}, "ask")

    def remove_some(self, state: StateSnapshot) -> None:
        messages = state.values["messages"]
        gone = self.random.sample(messages, self.random.randint(1, len(messages)))
        removals = [RemoveMessage(message.id) for message in gone]
        self.graph.update_state(self.config, {"messages": removals}, "ask")

    def trim(self, state: StateSnapshot) -> None:
        gone = [RemoveMessage(message.id) for message in state.values["messages"][:-2]]
        self.said += 1
        changed = {"messages": gone, "last": 1, "summary": f"summary {self.said}"}
        self.graph.update_state(self.config, changed, "ask")

    def replace_all(self, state: StateSnapshot) -> None:
        self.said += 1
        summary = SystemMessage(f"summary {self.said}", id=f"summary-{self.said}")
        kept = state.values["messages"][-2:]
        new = [RemoveMessage(REMOVE_ALL_MESSAGES), summary, *kept]
        self.graph.update_state(self.config, {"messages": new}, "ask")

    def _earlier(self) -> dict[str, Any]:
        return self.random.choice(list(self.graph.get_state_history(self.config))).config

    def replay(self, state: StateSnapshot) -> None:
        self.graph.invoke(None, self._earlier())

    def fork(self, state: StateSnapshot) -> None:
        self.graph.update_state(self._earlier(), {"messages": [self._human()]}, "ask")

    def branch(self, state: StateSnapshot) -> None:
        self.graph.invoke({"messages": [self._human()]}, self._earlier())

    def copy(self, state: StateSnapshot) -> None:
        self.graph.update_state(self._earlier(), None, "__copy__")

    def copy_thread(self, state: StateSnapshot) -> None:
        """Continues in a fork, or where it begins."""
        name = f"copy {len(self.threads)}"
        self.graph.checkpointer.copy_thread(self.thread, name)
        self.threads.append(name)
        self.switch(state)

    def switch(self, state: StateSnapshot) -> None:
        self.thread = self.random.choice(self.threads)

    def seen(self) -> set[str]:
        """The current content of the thread."""
        state = self.graph.get_state(self.config)
        kinds = {message.type for message in state.values.get("messages", ())}
        nested = {task.name for task in state.tasks if task.interrupts}
        return {
            *(f"{kind} message" for kind in kinds),
            *(f"interrupt in {name}" for name in nested),
            *({"subgraph"} if any(map(_namespace, self._checkpoints())) else ()),
        }

    def _checkpoints(self) -> list[Any]:
        return list(self.graph.checkpointer.list(self.config))


def _namespace(checkpoint: Any) -> str:
    return str(checkpoint.config["configurable"]["checkpoint_ns"])


class CopyingMemory(InMemorySaver):
    """The oracle, with copies of whole threads."""

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        for ns, held in self.storage[source_thread_id].items():
            self.storage[target_thread_id][ns] = dict(held)
        for kept in (self.writes, self.blobs):
            for key in [key for key in kept if key[0] == source_thread_id]:
                kept[target_thread_id, *key[1:]] = copy(kept[key])  # type: ignore[index]


_ALWAYS = ("say", "say", "say", "instruct")


def started(seed: int, saver: BaseCheckpointSaver) -> Run:
    return Run(compiled(seed, saver), Random(seed))


def snapshots(run: Run) -> list[Any]:
    """Everything that a saver says about the thread, with numbers in place of made-up ids."""
    names: dict[str, int] = {}

    def name(id: Any) -> Any:
        return None if id is None else names.setdefault(str(id), len(names))

    found = list(run.graph.checkpointer.list(run.config))
    for each in sorted(found, key=lambda each: each.checkpoint["id"]):
        name(each.checkpoint["id"])
    return [_snapshot(each, name) for each in sorted(found, key=lambda e: e.checkpoint["id"])]


def _snapshot(found: Any, name: Any) -> dict[str, Any]:
    parent = found.parent_config and found.parent_config["configurable"]["checkpoint_id"]
    return {
        "id": name(found.checkpoint["id"]),
        "ns": found.config["configurable"]["checkpoint_ns"].split(":")[0],
        "parent": name(parent),
        "values": found.checkpoint["channel_values"],
        "kinds": _kinds(found.checkpoint["channel_values"]),
        "updated": found.checkpoint["updated_channels"],
        "metadata": {k: v for k, v in found.metadata.items() if k in ("source", "step")},
        "writes": [
            (channel, _kinds(value), _without_ids(value))
            for _, channel, value in found.pending_writes or ()
        ],
    }


def _without_ids(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_without_ids(item) for item in value]
    return (value.value,) if type(value).__name__ == "Interrupt" else value


def _kinds(value: Any) -> Any:
    """The types in a value: 1 is not True."""
    if isinstance(value, dict):
        return {key: _kinds(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *map(_kinds, value)]
    return type(value).__name__
