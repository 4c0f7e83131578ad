"""Several runs distinguish a bot that answers differently each time from one that is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import BotUttered, Event, SlotSet, UserUttered

BOT = """
import os, random, secrets, time, uuid
from turnlog import SlotSet
FAULTS = {faults!r}
WORDS = {{"tea", "cake", "jam", "milk", "bread", "butter", "honey", "salt"}}
class Order: pass
async def bot(conversation, message):
    here = {{**globals(), "turn": conversation.turn}}
    here |= {{"count": conversation.turn, "words": sorted(WORDS), "said": "tea"}}
    exec(FAULTS[conversation.id], here)
    return [SlotSet("count", here["count"]), f"{{here['said']}} it is; {{' '.join(here['words'])}}"]
"""
"""Each conversation is answered with a different fault."""

FLAKY = {
    "random": "said = str(random.random())",
    "sometimes": "said = 'cake' if hash('tea') % 2 else said",
    "secrets": "said = secrets.token_hex(4)",
    "time": "said = str(time.time_ns())",
    "uuid": "said = str(uuid.uuid4())",
    "set_order": "words = list(WORDS)",
    "hash": "said = str(hash('tea'))",
    "id": "said = str(id(Order()))",
    "repr": "said = repr(Order())",
    "process": "said = str(os.getpid())",
    "environment": "said = os.environ['PYTHONHASHSEED']",
    "random_slot": "count = random.getrandbits(40)",
    "raises_sometimes": "assert int(os.environ['PYTHONHASHSEED']) % 2",
}
BROKEN = {
    "text": "said = 'cake'",
    "wrong_slot": "count += 1",
    "raises": "raise ValueError(repr(Order()))",
    "third_turn": "said = 'cake' if turn == 3 else said",
}
BOTH = {
    "text_and_slot": f"{BROKEN['text']}; {FLAKY['random_slot']}",
    "slot_and_text": f"{BROKEN['wrong_slot']}; {FLAKY['random']}",
    "two_turns": f"{FLAKY['uuid']}\nif turn == 2: raise ValueError(said)",
}
OFTEN = {"often": "assert int(os.environ['PYTHONHASHSEED']) > 2"}
FINE = {"right": "pass"}
FAULTS = FLAKY | BROKEN | BOTH | OFTEN | FINE
TURNS = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the bot, and a log of correct answers."""
    folder = tmp_path_factory.mktemp("flaky")
    (folder / "flakybot.py").write_text(BOT.format(faults=FAULTS))
    text = "tea it is; bread butter cake honey jam milk salt tea"
    with turnlog.open(f"sqlite:///{folder}/turnlog.db") as log:
        for id in FAULTS:
            events: list[Event] = []
            for turn in range(1, TURNS + 1):
                events += [UserUttered("?"), SlotSet("count", turn), BotUttered(text)]
            log.record(id, *events)
    return folder


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


Found = tuple[int, list[Any]]


def replayed(ids: Iterable[str], *options: str) -> Found:
    """Status and divergences, without groups."""
    done = run("replay", *ids, "--bot", "flakybot:bot", "--runs", "5", "--json", *options)
    assert done.err == ""
    return done.status, [line for line in done.lines if line["kind"] != "group"]


@pytest.fixture(scope="module")
def every(folder: Path) -> Found:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return replayed(FAULTS)


def of(found: Found, id: str) -> list[Any]:
    return [line for line in found[1] if line["conversation"] == id]


def test_a_bot_that_is_always_right_is_equal(every: Found):
    assert of(every, "right") == []
    assert replayed(["right"]) == (0, [])


@pytest.mark.parametrize("name", FLAKY)
def test_a_turn_that_differs_between_runs_is_flaky(every: Found, name: str):
    runs = [len(line["runs"]) for line in of(every, name)]
    assert runs
    assert max(runs) < 5


def test_a_replay_that_is_only_flaky_has_its_own_status():
    assert replayed(FLAKY)[0] == 3


@pytest.mark.parametrize("name", BROKEN)
def test_a_divergence_of_every_run_is_broken(every: Found, name: str):
    found = of(every, name)
    assert {tuple(line["runs"]) for line in found} == {(1, 2, 3, 4, 5)}
    assert [line["turn"] for line in found] == ([3] if name == "third_turn" else [1, 2, 3, 4])


@pytest.mark.parametrize("name", BOTH)
def test_flaky_and_broken_are_distinguished_even_in_one_turn(every: Found, name: str):
    assert every[0] == 1
    assert {len(line["runs"]) for line in of(every, name)} == {1, 5}


def test_a_turn_that_is_equal_often_enough_is_fine():
    assert replayed(OFTEN, "--at-least", "3") == (0, [])
    status, found = replayed(OFTEN, "--at-least", "4")
    assert (status, [line["runs"] for line in found]) == (3, [[1, 2]] * TURNS)
    status, found = replayed(["text"], "--at-least", "1")
    assert (status, len(found)) == (1, TURNS)


def test_runs_share_processes_and_keep_the_order():
    status, found = replayed(["text", "wrong_slot"], "--jobs", "2", "--concurrency", "2")
    assert status == 1
    order = [(line["conversation"], line["turn"]) for line in found]
    assert order == [(id, turn) for id in ("text", "wrong_slot") for turn in range(1, TURNS + 1)]


def test_the_text_output_counts_flaky_turns():
    done = run("replay", "text", "uuid", "right", "--bot", "flakybot:bot", "--runs", "2")
    assert done.out.endswith("runs: 2, turns wrong: 4, flaky: 4\n")
    assert all(line.split("\t")[2] == "4" for line in done.out.splitlines()[1:3])


def test_the_output_of_a_single_run_names_no_runs():
    done = run("replay", "text", "--bot", "flakybot:bot", "--json")
    assert done.status == 1
    assert "runs" not in done.lines[0]


def test_more_equal_runs_than_runs_are_refused():
    done = run("replay", "text", "--bot", "flakybot:bot", "--runs", "2", "--at-least", "3")
    assert (done.status, "--at-least 3" in done.err) == (2, True)
