"""The real data sets: the slots rebuilt by replay are the data sets' own annotation, always."""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import Unknown
from turnlog.domain.fold import fold
from turnlog.domain.state import State
from turnlog.serializers.formats import codec, detect
from turnlog.serializers.shared.codec import Codec

CORPORA = [
    pytest.param("sgd/train/dialogues_subset.json", "sgd", 4500, id="sgd"),
    pytest.param("multiwoz21/val_subset.json", "multiwoz", 2220, id="multiwoz21"),
    pytest.param("multiwoz21_zh/val_subset.json", "multiwoz", 434, id="multiwoz21_zh"),
]
corpora = pytest.mark.parametrize(("path", "name", "turns"), CORPORA)


@pytest.fixture(scope="module")
def expected(shared_data: Path) -> ModuleType:
    """The data set's own reading of its annotations."""
    path = shared_data / "expected_state.py"
    spec = importlib.util.spec_from_file_location("expected_state", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@corpora
def test_slots_are_as_annotated_after_every_turn(
    shared_data: Path, expected: ModuleType, path: str, name: str, turns: int
) -> None:
    annotated: Callable[[Any], list[tuple[int, Any]]] = getattr(expected, name)
    source = by_id(json.loads((shared_data / path).read_text()))
    compared = 0
    for dialogue in dialogues(shared_data / path):
        states = list(after_every_turn(dialogue))
        assert states == [slots for _, slots in annotated(source[dialogue.name])], dialogue.name
        compared += len(states)
    assert compared == turns


@corpora
def test_export_gives_back_an_equal_file(
    shared_data: Path, tmp_path: Path, path: str, name: str, turns: int
) -> None:
    imported = list(dialogues(shared_data / path))
    written = export(imported, codec(name), tmp_path / "again.json")
    assert by_id(json.loads(written.read_text())) == by_id(
        json.loads((shared_data / path).read_text())
    )
    assert list(dialogues(written)) == imported
    assert not any(isinstance(event, Unknown) for d in imported for event in d.events)


@corpora
def test_the_native_format_gives_back_equal_dialogues(
    shared_data: Path, tmp_path: Path, path: str, name: str, turns: int
) -> None:
    imported = list(dialogues(shared_data / path))
    assert list(dialogues(export(imported, codec("jsonl"), tmp_path / "log.jsonl"))) == imported


def dialogues(path: Path) -> Iterator[Dialogue]:
    found = detect(path)
    assert found is not None
    for dialogue in found.read(path):
        assert isinstance(dialogue, Dialogue), dialogue
        yield dialogue


def export(imported: list[Dialogue], to: Codec, path: Path) -> Path:
    out = io.BytesIO()
    examples = [example for dialogue in imported for example in to.examples(dialogue)]
    assert not any(example.lost for example in examples)
    to.write(examples, out)
    path.write_bytes(out.getvalue())
    return path


def after_every_turn(dialogue: Dialogue) -> Iterator[dict[str, Any]]:
    state = State()
    for turn in dialogue.turns():
        fold(state, turn.events)
        if turn.number:
            yield dict(state.slots)


def by_id(source: Any) -> dict[str, Any]:
    return source if isinstance(source, dict) else {d["dialogue_id"]: d for d in source}
