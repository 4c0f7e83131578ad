"""`list`, `show --dialogue` and `why`: existing and missing things."""

from __future__ import annotations

from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog import (
    BotUttered,
    ConversationPaused,
    MessageEdited,
    MessageRedacted,
    Slot,
    SlotsDeclared,
    SlotSet,
    ToolCalled,
    ToolReturned,
    UserUtteranceReverted,
    UserUttered,
)


@pytest.fixture
def db(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as log:
        for id in ("c", "a", "b", "d"):
            log.record(id, UserUttered(f"I am {id}"))
        log.record("a", BotUttered("hello"))
    return url


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ((), "abcd"),
        (("--limit", "2"), "ab"),
        (("--limit", "0"), ""),
        (("--limit", "9"), "abcd"),
        (("--newest",), "adbc"),
        (("--newest", "--limit", "2"), "ad"),
        (("--newest", "--limit", "0"), ""),
        (("--newest", "--limit", "1", "--search", "I am b"), "b"),
    ],
)
def test_list_gives_as_many_as_are_asked_for(db: str, arguments: tuple[str, ...], ids: str) -> None:
    lines = run("list", "--json", "--db", db, *arguments).lines
    assert "".join(line["conversation"] for line in lines) == ids


def test_a_limit_below_zero_is_wrong_usage(db: str) -> None:
    assert run("list", "--limit", "-1", "--db", db).status == 2


@pytest.fixture
def talk(db: str) -> str:
    with turnlog.open(db) as log:
        log.record("talk", UserUttered("a table\nfor two", channel="web"), SlotSet("people", 2))
        log.record("talk", ToolCalled("find", {"people": 2}, call_id="1"))
        log.record("talk", ToolReturned(["Bistro"], call_id="1"), BotUttered("Bistro?"))
        log.record("talk", UserUttered("oops"), BotUttered("sorry?"), UserUtteranceReverted())
        log.record("talk", UserUttered("my card is 1234"), BotUttered("thnaks", data={"ok": 1}))
        log.record("talk", MessageEdited(10, "thanks"), MessageRedacted(9), ConversationPaused())
    return db


def test_a_dialogue_is_who_said_what_as_it_counts(talk: str) -> None:
    assert run("show", "talk", "--dialogue", "--db", talk).out == (
        "turn 1\n"
        "  user: a table\n"
        "        for two\n"
        '  bot: calls find {"people":2}\n'
        '  tool: ["Bistro"]\n'
        "  bot: Bistro?\n"
        "turn 3\n"
        "  user: (redacted)\n"
        "  bot: thanks\n"
        '       {"ok":1}\n'
    )


def test_a_dialogue_as_json_is_one_document(talk: str) -> None:
    found = run("show", "talk", "--dialogue", "--json", "--db", talk).json
    assert [found[name] for name in ("conversation", "turn", "event")] == ["talk", 3, 13]
    assert [line["event"] for line in found["dialogue"]] == [1, 3, 4, 5, 9, 10]
    assert "1234" not in str(found)


def test_a_dialogue_is_shown_as_it_was(talk: str) -> None:
    out = run("show", "talk", "--dialogue", "--at-turn", "2", "--db", talk).out
    assert "Bistro?" in out
    assert "thanks" not in out


def test_a_dialogue_shows_no_control_character(db: str) -> None:
    with turnlog.open(db) as log:
        log.record("bad", UserUttered("\x1b[31mred\u202e"))
    out = run("show", "bad", "--dialogue", "--db", db).out
    assert out == "turn 1\n  user: \\x1b[31mred\\u202e\n"


def test_why_says_what_led_to_a_slot_an_action_and_a_message(talk: str) -> None:
    said = {
        "event": 1,
        "turn": 1,
        "type": "UserUttered",
        "text": "a table\nfor two",
        "actor": "user",
    }
    slot = {"event": 2, "turn": 1, "type": "SlotSet", "value": 2, "actor": "bot"}
    assert run("why", "talk", "people", "--json", "--db", talk).lines == [said, slot]
    assert run("why", "talk", "people", "--at-turn", "1", "--json", "--db", talk).lines[-1] == slot
    bot = run("why", "talk", "--event", "5", "--json", "--db", talk).lines
    result = run("why", "talk", "--event", "4", "--json", "--db", talk).lines
    uttered = {"event": 5, "turn": 1, "type": "BotUttered", "text": "Bistro?", "actor": "bot"}
    assert bot == [*result, uttered]
    assert [(line["type"], line.get("value")) for line in result[1:]] == [
        ("ToolCalled", {"people": 2}), ("ToolReturned", ["Bistro"]),
    ]  # fmt: skip
    assert "1234" not in run("why", "talk", "--event", "10", "--json", "--db", talk).out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "SLOT or --event"),
        (["people", "--event", "1"], "SLOT or --event"),
        (["--event", "1", "--at-turn", "1"], "--at-turn is only for SLOT"),
        (["--event", "0"], "event 0 does not exist"),
        (["--event", "99"], "event 99 does not exist"),
    ],
)
def test_why_names_what_does_not_exist(talk: str, asked: list[str], said: str) -> None:
    ran = run("why", "talk", *asked, "--db", talk)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err


def test_why_distinguishes_a_slot_without_a_value_from_an_unknown_one(db: str) -> None:
    with turnlog.open(db) as log:
        log.record("a", SlotsDeclared((Slot("size"),)), SlotSet("city", "Rome"))
        log.record("a", SlotSet("city", None))
    cleared = run("why", "a", "city", "--json", "--db", db).lines
    assert [(line["event"], line["type"]) for line in cleared] == [
        (1, "UserUttered"), (5, "SlotSet"),
    ]  # fmt: skip
    assert run("why", "a", "size", "--json", "--db", db)[:2] == (0, "")
    ran = run("why", "a", "ctiy", "--db", db)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == ("turnlog: conversation 'a': unknown slot 'ctiy'; did you mean 'city'?\n")
    assert run("why", "b", "city", "--db", db).status == 2
    assert run("why", "missing", "city", "--db", db).status == 2
