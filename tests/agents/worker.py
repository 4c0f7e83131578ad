"""A process that talks until it is killed: python -m tests.agents.worker TASK URL [ARGUMENT…]"""

from __future__ import annotations

import os
import sys
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


def chat(saver: TurnlogSaver) -> Any:
    builder = StateGraph(MessagesState)
    for node in (call, tool, answer):
        builder.add_node(node.__name__, node)
    builder.add_edge(START, "call")
    builder.add_edge("call", "tool")
    builder.add_edge("tool", "answer")
    return builder.compile(checkpointer=saver)


def talk(url: str, name: str, turns: str = "1000000") -> None:
    """Ask for ever; each question goes to stdout once its answer is durable."""
    with TurnlogSaver(url) as saver:
        graph = chat(saver)
        for number in range(int(turns)):
            question = f"question-{name}-{number}"
            graph.invoke({"messages": [("user", question)]}, THREAD, durability="sync")
            os.write(1, f"{question}\n".encode())


if __name__ == "__main__":
    {"talk": talk}[sys.argv[1]](*sys.argv[2:])
