"""`turnlog export --jobs`: several processes write what one does, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog import BotUttered, SlotSet, UserUttered
from turnlog.domain import events as e
from turnlog.training.plan import ExportPlan
from turnlog.training.running import processes
from turnlog.training.write import export


@pytest.fixture(autouse=True)
def db(working_log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also forks, one of which holds what its origin would, and conversations that are refused."""
    monkeypatch.setattr(processes, "AT_ONCE", 2)
    with turnlog.open(working_log) as log:
        for number in range(9):
            id = f"c{number}"
            log.record(id, e.UserIdentified(f"u{number}"), UserUttered(f"number {number}"))
            log.record(id, SlotSet("n", number, extra={"what": number}))
            log.record(id, BotUttered(f"{number} it is"))
            log.record(id, *[e.ToolCalled("t", {}, call_id="x")] * (number % 4 == 3))
            log.record(id, UserUttered("and"), e.MessageEdited(3 + 1, f"{number}!"))
        log.fork("c4", turn=1, as_="a fork")
        log.record("a fork", UserUttered("and on"), BotUttered("on it goes"))
        log.delete("c6")


@pytest.mark.parametrize("jobs", [2, 3])
@pytest.mark.parametrize("format", ["openai", "jsonl", "parquet", "sgd"])
def test_any_number_of_processes_writes_the_same_bytes(
    tmp_path: Path, format: str, jobs: int
) -> None:
    asked = ("export", "--format", format, "--unrecorded", "--skip-faulty", "--out", "out")
    said, files = [], []
    for more in ((), ("--jobs", str(jobs))):
        done = run(*asked, *more)
        said.append((done.status, done.out, done.err))
        files.append([(tmp_path / name).read_bytes() for name in ("out", "out.manifest.json")])
    assert files[0] == files[1]
    assert said[0] == said[1]
    assert said[0][0] == 0
    assert files[0][1].count(b'"conversation"') >= 6


def test_several_processes_report_a_faulty_conversation_as_one_does(tmp_path: Path) -> None:
    said = [
        run("export", "--format", "openai", "--unrecorded", "--out", "out", *more)
        for more in ((), ("--jobs", "2"))
    ]
    assert said[0].status == said[1].status == 2
    assert said[0].err == said[1].err
    assert "c3" in said[0].err
    assert not (tmp_path / "out").exists()


def test_an_export_keeps_no_conversation_in_memory(working_log: str, tmp_path: Path) -> None:
    with turnlog.open(working_log) as log:
        log.current.catch_up()
    with turnlog.open(working_log, readonly=True) as log:
        plan = ExportPlan("jsonl", position=log.store.reader.last_position())
        assert export(log, plan, tmp_path / "out").files["out"].examples == 9
        kept = log.current.kept(f"c{number}" for number in range(9))
        assert not any(kept.values())
