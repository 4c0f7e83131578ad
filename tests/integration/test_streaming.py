"""The output of commands begins immediately and takes the same memory for a log of any size."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import BotUttered, HistoryReplaced, UserUttered
from turnlog.encoding import rows
from turnlog.engine.log import Turnlog

FEW, MANY = 1_500, 15_000
MORE_KB = 14_000
"""What a process may need more for ten times as much."""

STATUS = Path("/proc/self/status")
MEASURED = """
import atexit, pathlib, re, sys
from turnlog.cli import main
status = pathlib.Path("/proc/self/status")
peak = lambda: re.search("VmHWM: *(.*) kB", status.read_text().replace("\t", " "))[1]
atexit.register(lambda: print(peak(), file=sys.stderr))
main(sys.argv[1:])
"""

LISTING = {
    "list": ["list"],
    "list newest": ["list", "--newest"],
    "list newest with a limit": ["list", "--newest", "--limit", "10"],
    "list filtered": ["list", "--where", "after=2000-01-01"],
    "list searched": ["list", "--search", "hello 7"],
    "list as JSON": ["list", "--json"],
    "states": ["states"],
    "stats": ["stats"],
    "export": ["export", "--format", "jsonl", "--out", "/dev/null"],
}


def fill(log: Turnlog, conversations: Sequence[str]) -> None:
    for number, id in enumerate(conversations):
        said = [UserUttered(f"hello {number}", timestamp=float(number)), BotUttered("fine")]
        log.writer.submit(log.request(id, said))
        if number % 500 == 499:
            log.writer.flush()
    log.writer.flush()


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """A log of few conversations and one of many; in each a long one with as many turns."""
    folder, made = tmp_path_factory.mktemp("logs"), {}
    for count in (FEW, MANY):
        made[count] = f"sqlite:///{folder / f'{count}.db'}"
        with turnlog.open(f"{made[count]}?synchronous=OFF") as log:
            fill(log, [f"c{number * 7919 % count:06}" for number in range(count)])
    return made


@pytest.fixture(scope="module")
def long_ones(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    folder, made = tmp_path_factory.mktemp("long"), {}
    for count in (FEW, MANY):
        made[count] = f"sqlite:///{folder / f'{count}.db'}"
        with turnlog.open(f"{made[count]}?synchronous=OFF") as log:
            fill(log, ["long"] * count)
            log.record("long", HistoryReplaced(to=0))
    return made


def peak_kb(url: str, arguments: Sequence[str]) -> int:
    """The most memory that a command used; not from `wait4`, which counts the process that forked
    it.
    """
    if not STATUS.exists():
        pytest.skip(f"part not had: {STATUS}, which says how much memory a process had")
    command = [sys.executable, "-c", MEASURED, *arguments, "--db", url]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return int(ran.stderr.split()[-1])


@pytest.mark.parametrize("name", LISTING)
def test_ten_times_as_many_conversations_take_the_same_memory(logs: dict[int, str], name: str):
    few, many = (peak_kb(logs[count], LISTING[name]) for count in (FEW, MANY))
    assert many - few < MORE_KB


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_ten_times_as_many_events_take_the_same_memory(long_ones: dict[int, str], json: list[str]):
    few, many = (peak_kb(long_ones[count], ["log", "long", *json]) for count in (FEW, MANY))
    assert many - few < MORE_KB


def test_the_first_event_is_printed_before_the_others_are_read(
    long_ones: dict[int, str], monkeypatch: pytest.MonkeyPatch
):
    decoded: list[bytes] = []
    decode = rows._decoded

    def counted(*columns: Any) -> Any:
        decoded.append(columns[-1])
        return decode(*columns)

    with turnlog.open(long_ones[MANY], readonly=True) as log:
        conversation = log.conversation("long")
        monkeypatch.setattr(rows, "_decoded", counted)
        first = next(conversation.recorded())
    assert first.taken_back == 2 * MANY + 1
    assert 0 < len(decoded) < 100


def test_the_newest_come_first_whatever_their_ids(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'chat.db'}"
    with turnlog.open(url) as log:
        for id in ("b", "a", "c", "ü", "a"):
            log.record(id, UserUttered("hello", timestamp=1.5))
    every = [line["conversation"] for line in run("list", "--newest", "--json", "--db", url).lines]
    assert every == ["a", "ü", "c", "b"]
    two = run("list", "--newest", "--limit", "2", "--json", "--db", url).lines
    assert [line["conversation"] for line in two] == ["a", "ü"]
    whole = {line["conversation"]: line for line in run("list", "--json", "--db", url).lines}
    assert two == [whole["a"], whole["ü"]]
    assert run("list", "--newest", "--limit", "0", "--json", "--db", url).out == ""
