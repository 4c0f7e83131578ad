"""`turnlog subject`: a person gets their own data from every conversation, and no one else's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import Ran, run
from tests.unit.test_audit_report import HOSTILE, Page
from turnlog import (
    BotUttered,
    IdentityMerged,
    MessageRedacted,
    SlotSet,
    UserIdentified,
    UserUttered,
    Versions,
)


@pytest.fixture
def db(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url, clock=lambda: 1_767_690_000.0) as log:
        log.record("alone", UserIdentified("ann"), UserUttered("for two", channel="whatsapp"))
        log.record("alone", SlotSet("people", 2, cause=2, versions=Versions(model="gpt-9")))
        log.record("shared", UserUttered("no one yet"), UserIdentified("bob"), UserUttered("bob's"))
        log.record("shared", SlotSet("secret", "bob's too"), UserIdentified("ann@x"))
        log.record("shared", IdentityMerged("ann@x", "ann"), UserUttered("ann's own"))
        log.record("ann", UserUttered("by her id"), BotUttered("hello"))
        log.record("gone", UserIdentified("ann"), UserUttered("deleted words"))
        log.delete("gone", actor="Eva")
        log.record("gone", UserIdentified("ann"), UserUttered("a new life"))
        log.record("another's", UserIdentified("bob"), UserUttered("none of hers"))
    return url


def asked(db: str, person: str, out: Path, *options: str) -> Ran:
    return run("subject", person, "--out", out, "--db", db, "--json", *options)


def given(out: Path) -> Any:
    return json.loads((out / "subject.json").read_bytes())


def texts(pack: Any) -> list[str]:
    return [e["text"] for c in pack["conversations"] for e in c["events"] if "text" in e]


def test_she_gets_all_her_data_from_every_conversation_and_life(db: str, tmp_path: Path):
    ran = asked(db, "ann", tmp_path / "pack")
    assert (ran.status, ran.json["conversations"]) == (0, 4)
    pack = given(tmp_path / "pack")
    assert pack["names"] == ["ann", "ann@x"]
    assert sorted(texts(pack)) == sorted(
        [
            "for two",
            "ann's own",
            "deleted words",
            "a new life",
            "by her id",
            "hello",
        ]
    )
    lives = [(c["conversation"], c["life"], c["deleted"]) for c in pack["conversations"]]
    assert sorted(lives) == [
        ("alone", 1, False), ("ann", 1, False), ("gone", 1, True), ("gone", 2, False),
        ("shared", 1, False),
    ]  # fmt: skip


def test_she_is_found_by_any_of_her_names(db: str, tmp_path: Path):
    asked(db, "ann", tmp_path / "one")
    asked(db, "ann@x", tmp_path / "other")
    one, other = given(tmp_path / "one"), given(tmp_path / "other")
    assert {*texts(one)} - {"by her id", "hello"} == {*texts(other)} - {"by her id", "hello"}


def test_no_file_contains_another_persons_data(db: str, tmp_path: Path):
    assert asked(db, "ann", tmp_path / "pack", "--letter").status == 0
    for path in (tmp_path / "pack").iterdir():
        content = path.read_text()
        assert not any(word in content for word in ("bob's", "no one yet", "none of hers"))
    shared = next(
        c for c in given(tmp_path / "pack")["conversations"] if c["conversation"] == "shared"
    )
    assert shared["events about others"] == 4


def test_a_redaction_stays(db: str, tmp_path: Path):
    with turnlog.open(db) as log:
        log.record("alone", MessageRedacted(2))
    asked(db, "ann", tmp_path / "pack", "--letter")
    assert all("for two" not in p.read_text() for p in (tmp_path / "pack").iterdir())


def test_the_letter_explains_in_sentences(db: str, tmp_path: Path):
    asked(db, "ann", tmp_path / "pack", "--letter", "--slot", "people")
    letter = Page((tmp_path / "pack" / "letter.html").read_bytes()).text
    assert "people = 2 was recorded 2026-01-06 09:00:00Z by bot (event 3)" in letter
    assert "after user said “for two” (event 2). It ran model gpt-9." in letter
    assert "day" not in letter.partition("Conversation")[2].partition("Each sentence")[0]


@pytest.mark.parametrize("person", ["stranger", "", "anna", "ANN"])
def test_an_unknown_person_is_named_and_gets_no_file(db: str, tmp_path: Path, person: str):
    ran = asked(db, person, tmp_path / "pack")
    assert ran.status == 2
    assert not (tmp_path / "pack").exists()


def test_hostile_words_are_inert(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as log:
        for text in HOSTILE:
            log.record(text, UserIdentified("ann"), UserUttered(text, channel=text))
            log.record(text, SlotSet(text, text, actor=text, versions=Versions(model=text)))
    asked(url, "ann", tmp_path / "pack", "--letter")
    allowed = (
        "html head meta title style body header h1 h2 h3 section table thead tbody tr th td div "
        "span p b s br ul li"
    )
    for name in ("subject.html", "letter.html"):
        assert Page((tmp_path / "pack" / name).read_bytes()).tags <= set(allowed.split())


def test_an_impossible_folder_is_named(db: str, tmp_path: Path):
    (tmp_path / "file").write_text("")
    ran = asked(db, "ann", tmp_path / "file" / "pack")
    assert ran.status == 2
    assert "file" in ran.err
