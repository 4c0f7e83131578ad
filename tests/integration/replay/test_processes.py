"""Processes that share a replay, started from anywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import turnlog
from turnlog import BotUttered, UserUttered
from turnlog.bots import LoadedBot, load
from turnlog.errors import BotError
from turnlog.replay import replay
from turnlog.replay.running import workers

BOT = """
import os
async def bot(conversation, message):
    print("thinking")
    os.write(1, b"aloud")
    return ["yes" if conversation.id != "c7" else "no"]
"""

SCRIPT = """
import turnlog, turnlog.bots, turnlog.replay
{bot}
with turnlog.open("sqlite:///turnlog.db", readonly=True) as log:
    for one in turnlog.replay.replay(log, log.ids(), "{name}", jobs=2):
        print(one.conversation, len(one.divergences))
"""
"""Without a main guard."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mybot.py").write_text(BOT)
    with turnlog.open("sqlite:///turnlog.db") as log:
        for n in range(40):
            log.record(f"c{n}", UserUttered("is it?"), BotUttered("yes"))
    return tmp_path


def ran(folder: Path, name: str, bot: str = "") -> tuple[int, str, str]:
    (folder / "script.py").write_text(SCRIPT.format(name=name, bot=bot))
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_a_script_needs_no_main_guard(folder: Path):
    status, out, err = ran(folder, "mybot:bot")
    assert status == 0, err
    assert out.splitlines() == [
        f"{id} {int(id == 'c7')}" for id in sorted(f"c{n}" for n in range(40))
    ]


def test_the_prints_of_a_bot_in_a_process_go_to_stderr(folder: Path):
    assert "thinking" in ran(folder, "mybot:bot")[2]
    assert "aloud" in ran(folder, "mybot:bot")[2]


def test_a_bot_defined_in_the_running_script_is_refused(folder: Path):
    status, out, err = ran(folder, "__main__:bot", BOT)
    assert (status, out) == (1, "")
    assert err.endswith(
        "BotError: bot '__main__:bot' is defined in the running script;"
        " put it in a module, which every process can load\n"
    )


def test_a_function_stays_in_this_process(folder: Path):
    async def bot(conversation: object, message: UserUttered) -> str:
        return "yes"

    with turnlog.open("sqlite:///turnlog.db") as log:
        assert len(list(replay(log, log.ids(), LoadedBot(bot), jobs=1))) == 40
        with pytest.raises(BotError, match="passed as a function"):
            list(replay(log, log.ids(), LoadedBot(bot), jobs=2))


@pytest.mark.parametrize("jobs", [0, 1, 3])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_results_come_in_the_order_of_the_ids(folder: Path, jobs: int, concurrency: int):
    with turnlog.open("sqlite:///turnlog.db") as log:
        ids = sorted(log.ids(), reverse=True)
        found = list(replay(log, ids, load("mybot:bot"), jobs=jobs, concurrency=concurrency))
    assert [one.conversation for one in found] == ids
    assert [one.conversation for one in found if one.divergences] == ["c7"]


def test_the_processes_end_when_the_caller_stops_reading(folder: Path):
    (folder / "mybot.py").write_text(
        "import os\nasync def bot(c, m):\n"
        "    open(f'pid{os.getpid()}', 'w').close()\n    return 'yes'"
    )
    with turnlog.open("sqlite:///turnlog.db") as log:
        results = replay(log, log.ids(), "mybot:bot", jobs=2)
        next(results)
        results.close()
    pids = [int(path.name.removeprefix("pid")) for path in folder.glob("pid*")]
    assert pids
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


NOTES_ITS_PROCESS = """
import asyncio, os
async def bot(c, m):
    open(f"pid{os.getpid()}", "w").close()
    await asyncio.sleep(0.3)
    return "yes"
"""


@pytest.mark.parametrize(
    ("patience", "worth_it", "processes"), [(600, 600, 1), (0.01, 600, 2), (600, 0.001, 2)]
)
def test_a_process_is_started_only_when_it_is_worth_it(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    patience: float,
    worth_it: float,
    processes: int,
):
    """Another one starts where work waits longer than that, or where so much of it is left."""
    monkeypatch.setattr(workers, "PATIENCE_SECONDS", patience)
    monkeypatch.setattr(workers, "WORTH_IT_SECONDS", worth_it)
    (folder / "mybot.py").write_text(NOTES_ITS_PROCESS)
    with turnlog.open("sqlite:///turnlog.db") as log:
        ids = [f"c{n}" for n in range(18)]
        assert len(list(replay(log, ids, "mybot:bot", jobs=2))) == 18
    assert len(list(folder.glob("pid*"))) == processes
