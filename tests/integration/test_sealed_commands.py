"""Commands on a sealed log: with its keys, without them and with other keys (ADR 19)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog import SlotSet, UserIdentified, UserUttered


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNLOG_DB", "sqlite:///chat.db")
    monkeypatch.delenv("TURNLOG_KEYS", raising=False)
    with turnlog.open("sqlite:///chat.db", keys="sqlite:///keys.db") as log:
        for name in ("ann", "bob", "cyd"):
            log.record(f"chat of {name}", UserIdentified(name), UserUttered(f"I am {name}"))
            log.record(f"chat of {name}", SlotSet("name", name), key="k")
        log.fork("chat of ann", as_="fork of ann", turn=1)
        log.view("transcript")


KEYS = ("--keys", "sqlite:///keys.db")


def test_every_command_takes_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("list", *KEYS).status == 0
    assert run(*KEYS, "show", "chat of ann").status == 0
    assert "is sealed with the key store" in run("list").err
    assert run("list").status == 2
    monkeypatch.setenv("TURNLOG_KEYS", "sqlite:///keys.db")
    assert "I am ann" in run("log", "chat of ann").out
    assert run("export", "--format", "jsonl", "--out", "out.jsonl").status == 0
    assert b"I am ann" in Path("out.jsonl").read_bytes()


def test_verify_needs_keys_for_contents_but_not_for_the_chain() -> None:
    assert run("verify", *KEYS).out.startswith("4 conversations, 10 events: no faults")
    without = run("verify")
    assert without.out.startswith("4 conversations, 10 events: no faults"), without.err
    assert "only digests are checked" in without.err
    assert run("verify", "chat of ann").status == 2


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE rows_t1 SET commitments = zeroblob(64) WHERE position = 3",
        "UPDATE rows_t1 SET skeleton = (SELECT skeleton FROM rows_t1 WHERE position = 4)"
        " WHERE position = 2",
        "UPDATE rows_t1 SET previous = zeroblob(32) WHERE position = 3",
        "DELETE FROM rows_t1 WHERE position = 5",
        "DELETE FROM rows_t1 WHERE position = 8",
        "UPDATE streams SET owner = zeroblob(32) WHERE stream ="
        " (SELECT stream FROM rows_t1 WHERE position = 2)",
        "UPDATE heads SET version = 1 WHERE version = 2",
        "UPDATE heads SET digest = zeroblob(32) WHERE version = 2",
        "UPDATE checkpoints SET digest = zeroblob(32) WHERE model = 'transcript'",
    ],
)
def test_an_edited_row_is_found_without_keys(edit: str) -> None:
    _edit(edit)
    assert run("verify").status == 1
    assert run("verify", *KEYS).status == 1


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE rows_t1 SET parts = substr(parts, 1, length(parts) - 1) || x'00'"
        " WHERE position = 2",
        "UPDATE rows_t1 SET parts = (SELECT parts FROM rows_t1 WHERE position = 4)"
        " WHERE position = 2",
        "UPDATE heads SET state = (SELECT state FROM heads ORDER BY conversation LIMIT 1)",
        "UPDATE models SET value = (SELECT value FROM models LIMIT 1)",
        "UPDATE streams SET name = (SELECT name FROM streams WHERE stream > 0 LIMIT 1)",
    ],
)
def test_an_edited_sealed_value_is_found_with_keys(edit: str) -> None:
    _edit(edit)
    found = run("verify", *KEYS)
    assert found.status == 1, found.err


def _edit(statement: str) -> None:
    with sqlite3.connect("chat.db") as database:
        database.execute(statement)
    database.close()


def test_a_backup_stays_sealed_and_needs_its_keys() -> None:
    assert run("backup", "one.db").status == 0  # a backup needs no keys
    assert run("backup", "two.db", *KEYS).status == 0
    for made in ("one", "two"):
        assert b"I am" not in Path(f"{made}.db").read_bytes()
        assert run("restore", f"{made}.db", "--db", f"sqlite:///again-{made}.db").status == 0
        again = ("--db", f"sqlite:///again-{made}.db")
        assert run("list", *again).status == 2
        assert "I am ann" in run("log", "chat of ann", *again, *KEYS).out
        assert run("verify", *again, *KEYS).status == 0
        assert run("verify", *again).status == 0


def test_rebuild_makes_the_read_models_again_with_keys() -> None:
    before = run("states", *KEYS, "--json").out
    assert run("rebuild").status == 2
    assert run("rebuild", *KEYS).status == 0
    assert run("states", *KEYS, "--json").out == before
    assert run("verify", *KEYS).status == 0


def test_verify_and_replay_in_several_processes() -> None:
    assert run("verify", *KEYS, "--jobs", "2").out.startswith("4 conversations, 10 events: no f")


def test_keys_are_rotated() -> None:
    before = Path("chat.db").read_bytes()
    assert run("keys", "rotate", *KEYS, "--json").out.startswith('{"keys":')
    assert Path("chat.db").read_bytes() == before
    assert run("verify", *KEYS).status == 0
    assert run("keys", "rotate").status == 2
    assert "no key store" in run("keys", "rotate").err


def test_a_kms_wraps_the_data_key(tmp_path: Path) -> None:
    wrapped = "sqlite:///wrapped.db?kms=file:kek"
    with turnlog.open("sqlite:///other.db", keys=wrapped) as log:
        log.record("alice", UserUttered("hi"))
    other = ("--db", "sqlite:///other.db")
    assert run("list", *other, "--keys", wrapped).status == 0
    assert run("keys", "rotate", "--keys", wrapped).status == 0
    for keys, what in (
        ("sqlite:///wrapped.db", "wrapped by a KMS"),
        ("sqlite:///wrapped.db?kms=file:absent", "absent: the key cannot be read"),
        ("sqlite:///wrapped.db?kms=none:x", "no KMS 'none' is installed"),
        ("sqlite:///keys.db?kms=file:kek", "was wrapped by another key"),
    ):
        refused = run("list", *other, "--keys", keys)
        assert (refused.status, what in refused.err) == (2, True), refused.err
    (tmp_path / "kek").write_bytes(bytes(32))
    assert "was wrapped by another key" in run("list", *other, "--keys", wrapped).err


def test_a_key_store_that_is_older_than_the_log_is_named(tmp_path: Path) -> None:
    (tmp_path / "old.db").write_bytes((tmp_path / "keys.db").read_bytes())
    with turnlog.open("sqlite:///chat.db", keys="sqlite:///keys.db") as log:
        log.record("chat of dan", UserIdentified("dan"), UserUttered("I am dan"))
    refused = run("list", "--keys", "sqlite:///old.db")
    assert (refused.status, "no key of the subject" in refused.err) == (2, True), refused.err


def test_erase_names_the_copies_out_of_reach() -> None:
    why = ("--reason", "asked to", "--actor", "dpo", "--json")
    gone = run("erase", "--person", "ann", *KEYS, *why).json
    assert not any("backups" in where for where in gone["out_of_reach"])
    assert any("copies of the key store" in where for where in gone["out_of_reach"])
    event = run("erase", "chat of bob", "--event", "2", *KEYS, *why).json
    assert any("backups" in where for where in event["out_of_reach"])
    assert run("erase", "--person", "bob", *why).status == 2  # without keys
    assert run("verify", *KEYS).status == 0
    assert run("verify").status == 0
    assert sorted(line["conversation"] for line in run("list", *KEYS, "--json").lines) == [
        "chat of bob",
        "chat of cyd",
    ]
