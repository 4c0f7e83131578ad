"""LangGraph's threads in several processes, some of which are killed during a run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.agents.worker import NODES, THREAD, chat
from turnlog.agents.langgraph import TurnlogSaver
from turnlog.agents.langgraph.messages import said
from turnlog.domain.message_equality import alike

ROOT = Path(__file__).parents[2]
KILLS = 20 if os.environ.get("TURNLOG_FAULTS") == "long" else 2

ROUNDS = 7 if KILLS == 20 else 1
"""Kills in each of three nodes."""


def start(task: str, url: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.agents.worker", task, url, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)


@pytest.mark.timeout(300)
def test_a_killed_run_continues_from_its_last_checkpoint(durable_url: str):
    random = Random(f"{KILLS}")
    for number in range(KILLS):
        process = start("talk", durable_url, number)
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(random.randint(1, 4))]
        time.sleep(random.random() / 20)
        process.kill()
        acknowledged += process.stdout.read().splitlines(keepends=True)
        process.communicate()
        with TurnlogSaver(durable_url) as saver:
            graph = chat(saver)
            graph.invoke(None, THREAD)  # does nothing if the run had ended
            after = graph.get_state(THREAD)
            questions = [m.text for m in after.values["messages"] if m.type == "human"]
            assert {line.decode().strip() for line in acknowledged if line.endswith(b"\n")} <= {
                *questions
            }
            assert after.next == ()
            kinds = [m.type for m in after.values["messages"]]
            assert kinds == ["human", "ai", "tool", "ai"] * (len(kinds) // 4)
            assert max(Counter(m.id for m in after.values["messages"]).values()) == 1
            conversation = saver.log.conversation("alice")
            assert alike(conversation.messages(), map(said, after.values["messages"]))


@pytest.mark.parametrize("node", [node.__name__ for node in NODES])
@pytest.mark.timeout(120)
def test_a_run_killed_in_a_node_continues_there(durable_url: str, node: str):
    said_before = {"call": 1, "tool": 2, "answer": 3}[node]
    for number in range(ROUNDS):
        process = start("stop", durable_url, f"question-{number}", node)
        assert process.stdout is not None
        assert process.stdout.readline() == b"stopped\n"
        process.kill()
        process.communicate()
        with TurnlogSaver(durable_url) as saver:
            graph = chat(saver)
            state = graph.get_state(THREAD)
            assert state.next == (node,)
            assert len(state.values["messages"]) == 4 * number + said_before
            graph.invoke(None, THREAD)
            messages = graph.get_state(THREAD).values["messages"]
            assert [m.type for m in messages] == ["human", "ai", "tool", "ai"] * (number + 1)
            assert messages[-4].text == f"question-{number}"
            conversation = saver.log.conversation("alice")
            assert alike(conversation.messages(), map(said, messages))


@pytest.mark.timeout(120)
def test_two_processes_talk_in_one_thread(durable_url: str):
    """A run may begin with what the other has done so far. The log keeps what both said."""
    with TurnlogSaver(durable_url) as saver:
        chat(saver).invoke({"messages": [("user", "hello")]}, THREAD)
    processes = [start("talk", durable_url, number, 6) for number in range(2)]
    asked = []
    for process in processes:
        out, error = process.communicate(timeout=100)
        assert process.returncode == 0, error.decode()
        asked += out.decode().split()
    assert len(asked) == 12
    with TurnlogSaver(durable_url) as saver:
        events = saver.log.read_events("alice")
        kept = Counter(getattr(event, "text", None) for event in events)
        assert {question for question in asked if kept[question] == 0} == set()
        every = list(saver.list(THREAD))
        assert len({each.checkpoint["id"] for each in every}) == len(every) == 13 * 5
        messages = chat(saver).get_state(THREAD).values["messages"]
        assert max(Counter(m.id for m in messages).values()) == 1
        assert (messages[0].text, messages[-1].type) == ("hello", "ai")
    verified = subprocess.run(
        [sys.executable, "-m", "turnlog", "--db", durable_url, "verify", "--json"],
        capture_output=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stdout
