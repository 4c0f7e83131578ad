"""A killed export resumes where it stopped and writes the same bytes as one that was not killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import turnlog
from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.training.plan import ExportPlan
from turnlog.training.running.making import Making
from turnlog.training.write import export

CONVERSATIONS = 60
ODD = "c07"
"""Not written, because of an empty message."""


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'log.db'}"


@pytest.fixture
def log(tmp_path: Path) -> Any:
    with turnlog.open(url(tmp_path)) as log:
        for number in range(CONVERSATIONS):
            id = f"c{number:02}"
            said = (
                e.UserUttered("" if id == ODD else f"question {number}"),
                e.BotUttered("so " * 99),
            )
            log.import_dialogue(Dialogue(id, said))
        yield log


def plan(position: int, format: str) -> ExportPlan:
    return ExportPlan(format, position, skip_faulty=True)


def write(log: Any, out: Path, format: str, after: int = 0, then: Any = None) -> None:
    """then: called when so many conversations are done."""

    def progress(done: int) -> None:
        if done == after:
            then()

    export(log, plan(log.store.reader.last_position(), format), out, progress=progress)


def cut_off(log: Any, out: Path, format: str, after: int) -> None:
    """Leaves the files on the disk at the time of a kill."""
    journal = out.with_name(f".{out.name}.progress")
    left: list[bytes] = []
    write(log, out, format, after, lambda: left.append(journal.read_bytes()))
    for path in (out, out.with_name(f"{out.name}.manifest.json")):
        path.unlink()
    journal.write_bytes(left[0])


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The conversations whose examples are made from here on."""
    found: list[str] = []
    make = Making.of

    def noting(self: Making, conversation: Any) -> Any:
        found.append(conversation.id)
        return make(self, conversation)

    monkeypatch.setattr(Making, "of", noting)
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(("format", "after"), [("openai", 20), ("sharegpt", 58), ("jsonl", 40)])
def test_an_export_resumes_where_it_stopped(
    log: Any, tmp_path: Path, made: list[str], format: str, after: int
) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    for folder in (whole, resumed):
        folder.mkdir()
    write(log, whole / "out", format)
    cut_off(log, resumed / "out", format, after)
    made.clear()
    write(log, resumed / "out", format)
    assert 0 < CONVERSATIONS - len(made) <= after
    assert files(resumed) == files(whole)
    assert len(files(whole)) == 2  # and nothing else is left


def test_a_killed_process_leaves_a_journal_to_resume_from(
    log: Any, tmp_path: Path, made: list[str]
) -> None:
    out = tmp_path / "out.jsonl"
    done = subprocess.run([sys.executable, "-m", __name__, str(tmp_path), str(out)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    write(log, out, "openai")
    assert 0 < len(made) < CONVERSATIONS


def test_a_torn_record_is_made_again(log: Any, tmp_path: Path, made: list[str]) -> None:
    write(log, whole := tmp_path / "whole.jsonl", "openai")
    cut_off(log, out := tmp_path / "out.jsonl", "openai", 50)
    journal = tmp_path / ".out.jsonl.progress"
    journal.write_bytes(journal.read_bytes()[:-9] + bytes(9))
    made.clear()
    write(log, out, "openai")
    assert out.read_bytes() == whole.read_bytes()
    assert 0 < len(made) < CONVERSATIONS


def test_a_redaction_in_between_makes_everything_again(
    log: Any, tmp_path: Path, made: list[str]
) -> None:
    cut_off(log, out := tmp_path / "out.jsonl", "openai", 50)
    position = log.store.reader.last_position()
    log.record("c01", e.MessageRedacted(1))
    made.clear()
    export(log, plan(position, "openai"), out)
    assert b'question 1"' not in out.read_bytes()
    assert len(made) == CONVERSATIONS


if __name__ == "__main__":
    with turnlog.open(url(Path(sys.argv[1])), readonly=True) as opened:
        kill = partial(os.kill, os.getpid(), signal.SIGKILL)
        write(opened, Path(sys.argv[2]), "openai", 50, kill)
