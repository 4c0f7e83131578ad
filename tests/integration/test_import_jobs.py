"""`turnlog import --jobs`: several processes read, and produce the same log as a single one."""

from __future__ import annotations

import json
from itertools import count
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import msgspec
import pytest

import turnlog
from tests.command_line import run
from turnlog.encoding.binary import encode
from turnlog.engine import reading
from turnlog.engine.processes import AHEAD, in_order

HELLO = {"type": "UserUttered", "text": "hello"}
ODD = '{"type": "SlotSet", "name": "n", "value": 123456789012345678901234567890}'
TURN = {"speaker": "USER", "utterance": "hi", "frames": []}


def line(id: str, *events: Any, **more: Any) -> str:
    return json.dumps({"format": "turnlog/1", "conversation": id, "events": events, **more})


def dialogue(id: str, **turn: Any) -> dict[str, Any]:
    return {"dialogue_id": id, "services": ["s"], "turns": [TURN, TURN | turn]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of several formats, and in each something refused."""
    monkeypatch.setattr(reading, "PIECE_BYTES", 150)
    folder = tmp_path / "files"
    folder.mkdir()
    lines = [line(f"j{number}", HELLO, HELLO) for number in range(9)]
    faulty = [line("j2", HELLO), '{"format": "turnlog/1"', line("k", {"type": "Nothing"}), line("")]
    raw = line("raw", HELLO, "ODD").replace('"ODD"', ODD)
    (folder / "a.jsonl").write_text("\n".join([*lines, *faulty, raw, line("empty"), lines[0]]))
    sgd = [dialogue("s1"), dialogue("s2", speaker="OTHER"), dialogue("s3"), dialogue("s1", x=1)]
    (folder / "b.json").write_text(json.dumps(sgd, indent=1)[:-20])
    said = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "\ud800"}]
    chats = [{"id": f"o{number}", "messages": said[: 1 + number % 2]} for number in range(4)]
    (folder / "c.jsonl").write_text("\n".join(map(json.dumps, chats)))
    events = [
        {"event": "user", "text": "hi", "timestamp": 1.0},
        {"event": "strange", "timestamp": 2},
    ]
    (folder / "d.json").write_text(json.dumps({"sender_id": "r", "events": events}))
    (folder / "e.txt").write_text("nothing")
    return folder


def imported(path: Path, folder: Path, jobs: int) -> tuple[Any, ...]:
    """What the command says, and what is in the log."""
    url = f"sqlite:///{path}"
    said = run("import", folder, folder / "e.txt", "--jobs", jobs, "--db", url, "--json")
    with turnlog.open(url, readonly=True) as log:
        recorded = [(id, log.head(id)[0].position, *log.history(id).events()) for id in log.ids()]
    return said.status, said.out, said.err, encode(recorded)


def test_any_number_of_processes_produces_the_same_log(tmp_path: Path, folder: Path) -> None:
    one, two = (imported(tmp_path / f"{jobs}.db", folder, jobs) for jobs in (1, 2))
    assert one == two
    done = msgspec.json.decode(one[1])
    places = {(Path(each["file"]).name, each["line"]) for each in done["refused"]}
    assert {name for name, _ in places} == {"a.jsonl", "b.json", "c.jsonl", "e.txt"}
    assert ("a.jsonl", 11) in places
    assert done["conversations"] == 15
    assert done["unknown"]
    assert not active_children()


def test_work_is_not_taken_far_ahead() -> None:
    taken: list[int] = []
    pieces = (taken.append(number) or number for number in count())
    results = in_order(1, str, pieces)
    assert [next(results), next(results)] == ["0", "1"]
    assert len(taken) == AHEAD + 1
    results.close()
    assert not active_children()
