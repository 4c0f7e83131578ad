"""`turnlog export` and `turnlog datasets` on PostgreSQL, and on a sealed log."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import BotUttered, SlotSet, UserUttered
from turnlog.domain import events as e
from turnlog.training.running import processes

PERSON = "ann@example.com"


@pytest.fixture(params=["sealed", "postgres"])
def db(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path / 'log.db'}?synchronous=OFF"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    else:
        monkeypatch.setenv("TURNLOG_KEYS", f"sqlite:///{tmp_path / 'keys.db'}")
    monkeypatch.setenv("TURNLOG_DB", url)
    monkeypatch.setattr(processes, "AT_ONCE", 2)
    monkeypatch.chdir(tmp_path)
    return url


def record(db: str) -> None:
    with turnlog.open(db, keys=os.environ.get("TURNLOG_KEYS"), clock=lambda: 1000.0) as log:
        for number in range(6):
            id, user = f"c{number}", PERSON if number % 3 == 0 else f"user {number}"
            log.record(id, e.UserIdentified(user), UserUttered(f"a table in Rome for {user}"))
            log.record(id, e.MessageUnderstood(e.Intent("book")), SlotSet("city", "Rome"))
            log.record(id, BotUttered(f"Rome it is, {user}, call +49 30 901820{number}"))
            log.record(id, e.MessageRated(5, "up"))
        log.fork("c0", event=2, as_="d")
        log.record("d", BotUttered("Rome?"), e.MessageRated(4, "down"))


def examples(name: str) -> list[Any]:
    noted = json.loads(Path(f"{name}.manifest.json").read_text())
    return [x["conversation"] for x in noted["examples"]]


def test_an_export_redacts_selects_removes_a_person_and_is_listed(db: str) -> None:
    record(db)
    asked = ("export", "--format", "openai", "--ids", "keep", "--redact", "--where")
    where = 'slot.city=Rome,intent=book,"rating=up",after=1970-01-01T00:00+00:00'
    for name, more in (("one", ()), ("two", ("--jobs", 2))):
        ran = run(*asked, where, "--out", name, *more)
        assert ran.status == 0, ran.err
    assert Path("one").read_bytes() == Path("two").read_bytes()
    ids = examples("one")
    assert sorted(ids) == [f"c{number}" for number in range(6)]
    assert PERSON not in Path("one").read_text()
    ran = run("export", "--without", PERSON, "one.manifest.json", "--out", "less")
    assert ran.status == 0, ran.err
    lines = zip(Path("one").read_bytes().splitlines(), ids, strict=True)
    kept = [line for line, id in lines if id not in ("c0", "c3")]
    assert Path("less").read_bytes().splitlines() == kept
    assert run("export", "--verify", "less.manifest.json").status == 0
    theirs = run("datasets", "--of", PERSON, "--json").lines
    assert [sorted(x["theirs"]) for x in theirs] == [["c0", "c3"], ["c0", "c3"]]
    pairs = ("--format", "trl", "--type", "preference", "--ids", "keep")
    assert run("export", *pairs, "--out", "pairs").status == 0
    assert examples("pairs") == ["d"]
