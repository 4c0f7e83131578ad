"""Given a bot team's test that uses the fixture `replay`, then each group is a separate test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

import turnlog
from tests.command_line import run
from turnlog import ActionExecuted, BotUttered, UserUttered

pytest_plugins = ["pytester"]

BOT = """
    __version__ = "2.1"
    async def bot(conversation, message):
        if message.text == "no":
            return [conversation.slots["people"]]
        return [f"hello {message.text}"]
"""
TEST = """
    def test_it(replay):
        replay("sqlite:///log.db", "shop:bot"{options})
"""


@pytest.fixture
def modules() -> Iterator[dict[str, ModuleType]]:
    """Keeps what a test imports: pytester forgets it, and a module loaded twice is two modules."""
    loaded: dict[str, ModuleType] = {}
    yield loaded
    sys.modules.update(loaded)


@pytest.fixture
def team(
    modules: dict[str, ModuleType], pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.Pytester]:
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # loading all of them takes seconds
    pytester.makepyfile(shop=BOT)
    with turnlog.open("sqlite:///log.db") as log:
        for id in "abc":
            log.record(id, UserUttered("7"), BotUttered("hello 7"))
            log.record(id, UserUttered("8"), BotUttered("hallo 8" if id != "c" else "hello 8"))
        log.record("a", UserUttered("no"), BotUttered("hm"))
    yield pytester
    modules.update(sys.modules)


def ran(team: pytest.Pytester, options: str = "", *arguments: str) -> pytest.RunResult:
    team.makepyfile(test_team=TEST.format(options=options))
    return team.runpytest_subprocess(
        "-p", "turnlog.testing.replay", "-p", "no:cacheprovider", "test_team.py", *arguments
    )


def test_each_group_is_a_failed_test(team: pytest.Pytester):
    outcome = ran(team, ", jobs=2", "--junitxml", "out.xml")
    outcome.assert_outcomes(failed=3)
    outcome.stdout.fnmatch_lines(["2 of 3 conversations diverge: 2 groups"])
    outcome.stdout.fnmatch_lines([
        "FAILED test_team.py::test_it?text BotUttered “hallo” → “hello”?*",
        "FAILED test_team.py::test_it?error KeyError*",
    ])  # fmt: skip
    assert "conversation.slots" in outcome.stdout.str()
    cases = list(ElementTree.parse("out.xml").iter("testcase"))
    assert len(cases) == 3
    reported = [
        {each.get("name"): each.get("value") for each in case.iter("property")} for case in cases
    ]
    assert {properties["version"] for properties in reported} == {"2.1"}
    groups = [(each["conversations"], each["turns"]) for each in reported if "group" in each]
    assert groups == [("2", "2"), ("1", "1")]
    assert all(float(case.get("time") or 0) > 0 for case in cases)
    assert [str(case.get("name"))[:13] for case in cases] == [
        "test_it",
        "test_it[text ",
        "test_it[error",
    ]


def test_rules_and_the_accepted_list_apply_to_the_fixture(team: pytest.Pytester):
    Path("rules.toml").write_text("[[allow]]\ntext = ['hallo 8', 'hello 8']\n")
    outcome = ran(team, ", rules='rules.toml'")
    outcome.assert_outcomes(failed=2)
    kept = ("--out", "run.jsonl", "--rules", "rules.toml", "--db", "sqlite:///log.db")
    run("replay", "--all", "--bot", "shop:bot", *kept)
    assert run("accept", "run.jsonl", "--group", "error", "--note", "known").status == 0
    ran(team, ", rules='rules.toml', accepted='accepted.toml', jobs=1").assert_outcomes(passed=1)
    ran(team, ", ids=['c'], masks=['x']").assert_outcomes(passed=1)


def test_a_parametrised_test_names_parameter_and_group(team: pytest.Pytester):
    team.makepyfile(
        test_team="""
        import pytest
        @pytest.mark.parametrize("id", ["a", "c"])
        def test_it(replay, id):
            replay("sqlite:///log.db", "shop:bot", [id])
    """
    )
    outcome = team.runpytest_subprocess("-p", "turnlog.testing.replay", "-v")
    outcome.assert_outcomes(passed=1, failed=3)
    outcome.stdout.fnmatch_lines(["FAILED test_team.py::test_it?a-text BotUttered*"])


def test_a_replay_of_nothing_is_not_a_success(team: pytest.Pytester):
    with turnlog.open("sqlite:///log.db") as log:
        log.record("d", ActionExecuted("listen"))
    outcome = ran(team, ", ids=['d']")
    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines(["*BotError: nothing was replayed*"])


def test_a_worker_of_xdist_reports_all_groups_in_one_test(team: pytest.Pytester):
    outcome = ran(team, "", "-p", "xdist", "-n", "1")
    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines(["*2 of 3 conversations diverge*", "*“hallo” → “hello”*"])


def test_a_bot_may_be_a_function_of_the_test(team: pytest.Pytester):
    team.makepyfile(
        test_team="""
        def bot(conversation, message):
            return "hello 7"
        def test_same(replay):
            replay("sqlite:///log.db", bot, masks=[r"h.llo [0-9]", "hm"])
        def test_other(replay):
            replay("sqlite:///log.db", bot)
    """
    )
    outcome = team.runpytest_subprocess("-p", "turnlog.testing.replay")
    assert outcome.ret == 1
    outcome.stdout.fnmatch_lines(["*test_other?text BotUttered*"])
