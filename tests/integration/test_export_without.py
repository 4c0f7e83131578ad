"""`turnlog export --without`: an old export again without a person; `turnlog datasets`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import Ran, run
from turnlog import BotUttered, SlotSet, UserUttered
from turnlog.domain import events as e
from turnlog.serializers.formats import codec, names
from turnlog.serializers.trl import rows

PERSON = "alice@example.org"
THEIRS = {"a0", "a1", "a2", "a0-fork", "both", "alias"}
LINES = {"openai", "openai-dpo", "trl", "jsonl", "atif"}
WRITABLE = [(name,) for name in names() if codec(name).writes and name != "naif"]
"""naif writes only conversations recorded by naif."""
TYPES = [("trl", "--type", type) for type in rows.TYPES]


@pytest.fixture
def db(working_log: str) -> str:
    """Conversations of alice (also known as al), of others, with both, and forks."""
    with turnlog.open(working_log, clock=lambda: 1000.0) as log:
        for number in range(3):
            talk(log, f"a{number}", PERSON)
            talk(log, f"b{number}", "bob")
            talk(log, f"z{number}", f"somebody {number}")
        log.record("alias", e.UserIdentified("al"))
        talk(log, "alias", "al")
        talk(log, "both", "bob")
        talk(log, "both", PERSON)
        log.fork("a0", turn=1, as_="a0-fork")
        talk(log, "a0-fork", PERSON, "going on")
        log.fork("b0", turn=1, as_="b0-fork")
        talk(log, "b0-fork", "bob", "going on")
        log.record("z0", e.IdentityMerged("somebody 0", "someone else"))
        log.record("a2", e.IdentityMerged(PERSON, "al"))
        for id in ("a1", "b1", "z1", "z2"):
            log.record(id, e.MessageRegenerated(5, f"a better answer in {id}"))
            log.record(id, e.MessageRated(5, "up"))
    return working_log


def talk(log: turnlog.Turnlog, id: str, user: str, about: str = "a table") -> None:
    log.record(id, e.UserIdentified(user), UserUttered(f"{about} in {id}, for {user[:3]}"))
    log.record(id, e.MessageUnderstood(e.Intent("book"), (e.Entity("of", id, None, None),)))
    log.record(id, SlotSet("place", id), BotUttered(f"{about} in {id} is booked"))


def export(format: str, out: str, *more: object) -> Ran:
    return run("export", "--format", format, "--out", out, "--ids", "keep", *more)


def note(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def is_theirs(entry: dict[str, Any]) -> bool:
    """Without bob's conversations from before the person came."""
    return entry["conversation"] in THEIRS - {"both"} or (
        entry["conversation"] == "both" and entry["events"][1] > 5
    )


def is_part_of(lines: list[bytes], of: list[bytes]) -> bool:
    """Whether all appear in order, apart from commas between values."""
    left = iter([line.rstrip(b",") for line in of])
    return all(line.rstrip(b",") in left for line in lines)


def as_it_is(db: str) -> None:
    pass


def deleted(db: str) -> None:
    with turnlog.open(db) as log:
        for id in ("a0-fork", "a0", "a1"):
            log.delete(id)


def erased(db: str) -> None:
    done = run("erase", "--person", PERSON, "--reason", "asked", "--actor", "carla", "--no-vacuum")
    assert done.status == 0


@pytest.mark.parametrize("change", [as_it_is, deleted, erased])
@pytest.mark.parametrize(("format", "more"), [(x[0], x[1:]) for x in (*WRITABLE, *TYPES)])
def test_all_examples_remain_except_the_persons(db, tmp_path, format, more, change):
    export(format, "old", *more)
    old = note(tmp_path / "old.manifest.json")
    content = (tmp_path / "old").read_bytes()
    others = [entry for entry in old["examples"] if not is_theirs(entry)]
    assert 0 < len(others) < len(old["examples"])
    change(db)
    ran = run("export", "--without", PERSON, "old.manifest.json", "--out", "new", "--json")
    assert ran.status == 0, ran.err
    new = note(tmp_path / "new.manifest.json")
    check_what_is_gone(old, new, change)
    renamed = [{**entry, "file": "new"} for entry in others]
    same = change is erased and format == "rasa-domain"  # what is left of both declares as much
    assert [x for x in new["examples"] if not (same and is_theirs(x))] == renamed
    gone = len(old["examples"]) - len(new["examples"])
    assert new["revoked"]["examples"] + new["revoked"]["gone"] == gone
    assert PERSON not in (tmp_path / "new.manifest.json").read_text()
    lines = (tmp_path / "new").read_bytes().splitlines()
    if format in LINES:
        before = zip(content.splitlines(), old["examples"], strict=True)
        assert lines == [line for line, example in before if example in others]
    elif format not in {"parquet", "naif"}:
        assert is_part_of(lines, content.splitlines())
    assert (tmp_path / "old").read_bytes() == content
    assert run("export", "--verify", "new.manifest.json").status == 0
    again = run("export", "--without", PERSON, "new.manifest.json", "--out", "third")
    assert again.status == 0
    assert (tmp_path / "third").read_bytes() == (tmp_path / "new").read_bytes()


def check_what_is_gone(old: dict[str, Any], new: dict[str, Any], change: Any) -> None:
    """Verifying the old manifest names exactly the examples that the log no longer gives."""
    found = run("export", "--verify", "old.manifest.json", "--json").json["findings"]
    kept = {(x["conversation"], *x["events"], x["sha256"]) for x in new["examples"]}
    gone = [
        x for x in old["examples"] if (x["conversation"], *x["events"], x["sha256"]) not in kept
    ]
    if change is not erased:
        there = {"a0-fork", "a0", "a1"} if change is deleted else set()
        gone = [x for x in gone if x["conversation"] in there]
    named = [(x["conversation"], x["events"]) for x in found]
    assert sorted(named) == sorted((x["conversation"], x["events"]) for x in gone)


@pytest.mark.parametrize("change", [deleted, erased])
def test_verify_of_the_old_manifest_names_exactly_the_missing_examples(db, tmp_path, change):
    """Although near-duplicates of removed conversations would now be in another part."""
    with turnlog.open(db) as log:
        for number in range(12):
            said = f"the very same words that somebody said about {'parcel' * 3} and letters"
            log.record(f"{'a1' if not number else f'n{number}'}", UserUttered(said))
            log.record(f"{'a1' if not number else f'n{number}'}", BotUttered("I see, all of it."))
    assert export("openai", "old", "--split", "train=0.5,test=0.5", "--allow-leaks").status == 0
    manifest = tmp_path / "old" / "manifest.json"
    assert run("export", "--verify", manifest).status == 0
    change(db)
    ran = run("export", "--verify", manifest, "--json")
    gone = {"a0", "a0-fork", "a1"} if change is deleted else THEIRS
    assert {found["conversation"] for found in ran.json["findings"]} == gone
    assert len(ran.json["findings"]) == len(gone)


def test_parts_are_those_of_the_old_manifest(db, tmp_path):
    """Near-duplicates of the person's conversations do not move."""
    with turnlog.open(db) as log:
        for number in range(12):
            user = PERSON if number == 0 else f"friend {number}"
            said = f"the very same words that somebody said about {'parcel' * 3} and letters"
            log.record(f"n{number}", e.UserIdentified(user), UserUttered(said), BotUttered("Yes."))
    split = ("--split", "train=0.5,test=0.5", "--by", "user", "--allow-leaks")
    assert export("openai", "old", *split).status == 0
    assert run("export", "--without", PERSON, "old/manifest.json", "--json").status == 0
    for part in ("train.jsonl", "test.jsonl"):
        old, new = (tmp_path / folder / part for folder in ("old", "old.without"))
        left = [
            x for x in old.read_text().splitlines() if json.loads(x)["id"] not in {*THEIRS, "n0"}
        ]
        assert left
        assert new.read_text().splitlines() == left
    assert run("export", "--verify", "old.without/manifest.json").status == 0


def test_card_and_counts_say_that_a_person_was_removed(db, tmp_path):
    export("openai", "old.jsonl")
    ran = run("export", "--without", PERSON, "old.jsonl.manifest.json")
    assert "examples in " in ran.out
    assert "old.without.jsonl" in ran.out
    assert f"left out: {len(THEIRS)} examples of the person" in ran.err
    old, new = (note(tmp_path / f"{name}.jsonl.manifest.json") for name in ("old", "old.without"))
    assert new["query"] == {"ids": None, "where": None}
    assert new["options"] == {**old["options"], "pinned": True}
    assert new["files"]["old.without.jsonl"]["examples"] == len(old["examples"]) - len(THEIRS)
    assert new["lost"]["UserIdentified"] < old["lost"]["UserIdentified"]


def test_requested_ids_do_not_name_the_person_again(db, tmp_path):
    export("openai", "old", "a0", "b0", "--where", "slot.place=a0")
    run("export", "--without", PERSON, "old.manifest.json", "--out", "new")
    assert '"a0"' not in (tmp_path / "new.manifest.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((PERSON, "nowhere.json"), "No such file"),
        ((PERSON,), "the manifest of one export"),
        ((PERSON, "old.manifest.json", "b0"), "the manifest of one export"),
        ((PERSON, "old"), "not a manifest of an export"),
        (("unknown", "old.manifest.json"), "unknown"),
        ((PERSON, "old.manifest.json", "--out", "old"), "the old export"),
    ],
)
def test_an_export_that_cannot_be_made_again_is_one_line_and_leaves_nothing(
    db, tmp_path, arguments, why
):
    export("openai", "old")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    ran = run("export", "--without", *arguments)
    assert ran.status == 2
    assert why in ran.err
    assert {path.name for path in tmp_path.iterdir()} == {*before}
    assert (tmp_path / "old").read_bytes() == before["old"]


def test_a_manifest_of_another_log_is_refused(db, tmp_path):
    export("openai", "old")
    other = f"sqlite:///{tmp_path / 'other.db'}"
    with turnlog.open(other) as log:
        for _ in range(40):
            talk(log, "a0", PERSON)
            talk(log, "b0", "bob")
    ran = run("export", "--without", PERSON, "old.manifest.json", "--out", "new", "--db", other)
    assert ran.status == 2
    assert "none of its examples" in ran.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("change", [as_it_is, deleted, erased])
def test_datasets_lists_exports_and_the_people_in_them(db, tmp_path, change):
    assert run("datasets", "--json").lines == []
    export("openai", "one", "--to", "the trainer")
    export("openai", "two", "b0", "--to", "the trainer")
    export("jsonl", "three", "a0", "b0", "--unrecorded")
    export("jsonl", "four", "a0", "b0")
    change(db)
    lines = run("datasets", "--json").lines
    said = [(x["recipient"], x["format"], x["conversations"]) for x in lines]
    count = len(note(tmp_path / "one.manifest.json")["examples"])
    assert said == [
        ("the trainer", "openai", count), ("the trainer", "openai", 1), ("not named", "jsonl", 2),
    ]  # fmt: skip
    assert lines[0]["export"] == note(tmp_path / "one.manifest.json")["export"]
    theirs = run("datasets", "--of", PERSON, "--json").lines
    assert [x["export"] for x in theirs] == [lines[0]["export"], lines[2]["export"]]
    assert [len(x["theirs"]) + x["erased"] for x in theirs] == [len(THEIRS), 1]
    if change is not erased:
        assert [{*x["theirs"]} for x in theirs] == [THEIRS, {"a0"}]
    assert run("datasets", "--of", "unknown").status == 2
