"""CrossWOZ, WOZ 2.0, STAR and OASST: the engine holds dialogues of other makes as well."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.adapters import crosswoz, oasst, star, woz2
from tests.integration.test_real_dialogues import expected as expected
from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.engine.log import Turnlog
from turnlog.serializers.formats import codec

Adapter = Callable[[Path], Iterable[Dialogue]]


@pytest.fixture
def log() -> Iterator[Turnlog]:
    with turnlog.open("memory:") as opened:
        yield opened


def states(log: Turnlog, name: str) -> list[dict[str, Any]]:
    """The slots after each turn, as the log gives them back."""
    last = log.conversation(name).turn
    return [log.conversation(name, turn=number).slots for number in range(1, last + 1)]


def test_crosswoz_is_as_annotated_after_every_turn(
    shared_data: Path, expected: Any, log: Turnlog
) -> None:
    source = json.loads((shared_data / crosswoz.PATH).read_text())
    compared = 0
    for dialogue in crosswoz.dialogues(shared_data):
        log.import_dialogue(dialogue)
        annotated = expected.crosswoz(source[dialogue.name.removeprefix("crosswoz-")])
        assert states(log, dialogue.name) == [slots for _, slots in annotated]
        compared += len(annotated)
    assert compared == 598


def test_woz_2_labels_folded_are_the_belief_state_of_every_turn(
    shared_data: Path, expected: Any, log: Turnlog
) -> None:
    sources = {
        woz2.name(path, source): source
        for path in woz2.PATHS
        for source in json.loads((shared_data / path).read_text())
    }
    compared = 0
    for dialogue in woz2.dialogues(shared_data):
        log.import_dialogue(dialogue)
        annotated = expected.woz(sources[dialogue.name])
        assert states(log, dialogue.name) == [slots for _, slots in annotated]
        compared += len(annotated)
    assert compared == 1524


@pytest.mark.parametrize(
    ("adapter", "count"),
    [(crosswoz.dialogues, 70), (woz2.dialogues, 360), (star.dialogues, 120), (oasst.best, 50)],
    ids=["crosswoz", "woz2", "star", "oasst"],
)
def test_every_dialogue_round_trips_through_the_log_and_a_file(
    shared_data: Path, tmp_path: Path, log: Turnlog, adapter: Adapter, count: int
) -> None:
    dialogues = list(adapter(shared_data))
    for dialogue in dialogues:
        log.import_dialogue(dialogue)
    stored = [log.conversation(dialogue.name).dialogue() for dialogue in dialogues]
    assert len(stored) == len(set(log.ids())) == count
    assert [d.events for d in stored] == [d.events for d in dialogues]
    jsonl, out = codec("jsonl"), io.BytesIO()
    jsonl.write((x for dialogue in stored for x in jsonl.examples(dialogue)), out)
    (path := tmp_path / "all.jsonl").write_bytes(out.getvalue())
    assert list(jsonl.read(path)) == stored


def test_star_keeps_every_event(shared_data: Path) -> None:
    kinds = Counter(type(event) for d in star.dialogues(shared_data) for event in d.events)
    assert sum(kinds.values()) - kinds[e.ConversationAnnotated] == 5109
    assert (kinds[e.UserUttered], kinds[e.SystemInstructed], kinds[e.Unknown]) == (1069, 506, 0)
    assert (kinds[e.ToolCalled], kinds[e.ToolReturned]) == (512, 512)


def test_oasst_follows_the_replies_that_were_ranked_best(shared_data: Path) -> None:
    ways = {dialogue.events for dialogue in oasst.dialogues(shared_data)}
    chosen = list(oasst.best(shared_data))
    assert (len(chosen), len(ways)) == (50, 309)
    for dialogue in chosen:
        assert dialogue.events in ways
        assert isinstance(dialogue.events[0], e.UserUttered)
