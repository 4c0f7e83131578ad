"""`turnlog minimise`: the fewest messages that show a divergence, and a test that fails on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import BotUttered, SlotSet, ToolCalled, ToolReturned, UserUttered

BOT = """
from turnlog import BotUttered, SlotSet

FAULTY = {faulty}

async def right(conversation, message):
    return await answer(conversation, message, False)

async def bot(conversation, message):
    return await answer(conversation, message, FAULTY)

async def answer(conversation, message, faulty):
    item = message.text.split()[-1]
    cost = await conversation.call("price", item=item)
    spent = conversation.slots.get("spent", 0) + cost["euros"]
    if faulty and item == "cake" and conversation.slots.get("spent", 0):
        spent = cost["euros"]
    return [SlotSet("spent", spent), BotUttered(f"{{spent}} € “so far”\\n", {{"item": item}})]
"""
PRICES = {"tea": 3, "cake": 4, "bread": 2}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "till.py").write_text(BOT.format(faulty=True))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "till", raising=False)
    monkeypatch.setenv("TURNLOG_DB", f"sqlite:///{tmp_path}/chat.db")
    with turnlog.open(f"sqlite:///{tmp_path}/chat.db") as log:
        spent = 0
        for item in ("bread", "bread", "tea", "bread", "cake", "tea"):
            spent += PRICES[item]
            said = BotUttered(f"{spent} € “so far”\n", {"item": item})
            log.record(
                "Ann's \"talk\"", UserUttered(f"a {item}", timestamp=86400.0),
                ToolCalled("price", {"item": item}), ToolReturned({"euros": PRICES[item]}),
                SlotSet("spent", spent), said,
            )  # fmt: skip
    return tmp_path


ID = 'Ann\'s "talk"'


def ran_pytest(folder: Path, file: Path) -> subprocess.CompletedProcess[str]:
    """Without plugins, which the file must not need."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    options = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(folder)]
    return subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *options, file.name],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False, env=environment,
    )  # fmt: skip


def test_the_test_fails_until_the_bot_is_fixed(folder: Path) -> None:
    file = folder / "test_till.py"
    options = ["--bot", "till:bot", "--old", "till:right", "--out", file]
    found = run("minimise", ID, *options, "--json").json
    assert found["messages"] == ["a bread", "a cake"] or found["messages"] == ["a tea", "a cake"]
    assert (found["of"], found["out"]) == (5, str(file))
    assert found["divergence"]["kind"] == "slot"
    assert found["divergence"]["turn"] == 2
    (folder / "chat.db").unlink()  # it needs no log
    failed = ran_pytest(folder, file)
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert "AssertionError: slot value differs" in failed.stdout
    (folder / "till.py").write_text(BOT.format(faulty=False))
    mended = ran_pytest(folder, file)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert "1 passed" in mended.stdout


def test_without_an_old_bot_the_record_says_what_is_right(folder: Path) -> None:
    file = folder / "test_till.py"
    ran = run("minimise", ID, "--bot", "till:bot", "--out", file)
    assert ran.status == 0
    assert ran.out.splitlines()[-2:] == [
        "5 of 5 messages show it: slot SlotSet spent value", f"wrote {file}",
    ]  # fmt: skip
    assert ran_pytest(folder, file).returncode == 1
    (folder / "till.py").write_text(BOT.format(faulty=False))
    assert ran_pytest(folder, file).returncode == 0


def test_a_test_uses_the_rules_it_was_made_with(folder: Path) -> None:
    rules = folder / "rules.toml"
    rules.write_text('slots = ["spent"]\nmasks = ["[0-9]+"]\n')
    ran = run("minimise", ID, "--bot", "till:bot", "--rules", rules)
    assert (ran.status, ran.out) == (2, "")
    assert "no turn shows a divergence" in ran.err
    rules.write_text('slots = ["spent"]\n')
    file = folder / "test_till.py"
    options = ["--bot", "till:bot", "--old", "till:right", "--rules", rules, "--out", file]
    assert run("minimise", ID, *options, "--json").json["divergence"]["kind"] == "text"
    assert "'slots': ['spent']" in file.read_text()
    assert "AssertionError: text differs" in ran_pytest(folder, file).stdout


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--group", "no such"], "no turn shows a divergence of the group 'no such'"),
        (["--old", "till:missing"], "till:missing"),
        (["--old", "till:bot"], "does not show at turn 5"),
    ],
)
def test_an_impossible_minimisation_is_refused(folder: Path, options: Any, why: str) -> None:
    ran = run("minimise", ID, "--bot", "till:bot", *options)
    assert (ran.status, ran.out) == (2, "")
    assert why in ran.err


def test_stdout_takes_the_test(folder: Path) -> None:
    ran = run("minimise", ID, "--bot", "till:bot", "--out", "-", "--json")
    compile(ran.out, "test", "exec")
    assert json.loads(ran.err.splitlines()[-1])["of"] == 5
