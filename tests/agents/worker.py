"""A process that talks until it is killed: python -m tests.agents.worker TASK URL [ARGUMENT…]"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.graph import START, MessagesState, StateGraph

from turnlog.agents.langgraph import TurnlogSaver

THREAD: Any = {"configurable": {"thread_id": "alice"}}


def call(state: MessagesState) -> dict[str, Any]:
    id = f"call-{len(state['messages'])}"
    calls: Any = [{"name": "look_up", "args": {"n": len(state["messages"])}, "id": id}]
    return {"messages": [AIMessage("", tool_calls=calls)]}


def tool(state: MessagesState) -> dict[str, Any]:
    asked: Any = state["messages"][-1]
    return {"messages": [ToolMessage("found", tool_call_id=asked.tool_calls[0]["id"])]}


def answer(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage(f"answer {len(state['messages'])}")]}


NODES = (call, tool, answer)


def chat(saver: TurnlogSaver, stops_in: str = "") -> Any:
    """stops_in: the node that never ends, after it has printed its name."""

    def node(step: Any) -> Any:
        def run(state: MessagesState) -> dict[str, Any]:
            if step.__name__ == stops_in:
                os.write(1, b"stopped\n")
                time.sleep(60)
            return step(state)  # type: ignore[no-any-return]

        return run

    builder = StateGraph(MessagesState)
    for step in NODES:
        builder.add_node(step.__name__, node(step))
    builder.add_edge(START, "call")
    builder.add_edge("call", "tool")
    builder.add_edge("tool", "answer")
    return builder.compile(checkpointer=saver)


def talk(url: str, name: str, turns: str = "1000000") -> None:
    """Asks forever, and prints each question once its answer is durable."""
    with TurnlogSaver(url) as saver:
        graph = chat(saver)
        for number in range(int(turns)):
            question = f"question-{name}-{number}"
            graph.invoke({"messages": [("user", question)]}, THREAD, durability="sync")
            os.write(1, f"{question}\n".encode())


def stop(url: str, name: str, node: str) -> None:
    """Asks one question, in whose answer a node never ends."""
    with TurnlogSaver(url) as saver:
        asked: Any = {"messages": [("user", name)]}
        chat(saver, node).invoke(asked, THREAD, durability="sync")


if __name__ == "__main__":
    {"talk": talk, "stop": stop}[sys.argv[1]](*sys.argv[2:])
