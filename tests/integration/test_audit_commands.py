"""verify, why, replay and audit on the command line: their output and exit status."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import turnlog
from turnlog import (
    BotUttered,
    MessageRedacted,
    SlotSet,
    SlotsReset,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.cli import main

SAYS = "turnlog_says"


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two conversations with a bot that repeats its messages, and that bot as a module."""
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url, clock=lambda: 1000.0) as log:
        for id in ("alice", "bob"):
            log.record(id, UserUttered("one"), SlotSet("people", 1), BotUttered("one"))
            log.record(id, UserUttered("two"), SlotSet("people", 2), BotUttered("two"))
    (tmp_path / f"{SAYS}.py").write_text(
        "from turnlog import SlotSet\n"
        "async def bot(conversation, message):\n"
        "    return [SlotSet('people', conversation.turn), message.text]\n"
        "async def loud(conversation, message):\n"
        "    print('loud')\n"
        "    return [SlotSet('people', conversation.turn), message.text.upper()]\n"
        "async def broken(conversation, message):\n"
        "    return [conversation.slots['missing']]\n"
        "async def noted(conversation, message):\n"
        "    print(message.text, conversation.slots)\n"
        "    return [SlotSet('card', '4111'), 'Card 4111 noted']\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return url


def run(captured: pytest.CaptureFixture[bytes], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    out, err = captured.readouterr()
    return int(exited.value.code or 0), out.decode(), err.decode()


def lines(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


def tamper(db: str) -> None:
    with closing(sqlite3.connect(db.removeprefix("sqlite:///"))) as connection:
        connection.execute("UPDATE heads SET turn = 7 WHERE conversation = 'bob'")
        connection.commit()


def test_verify_reports_its_checks_and_the_faults(db, capsysbinary):
    status, out, err = run(capsysbinary, "verify", "--db", db, "--json")
    assert (status, err) == (0, "not anchored: pass --head to compare with a signed head\n")
    assert json.loads(out) == {"ok": True, "conversations": 2, "events": 12, "faults": []}
    tamper(db)
    status, out, _ = run(capsysbinary, "verify", "--db", db, "--json")
    found = json.loads(out)
    assert (status, found["ok"]) == (1, False)
    assert [(f["conversation"], f["event"]) for f in found["faults"]] == [("bob", 6)]
    assert run(capsysbinary, "verify", "alice", "--db", db)[0] == 0
    assert run(capsysbinary, "verify", "bob", "--db", db)[0] == 1
    status, out, err = run(capsysbinary, "verify", "carol", "--db", db)
    assert (status, out) == (2, "")
    assert "carol" in err


def test_why_names_the_deciding_event(db, capsysbinary):
    with turnlog.open(db) as log:
        log.record("alice", UserUtteranceReverted())
    status, out, _ = run(
        capsysbinary, "why", "alice", "people", "--at-turn", "1", "--db", db, "--json"
    )
    assert status == 0
    said, given = lines(out)
    assert (said["type"], said["text"]) == ("UserUttered", "one")
    expected = {"event": 2, "turn": 1, "type": "SlotSet", "value": 1, "actor": "bot"}
    assert given.items() >= expected.items()
    status, out, _ = run(capsysbinary, "why", "bob", "people", "--db", db, "--json")
    assert [(line["event"], line["turn"]) for line in lines(out)] == [(4, 2), (5, 2)]
    status, out, err = run(capsysbinary, "why", "bob", "peolpe", "--db", db, "--json")
    assert (status, out) == (2, "")
    assert "unknown slot 'peolpe'; did you mean 'people'?" in err
    assert run(capsysbinary, "why", "bob", "people", "--at-turn", "9", "--db", db)[0] == 2


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_replay_passes_a_bot_that_does_the_same(db, capsysbinary, jobs):
    arguments = ("replay", "--all", "--bot", f"{SAYS}:bot", "--jobs", jobs, "--db", db, "--json")
    assert run(capsysbinary, *arguments) == (0, "", "")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_replay_prints_only_json_and_writes_its_reports(db, capsysbinary, tmp_path, jobs):
    junit, page = tmp_path / "junit.xml", tmp_path / "page.html"
    arguments = ("--bot", f"{SAYS}:loud", "--jobs", jobs, "--db", db, "--json")
    files = ("--junit", str(junit), "--html", str(page))
    status, out, _ = run(capsysbinary, "replay", "alice", "bob", *arguments, *files)
    assert status == 1
    found = [line for line in lines(out) if line["kind"] != "group"]
    assert [(d["conversation"], d["turn"], d["kind"]) for d in found] == [
        ("alice", 1, "text"), ("alice", 2, "text"), ("bob", 1, "text"), ("bob", 2, "text"),
    ]  # fmt: skip
    assert found[0].keys() == {
        "conversation", "turn", "event", "message", "kind", "path", "expected", "actual", "group",
        "slots", "link",
    }  # fmt: skip
    groups = lines(out)[len(found) :]
    assert sum(group["turns"] for group in groups) == 4
    assert groups[0]["example"] == found[0]
    assert len(list(ElementTree.fromstring(junit.read_bytes()).iter("failure"))) == 2
    assert "2 conversations, 2 diverge" in page.read_text()


def test_replay_prints_the_traceback_of_a_bot_that_raises(db, capsysbinary):
    arguments = ("replay", "--all", "--bot", f"{SAYS}:broken", "--db", db)
    status, out, _ = run(capsysbinary, *arguments)
    assert status == 1
    assert "    return [conversation.slots['missing']]" in out
    assert out.count("Traceback (most recent call last)") == 1  # of the group, not of each turn


@pytest.mark.parametrize("redacted", [(1,), (3,), (1, 3)])
def test_replay_puts_no_redacted_word_into_a_report(db, capsysbinary, tmp_path, redacted):
    with turnlog.open(db) as log:
        log.record("card", UserUttered("my card is 4111"), SlotSet("card", "4111"))
        log.record("card", BotUttered("Card 4111 noted"), UserUttered("bye"), BotUttered("Bye"))
        log.record("card", SlotsReset(), UserUttered("hello"), BotUttered("Hello"))
        log.record("card", *(MessageRedacted(number) for number in redacted))
    reports = ("--junit", str(tmp_path / "a.xml"), "--html", str(tmp_path / "a.html"))
    rules = ("--ignore-slot", "card", "--out", str(tmp_path / "run.jsonl"))
    arguments = ("replay", "card", "--bot", f"{SAYS}:noted", "--db", db, *reports, *rules)
    for style in ((), ("--json",)):
        status, out, err = run(capsysbinary, *arguments, *style)
        written = [(tmp_path / name).read_text() for name in ("a.xml", "a.html", "run.jsonl")]
        assert "4111" not in "".join([out, err, *written])
        assert status == 1
    assert [line["turn"] for line in lines(out) if line["kind"] != "group"] == [3]


def test_replay_takes_rules(db, capsysbinary):
    arguments = ("replay", "--all", "--bot", f"{SAYS}:loud", "--db", db)
    assert run(capsysbinary, *arguments, "--ignore", "text")[0] == 0
    assert run(capsysbinary, *arguments, "--mask", "[A-Za-z]+")[0] == 0
    assert run(capsysbinary, *arguments, "--ignore-slot", "*")[0] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay", "--bot", f"{SAYS}:bot"),
        ("replay", "alice", "--all", "--bot", f"{SAYS}:bot"),
        ("replay", "alice", "--bot", "nothing"),
        ("replay", "alice", "--bot", f"{SAYS}:missing"),
        ("replay", "stranger", "--bot", f"{SAYS}:bot"),
        ("replay", "alice", "--bot", f"{SAYS}:bot", "--ignore", "all"),
        ("replay", "alice", "--bot", f"{SAYS}:bot", "--mask", "("),
        ("replay", "alice", "--bot", f"{SAYS}:bot", "--rules", "no such file"),
        ("audit", "stranger", "--out", "page.html"),
        ("audit", "alice", "--out", "no/such/folder/page.html"),
        ("replay", "alice", "--bot", f"{SAYS}:bot", "--json", "--junit", "no/such/x.xml"),
    ],
)
def test_an_impossible_request_is_status_2_with_one_reason(db, capsysbinary, arguments):
    status, out, err = run(capsysbinary, *arguments, "--db", db)
    assert (status, out) == (2, "")
    assert err
    assert "Traceback" not in err


def test_audit_writes_a_page_and_reports_faults(db, capsysbinary, tmp_path):
    page = tmp_path / "page.html"
    status, out, _ = run(
        capsysbinary, "audit", "alice", "bob", "--out", str(page), "--db", db, "--json"
    )
    assert (status, json.loads(out)) == (0, {"out": str(page), "conversations": 2, "faults": 0})
    assert page.read_text().count("<section") == 2
    tamper(db)
    assert run(capsysbinary, "audit", "bob", "--out", str(page), "--db", db)[0] == 1
    assert "the head has a different turn" in page.read_text()
