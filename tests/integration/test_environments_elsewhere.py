"""Recorded conversations in other environments: verifiers, and OpenEnv's client and server.

Each runs once, in a separate Python; the programs in this folder say what they do there.
"""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.parts import ROOT
from turnlog import BotUttered, SlotSet, ToolCalled, ToolReturned, UserUttered
from turnlog.domain.events import SystemInstructed
from turnlog.errors import MissingExtra
from turnlog.training.privacy.names import ExportedNames

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
RAIN = [
    ["system", "Be brief."],
    ["user", "is it raining in Rome?"],
    ["assistant", None],
    ["tool", '{"rain":false}'],
    ["assistant", "Well."],
    ["user", "and in Milan?"],
    ["assistant", "Well."],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log, and the files that docs/training.md shows."""
    folder = tmp_path_factory.mktemp("environments")
    page = (ROOT / "docs" / "training.md").read_text()
    for name, shown in re.findall(r"```py\n# (\w+\.py)\n(.*?)```", page, re.DOTALL):
        (folder / name).write_text(shown)
    with turnlog.open(f"sqlite:///{folder}/chat.db") as log:
        log.record("rain", SystemInstructed("Be brief.", tools=[WEATHER]))
        log.record("rain", UserUttered("is it raining in Rome?"))
        log.record("rain", ToolCalled("weather", {"city": "Rome"}, "c1"))
        log.record("rain", ToolReturned({"rain": False}, "c1"), BotUttered("No."))
        log.record("rain", UserUttered("and in Milan?"), BotUttered("I do not know."))
        log.record("book", BotUttered("What may it be?"), UserUttered("a table"))
        log.record("book", BotUttered("For how many?"), UserUttered("two"))
        log.record("book", SlotSet("people", 2), SlotSet("day", "Friday"))
        log.record("silent", BotUttered("Is anybody there?"))
    return folder


def result_of(python: Path, program: str, *arguments: Path) -> dict[str, Any]:
    ran = subprocess.run(
        [python, "-m", f"tests.integration.{program}", *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "HOME": str(arguments[-1])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return dict(json.loads(ran.stdout))


@pytest.mark.parametrize("extra", ["openenv", "verifiers"])
def test_an_extra_that_is_missing_is_named(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, extra, None)
    with pytest.raises(MissingExtra, match=rf"turnlog\[{extra}\]"):
        importlib.import_module(f"turnlog.training.{extra}")


# --- verifiers ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rollouts(verifiers_python: Path, folder: Path) -> dict[str, Any]:
    return result_of(verifiers_python, "verifiers_rollouts", folder / "chat.db", folder)


@pytest.fixture(scope="module")
def names(folder: Path) -> dict[str, str]:
    with turnlog.open(f"sqlite:///{folder}/chat.db") as log:
        named = ExportedNames(log, pseudonyms=True)
        return {id: named.shown(id) for id in log.ids()}


def test_verifiers_rolls_the_record_out(rollouts: dict[str, Any], names: dict[str, str]) -> None:
    by_id = {trace["id"]: trace for trace in rollouts["record"]}
    assert by_id.keys() == {names["rain"], names["book"]}, "'silent' has no turn to be held"
    rain, book = by_id[names["rain"]], by_id[names["book"]]
    assert rain["said"] == RAIN
    assert (rain["ok"], rain["errors"], rain["turns"], rain["reward"]) == (True, [], 3, 1.0)
    assert book["said"][:2] == [["assistant", "What may it be?"], ["user", "a table"]]
    assert book["reward"] == 0.5, "it noted 2 people, and another day"


def test_an_episode_that_is_cut_off_keeps_its_reward(
    rollouts: dict[str, Any], names: dict[str, str]
) -> None:
    cut = {trace["id"]: trace for trace in rollouts["cut"]}
    rain, book = cut[names["rain"]], cut[names["book"]]
    assert rain["said"] == RAIN[:5]
    assert (rain["stop"], rain["ok"]) == ("max_turns", True)
    assert (rain["reward"], book["reward"]) == (0.5, 0.5)


def test_the_same_seed_has_the_same_rewards_in_verifiers(rollouts: dict[str, Any]) -> None:
    first, other, again = (
        [(trace["key"], trace["reward"], trace["said"]) for trace in traces]
        for traces in rollouts["seeds"]
    )
    assert first == again
    assert first != other


def test_traces_contain_neither_the_logs_address_nor_ids(rollouts: dict[str, Any]) -> None:
    for trace in rollouts["record"]:
        for secret in ("chat.db", '"rain"', '"book"'):
            assert secret not in trace["kept"]


def test_verifiers_reports_what_cannot_be_loaded(rollouts: dict[str, Any]) -> None:
    assert "FormatError: conversation 'silent': has no turn that can be held" in rollouts["silent"]
    assert "UnknownConversation: conversation 'missing'" in rollouts["missing"]
    assert "NoSuchLog" in rollouts["no log"]


# --- OpenEnv ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sessions(openenv_python: Path, folder: Path) -> dict[str, Any]:
    return result_of(openenv_python, "openenv_sessions", folder)


def test_openenvs_client_holds_a_conversation(sessions: dict[str, Any]) -> None:
    system, rain = (dict(zip(("role", "content"), said, strict=True)) for said in RAIN[:2])
    result = {"role": "tool", "tool_call_id": "x", "content": '{"rain":false}'}
    then = {"role": "user", "content": "and in Milan?"}
    assert sessions["rain"] == [
        [[system, rain], [WEATHER], False, None],
        [[result], [], False, None],
        [[then], [], False, None],
    ]
    assert sessions["before"]["episode_id"] is None
    assert sessions["after"] == {
        "episode_id": "rain", "step_count": 2, "turn": 2, "done": False, "reward": 0.5, "slots": {},
    }  # fmt: skip


def test_each_client_has_its_own_episode(sessions: dict[str, Any]) -> None:
    opening, asked, done = sessions["second"]
    assert [tool["function"]["name"] for tool in opening[1]] == ["set_slot"]
    assert asked[0] == [{"role": "user", "content": "two"}]
    assert done == [[], [], True, 0.0]


def test_the_same_seed_has_the_same_reward_over_openenv(sessions: dict[str, Any]) -> None:
    first, again = sessions["seeds"][:5], sessions["seeds"][5:]
    assert first == again
    assert len({json.dumps(each) for each in first}) == 2, "both conversations are drawn"
    assert sessions["page"] == first[0][1], "the page's client has the seed 1"


def test_openenvs_client_receives_errors(sessions: dict[str, Any]) -> None:
    missing, silent, call, text = sessions["refused"]
    assert "conversation 'missing': does not exist" in missing
    assert "conversation 'silent': has no turn that can be held again" in silent
    assert "not an assistant's message: Object missing required field `id`" in call
    assert "Invalid message" in text
