"""`turnlog export --split`: near-duplicates and users are in one part, and what leaks stops it."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

import turnlog
from tests.command_line import Ran, run
from tests.unit.test_near_duplicates import KINDS, talk
from turnlog import BotUttered, UserUttered
from turnlog.domain import events as e

SHARES = "train=0.6,dev=0.2,test=0.2"


@pytest.fixture
def db(working_log: str) -> str:
    return working_log


def export(out: str, *more: object) -> Ran:
    asked = ("--format", "openai", "--ids", "keep", "--split", SHARES)
    return run("export", *asked, "--out", out, *more)


def placed(folder: Path) -> dict[str, str]:
    """The part of each conversation."""
    entries = json.loads((folder / "manifest.json").read_text())["examples"]
    return {entry["conversation"]: entry["file"] for entry in entries}


def say(log: turnlog.Turnlog, id: str, *texts: str, user: str | None = None) -> None:
    identified = [e.UserIdentified(user)] if user else []
    kinds = (UserUttered, BotUttered)
    log.record(id, *identified, *(kinds[n % 2](text) for n, text in enumerate(texts)))


def plant(log: turnlog.Turnlog, ids: list[str], chance: Random) -> dict[str, str]:
    """A near-duplicate of each conversation, of the six kinds by turns; planted to original."""
    planted = {}
    for number, id in enumerate(ids):
        said = [m.text for m in log.conversation(id).messages()]
        copy = KINDS[number % len(KINDS)](said, chance)
        say(log, f"planted {id}", *copy)
        planted[f"planted {id}"] = id
    return planted


def test_500_planted_near_duplicates_of_real_dialogues_cross_no_part(db, tmp_path, shared_data):
    chance = Random(17)
    assert run("import", shared_data / "sgd/train/dialogues_subset.json").status == 0
    with turnlog.open(db) as log:
        ids = [head.conversation for head, _ in log.heads()]
        planted = plant(log, ids, chance)
    ran = export("before", "--json")
    assert (ran.status, len(planted)) == (0, 500)
    assert (ran.json["together"], ran.json["between"]) == (500, [])
    before = placed(tmp_path / "before")
    assert [id for id, origin in planted.items() if before[id] != before[origin]] == []

    more = shared_data / "multiwoz21/val_subset.json"
    assert run("import", more).status == 0
    with turnlog.open(db) as log:
        new = [head.conversation for head, _ in log.heads() if head.conversation not in before]
        plant(log, new[:250], chance)
    ran = export("after", "--json")
    assert (ran.status, ran.json["together"], ran.json["between"]) == (0, 750, [])
    after = placed(tmp_path / "after")
    assert len(after) == 1550
    assert [id for id in before if after[id] != before[id]] == []
    assert run("export", "--verify", "after/manifest.json").status == 0


def test_a_near_duplicate_of_two_parts_is_omitted_and_named(db, tmp_path):
    chance = Random(1)
    with turnlog.open(db) as log:
        for number in range(9):
            say(log, f"c{number}", *talk(chance))
    export("before")
    parts = placed(tmp_path / "before")
    other = next(id for id in parts if parts[id] != parts["c0"])
    with turnlog.open(db) as log:
        both = [m.text for id in ("c0", other) for m in log.conversation(id).messages()]
        say(log, "both", *both)
    ran = export("after", "--json")
    assert ran.status == 0
    (left,) = ran.json["between"]
    assert left["conversation"] == "both"
    assert set(left["near"]) == {"c0", other}
    assert placed(tmp_path / "after") == parts
    assert "left out, belongs in several parts: 'both'" in export("again").err
    assert run("export", "--verify", "after/manifest.json").status == 0


@pytest.mark.parametrize("more", [(), ("--by", "user")])
def test_a_user_in_two_parts_stops_the_export_unless_allowed(db, tmp_path, more):
    """By user, one whose two names were only merged in the end."""
    with turnlog.open(db) as log:
        for number in range(20):
            say(log, f"c{number}", f"number {number}", f"is {number}", user=f"u{number}")
            if not more:
                say(log, f"d{number}", f"another {number}", f"was {number}", user=f"u{number}")
        names = tuple(f"u{number}" for number in range(1, 20))
        log.record("c0", *(e.IdentityMerged(name, "u0") for name in names if more))
    ran = export("out", *more, "--json")
    assert ran.status == 2
    assert ran.json["examples"] == 0
    assert ran.json["leaking"]["user"] == len(ran.json["leaks"]) > 0
    assert not (tmp_path / "out").exists()
    named = ran.json["leaks"][0]["conversations"]
    assert f"in more than one part, the same user: {named[0]!r} and {named[1]!r}" in ran.err
    avoid = "" if more else "--by user avoids leaks, "
    assert f"nothing is written; {avoid}--allow-leaks writes them" in ran.err
    ran = export("out", *more, "--allow-leaks", "--json")
    assert (ran.status, ran.json["examples"]) == (0, 20 if more else 40)
    assert run("export", "--verify", "out/manifest.json").status == 0


def test_equal_conversations_of_few_words_are_in_one_part(db, tmp_path):
    """With a call or an instruction in between, which the check for leaks does not compare."""
    between = [(), (e.SystemInstructed("be brief"),), (e.ToolCalled("a", {"b": 1}, "c"),)]
    with turnlog.open(db) as log:
        for number in range(30):
            answered = [e.ToolReturned("d", "c", name="a")] if number % 3 == 2 else []
            said = e.UserUttered("hi"), *between[number % 3], *answered, e.BotUttered("hello")
            log.record(f"c{number}", *said)
            say(log, f"mail {number}", ("A@x.de", "a@x.de")[number % 2], "ok")
    assert export("out", "--redact", "--by", "user", "--json").json["files"]
    parts = placed(tmp_path / "out")
    assert len({part for id, part in parts.items() if id[0] == "c"}) == 1


def test_options_without_effect_are_named(db, tmp_path):
    with turnlog.open(db) as log:
        say(log, "a", "hi", "hello")
    ran = run("export", "--format", "openai", "--out", "out", "--by", "user")
    assert (ran.status, "pass --split too" in ran.err) == (2, True)
    assert "--jobs has no effect with --split" in export("out", "--jobs", "2").err


def test_parts_by_conversation_allow_users_in_several_parts(db):
    with turnlog.open(db) as log:
        for number in range(20):
            say(log, f"c{number}", f"number {number}", f"is {number}", user="u")
    ran = export("out", "--by", "conversation", "--json")
    assert (ran.status, ran.json["leaking"]) == (0, {"text": 0, "user": 1})


def test_an_old_export_without_near_duplicates_can_be_verified(db, tmp_path):
    """Its manifest does not know `together`: parts are those of the ids alone."""
    with turnlog.open(db) as log:
        for number in range(20):
            say(log, f"c{number}", "the very same words", "and answers")
    from turnlog.training.plan import ExportPlan, parts
    from turnlog.training.write import export as write

    with turnlog.open(db) as log:
        position = log.store.reader.last_position()
        totals = write(log, ExportPlan("openai", position, split=parts(SHARES)), tmp_path / "old")
    assert totals.leaking["text"] == 1
    manifest = tmp_path / "old" / "manifest.json"
    text = manifest.read_text()
    for option in (
        ',"together":false',
        ',"leak_free":false',
        '"together": 0,\n',
        '"between": [],\n',
    ):
        assert option in text
        text = text.replace(option, "")
    manifest.write_text(text)
    assert run("export", "--verify", manifest).status == 0
    assert len(set(placed(tmp_path / "old").values())) == 3
