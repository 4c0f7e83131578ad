"""300 dialogues: a bot that reproduces them diverges nowhere, its mutants just where they must."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import turnlog
from tests.integration.replay.dialogues import Answer, answered
from tests.integration.replay.rulebot import Mutant, digest, rules, write_rules
from turnlog import Dialogue, UserUttered
from turnlog.bots import LoadedBot, load
from turnlog.replay import Divergence, replay

COUNT = 300
Corpus = tuple[turnlog.Turnlog, dict[str, list[Answer]]]


@pytest.fixture(scope="module")
def corpus(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """A log of 300 dialogues and the answers in each; the rules are where the bot looks."""
    folder = tmp_path_factory.mktemp("replay")
    by_name: dict[str, list[Answer]] = {}
    known: dict[str, Answer] = {}
    with (
        pytest.MonkeyPatch.context() as patch,
        turnlog.open(f"sqlite:///{folder / 'log.db'}?synchronous=OFF") as log,
    ):
        for name, pairs in answered(shared_data, COUNT):
            events: list[turnlog.Event] = []
            said: list[str | None] = [name]
            for turn, (message, answer) in enumerate(pairs, 1):
                said.append(message.text)
                known[digest(said)] = answer
                events += [UserUttered(message.text), *answer.events(turn)]
            by_name[name] = [answer for _, answer in pairs]
            log.import_dialogue(Dialogue(name, tuple(events)))
        write_rules(folder / "rules", known)
        patch.setenv("TURNLOG_RULES", str(folder / "rules"))
        rules.cache_clear()
        yield log, by_name


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bot_that_goes_by_the_record_diverges_nowhere(corpus: Corpus, jobs: int):
    log, answers = corpus
    loaded = load("tests.integration.replay.rulebot:bot")
    outcomes = list(replay(log, log.ids(), loaded, jobs=jobs))
    assert [one.conversation for one in outcomes] == sorted(answers)
    assert len(outcomes) == COUNT
    assert [found for one in outcomes for found in one.divergences] == []


@pytest.mark.parametrize("name", Mutant.kinds)
def test_a_mutant_is_caught_at_the_exact_turn_with_the_right_kind(corpus: Corpus, name: str):
    log, answers = corpus
    mutant = Mutant(name, share=24 if name == "hang" else 3)
    mutant.turns = {id: mutant.turn(id, given) for id, given in answers.items()}
    timeout = 0.5 if name == "hang" else 30
    affected = {id: turn for id, turn in mutant.turns.items() if turn is not None}
    ids = [*affected, *[id for id in answers if id not in affected][:30]]
    replayed = replay(log, ids, LoadedBot(mutant, name=name), timeout=timeout)
    outcomes = {one.conversation: one.first for one in replayed}
    assert len(affected) >= (5 if name == "hang" else 50)
    assert {id for id, found in outcomes.items() if found} == set(affected)
    exact = [id for id in affected if _says(outcomes[id], affected[id], mutant.kind)]
    assert len(exact) / len(affected) >= 0.95, (name, len(exact), len(affected))


def _says(found: Divergence | None, turn: int | None, kind: str) -> bool:
    return found is not None and (found.turn, found.kind) == (turn, kind)
