"""LangGraph's InMemorySaver as the oracle, over generated graphs and what is done with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from tests.agents.graphs import Run, snapshots, started
from turnlog.agents.langgraph import TurnlogSaver
from turnlog.agents.langgraph.messages import said
from turnlog.domain.events import HistoryCompacted
from turnlog.domain.message_equality import flattened

LONG = os.environ.get("TURNLOG_FAULTS") == "long"
SEEDS = 300 if LONG else 12
STEPS = 16


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.timeout(120)
def test_a_graph_finds_what_it_would_find_in_memory(seed: int, tmp_path: Path):
    with TurnlogSaver(f"sqlite:///{tmp_path}/chat.db") as saver:
        expected, found = started(seed, InMemorySaver()), started(seed, saver)
        for _ in range(STEPS):
            assert found.step() == expected.step()
            assert snapshots(found) == snapshots(expected)
            check_messages(found, saver)
        states = [each.values for each in found.graph.get_state_history(found.config)]
    with TurnlogSaver(f"sqlite:///{tmp_path}/chat.db") as again:
        found = started(seed, again)
        assert snapshots(found) == snapshots(expected)
        assert [each.values for each in found.graph.get_state_history(found.config)] == states


def check_messages(run: Run, saver: TurnlogSaver) -> None:
    """The conversation has the messages of the state, and those that it removed before others; what
    stands for messages is a compaction.
    """
    state = map(said, run.graph.get_state(run.config).values.get("messages", []))
    conversation = saver.log.conversation(run.thread)
    compactions = {
        recorded.event.text
        for recorded in conversation.recorded()
        if isinstance(recorded.event, HistoryCompacted) and recorded.taken_back is None
    }
    mine = iter(list(flattened(conversation.messages())))
    spoken = [message for message in state if message.text not in compactions]
    assert all(part in mine for part in flattened(spoken))
