"""Conversation stores that others use: LangGraph's SqliteSaver, OpenAI Agents' SQLiteSession."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.benchmarks.figures import Figure, seconds
from scripts.benchmarks.sides import ANSWER, TEXT, Ours, size


def figures(*, quick: bool) -> Iterator[Figure]:
    turns = 150 if quick else 1000
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name:
        folder = Path(name)
        ours = _Measured(*_ours(folder, turns), turns)
        for peer, measured in (("langgraph", _langgraph), ("openai_agents", _openai_agents)):
            theirs = _Measured(*measured(folder, turns), turns)
            yield from ours.beside(theirs, peer)


class _Measured:
    """write, load: seconds; stored: bytes."""

    def __init__(self, write: float, load: float, stored: int, turns: int) -> None:
        self.write, self.load, self.stored, self.turns = write, load, stored, turns

    def beside(self, theirs: _Measured, peer: str) -> Iterator[Figure]:
        turns, at = self.turns, f"in a conversation of {self.turns} turns"
        ours_rate, theirs_rate = turns / self.write, turns / theirs.write
        yield Figure(
            f"{peer}_write", ours_rate, theirs_rate, f"turns/s {at}", ours_rate / theirs_rate
        )
        yield Figure(
            f"{peer}_load", 1 / self.load, 1 / theirs.load, f"loads/s {at}", theirs.load / self.load
        )
        yield Figure(
            f"{peer}_bytes", self.stored / turns, theirs.stored / turns, f"bytes/turn {at}",
            self.stored / theirs.stored,
        )  # fmt: skip


def _ours(folder: Path, turns: int) -> tuple[float, float, int]:
    ours = Ours(folder / "ours.db")
    write = seconds(lambda: [ours.append(0, n) for n in range(turns)])
    load = seconds(lambda: list(ours.log.conversation("c0").events()))
    ours.close()
    return write, load, size(ours.path)


def _langgraph(folder: Path, turns: int) -> tuple[float, float, int]:
    import sqlite3
    from typing import Annotated, TypedDict

    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import END, START, StateGraph
    from langgraph.graph.message import add_messages

    kept = {"messages": Annotated[list[Any], add_messages], "slots": dict[str, Any]}
    schema: Any = TypedDict("Chat", kept)  # type: ignore[operator]

    def answer(state: Any) -> dict[str, Any]:
        return {"messages": [("ai", ANSWER)], "slots": {"people": 2, "area": "centre"}}

    path = folder / "langgraph.db"
    connection = sqlite3.connect(path, check_same_thread=False)
    graph = StateGraph(schema)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    chat = graph.compile(checkpointer=SqliteSaver(connection))
    config: Any = {"configurable": {"thread_id": "c0"}}

    def say(n: int) -> None:
        chat.invoke({"messages": [("user", TEXT.format(n=n))]}, config)

    write = seconds(lambda: [say(n) for n in range(turns)])
    load = seconds(lambda: chat.get_state(config))
    connection.close()
    return write, load, size(path)


def _openai_agents(folder: Path, turns: int) -> tuple[float, float, int]:
    from agents import SQLiteSession

    path = folder / "openai.db"
    session = SQLiteSession("c0", path)

    async def say_all() -> None:
        for n in range(turns):
            await session.add_items([{"role": "user", "content": TEXT.format(n=n)}])
            await session.add_items([{"role": "assistant", "content": ANSWER}])

    write = seconds(lambda: asyncio.run(say_all()))
    load = seconds(lambda: asyncio.run(session.get_items()))
    session.close()
    return write, load, size(path)
