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
from turnlog.training.plan import ExportPlan
from turnlog.training.privacy.names import read
from turnlog.training.records.pins import Pins
from turnlog.training.records.revoking import Revoked
from turnlog.training.remaking import without
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


def test_a_shared_past_gives_a_pair_once_and_two_answers_alone_none(log, tmp_path):
    assert exported(log, tmp_path / "pairs.jsonl") == [EDITED]


def test_the_only_answer_after_which_the_user_continues_is_better(log, tmp_path):
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


def forked(log: Turnlog, id: str, *events: e.Event, event: int = 4, of: str = "c") -> None:
    log.fork(of, event=event, as_=id)
    log.record(id, *events)


def test_forks_of_one_origin_are_compared_with_each_other(log, tmp_path):
    """Also a fork of a fork, and one from before the question, which is asked there again."""
    log.record("d", e.MessageRated(6, 2))
    forked(log, "e", e.BotUttered("Which day?"), e.MessageRated(6, 5))
    forked(
        log, "a", e.UserUttered("a table?"), e.BotUttered("Sure."), e.MessageRated(6, 3), event=3
    )
    forked(log, "f", e.BotUttered("Hm."), e.MessageRated(7, 4), event=5, of="a")
    found = exported(log, tmp_path / "pairs.jsonl", pseudonyms=True)
    order = ["Which day?", "Hm.", "Sure.", "For how many?"]
    pairs = [(better, worse) for n, better in enumerate(order) for worse in order[n + 1 :]]
    assert sorted(found) == sorted([EDITED, *pairs])
    assert list(verify(log, manifest_of(tmp_path / "pairs.jsonl"))) == []


def test_the_only_fork_in_which_the_user_continues_is_better_than_others(log, tmp_path):
    forked(log, "e", e.BotUttered("Which day?"), *GOES_ON)
    found = exported(log, tmp_path / "pairs.jsonl")
    assert found == [EDITED, ("Which day?", "No."), ("Which day?", "For how many?")]
    found = exported(log, tmp_path / "pairs.jsonl", ids=["d", "e"])
    assert found == [EDITED, ("Which day?", "For how many?")]


def test_evidence_of_a_fork_against_its_origin_is_a_contradiction(log, tmp_path):
    """An edit there and here, a rating there of what is edited here."""
    log.record("c", e.MessageEdited(5, "Yes."))
    forked(log, "e", e.BotUttered("Yes."), e.MessageEdited(6, "No."))
    assert exported(log, tmp_path / "pairs.jsonl") == [EDITED]
    (against,) = read(log, manifest_of(tmp_path / "pairs.jsonl")).contradictions
    assert against.conversation == "c"
    assert [(x.kind, x.event, x.conversation) for x in against.evidence] == [
        ("MessageEdited", 6, None), ("MessageEdited", 7, "e"),
    ]  # fmt: skip
    log.delete("e")
    forked(log, "g", e.BotUttered("Yes."), e.MessageRated(6, "down"))
    assert exported(log, tmp_path / "pairs.jsonl") == [EDITED]
    log.record("g", e.MessageRated(6, "up"))
    assert exported(log, tmp_path / "pairs.jsonl") == [EDITED, ("Yes.", "No.")]


def test_a_shared_answer_rated_again_in_a_fork_has_one_label(log, tmp_path):
    log.record("c", e.MessageRated(5, "up"))
    forked(log, "e", e.UserUttered("so?"), e.BotUttered("So."), e.MessageRated(5, "down"), event=6)
    plan = ExportPlan("trl", log.store.reader.last_position(), settings={"type": "unpaired"})
    export(log, plan, tmp_path / "labels.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    labels = [(row["completion"][0]["content"], row["label"]) for row in rows]
    assert labels == [("Hello!", True), ("What?", False), ("No.", False)]


def test_removing_either_fork_removes_their_pair(log, tmp_path):
    """The rest can be made again, although one of them no longer has an example."""
    forked(log, "e", e.BotUttered("Which day?"), *GOES_ON)
    forked(log, "f", e.UserIdentified("eve@example.org"), e.BotUttered("Hm."), event=4)
    found = exported(log, tmp_path / "pairs.jsonl", pseudonyms=True)
    assert len(found) == 4
    old = manifest_of(tmp_path / "pairs.jsonl")
    for name, person in (("left", "eve@example.org"), ("less", "d")):
        totals, _, out = without(log, person, old, tmp_path / f"{name}.jsonl")
        old = manifest_of(out)
        assert totals.revoked is not None
        assert (totals.revoked.examples, totals.revoked.gone) == (1, 0)
        assert list(verify(log, old)) == []
    rows = (tmp_path / "less.jsonl").read_text().splitlines()
    assert rows == (tmp_path / "pairs.jsonl").read_text().splitlines()[:2]


def test_removing_either_conversation_removes_their_pair(log, tmp_path):
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
    assert "the conversation is deleted or does not exist" in found
