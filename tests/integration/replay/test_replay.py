"""A bot that reproduces dialogues diverges nowhere, its twenty mutants exactly where they must.

The expected turns come from the mutants themselves, run live next to the bot. In the long form
there are 1,000 dialogues, on SQLite and PostgreSQL.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.integration.replay.corpus import Corpus, affected, made
from tests.integration.replay.mutants import KINDS
from tests.parts.postgres import drop_database, fresh_database
from turnlog.bots import load
from turnlog.replay import replay

LONG = os.environ.get("TURNLOG_FAULTS") == "long"
COUNT = 1_000 if LONG else 100


@pytest.fixture(scope="module", params=["sqlite", "postgresql"] if LONG else ["sqlite"])
def corpus(
    request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Corpus]:
    folder = tmp_path_factory.mktemp("replay")
    url = f"sqlite:///{folder}/log.db?synchronous=OFF"
    if request.param != "sqlite":
        url = fresh_database(request.getfixturevalue("postgres").url)
    with pytest.MonkeyPatch.context() as environment:
        yield made(url, shared_data, folder, COUNT, environment)
    if request.param != "sqlite":
        drop_database(url)


def found(corpus: Corpus, bot: str, **options: Any) -> list[tuple[str, int, str]]:
    """Conversation, turn and kind of each difference, from a log that is opened again."""
    loaded = load(f"tests.integration.replay.{bot}")
    with turnlog.open(corpus.url) as log:
        replayed = list(replay(log, corpus.turns, loaded, **options))
    assert [one.conversation for one in replayed] == list(corpus.turns)
    assert sum(one.turns for one in replayed) == sum(map(len, corpus.turns.values()))
    return [(d.conversation, d.turn, d.kind) for one in replayed for d in one.divergences]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bot_that_follows_the_record_diverges_nowhere(corpus: Corpus, jobs: int) -> None:
    assert found(corpus, "rulebot:bot", jobs=jobs) == []


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("jobs", [1, 2] if LONG else [1])
def test_a_mutant_is_caught_at_every_turn_it_gets_wrong_and_at_no_other(
    corpus: Corpus, jobs: int, name: str
) -> None:
    wrong = affected(corpus, name)
    assert len(wrong) >= COUNT / (50 if name == "hang" else 15)
    timeout = 1.0 if name == "hang" else 30.0
    expected = [
        (id, turn, KINDS[name]) for id, turns in wrong.items() for turn in turns
    ]  # fmt: skip
    caught = found(corpus, f"mutants:{name}_bot", jobs=jobs, timeout=timeout)
    assert sorted(caught) == sorted(expected)
    if LONG:
        print(f"{name}, {jobs} jobs, {corpus.url[:6]}: {len(caught):,} of {len(expected):,}")
