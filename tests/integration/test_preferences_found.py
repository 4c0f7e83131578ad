"""Recall and precision of the pairs that an export finds.

The truth comes from the source: OpenAssistant's ranks, and what a generator meant.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.adapters import oasst
from tests.made_up_preferences import MadeUp, Pair, made_up
from turnlog.engine.log import Turnlog
from turnlog.training.plan import ExportPlan
from turnlog.training.verify import verify
from turnlog.training.write import export

PRECISION, RECALL = 0.99, 0.95
CONVERSATIONS = 150


def rows(log: Turnlog, out: Path, format: str, **settings: Any) -> list[dict[str, Any]]:
    plan = ExportPlan(format, log.store.reader.last_position(), settings=settings)
    totals = export(log, plan, out)
    assert (totals.faulty, totals.refused) == ([], [])
    assert list(verify(log, out.with_name(f"{out.name}.manifest.json"))) == []
    return [json.loads(line) for line in out.read_text().splitlines()]


def texts(messages: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(message["content"] for message in messages)


def pairs(rows: Iterable[dict[str, Any]]) -> list[Pair]:
    return [Pair(*(texts(row[name]) for name in ("prompt", "chosen", "rejected"))) for row in rows]


def openais(rows: Iterable[dict[str, Any]]) -> list[Pair]:
    return [
        Pair(texts(row["input"]["messages"]), texts(row["preferred_output"]),
             texts(row["non_preferred_output"]))
        for row in rows
    ]  # fmt: skip


def check(found: list[Any], true: set[Any]) -> None:
    right = true.intersection(found)
    precision, recall = len(right) / len(found), len(right) / len(true)
    print(f"{len(true)} true, {len(found)} found: precision {precision:.4f}, recall {recall:.4f}")
    assert precision >= PRECISION
    assert recall >= RECALL


def ranked(message: dict[str, Any], before: tuple[str, ...] = ()) -> Iterator[Pair]:
    """Each two replies of the assistant that were ranked."""
    prompt, replies = (*before, message["text"]), message["replies"]
    for better, worse in permutations(replies, 2):
        ranks = better.get("rank"), worse.get("rank")
        if better["role"] == "assistant" and None not in ranks and ranks[0] < ranks[1]:
            yield Pair(prompt, (better["text"],), (worse["text"],))
    for reply in replies:
        yield from ranked(reply, prompt)


@pytest.fixture(scope="module")
def trees(shared_data: Path) -> Iterator[tuple[Turnlog, set[Pair]]]:
    true: set[Pair] = set()
    with turnlog.open("memory:") as log:
        for dialogue, tree in oasst.trees(shared_data):
            log.import_dialogue(dialogue)
            true |= {*ranked(tree)}
        yield log, true


def test_openassistants_ranks(trees: tuple[Turnlog, set[Pair]], tmp_path: Path) -> None:
    log, true = trees
    check(pairs(rows(log, tmp_path / "pairs.jsonl", "trl", type="preference")), true)


def test_openassistants_ranks_for_openai(trees: tuple[Turnlog, set[Pair]], tmp_path: Path) -> None:
    log, true = trees
    check(openais(rows(log, tmp_path / "pairs.jsonl", "openai-dpo")), true)


@pytest.fixture(scope="module")
def generated() -> Iterator[tuple[Turnlog, list[MadeUp]]]:
    with turnlog.open("memory:") as log:
        known = list(made_up(seed=17, count=CONVERSATIONS))
        for each in known:
            name = each.dialogue.name
            log.import_dialogue(each.dialogue)
            for number, events in enumerate(each.fork.events):
                fork = f"{name}, fork {number}"
                log.fork(name, event=each.fork.event, as_=fork)
                log.record(fork, *events)
        yield log, known


def test_generated_pairs(generated: tuple[Turnlog, list[MadeUp]], tmp_path: Path) -> None:
    log, known = generated
    true = {pair for each in known for pair in each.pairs}
    assert len(Counter(kind for each in known for kind in each.did)) == 17
    check(pairs(rows(log, tmp_path / "pairs.jsonl", "trl", type="preference")), true)
    check(openais(rows(log, tmp_path / "dpo.jsonl", "openai-dpo")), true)


def test_generated_contradictions_are_counted(generated: Any, tmp_path: Path) -> None:
    log, known = generated
    rows(log, tmp_path / "pairs.jsonl", "trl", type="preference")
    noted = json.loads((tmp_path / "pairs.jsonl.manifest.json").read_text())
    counted = Counter(each["conversation"] for each in noted["contradictions"])
    assert counted == Counter({k.dialogue.name: k.contradictions for k in known})


def test_generated_labels(generated: Any, tmp_path: Path) -> None:
    log, known = generated
    found = [
        (texts(row["prompt"]), texts(row["completion"]), row["label"])
        for row in rows(log, tmp_path / "labels.jsonl", "trl", type="unpaired")
    ]
    check(found, {label for each in known for label in each.labels})
