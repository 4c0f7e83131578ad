"""A replay is green only if turns were sent to a bot and all were answered as recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog import BotUttered, UserUttered

ANSWERS = """
import asyncio, os, signal, sys, threading
async def bot(conversation, message):
    return ["yes"]
"""
"""The bot that was recorded."""

BROKEN = {
    "exits": "async def bot(c, m): sys.exit(0)",
    "exits_in_a_thread": "def bot(c, m): sys.exit(0)",
    "exits_as_it_yields": "async def bot(c, m):\n    yield 'y'\n    sys.exit(0)",
    "exits_in_a_task": "async def end(): sys.exit(0)\n"
    "async def bot(c, m): await asyncio.create_task(end())",
    "exits_in_a_group": "async def end(): sys.exit(0)\n"
    "async def bot(c, m):\n    async with asyncio.TaskGroup() as g: g.create_task(end())",
    "ends_the_process": "async def bot(c, m): os._exit(0)",
    "ends_the_process_in_a_thread": "def bot(c, m): os._exit(0)",
    "ends_it_later": "async def bot(c, m):\n"
    "    threading.Timer(0.2, os._exit, [0]).start()\n    await asyncio.sleep(60)",
    "is_killed": "async def bot(c, m): os.kill(os.getpid(), signal.SIGKILL)",
    "interrupts": "async def bot(c, m): raise KeyboardInterrupt",
    "raises_a_base_exception": "class Stop(BaseException): pass\nasync def bot(c, m): raise Stop",
}
"""Bots that end their process, or try to, in an answer."""

UNLOADABLE = {
    "exits": "sys.exit(0)",
    "ends_the_process": "os._exit(0)",
    "fails": "1 / 0",
    "has_no_bot": "del bot",
}
"""Top-level code of a module."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a log of two conversations and the bot of both."""
    monkeypatch.chdir(tmp_path)
    write_bot(tmp_path, "")
    with turnlog.open("sqlite:///turnlog.db") as log:
        for id in ("anna", "bert"):
            log.record(id, UserUttered("is it?"), BotUttered("yes"))
    return tmp_path


def write_bot(folder: Path, code: str) -> None:
    (folder / "mybot.py").write_text(f"{ANSWERS}\n{code}\n")


def replay(*arguments: str) -> tuple[int, str]:
    """The status, and the reported error."""
    done = run("replay", *arguments, "--bot", "mybot:bot")
    return done.status, done.err


ALL = ["--all"], ["--all", "--jobs", "2"], ["--all", "--concurrency", "4"]
ALIKE = {"exits_in_a_thread", "exits_as_it_yields", "ends_the_process_in_a_thread", "interrupts"}
"""The broken bots that are not tried with several processes."""


@pytest.mark.parametrize("options", ALL)
def test_equal_answers_are_green(folder: Path, options: list[str]):
    assert replay(*options) == (0, "")


@pytest.mark.parametrize("options", ALL)
def test_other_answers_are_not_green(folder: Path, options: list[str]):
    write_bot(folder, "async def bot(c, m): return ['no']")
    assert replay(*options) == (1, "")


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, options) for name in BROKEN for options in (ALL[:1] if name in ALIKE else ALL)],
)
def test_a_bot_that_ends_its_process_is_broken(folder: Path, name: str, options: list[str]):
    write_bot(folder, BROKEN[name])
    status, why = replay(*options)
    assert (status, len(why.splitlines())) == (2, 1), why
    assert "'anna'" in why or "'bert'" in why
    assert "ended its process" in why


@pytest.mark.parametrize("options", ALL[:2])
@pytest.mark.parametrize("name", UNLOADABLE)
def test_a_bot_that_cannot_be_loaded_is_broken(folder: Path, name: str, options: list[str]):
    write_bot(folder, UNLOADABLE[name])
    status, why = replay(*options)
    assert (status, len(why.splitlines())) == (2, 1), why
    assert "mybot:bot" in why


def test_a_process_that_a_bot_forks_answers_no_turn(folder: Path):
    write_bot(
        folder, "async def bot(c, m):\n    said = 'yes' if os.fork() else 'no'\n    return [said]"
    )
    assert replay("--all") == (0, "")


def test_a_bot_that_writes_into_the_replies_is_broken(folder: Path):
    code = """
async def bot(c, m):
    for number in range(3, 64):
        try:
            os.write(number, b"x")
        except OSError:
            pass
    return ["yes"]
"""
    write_bot(folder, code)
    status, why = replay("--all")
    assert status == 2
    assert "wrote into the replies of its process" in why


def test_a_bot_that_raises_cancelled_error_diverges(folder: Path):
    write_bot(folder, "async def bot(c, m): raise asyncio.CancelledError")
    assert replay("--all") == (1, "")


def test_a_replay_of_nothing_is_not_green(folder: Path):
    (folder / "turnlog.db").unlink()
    with turnlog.open("sqlite:///turnlog.db"):
        pass
    assert replay("--all") == (2, "turnlog: nothing was replayed: 0 conversations, no turns\n")


def test_a_replay_that_skips_every_turn_is_not_green(folder: Path):
    with turnlog.open("sqlite:///turnlog.db") as log:
        log.record("carl", UserUttered("hello?"))
    why = "nothing was replayed: 1 conversation, turns: 1 unanswered"
    assert replay("carl") == (2, f"turnlog: {why}\n")
    assert replay("carl", "anna") == (0, "")


@pytest.mark.parametrize(
    "mistyped",
    [
        ["anna", "ana"],
        ["--all", "--db", "sqlite:///mistyped.db"],
        ["--all", "--bot", "mybott:bot"],
        ["--all", "--bot", "mybot:bott"],
        ["--all", "--bot", "mybot.py"],
        ["--where", "tag=none"],
        ["--since", "2100-01-01"],
        ["anna", "--all"],
        [],
    ],
)
def test_a_mistyped_command_is_not_green(folder: Path, mistyped: list[str]):
    done = run("replay", "--bot", "mybot:bot", *mistyped)
    assert done.status == 2
    assert done.err
