"""Ctrl-C: stored conversations are reported and complete, and the same command resumes."""

from __future__ import annotations

import json
import os
import signal
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog.engine.importing import import_files

COUNT = 300


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNLOG_DB", "sqlite:///log.db")
    return tmp_path


def line(number: int) -> bytes:
    events = [{"type": "UserUttered", "text": "hi"}, {"type": "BotUttered", "text": "hello"}]
    dialogue = {"format": "turnlog/1", "conversation": f"c{number:03}", "events": events}
    return json.dumps(dialogue).encode() + b"\n"


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_import_says_what_it_has_stored(
    folder: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr("turnlog.engine.reading.PIECE_BYTES", 1000)
    file = folder / "all.jsonl"
    file.write_bytes(b"".join(map(line, range(COUNT))))
    asked: list[int] = []

    def ctrl_c(*arguments: Any, stopped: Any, **options: Any) -> Any:
        def stopping() -> bool:
            asked.append(1)
            if len(asked) == COUNT // 2:
                os.kill(os.getpid(), signal.SIGINT)
            return bool(stopped())

        return import_files(*arguments, stopped=stopping, **options)

    monkeypatch.setattr("turnlog.engine.importing.import_files", ctrl_c)
    ran = run("import", file, "--json", "--jobs", jobs)
    assert ran.status == 130
    assert 0 < ran.json["conversations"] < COUNT
    assert "interrupted" in ran.err
    assert "again to resume" in ran.err
    with turnlog.open("sqlite:///log.db") as log:
        assert len(list(log.ids())) == ran.json["conversations"]
    monkeypatch.undo()
    monkeypatch.setenv("TURNLOG_DB", f"sqlite:///{folder}/log.db")
    again = run("import", file, "--json")
    assert again.status == 0
    assert again.json["unchanged"] == ran.json["conversations"]
    assert again.json["unchanged"] + again.json["conversations"] == COUNT
    assert not active_children()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_any_other_command_ends_with_130(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("turnlog.storage.urls.recorder", pressed)
    ran = run("list")
    assert (ran.status, ran.out) == (130, "")
    assert "Traceback" not in ran.err
