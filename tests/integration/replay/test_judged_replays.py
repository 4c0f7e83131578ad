"""Given a judge in the rules, then a replay asks it, in any process."""

from __future__ import annotations

from pathlib import Path

import pytest

import turnlog
from tests.command_line import Ran, run
from turnlog import BotUttered, UserUttered

BOT = "async def bot(conversation, message): return 'hello there'"
JUDGES = """
def begins_alike(expected, actual): return expected.split()[0] == actual.split()[0]
def broken(expected, actual): return expected["text"]
def leaves(expected, actual): raise SystemExit(0)
"""


@pytest.fixture(autouse=True)
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module with a bot and judges."""
    name = f"team_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(BOT + JUDGES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with turnlog.open("sqlite:///log.db") as log:
        for id in "abc":
            log.record(id, UserUttered("hi"), BotUttered("hello you"))
    return name


def judged(team: str, judge: str, *options: object) -> Ran:
    Path("rules.toml").write_text(f"[[allow]]\njudge = '{team}:{judge}'\n")
    how = ("--rules", "rules.toml", "--db", "sqlite:///log.db", *options)
    return run("replay", "--all", "--bot", f"{team}:bot", *how)


@pytest.mark.parametrize("options", [(), ("--jobs", 2), ("--concurrency", 2)])
def test_a_judge_decides_whether_the_replay_differs(team: str, options: tuple[object, ...]):
    assert run("replay", "--all", "--bot", f"{team}:bot", "--db", "sqlite:///log.db").status == 1
    assert judged(team, "begins_alike", *options).status == 0


@pytest.mark.parametrize("options", [(), ("--jobs", 2), ("--concurrency", 2)])
@pytest.mark.parametrize(
    ("judge", "says"),
    [
        ("broken", "raised TypeError"),
        ("leaves", "raised SystemExit"),
        ("mistyped", "cannot be loaded"),
    ],
)
def test_an_error_of_the_judge_is_status_2_and_names_it(
    team: str, judge: str, says: str, options: tuple[object, ...]
):
    ran = judged(team, judge, *options, "--json")
    assert (ran.status, ran.out) == (2, "")
    assert f"judge '{team}:{judge}' {says}" in ran.err
    assert "Traceback" not in ran.err


def test_a_mistyped_judge_is_found_when_nothing_differs(team: str):
    Path(f"{team}.py").write_text("async def bot(conversation, message): return 'hello you'")
    ran = judged(team, "mistyped")
    assert (ran.status, "cannot be loaded" in ran.err) == (2, True)
