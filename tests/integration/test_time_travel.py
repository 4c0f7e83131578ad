"""Time travel on the shared dialogues: the state at an event is the replay of the events before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from msgspec.structs import replace

import turnlog
from tests.adapters import crosswoz, oasst, star, woz2
from turnlog import Dialogue, UserUttered
from turnlog.audit.verify import verify
from turnlog.audit.why import deciding, why
from turnlog.domain.fold import apply, replay
from turnlog.domain.history import past
from turnlog.domain.state import State
from turnlog.domain.values import same
from turnlog.engine import log as log_module
from turnlog.projections import live_head
from turnlog.serializers.formats import detect

FOLDERS = [
    ("sgd", 500), ("multiwoz21", 300), ("multiwoz21_zh", 60), ("tau_bench", 100),
    ("tau2_bench", 58), ("rasa", 127),
]  # fmt: skip
"""Folders, and the least number of dialogues in each: all that any format reads."""


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots and commits so small that the way to an event passes many of them."""
    monkeypatch.setattr(live_head, "SNAPSHOT_EVERY", 24)
    monkeypatch.setattr(log_module, "IMPORT_SPLIT", 8)


ADAPTED = [(crosswoz, 70), (woz2, 360), (star, 120), (oasst, 309)]
"""Data sets that no format of ours reads, through the tests' own adapters."""


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize(("folder", "least"), FOLDERS)
def test_the_state_at_every_event_is_the_replay_of_the_events_before(
    shared_data: Path, folder: str, least: int
):
    travel(dialogues(shared_data / folder), least)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize(("adapter", "least"), ADAPTED)
def test_the_state_is_the_replay_for_dialogues_of_other_data_sets(
    shared_data: Path, adapter: ModuleType, least: int
):
    travel(adapter.dialogues(shared_data), least)


def travel(given: Iterable[Dialogue], least: int) -> None:
    """Store the dialogues, and look at every moment of each."""
    count = 0
    with turnlog.open("memory:") as log:
        for dialogue in given:
            log.import_dialogue(dialogue)
            compare(log, dialogue.name)
            count += 1
        assert count >= least
        found = verify(log.store)
        assert (found.faults, found.conversations) == ([], count)


def dialogues(folder: Path) -> Iterator[Dialogue]:
    """Of every file that a format recognises, each under its file's name too."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        codec = detect(path)
        for dialogue in codec.read(path) if codec is not None else ():
            assert isinstance(dialogue, Dialogue), dialogue
            yield replace(dialogue, name=f"{path.relative_to(folder)}:{dialogue.name}")


def compare(log: turnlog.Turnlog, id: str) -> None:
    """The state at every event, after every turn and now, each against the replay."""
    history, state = log.history(id), State()
    assert history.state(0) == state
    events = list(history.events())
    for number, event in enumerate(events, 1):
        if isinstance(event, UserUttered) and number > 1:
            assert history.state_after_turn(state.turn) == state, (id, state.turn)
        state = apply(state, event, past(log.history(id), state))
        assert history.state(number) == state, (id, number)
    conversation = log.conversation(id)
    assert conversation.state == state == replay(events)
    for slot, value in state.slots.items():
        explained = [events[number - 1] for number in deciding(why(conversation, slot))]
        assert same(replay(explained).slots.get(slot), value), (id, slot)
