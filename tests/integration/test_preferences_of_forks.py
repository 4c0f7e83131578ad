"""Pairs of a fork and the conversation that it was forked from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import turnlog
from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.engine.log import Turnlog
from turnlog.training.names import read
from turnlog.training.pins import Pins
from turnlog.training.plan import ExportPlan
from turnlog.training.revoking import Revoked
from turnlog.training.verify import verify
from turnlog.training.write import export

GOES_ON = (e.UserUttered("four"), e.BotUttered("Booked."))


@pytest.fixture
def log() -> Iterator[Turnlog]:
    """Two answers to the second of two questions, of which the first was edited."""
    with turnlog.open("memory:") as log:
        said = (e.UserUttered("hello"), e.BotUttered("What?"), e.MessageEdited(2, "Hello!"))
        log.import_dialogue(Dialogue("c", (*said, e.UserUttered("a table?"), e.BotUttered("No."))))
        log.fork("c", event=4, as_="d")
        log.record("d", e.BotUttered("For how many?"))
        yield log


def exported(log: Turnlog, out: Path, **options: Any) -> list[tuple[str, str]]:
    plan = ExportPlan(
        "trl", log.store.reader.last_position(), settings={"type": "preference"}, **options
    )
    export(log, plan, out)
    assert list(verify(log, manifest_of(out))) == []
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    return [tuple(row[name][0]["content"] for name in ("chosen", "rejected")) for row in rows]  # type: ignore[misc]


def manifest_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.manifest.json")


EDITED = ("Hello!", "What?")


def test_the_shared_past_gives_a_pair_once_and_two_answers_alone_none(log, tmp_path):
    assert exported(log, tmp_path / "pairs.jsonl") == [EDITED]


def test_the_answer_after_which_alone_the_user_goes_on_is_better(log, tmp_path):
    log.record("d", *GOES_ON)
    found = exported(log, tmp_path / "pairs.jsonl", pseudonyms=True)
    assert found == [EDITED, ("For how many?", "No.")]
    noted = read(log, manifest_of(tmp_path / "pairs.jsonl")).examples[1]
    assert noted.conversation == "d"
    assert [(x.kind, x.event, x.conversation) for x in noted.evidence] == [
        ("UserUttered", 7, None), ("BotUttered", 5, "c"),
    ]  # fmt: skip
    log.record("c", *GOES_ON)
    assert exported(log, tmp_path / "pairs.jsonl") == [EDITED]


def test_the_one_rated_higher_is_better_wherever_it_is(log, tmp_path):
    log.record("d", *GOES_ON, e.MessageRated(6, "down"))
    log.record("c", e.MessageRated(5, "up"))
    assert exported(log, tmp_path / "pairs.jsonl") == [EDITED, ("No.", "For how many?")]


def test_a_fork_alone_has_the_pairs_of_its_whole_past(log, tmp_path):
    log.record("d", *GOES_ON)
    assert exported(log, tmp_path / "pairs.jsonl", ids=["d"]) == [EDITED]


def test_a_pair_goes_with_either_conversation(log, tmp_path):
    log.record("d", *GOES_ON)
    log.record("c", e.UserIdentified("eve@example.org"))
    exported(log, tmp_path / "pairs.jsonl", pseudonyms=True)
    noted = read(log, manifest_of(tmp_path / "pairs.jsonl"))
    pins = Pins(noted, Revoked(log, "eve@example.org"))
    plan = ExportPlan(
        "trl", noted.position, settings={"type": "preference"}, pseudonyms=True, pinned=True
    )
    export(log, plan, tmp_path / "left.jsonl", pins=pins)
    assert (tmp_path / "left.jsonl").read_text() == ""
    log.delete("c")
    found = {x.what for x in verify(log, manifest_of(tmp_path / "pairs.jsonl"))}
    assert "the conversation is deleted or not there" in found
