"""Exports and imports of forks: a shared past is written once, and round-trips unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import BotUttered, MessageRedacted, SlotSet, UserUttered
from turnlog.audit.verify import verify
from turnlog.engine.log import Turnlog
from turnlog.serializers.formats import codec, names

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def say(log: Turnlog, id: str, *words: str) -> None:
    for word in words:
        log.record(id, UserUttered(f"say {word}"), SlotSet("said", word))
        log.record(id, BotUttered(f"re {word}"))


@pytest.fixture
def db(tmp_path: Path) -> str:
    """m, its forks f and w, a fork a of f, and two of a trial, which is omitted."""
    url = f"sqlite:///{tmp_path}/log.db"
    with turnlog.open(url, clock=lambda: 1000.0) as log:
        say(log, "m", "one", "two", "three")
        for origin, where, name, word in (
            ("m", {"turn": 2}, "f", "four"),
            ("f", {}, "a", "five"),
            ("m", {"turn": 1, "trial": True}, "t", "six"),
            ("t", {}, "u", "seven"),
            ("t", {}, "v", "eight"),
            ("f", {"event": 2}, "w", "nine"),
        ):
            log.fork(origin, as_=name, **where)  # type: ignore[arg-type]
            say(log, name, word)
    return url


def exported(db: str, out: Path, format: str = "jsonl", *ids: str) -> Any:
    ran = run(
        "--db", db, "export", *ids, "--format", format, "--out", out, "--json", "--ids", "keep"
    )
    assert ran.status == 0, ran.err
    return ran.json


@pytest.mark.parametrize("position", [4, 6])
@pytest.mark.parametrize("format", ["jsonl", "openai"])
def test_an_export_at_an_earlier_position_omits_later_forks(
    db: str, tmp_path: Path, format: str, position: int
) -> None:
    out = tmp_path / "out"
    asked = ("export", "--format", format, "--out", out, "--at-position", position, "--json")
    ran = run("--db", db, *asked)
    assert ran.status == 0, ran.err
    assert (ran.json["examples"], ran.json["nothing"], ran.json["shared"]) == (1, [], {})


SAYING = ["jsonl", "openai", "trl", "sharegpt", "alpaca", "rasa-tracker", "rasa-dialogue", "sgd"]


@pytest.mark.parametrize("format", [*SAYING, "multiwoz", "parquet"])
def test_a_shared_past_is_written_once(db: str, tmp_path: Path, format: str) -> None:
    shared = {"f": 2, "u": 1, "a": 3, "v": 2, "w": 1}
    assert exported(db, tmp_path / "out", format)["shared"] == shared
    manifest = json.loads((tmp_path / "out.manifest.json").read_bytes())
    assert manifest["shared"] == shared
    if format != "parquet":
        text = (tmp_path / "out").read_text()
        assert {word: text.count(f'"re {word}"') for word in WORDS} == dict.fromkeys(WORDS, 1)
    assert run("--db", db, "export", "--verify", tmp_path / "out.manifest.json").status == 0


def test_every_format_that_can_be_written_takes_forks(db: str, tmp_path: Path) -> None:
    for format in names():
        if codec(format).writes:
            assert len(exported(db, tmp_path / format, format)["shared"]) == 5


def test_a_fork_alone_contains_its_whole_past(db: str, tmp_path: Path) -> None:
    assert exported(db, tmp_path / "out", "openai", "a")["shared"] == {}
    [line] = (tmp_path / "out").read_text().splitlines()
    said = [message["content"] for message in json.loads(line)["messages"]]
    assert said[::2] == ["say one", "say two", "say four", "say five"]
    assert exported(db, tmp_path / "two", "openai", "a", "w")["shared"] == {"w": 1}


def test_parts_share_nothing(db: str, tmp_path: Path) -> None:
    out = tmp_path / "parts"
    asked = ["export", "--format", "openai", "--split", "x=0.5,y=0.5", "--out", out, "--json"]
    assert run("--db", db, *asked).json["leaking"] == {"user": 0, "text": 0}
    text = "".join(path.read_text() for path in out.glob("[xy].*"))
    assert {word: text.count(f'"re {word}"') for word in WORDS} == dict.fromkeys(WORDS, 1)


def test_stats_and_list_count_a_shared_past_once(db: str) -> None:
    counted = run("--db", db, "stats", "--json").json
    assert (counted["conversations"], counted["turns"]) == (6, 9)
    lines = run("--db", db, "list", "--json").lines
    assert {line["conversation"]: line.get("shared", {}).get("turns", 0) for line in lines} == {
        "a": 3, "f": 2, "m": 0, "t": 1, "u": 2, "v": 2, "w": 1,
    }  # fmt: skip


def seen(log: Turnlog, id: str) -> list[Any]:
    """A conversation's views, without values that differ from log to log."""
    ignored = ("origin", "position", "recorded")
    lines = [recorded.as_dict() for recorded in log.conversation(id).recorded()]
    return [{k: v for k, v in line.items() if k not in ignored} for line in lines]


def test_an_import_restores_forks(db: str, tmp_path: Path) -> None:
    with turnlog.open(db) as log:
        log.record("m", MessageRedacted(1))
    exported(db, tmp_path / "out")
    other = f"sqlite:///{tmp_path}/other.db"
    imported = run("--db", other, "import", tmp_path / "out", "--json").json
    assert (imported["conversations"], imported["refused"]) == (6, [])
    for dry in ((), ("--dry-run",)):
        again = run("--db", other, "import", tmp_path / "out", "--json", *dry).json
        assert (again["unchanged"], again["events"], again["refused"]) == (6, 0, [])
    with turnlog.open(db) as log, turnlog.open(other) as made:
        for id in "afmuvw":
            assert seen(log, id) == seen(made, id)
        assert made.conversation("f").state.lineage.shared == 6
        assert verify(made.store).faults == []
        made.delete("m")
        assert [m.text for m in made.conversation("f").messages()] == ["say four", "re four"]


def test_new_events_of_a_fork_are_imported(db: str, tmp_path: Path) -> None:
    exported(db, tmp_path / "out")
    other = f"sqlite:///{tmp_path}/other.db"
    assert run("--db", other, "import", tmp_path / "out", "--id-prefix", "x-").status == 0
    with turnlog.open(db) as log:
        say(log, "a", "ten")
    exported(db, tmp_path / "out")
    imported = run("--db", other, "import", tmp_path / "out", "--id-prefix", "x-", "--json").json
    assert (imported["extended"], imported["unchanged"], imported["refused"]) == (1, 5, [])
    with turnlog.open(other) as made:
        assert [m.text for m in made.conversation("x-a").messages()][-2:] == ["say ten", "re ten"]


def test_a_fork_without_its_origin_is_refused_by_name(db: str, tmp_path: Path) -> None:
    exported(db, tmp_path / "out")
    lines = (tmp_path / "out").read_text().splitlines(keepends=True)
    by_id = {json.loads(line)["conversation"]: json.loads(line) for line in lines}
    other = f"sqlite:///{tmp_path}/other.db"

    def refused(line: Any) -> Any:
        (tmp_path / "one").write_text(json.dumps(line) + "\n")
        ran = run("--db", other, "import", tmp_path / "one", "--json")
        [why] = ran.json["refused"]
        return why["conversation"], why["field"], why["why"]

    missing = "continues from 'm', which does not exist; import that first"
    assert refused(by_id["f"]) == ("f", "origin", missing)
    elsewhere = "names 'm', but its first event does not continue from there"
    assert refused({**by_id["f"], "first_event": 3}) == ("f", "origin", elsewhere)
    assert refused({**by_id["f"], "events": []}) == ("f", "origin", elsewhere)
    (tmp_path / "one").write_text(json.dumps({**by_id["m"], "events": by_id["m"]["events"][:4]}))
    assert run("--db", other, "import", tmp_path / "one").status == 0
    assert "event 6 does not exist" in refused(by_id["f"])[2]


def test_a_fork_of_a_deleted_origin_is_exported_without_it_and_refused_by_name(
    db: str, tmp_path: Path
) -> None:
    with turnlog.open(db) as log:
        log.delete("m")
    exported(db, tmp_path / "chats", "openai")
    text = (tmp_path / "chats").read_text()
    assert [text.count(f'"re {word}"') for word in WORDS] == [0, 0, 0, 1, 1, 1, 1, 1, 1]
    exported(db, tmp_path / "out", "jsonl", "f")
    ran = run("--db", f"sqlite:///{tmp_path}/other.db", "import", tmp_path / "out", "--json")
    [refused] = ran.json["refused"]
    assert (ran.status, refused["conversation"], refused["field"]) == (2, "f", "EventErased")
    assert "event 1 is gone" in refused["why"]


def test_a_fork_of_a_deleted_fork_is_refused_for_its_missing_past(db: str, tmp_path: Path) -> None:
    with turnlog.open(db) as log:
        log.delete("f")
    exported(db, tmp_path / "out")
    ran = run("--db", f"sqlite:///{tmp_path}/other.db", "import", tmp_path / "out", "--json")
    refused = {each["conversation"]: (each["field"], each["why"]) for each in ran.json["refused"]}
    erased = "the content of event 7 is gone, with its origin or by an erasure"
    deleted = "its past up to event 2 is gone with its origin, which was deleted"
    assert refused == {"a": ("EventErased", erased), "w": ("OriginDeleted", deleted)}
    assert ran.json["conversations"] == 3
