"""`turnlog export --ids`: pseudonyms outside the log, ids for its owner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import BotUttered, SlotSet, UserUttered
from turnlog.domain import events as e
from turnlog.serializers.formats import codec, names

IDS = [f"+43 660 00000{number}" for number in range(5)]
KEPT = {"sgd", "multiwoz"}
WRITABLE = [name for name in names() if codec(name).writes and name not in {"naif", "parquet"}]


@pytest.fixture
def db(working_log: str) -> str:
    with turnlog.open(working_log) as log:
        for number, id in enumerate(IDS):
            log.record(id, e.UserIdentified(f"u{number}"), UserUttered(f"number {number}"))
            log.record(id, e.MessageUnderstood(e.Intent("go")), SlotSet("n", number))
            log.record(id, BotUttered(f"{number} it is"), e.MessageRegenerated(5, f"{number}!"))
        log.fork(IDS[0], turn=1, as_="+43 fork")
        log.record("+43 fork", UserUttered("and on"), BotUttered("on it goes"))
        log.record("+43 fork", e.MessageUnderstood(e.Intent("on")))
        log.record("+43 empty", e.UserIdentified("no one"))
    return working_log


def export(format: str, out: str, *more: object) -> None:
    done = run("export", "--format", format, "--out", out, *more)
    assert done.status == 0, done.err


def written(folder: Path, name: str) -> str:
    return (folder / name).read_text() + (folder / f"{name}.manifest.json").read_text()


def note(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("format", WRITABLE)
def test_only_formats_that_write_records_back_contain_ids(db, tmp_path, format):
    keeps = codec(format).whole or format in KEPT
    export(format, "asked", *IDS, "+43 fork", "--skip-faulty")
    export(format, "all", "--skip-faulty")
    export(format, "kept", "--ids", "keep", "--skip-faulty")
    export(format, "named", "--ids", "pseudonyms", "--skip-faulty")
    assert ("+43" in written(tmp_path, "all")) is keeps
    assert ("+43" in written(tmp_path, "asked")) is keeps
    assert "+43" in written(tmp_path, "kept")
    assert "+43" not in written(tmp_path, "named")
    for name in ("asked", "all", "kept", "named"):
        assert run("export", "--verify", f"{name}.manifest.json").status == 0


def test_a_pseudonym_is_the_same_in_all_exports_of_one_log_only(db, tmp_path):
    export("openai", "chats")
    export("trl", "split", "--split", "train=0.5,test=0.5", "--by", "conversation")
    lines = [json.loads(line)["id"] for line in (tmp_path / "chats").read_text().splitlines()]
    of_chats = {x["conversation"] for x in note(tmp_path / "chats.manifest.json")["examples"]}
    of_split = {x["conversation"] for x in note(tmp_path / "split" / "manifest.json")["examples"]}
    assert {*lines} == of_chats == of_split
    assert len(of_chats) == 6
    with turnlog.open(f"sqlite:///{tmp_path / 'other.db'}") as log:
        log.record(IDS[0], UserUttered("hello"), BotUttered("hi"))
    export("openai", "other", "--db", f"sqlite:///{tmp_path / 'other.db'}")
    [other] = note(tmp_path / "other.manifest.json")["examples"]
    assert other["conversation"] not in of_chats


def test_the_log_finds_the_conversations_of_an_export(db, tmp_path):
    export("openai", "chats")
    lines = run("datasets", "--examples", "chats.manifest.json", "--json").lines
    assert [line["conversation"] for line in lines] == [*IDS, "+43 fork"]
    noted = note(tmp_path / "chats.manifest.json")["examples"]
    assert [line["as"] for line in lines] == [entry["conversation"] for entry in noted]
    with turnlog.open(db) as log:
        log.delete(IDS[4])
    again = run("datasets", "--examples", "chats.manifest.json", "--json").lines
    assert again == lines
    [found] = run("export", "--verify", "chats.manifest.json", "--json").json["findings"]
    assert found["conversation"] == IDS[4]
    assert run("erase", IDS[3], "--reason", "asked", "--actor", "carla").status == 0
    lines = run("datasets", "--examples", "chats.manifest.json", "--json").lines
    assert [line["conversation"] for line in lines] == [*IDS[:3], None, IDS[4], "+43 fork"]


def test_messages_to_the_owner_of_the_log_contain_its_ids(db, tmp_path):
    with turnlog.open(db) as log:
        log.record("+43 bad", UserUttered("hello"), BotUttered(""), UserUttered("?"))
    ran = run("export", "--format", "openai", "--out", "x", "--skip-faulty", "--json")
    assert [fault["conversation"] for fault in ran.json["faulty"]] == ["+43 bad"]
    assert ran.json["nothing"] == ["+43 empty"]
    assert ran.json["shared"] == {"+43 fork": 1}
    manifest = tmp_path / "x.manifest.json"
    assert "+43" not in manifest.read_text()
    with turnlog.open(db) as log:
        log.record(IDS[1], e.MessageRedacted(2))
    [found] = run("export", "--verify", manifest, "--json").json["findings"]
    assert found["conversation"] == IDS[1]


def test_a_person_can_be_removed_from_an_export_with_pseudonyms(db, tmp_path):
    for format in ("openai", "sgd"):
        export(format, "old", "--ids", "pseudonyms", "--skip-faulty")
        ran = run("export", "--without", "u1", "old.manifest.json", "--out", "new")
        assert ran.status == 0, ran.err
        old, new = (note(tmp_path / f"{name}.manifest.json")["examples"] for name in ("old", "new"))
        assert len(old) == len(new) + 1
        shas = {entry["sha256"] for entry in old}
        assert {entry["sha256"] for entry in new} < shas
        assert "+43" not in written(tmp_path, "new")
        assert run("export", "--verify", "new.manifest.json").status == 0


def test_ids_takes_one_of_two_values(db):
    ran = run("export", "--format", "openai", "--out", "x", "--ids", "none")
    assert (ran.status, "known: keep, pseudonyms" in ran.err) == (2, True)
