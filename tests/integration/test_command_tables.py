"""What commands print for people: a table on a terminal, lines with tabs elsewhere."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog.cli import output
from turnlog.cli.settings import configure

HOSTILE = "a\tb\nc\\d\\n\x1b[31m"


@pytest.fixture
def db(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url, clock=lambda: 1000.0) as log:
        log.record("alice", turnlog.UserUttered(HOSTILE), turnlog.SlotSet("city", HOSTILE))
        log.record("bob", turnlog.UserUttered("x" * 10_000))
    return url


def rows(printed: str) -> list[list[str]]:
    return [line.split("\t") for line in printed.splitlines()]


def test_a_pipe_gets_a_header_and_a_line_a_row_not_padded(db: str) -> None:
    printed = run("list", "--db", db).out
    assert rows(printed) == [
        ["conversation", "turns", "events", "started", "last", "tags"],
        ["alice", "1", "2", "1970-01-01 00:16:40Z", "1970-01-01 00:16:40Z", "[]"],
        ["bob", "1", "1", "1970-01-01 00:16:40Z", "1970-01-01 00:16:40Z", "[]"],
    ]
    assert len(run("log", "bob", "--db", db).out) < 10_200


def test_tabs_newlines_and_backslashes_are_escaped(db: str) -> None:
    header, said, _ = rows(run("log", "alice", "--db", db).out)
    assert len(said) == len(header)
    assert said[header.index("says")] == r"a\tb\nc\\d\\n\x1b[31m"
    assert ["city", r"a\tb\nc\\d\\n\x1b[31m"] in rows(run("show", "alice", "--db", db).out)


def test_rows_are_printed_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    configure(db=None, keys=None, json=False)

    def counting() -> Iterator[tuple[int]]:
        yield (1,)
        yield (2,)
        assert capsys.readouterr().out == "n\n1\n2\n"
        yield (3,)

    output.table(("n",), counting())
    assert capsys.readouterr().out == "3\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_a_terminal_gets_a_page_at_a_time(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(db=None, keys=None, json=False)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout", terminal := Terminal())

    def counting() -> Iterator[tuple[int]]:
        for n in range(count):
            assert terminal.getvalue().count("\n") >= n // 100 * 100  # what came before is out
            yield (n,)

    output.table(("n",), counting())
    lines = [line.strip() for line in terminal.getvalue().splitlines()]
    assert [line for line in lines if line != "n"] == [str(n) for n in range(count)]
    assert lines.count("n") == max(1, -(-count // 100))


def test_errors_come_before_a_header(db: str) -> None:
    ran = run("list", "--where", "nonsense", "--db", db)
    assert (ran.status, ran.out) == (2, "")
    assert run("list", "--where", "tag=none", "--db", db).out.count("\n") == 1


def test_a_printed_time_can_be_passed_back(db: str) -> None:
    started = rows(run("list", "--db", db).out)[1][3]
    assert run("show", "alice", "--at", started, "--json", "--db", db).json["event"] == 2
    assert started in run("show", "alice", "--db", db).out
    assert run("show", "alice", "--json", "--db", db).json["started"] == 1000.0


def test_a_terminal_gets_a_table_that_fits(db: str) -> None:
    printed = on_a_terminal("list", "--db", db)
    assert "\t" not in printed
    assert "1970-01-01" in printed
    assert all(len(line) <= 80 for line in printed.splitlines())


def on_a_terminal(*arguments: str) -> str:
    """The output of a command if stdout is a terminal."""
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-m", "turnlog", *arguments]
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb"}
    with subprocess.Popen(command, stdout=its_end, env=environment) as process:
        os.close(its_end)
        printed = b""
        try:
            while read := os.read(terminal, 10_000):
                printed += read
        except OSError:  # the other end is closed
            pass
        assert process.wait(30) == 0
    os.close(terminal)
    return printed.decode()
