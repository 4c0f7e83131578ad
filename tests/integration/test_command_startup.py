"""What a command loads: heavy packages only where they are used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import turnlog

HEAVY = {
    "asyncio", "eventsourcing", "hypothesis", "jsonpickle", "msgspec", "psycopg", "pyarrow",
    "pydantic", "rich", "sqlite3", "typer", "yaml",
}  # fmt: skip

LOADED = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))
"""


def loaded(code: str, *arguments: str) -> set[str]:
    """The heavy packages that a Python has loaded when it ends."""
    ran = subprocess.run(
        [sys.executable, "-c", LOADED + code, *arguments],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return HEAVY & set(json.loads(ran.stderr.splitlines()[-1]))


COMMAND = "from turnlog.cli import main; main()"


@pytest.fixture
def db(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as log:
        log.record("alice", turnlog.UserUttered("hi"), turnlog.SlotSet("city", "Rome"))
    return url


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded("import turnlog") == set()
    assert loaded("from turnlog import UserUttered") == {"msgspec"}


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["serve", "--help"], ["--version"]])
def test_help_loads_no_log(arguments: list[str]) -> None:
    assert loaded(COMMAND, *arguments) == {"typer"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "--json"],
        ["list", "--where", "slot.city=Rome"],
        ["show", "alice"],
        ["log", "alice"],
        ["why", "alice", "city"],
        ["stats"],
    ],
)
def test_a_reading_command_loads_only_the_log(db: str, arguments: list[str]) -> None:
    assert loaded(COMMAND, *arguments, "--db", db) <= {
        "typer", "msgspec", "eventsourcing", "sqlite3",
    }  # fmt: skip
