"""Time travel on the shared dialogues: the state at an event is the replay of what came before."""

from __future__ import annotations

from pathlib import Path

import pytest

import turnlog
from turnlog import Dialogue
from turnlog.audit.verify import verify
from turnlog.domain.apply import apply
from turnlog.domain.state import State
from turnlog.engine import log as log_module
from turnlog.engine import writer
from turnlog.serializers.codec import detect

FILES = [
    ("sgd/train/dialogues_subset.json", 500),
    ("multiwoz21/val_subset.json", 300),
    ("multiwoz21_zh/val_subset.json", 60),
    ("tau_bench/gpt-4o-airline_subset.json", 100),
    ("tau2_bench/gpt-4.1_airline_default_gpt-4.1_1trials_subset.json", 20),
    ("tau2_bench/gpt-4.1_retail_defautl_gpt-4.1_1trials_subset.json", 22),
    ("tau2_bench/gpt-4.1_telecom_default_gpt-4.1_1trials_subset.json", 16),
]


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots and commits so small that the way to an event goes through many of them."""
    monkeypatch.setattr(writer, "SNAPSHOT_EVERY", 24)
    monkeypatch.setattr(log_module, "IMPORT_SPLIT", 8)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize(("path", "count"), FILES)
def test_the_state_at_every_event_is_the_replay_of_the_events_before(
    shared_data: Path, path: str, count: int
):
    found = detect(shared_data / path)
    assert found is not None
    travelled = 0
    with turnlog.open("memory:") as log:
        for dialogue in found.read(shared_data / path):
            assert isinstance(dialogue, Dialogue)
            log.writer.perform(log.bring_in(dialogue))
            travelled += compare(log, dialogue.name)
        assert len(list(log.ids())) == count
        assert verify(log.store).faults == []
    assert travelled > count


def compare(log: turnlog.Turnlog, id: str) -> int:
    history, state = log.history(id), State()
    assert history.state(0) == state
    for number, event in enumerate(history.events(), 1):
        state = apply(state, event)
        assert history.state(number) == state, (id, number)
    assert log.conversation(id).state == state
    return state.event
