"""A replayed bot can be debugged on the terminal; without a debugger a breakpoint is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import turnlog
from turnlog import BotUttered, UserUttered

STOPS = {
    "breakpoint": "async def bot(c, m):\n    secret = 42\n    breakpoint()\n    return ['yes']",
    "set_trace": "import pdb\nasync def bot(c, m):\n    secret = 42\n    pdb.set_trace()\n"
    "    return ['yes']",
    "in_a_thread": "def bot(c, m):\n    secret = 42\n    breakpoint()\n    return ['yes']",
}


def replay(folder: Path, bot: str, *options: str, typed: str = "") -> tuple[int, str, str]:
    """Runs in a separate process with typed input: status, stdout, stderr."""
    (folder / "mybot.py").write_text(bot)
    with turnlog.open(f"sqlite:///{folder / 'turnlog.db'}") as log:
        log.record("anna", UserUttered("is it?"), BotUttered("yes"))
    command = [sys.executable, "-m", "turnlog", "replay", "anna", "--bot", "mybot:bot", *options]
    done = subprocess.run(
        command, cwd=folder, input=typed, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", STOPS)
def test_a_breakpoint_stops_the_bot(tmp_path: Path, name: str):
    """It may last longer than an answer may take, and shows what the bot knows."""
    typed = "import time; time.sleep(1.5)\np secret + 1\nc\n"
    status, out, err = replay(tmp_path, STOPS[name], "--pdb", "--timeout", "0.1", typed=typed)
    assert (status, err) == (0, "")
    assert "43" in out


@pytest.mark.parametrize("name", STOPS)
@pytest.mark.parametrize("options", [[], ["--jobs", "2"]])
def test_without_a_debugger_a_breakpoint_is_named(tmp_path: Path, name: str, options: list[str]):
    status, out, err = replay(tmp_path, STOPS[name], *options)
    why = "the bot stops at a breakpoint; debug it with --pdb"
    assert (status, out, err) == (2, "", f"turnlog: conversation 'anna', turn 1: {why}\n")


FAILS = "async def bot(c, m):\n    people = None\n    return [f'{people + 1}']"


def test_a_failure_is_debugged_where_it_happened(tmp_path: Path):
    status, out, err = replay(tmp_path, FAILS, "--pdb", typed="p people\nc\n")
    assert status == 1
    assert "TypeError" in err
    assert "(Pdb) None" in out
    assert "diverging: 1" in out


@pytest.mark.parametrize(("bot", "typed"), [(FAILS, "q\n"), (STOPS["breakpoint"], "q\n")])
def test_leaving_the_debugger_ends_the_replay(tmp_path: Path, bot: str, typed: str):
    status, out, err = replay(tmp_path, bot, "--pdb", typed=typed)
    assert status == 2
    assert err.endswith("turnlog: the debugger was quit; the replay ends\n")
    assert "diverging" not in out


@pytest.mark.parametrize("options", [["--jobs", "2"], ["--json"], ["--concurrency", "2"]])
def test_an_option_that_conflicts_with_the_debugger_is_refused(tmp_path: Path, options: list[str]):
    status, out, err = replay(tmp_path, FAILS, "--pdb", *options)
    assert (status, out) == (2, "")
    assert "--pdb needs the terminal" in err
