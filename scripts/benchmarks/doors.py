"""Doors next to the frameworks' own stores: LangGraph's threads in ours and in its SqliteSaver,
pydantic-ai's conversations in ours and in the SQLite store of its harness.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph

from scripts.benchmarks import pydantic_ai_door
from scripts.benchmarks.figures import Figure, below, faster, interleaved, seconds
from scripts.benchmarks.sides import ANSWER, TEXT, size
from turnlog.agents.langgraph import TurnlogSaver

SIDES = ("ours", "theirs")
THREAD: Any = {"configurable": {"thread_id": "c0", "checkpoint_ns": ""}}


def figures(*, quick: bool) -> Iterator[Figure]:
    turns = 200 if quick else 1000
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name:
        yield from _beside(Path(name), turns)
        yield from _growth(Path(name), turns)
        yield from pydantic_ai_door.figures(Path(name), turns)


def _beside(folder: Path, turns: int) -> Iterator[Figure]:
    with ExitStack() as opened:
        savers = {name: opened.enter_context(_opened(name, folder)) for name in SIDES}
        sides = {name: _Side(saver, turns) for name, saver in savers.items()}
        loads = interleaved({name: side.load for name, side in sides.items()}, 21)
        puts = interleaved({name: side.append for name, side in sides.items()}, 21)
    at = f"at {turns} turns"
    yield faster("langgraph_load", loads, f"loads/s {at}", least=10)
    yield faster("langgraph_append", puts, f"checkpoints/s {at}", least=5)
    firsts = interleaved({name: partial(_first, name, folder) for name in SIDES}, 11)
    yield Figure(
        "langgraph_first_load", 1 / firsts["ours"], 1 / firsts["theirs"], f"loads/s {at}",
        firsts["theirs"] / firsts["ours"], note="the saver was opened just before",
    )  # fmt: skip


def _opened(name: str, folder: Path) -> AbstractContextManager[BaseCheckpointSaver[Any]]:
    path = folder / f"{name}.db"
    if name == "ours":
        return TurnlogSaver(f"sqlite:///{path}")
    return SqliteSaver.from_conn_string(str(path))


def _first(name: str, folder: Path) -> float:
    """The first load of a thread by a saver."""
    with _opened(name, folder) as saver:
        saver.get_tuple({"configurable": {"thread_id": "another"}})  # so that the log is open
        return seconds(lambda: saver.get_tuple(THREAD))


class _Side:
    """A thread of so many turns, and the operations on it."""

    def __init__(self, saver: BaseCheckpointSaver[Any], turns: int) -> None:
        self.saver = saver
        self.config = THREAD
        self.messages: list[Any] = []
        self.version = 0
        for turn in range(turns):
            self._say(turn)

    def _say(self, turn: int) -> None:
        user = HumanMessage(TEXT.format(n=turn), id=str(uuid4()))
        self.messages = [*self.messages, user, AIMessage(ANSWER, id=str(uuid4()))]
        self.version += 1
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"messages": self.messages}
        versions: dict[str, Any] = {"messages": self.version}
        checkpoint["channel_versions"] = versions
        metadata: Any = {"source": "loop", "step": turn, "parents": {}}
        self.config = self.saver.put(self.config, checkpoint, metadata, versions)

    def append(self) -> float:
        begun = time.perf_counter()
        self._say(self.version)
        return time.perf_counter() - begun

    def load(self) -> float:
        begun = time.perf_counter()
        found = self.saver.get_tuple(THREAD)
        took = time.perf_counter() - begun
        assert found is not None
        return took


def _growth(folder: Path, turns: int) -> Iterator[Figure]:
    """Bytes a turn of a graph of one node, early and late."""
    builder = StateGraph(MessagesState)
    builder.add_node("answer", lambda state: {"messages": [("ai", ANSWER)]})  # type: ignore[arg-type,return-value]
    builder.add_edge(START, "answer")
    path, sizes = folder / "graph.db", [0]
    for part in range(4):
        with TurnlogSaver(f"sqlite:///{path}") as saver:
            chat: Any = builder.compile(checkpointer=saver)
            for turn in range(turns // 4):
                chat.invoke({"messages": [("user", TEXT.format(n=part * turns + turn))]}, THREAD)
        sizes.append(size(path))
    parts = [(late - early) / (turns // 4) for early, late in pairwise(sizes)]
    yield below("langgraph_bytes", sizes[-1] / turns, f"bytes/turn over {turns} turns", most=3500)
    flat = parts[-1] / parts[1]
    held = 0.9 <= flat <= 1.1
    unit = "bytes/turn, last and second quarter"
    yield Figure("langgraph_flat", parts[-1], parts[1], unit, flat, "± 10 %", held)
