"""The main job on real dialogues: import, and after every turn the slots are the annotation."""

from __future__ import annotations

import importlib.util
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog.engine.importing import import_files

CORPORA = [
    ("sgd", "sgd/train/dialogues_subset.json", "", 500, 4500),
    ("multiwoz", "multiwoz21/val_subset.json", "", 300, 2220),
    ("multiwoz", "multiwoz21_zh/val_subset.json", "zh-", 60, 434),
]
"""Reader in expected_state.py, file, prefix of the ids, dialogues and annotated turns."""

Slots = dict[str, dict[int, Any]]
"""By conversation and turn."""


@pytest.fixture(scope="module")
def annotated(shared_data: Path) -> Slots:
    """The data sets' own annotation of every turn, read by their reference."""
    spec = importlib.util.spec_from_file_location("expected", shared_data / "expected_state.py")
    assert spec
    assert spec.loader
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    found: Slots = {}
    for reader, path, prefix, _, _ in CORPORA:
        source = json.loads((shared_data / path).read_text())
        dialogues = source if isinstance(source, dict) else {d["dialogue_id"]: d for d in source}
        for id, dialogue in dialogues.items():
            states = getattr(reference, reader)(dialogue)
            found[prefix + id] = {turn: slots for turn, (_, slots) in enumerate(states, 1)}
    assert sum(len(turns) for turns in found.values()) == 4500 + 2220 + 434
    return found


@pytest.fixture(scope="module")
def imported(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database into which the command line imported all three data sets."""
    db = f"sqlite:///{tmp_path_factory.mktemp('main')}/log.db"
    for _, path, prefix, dialogues, _ in CORPORA:
        folder = shared_data / path.split("/")[0]
        ran = run("import", folder, "--json", "--db", db, "--id-prefix", prefix)
        assert (ran.status, ran.json["conversations"]) == (0, dialogues)
        assert (ran.json["refused"], ran.json["unknown"]) == ([], {})
    return db


def shown(db: str) -> Slots:
    """The slots after every turn but turn 0, as `turnlog states --json` shows them."""
    found: Slots = defaultdict(dict)
    for line in run("states", "--json", "--db", db).lines:
        if line["turn"]:
            found[line["conversation"]][line["turn"]] = line["slots"]
    return found


def test_the_slots_after_every_turn_are_the_annotation(imported: str, annotated: Slots) -> None:
    assert shown(imported) == annotated


def test_they_are_so_again_after_export_and_import(
    imported: str, annotated: Slots, tmp_path: Path
) -> None:
    file, db = tmp_path / "all.jsonl", f"sqlite:///{tmp_path}/again.db"
    assert run("export", "--format", "jsonl", "--out", file, "--db", imported).status == 0
    assert run("import", file, "--json", "--db", db).json["conversations"] == len(annotated)
    assert shown(db) == annotated
    again = run("import", file, "--json", "--db", imported).json
    assert (again["unchanged"], again["events"]) == (len(annotated), 0)


def test_they_are_so_on_memory(shared_data: Path, annotated: Slots) -> None:
    with turnlog.open("memory:") as log:
        for _, path, prefix, _, _ in CORPORA:
            import_files(log, [shared_data / path], id_prefix=prefix)
        for id, turns in annotated.items():
            conversation = log.conversation(id)
            states = {state.turn: state.slots for state in conversation.states() if state.turn}
            assert states == turns, id
            assert conversation.slots == turns[conversation.turn]


def test_the_list_the_counts_and_a_second_import_agree(
    imported: str, shared_data: Path, annotated: Slots
) -> None:
    listed = run("list", "--json", "--db", imported).lines
    assert {line["conversation"]: line["turns"] for line in listed} == {
        id: max(turns) for id, turns in annotated.items()
    }
    stats = run("stats", "--json", "--db", imported).json
    assert stats["turns"] == sum(line["turns"] for line in listed)
    assert stats["events"] == sum(line["events"] for line in listed)
    again = run("import", shared_data / "sgd", "--json", "--db", imported).json
    assert (again["conversations"], again["unchanged"], again["events"]) == (0, 500, 0)
