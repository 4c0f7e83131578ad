"""LangGraph's InMemorySaver as the oracle, over generated graphs and steps."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.agents.graphs import CopyingMemory, Run, snapshots, started
from turnlog.agents.langgraph import TurnlogSaver
from turnlog.agents.langgraph.messages import said
from turnlog.domain.events import HistoryCompacted
from turnlog.domain.message_equality import flattened

LONG = os.environ.get("TURNLOG_FAULTS") == "long"
SEEDS = 300 if LONG else 12
CASES = [
    *(("sqlite_url", seed) for seed in range(SEEDS)),
    *(("postgres_url", SEEDS + seed) for seed in range(SEEDS // 4)),
]
"""The fixture of the log's address, and the seeds of graph and steps."""
STEPS = 16


WANTED = (
    "say", "instruct", "resume", "continue_run", "edit", "edit_last", "remove_last", "remove_first",
    "remove_some", "replace_all", "trim", "replay", "fork", "branch", "copy", "copy_thread",
    "switch", "human message", "ai message", "tool message", "system message", "subgraph",
    "interrupt in ask", "interrupt in sub", "compaction",
)  # fmt: skip
"""What the generated runs must contain."""


@pytest.fixture(scope="module")
def generated() -> Counter[str]:
    """For each thing, the number of steps after which it was done or present."""
    return Counter()


@pytest.mark.parametrize(("log", "seed"), CASES)
@pytest.mark.timeout(120)
def test_a_graph_reads_what_it_would_read_in_memory(
    log: str, seed: int, request: pytest.FixtureRequest, generated: Counter[str]
):
    url = request.getfixturevalue(log)
    with TurnlogSaver(url) as saver:
        expected, found = started(seed, CopyingMemory()), started(seed, saver)
        for _ in range(STEPS):
            done = expected.step()
            assert found.step() == done
            assert snapshots(found) == snapshots(expected)
            generated.update({"steps", done, *expected.seen(), *check_messages(found, saver)})
        states = [each.values for each in found.graph.get_state_history(found.config)]
    with TurnlogSaver(url) as again:
        found = started(seed, again)
        found.thread = expected.thread
        assert snapshots(found) == snapshots(expected)
        assert [each.values for each in found.graph.get_state_history(found.config)] == states
    generated["graphs"] += 1


def test_all_kinds_of_steps_were_generated(generated: Counter[str]):
    if generated["graphs"] < len(CASES):
        pytest.skip("not all graphs were run, or not all of them were equal")
    print(f"\n{generated.pop('steps')} steps, 0 mismatches:", dict(sorted(generated.items())))
    assert {name for name in WANTED if not generated[name]} == set()


def check_messages(run: Run, saver: TurnlogSaver) -> set[str]:
    """Checks that the conversation has the messages of the state, and those removed before others.
    A summary in place of messages is a compaction.
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
    return {"compaction"} if compactions else set()
