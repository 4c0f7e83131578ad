"""Given a log, when a request makes no sense, then one of our errors names what is wrong."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import Dialogue, SlotSet, UserUttered
from turnlog.domain.conversation import Conversation
from turnlog.engine.log import Turnlog
from turnlog.engine.query import matching
from turnlog.errors import (
    FormatError,
    InvalidEvent,
    OutOfRange,
    StorageError,
    Unavailable,
    UnknownConversation,
    VersionConflict,
)
from turnlog.keys.urls import key_store
from turnlog.serializers.shared.json_value import parse
from turnlog.storage.urls import recorder

HUGE = 2**70
MISSING = "does not exist"
SURROGATE = "a\ud800b"
HI = UserUttered("hi")
ANY: Any = None
"""Passes on purpose what a type checker would refuse."""


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Turnlog]:
    url = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path / 'log.db'}"}.get(request.param)
    with turnlog.open(url or request.getfixturevalue("postgres_url")) as log:
        log.record("anna", HI, SlotSet("n", 1))
        yield log
        assert log.conversation("anna").state.event == 2


def surrogate_then(name: str) -> str:
    return f"{name}: .*lone surrogate"


ASKED: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "a huge turn": (lambda log: log.conversation("anna", turn=HUGE), OutOfRange, MISSING),
    "a low turn": (lambda log: log.conversation("anna", turn=-HUGE), OutOfRange, MISSING),
    "a turn of text": (lambda log: log.conversation("anna", turn="1"), OutOfRange, "turn: '1' is"),
    "half a turn": (lambda log: log.conversation("anna", turn=1.5), OutOfRange, "turn: 1.5 is"),
    "a true turn": (lambda log: log.conversation("anna", turn=True), OutOfRange, "turn: True is"),
    "very many digits": (lambda log: log.conversation("anna", turn=10**9999), OutOfRange, "bits"),
    "a huge event": (lambda log: log.conversation("anna", event=HUGE), OutOfRange, MISSING),
    "a huge version": (lambda log: log.conversation("anna", version=HUGE), OutOfRange, MISSING),
    "a huge life": (lambda log: log.conversation("anna", life=HUGE), OutOfRange, MISSING),
    "a life deleted": (
        lambda log: log.conversation("anna", life=-HUGE, deleted=True), OutOfRange, MISSING,
    ),
    "a time of text": (lambda log: log.conversation("anna", time="x"), OutOfRange, "time: 'x'"),
    "no time": (lambda log: log.conversation("anna", time=float("nan")), OutOfRange, "time: nan"),
    "events after": (lambda log: log.read_events("anna", HUGE), OutOfRange, MISSING),
    "recorded after": (lambda log: log.read_recorded("anna", "x"), OutOfRange, "event: 'x'"),
    "follow after": (lambda log: log.follow(after=HUGE), OutOfRange, MISSING),
    "follow before": (lambda log: log.follow(after=-HUGE), OutOfRange, MISSING),
    "follow text": (lambda log: log.follow(after="x"), OutOfRange, "position: 'x'"),
    "a digest": (lambda log: log.digest(HUGE), OutOfRange, MISSING),
    "a digest of text": (lambda log: log.digest("x"), OutOfRange, "position: 'x'"),
    "a version expected": (
        lambda log: log.record("anna", HI, expected_version=HUGE), VersionConflict, str(HUGE),
    ),
    "a text expected": (
        lambda log: log.record("anna", HI, expected_version="1"), OutOfRange, "ed_version: '1'",
    ),
    "a number as id": (lambda log: log.record(5, HI), InvalidEvent, "^conversation '5': 5 is"),
    "no id": (lambda log: log.record(None, HI), InvalidEvent, "'None': None is not a text"),
    "bytes as id": (lambda log: log.record(b"a", HI), InvalidEvent, "b'a' is not a text"),
    "a surrogate as id": (
        lambda log: log.record(SURROGATE, HI), InvalidEvent, "lone surrogate",
    ),
    "an unknown number": (lambda log: log.conversation(5), UnknownConversation, "conversation 5"),
    "an unknown surrogate": (lambda log: log.conversation(SURROGATE), UnknownConversation, "ud800"),
    "deleting a number": (lambda log: log.delete(5), UnknownConversation, "conversation 5"),
    "a number as key": (lambda log: log.record("anna", HI, key=5), InvalidEvent, "key: 5 is not"),
    "a surrogate as key": (
        lambda log: log.record("anna", HI, key=SURROGATE), InvalidEvent, surrogate_then("key"),
    ),
    "a number as message id": (
        lambda log: log.record("anna", UserUttered("hi", message_id=ANY or 5)),
        InvalidEvent, "UserUttered.message_id: 5 is not a text",
    ),
    "a text as event": (lambda log: log.record("anna", "hi"), InvalidEvent, "'hi' is not an event"),
    "a list as event": (lambda log: log.record("anna", [HI]), InvalidEvent, "is not an event"),
    "no event": (lambda log: log.record("anna", None), InvalidEvent, "None is not an event"),
    "a surrogate in a text": (
        lambda log: log.record("anna", UserUttered(SURROGATE)),
        InvalidEvent, surrogate_then("UserUttered.text"),
    ),
    "a number as command": (lambda log: log.perform("anna", 5), InvalidEvent, "events: 5 is neith"),
    "a command's number": (
        lambda log: log.perform("anna", lambda state, past: 5), InvalidEvent, "5 is not a list",
    ),
    "a text as dialogue": (lambda log: log.import_dialogue("x"), InvalidEvent, "is not a Dialogue"),
    "a dialogue's id": (
        lambda log: log.import_dialogue(Dialogue(ANY or 5, (HI,))),
        InvalidEvent, "5 is not a text",
    ),
    "a view": (lambda log: log.view("nope"), OutOfRange, "unknown view 'nope'; known: due_prompts"),
    "a view's number": (lambda log: log.view(5), OutOfRange, "unknown view 5"),
    "waiting for none": (lambda log: log.wait(SURROGATE, 0, 0), InvalidEvent, "lone surrogate"),
    "waiting for a number": (lambda log: log.wait(5, 0, 0), InvalidEvent, "5 is not a text"),
    "waiting for long": (lambda log: log.wait("anna", HUGE, 0), OutOfRange, MISSING),
    "waiting a text": (lambda log: log.wait("anna", 0, "x"), OutOfRange, "timeout: 'x'"),
    "forking at none": (lambda log: log.fork("anna", as_="z", turn=HUGE), OutOfRange, MISSING),
    "forking none": (lambda log: log.fork(SURROGATE, as_="z"), UnknownConversation, "ud800"),
    "forking as": (lambda log: log.fork("anna", as_=5), InvalidEvent, "5 is not a text"),
    "forking over": (
        lambda log: log.fork("anna", as_="anna"),
        InvalidEvent,
        "^conversation 'anna': exists already",
    ),
    "a list as view": (lambda log: log.view([]), OutOfRange, r"unknown view \[\]"),
    "a number as term": (lambda log: list(matching(log, where=ANY or 5)), FormatError, "5 is not"),
    "a search": (lambda log: list(matching(log, search=ANY or 5)), FormatError, "5 is not a text"),
    "a history": (lambda log: log.history(SURROGATE), UnknownConversation, "ud800"),
    "a list's history": (lambda log: log.history([]), UnknownConversation, r"conversation \[\]"),
    "a huge life's history": (lambda log: log.history("anna", HUGE), OutOfRange, MISSING),
    "the end of none": (lambda log: log.end(SURROGATE), UnknownConversation, "ud800"),
    "no events": (lambda log: log.read_events("anna", None), OutOfRange, "event: None is not"),
    "nothing recorded": (lambda log: log.read_recorded("anna", None), OutOfRange, "event: None"),
    "waiting for nothing": (lambda log: log.wait("anna", None, 0), OutOfRange, "event: None is"),
    "many digits to follow": (lambda log: log.follow(10**9999), OutOfRange, "position: .* bits"),
    "many digits expected": (
        lambda log: log.record("anna", HI, expected_version=10**9999), OutOfRange, "bits",
    ),
    "going back to none": (lambda log: log.checkout("anna", event=HUGE), OutOfRange, MISSING),
}  # fmt: skip


BIG, LOW = 10**30, -HUGE
NUMBERS = [HUGE, BIG, LOW, 10**9999, True, 1.5, None, math.nan, math.inf, "1", b"1", []]
READ: dict[str, tuple[Callable[[Conversation, Any], Any], list[Any]]] = {
    "at": (lambda anna, number: anna.at(number), []),
    "event": (lambda anna, number: anna.event(number), [HUGE, BIG, LOW]),
    "events": (lambda anna, number: list(anna.events(number)), [HUGE, BIG, LOW]),
    "recorded": (lambda anna, number: list(anna.recorded(number)), [HUGE, BIG, LOW]),
    "last": (lambda anna, number: anna.last(number), [HUGE, BIG]),
    "dialogue": (lambda anna, number: anna.dialogue(number), [HUGE, BIG, None]),
}
"""Reads with a number; which of the odd numbers have an answer."""


@pytest.mark.parametrize("name", READ)
def test_an_odd_number_is_named(log: Turnlog, name: str):
    read, answered = READ[name]
    anna = log.conversation("anna")
    for number in NUMBERS:
        if not any(number is each for each in answered):
            with pytest.raises(OutOfRange, match=r"^conversation 'anna': ") as raised:
                read(anna, number)
            assert len(str(raised.value)) < 120
    for number in answered:
        read(anna, number)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@h/db?timeout=x", "postgresql://u@h/db?timeout=x"),
        ("postgresql://u:secret@h/db?timeout=-1", "postgresql://u@h/db?timeout=-1"),
        ("postgresql://u:secret@h/db?pooled=2", "postgresql://u@h/db?pooled=2"),
        ("postgresql://u:secret@h/db?bogus=1", "postgresql://u@h/db?bogus=1"),
        ("postgresql://h/db?password=secret&timeout=x", "postgresql://h/db?timeout=x"),
        ("postgresql://h/db?pass%77ord=secret&timeout=x", "postgresql://h/db?timeout=x"),
        ("postgresql://u:sec?secret@h/db?pooled=1", "postgresql://u"),
        ("mysql://u:secret@h/db", "mysql://u@h/db"),
        ("sqlite://u:secret@h/db", "sqlite://u@h/db"),
        ("sqlite:///a.db?password=secret", "sqlite:///a.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
    ],
)
def test_an_error_shows_the_url_without_its_password(url: str, shown: str):
    for opening in (turnlog.open, partial(key_store, create=False)):
        if opening is not turnlog.open and not url.startswith("mysql"):
            continue
        with pytest.raises(StorageError) as raised:
            opening(url)
        assert f"'{shown}'" in str(raised.value)
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", [5, None, b"memory:", "", "a\0b", SURROGATE, []])
def test_an_invalid_url_is_named(url: Any):
    with pytest.raises(StorageError, match="is not a database URL"):
        turnlog.open(url)


@pytest.mark.parametrize("name", ASKED)
def test_an_odd_value_is_named(log: Turnlog, name: str):
    ask, kind, says = ASKED[name]
    with pytest.raises(kind, match=says) as raised:
        ask(log)
    assert "\n" not in str(raised.value)


def test_impossible_ids_do_not_exist(log: Turnlog):
    for odd in (5, None, b"a", SURROGATE):
        assert odd not in log
    assert log.keyed("anna", SURROGATE) is None
    assert log.view("slots").get(SURROGATE, "x") is None
    assert list(log.view("slots").entries(SURROGATE)) == []
    assert list(log.conversation("anna").recorded(HUGE)) == []


def test_the_awaitable_face_raises_the_same_errors():
    async def ask() -> None:
        async with turnlog.aopen("memory:") as log:
            with pytest.raises(InvalidEvent, match="lone surrogate"):
                await log.wait(SURROGATE, 0, timeout=0)
            with pytest.raises(OutOfRange, match="unknown view"):
                await log.view("nope")
            with pytest.raises(InvalidEvent, match="5 is not a text"):
                await log.record(ANY or 5, HI)

    asyncio.run(ask())


def test_a_closed_log_in_memory_records_nothing():
    log = turnlog.open("memory:")
    log.record("anna", HI)
    log.close()
    for ask in (lambda: log.record("anna", HI), lambda: log.conversation("anna")):
        with pytest.raises(Unavailable, match="closed"):
            ask()
    log.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:///{}/x.db?poled=1", "no option 'poled', but synchronous and timeout"),
        ("sqlite:///{}/x.db?timout=", "no option 'timout'"),
        ("sqlite:///{}/x.db?timeout=inf", "timeout=inf is not between"),
        ("sqlite:///{}/x.db?timeout=nan", "timeout=nan is not between"),
        ("sqlite:///{}/x.db?timeout=-1", "timeout=-1 is not between"),
        ("sqlite:///:memory:", "a log in memory is 'memory:'"),
        ("sqlite:///:memory:?synchronous=OFF", "a log in memory is 'memory:'"),
        ("memory:?timeout=1", "is not a database URL"),
        ("postgresql://user@127.0.0.1:1/x?timeout=0.1&poled=1", "poled"),
    ],
)
@pytest.mark.parametrize("readonly", [False, True])
def test_a_misspelt_option_is_refused(
    tmp_path: Path, url: str, says: str, readonly: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match=says):
        recorder(url.format(tmp_path), readonly=readonly)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--at-turn", "--at-event", "--life"])
def test_the_commands_name_a_number_that_is_too_large(tmp_path: Path, option: str):
    db = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(db) as log:
        log.record("anna", HI)
    status, _, err = run("show", "anna", option, HUGE, "--db", db)
    assert (status, f"{option[2:].removeprefix('at-')} {HUGE} does not exist" in err) == (2, True)
    for more in ((), ("--newest",)):
        assert len(run("list", "--limit", HUGE, "--db", db, "--json", *more).lines) == 1


@pytest.mark.parametrize(
    ("source", "field"),
    [
        (b'{"a": 1, "b": {"c": %s}, "d": 2}', "b"),
        (b'[{"a": []}, {"b": %s}]', "b"),
        (b'{"a\\"[": [], "x": "b", "q": %s', "q"),
        (b"%s", None),
    ],
)
def test_a_value_nested_too_deeply_is_named(source: bytes, field: str | None):
    for depth in (101, 5000):
        with pytest.raises(FormatError, match="nested deeper than 100") as raised:
            parse(source % (b"[" * depth + b"]" * depth))
        assert raised.value.field == field


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rows_t1 SET topic = 'another' WHERE position = 0",
        "UPDATE rows_t1 SET skeleton = 5 WHERE position = 0",
        "UPDATE rows_t1 SET skeleton = x'93' WHERE position = 0",
        "DELETE FROM rows_t1 WHERE position = 0",
        "DELETE FROM secrets",
        "UPDATE secrets SET secret = 'text'",
    ],
)
def test_a_changed_beginning_is_a_fault(tmp_path: Path, change: str):
    db = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(db) as log:
        log.record("anna", HI)
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
        assert connection.execute(change).rowcount == 1
    ran = run("verify", "--db", db, "--json")
    assert (ran.status, ran.json["ok"]) == (1, False)
    assert ran.json["faults"]


@pytest.mark.parametrize("model", ["heads", "slots", ""])
def test_a_removed_checkpoint_is_one_fault(tmp_path: Path, model: str):
    path = tmp_path / "log.db"
    with turnlog.open(f"sqlite:///{path}") as log:
        for turn in range(300):
            log.record(f"c{turn % 3}", HI, SlotSet("n", turn), key=f"k{turn}")
            log.record("long", SlotSet("n", turn), SlotSet("m", turn))
        log.view("slots")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("DELETE FROM checkpoints WHERE model = ?", (model,))
    ran = run("verify", "--db", f"sqlite:///{path}", "--json")
    named = [] if model in ("heads", "") else [f"projection {model!r}: it has entries, but no chec"]
    faults = [fault["what"][: len(named[0]) if named else None] for fault in ran.json["faults"]]
    assert [f for f in faults if f not in named] == [
        "the checkpoints were not written together"[: len(named[0]) if named else 99]
    ]
