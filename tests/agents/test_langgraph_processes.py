"""LangGraph's threads in several processes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.agents.worker import THREAD, chat
from turnlog.agents.langgraph import TurnlogSaver

ROOT = Path(__file__).parents[2]


def start(task: str, url: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.agents.worker", task, url, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)


@pytest.mark.timeout(120)
def test_two_processes_talk_in_one_thread(durable_url: str):
    """A run may begin on what the other has done so far; the log keeps what both said."""
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
