"""Help: it fits a terminal, cuts no name, and lists known values."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import run
from turnlog.cli.app import COMMANDS
from turnlog.serializers.formats import BUILT_IN, READABLE, WRITABLE, codec


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns_and_cuts_nothing(command: str) -> None:
    ran = run(command, "--help")
    assert ran.status == 0
    assert run(command, "-h") == ran
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    assert "…" not in ran.out
    assert "..." not in ran.out.partition("Options:")[2]
    assert not re.search(r"--[a-z-]+ <bool>", ran.out)
    assert "<str>" not in ran.out.partition("Options:")[2]


def test_each_command_has_a_line_that_is_whole() -> None:
    ran = run("-h")
    listed = dict(
        line.split(maxsplit=1) for line in ran.out.partition("Commands:\n")[2].splitlines()
    )
    assert list(listed) == list(COMMANDS)
    assert all(text.endswith(".") and not text.endswith("...") for text in listed.values())


def test_formats_are_listed_in_the_help_of_format() -> None:
    for command, names in (("export", WRITABLE), ("import", READABLE)):
        words = run(command, "-h").out.replace(",", " ").replace(".", " ").split()
        assert [name for name in names if name not in words] == []


def test_formats_can_be_read_and_written_as_listed() -> None:
    assert [name for name in BUILT_IN if codec(name).reads] == READABLE
    assert [name for name in BUILT_IN if codec(name).writes] == WRITABLE


def test_replay_says_what_it_asks_for() -> None:
    assert "or --all" in run("replay", "-h").out
    assert "all if none" not in run("replay", "-h").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_installed(shell: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "SHELL": f"/bin/{shell}",
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    command = [sys.executable, "-m", "turnlog", "--install-completion", shell]
    ran = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert any("turnlog" in path.name for path in tmp_path.rglob("*"))


def test_commands_and_options_are_completed() -> None:
    for words, expected in (("turnlog ver", "verify"), ("turnlog list --wh", "--where")):
        environment = {
            **os.environ,
            "_TURNLOG_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        ran = subprocess.run(
            [sys.executable, "-m", "turnlog"],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ran.stdout.split() == [expected]
