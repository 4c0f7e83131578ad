"""Each command: what it prints, for people and as JSON, and its exit status."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import turnlog
from tests.command_line import run
from turnlog import BotUttered, HistoryReplaced, SlotSet, UserUttered
from turnlog.cli.app import COMMANDS
from turnlog.projections import PROJECTIONS

SPOOFED = "a \u202etable\x1b[31m\x07"


@pytest.fixture
def db(tmp_path: Path) -> str:
    """alice: two turns and a rewound one; bob: one turn without timestamps, imported."""
    url = f"sqlite:///{tmp_path / 'log.db'}"
    clock = iter(range(1000, 9000))
    with turnlog.open(url, clock=lambda: float(next(clock))) as log:
        log.record("alice", UserUttered("a table for two", channel="web"), SlotSet("people", 2))
        log.record("alice", BotUttered("when?"))
        log.record("alice", UserUttered("three"), SlotSet("people", 3), HistoryReplaced(to=3))
        log.record("alice", turnlog.ConversationTagged(("vip",)))
        dialogue = turnlog.Dialogue("bob", (UserUttered("hi"), SlotSet("city", "Salem")))
        log.import_dialogue(dialogue)
    return url


def test_list_has_a_line_for_each_conversation(db: str) -> None:
    assert run("list", "--json", "--db", db).lines == [
        {
            "conversation": "alice",
            "turns": 2,
            "events": 7,
            "started": 1000.0,
            "last": 1003.0,
            "tags": ["vip"],
        },
        {
            "conversation": "bob",
            "turns": 1,
            "events": 2,
            "started": None,
            "last": None,
            "tags": [],
        },
    ]
    assert "1970-01-01 00:16:40" in run("list", "--db", db).out


@pytest.mark.parametrize(
    ("terms", "found"),
    [
        ("slot.people=2", ["alice"]),
        ("slot.people=3", []),
        ("slot.city=Salem", ["bob"]),
        ('slot.city="Salem"', ["bob"]),
        ("tag=vip", ["alice"]),
        ("tag=vip,channel=web", ["alice"]),
        ("tag=vip,channel=sms", []),
        ("after=1000", ["alice"]),
        ("before=1000", []),
        ("after=1970-01-01T00:16:40,before=1970-01-02", ["alice"]),
        ("", ["alice", "bob"]),
    ],
)
def test_where_keeps_those_for_which_all_terms_hold(db: str, terms: str, found: list[str]) -> None:
    lines = run("list", "--json", "--db", db, "--where", terms).lines
    assert [line["conversation"] for line in lines] == found


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--where", "slot.dishes=soup"), ["Carol"]),
        (("--where", "slot.dishes=2"), ["Carol"]),
        (("--where", '"slot.dishes=[""soup"",2]"'), ["Carol"]),
        (("--where", "slot.dishes=cake"), []),
        (("--search", "cAROL"), ["Carol"]),
    ],
)
def test_one_value_of_a_list_is_enough_and_case_is_not_looked_at(
    tmp_path: Path, options: tuple[str, str], found: list[str]
) -> None:
    db = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(db) as log:
        log.record("Carol", SlotSet("dishes", ["soup", 2]))
        log.record("dave", SlotSet("dishes", 3))
    lines = run("list", "--json", "--db", db, *options).lines
    assert [line["conversation"] for line in lines] == found


@pytest.mark.parametrize("terms", ["people=2", "slot.=2", "tag", "after=soon", "tag=a,nonsense"])
def test_an_unknown_term_is_status_2(db: str, terms: str) -> None:
    ran = run("list", "--db", db, "--where", terms)
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(("text", "found"), [("TABLE", ["alice"]), ("bo", ["bob"]), ("zzz", [])])
def test_search_looks_into_messages_and_ids(db: str, text: str, found: list[str]) -> None:
    lines = run("list", "--json", "--db", db, "--search", text).lines
    assert [line["conversation"] for line in lines] == found


def test_log_has_every_event_with_its_turn_and_actor(db: str) -> None:
    lines = run("log", "alice", "--json", "--db", db).lines
    assert [(line["event"], line["turn"], line["type"], line["actor"]) for line in lines] == [
        (1, 1, "UserUttered", "user"),
        (2, 1, "SlotSet", "bot"),
        (3, 1, "BotUttered", "bot"),
        (4, 2, "UserUttered", "user"),
        (5, 2, "SlotSet", "bot"),
        (6, 2, "HistoryReplaced", "system"),
        (7, 2, "ConversationTagged", "system"),
    ]
    assert lines[1] | {"name": "people", "value": 2, "time": 1000.0} == lines[1]


def test_the_words_of_a_redacted_message_are_in_no_line(db: str) -> None:
    with turnlog.open(db) as log:
        log.record("alice", UserUttered("my card is 4111-1111"))
        message = log.conversation("alice").state.event
        log.record("alice", turnlog.MessageUnderstood(turnlog.Intent("pay")))
        log.record("alice", turnlog.MessageRedacted(message, "asked for"))
    assert "4111-1111" not in run("log", "alice", "--db", db).out
    lines = run("log", "alice", "--json", "--db", db).lines
    assert "4111-1111" not in json.dumps(lines)
    assert [line["event"] for line in lines if line.get("redacted")] == [message, message + 1]


def test_what_a_text_hides_is_made_visible_to_people_and_kept_in_json(db: str) -> None:
    with turnlog.open(db) as log:
        log.record(SPOOFED, UserUttered(SPOOFED, actor=SPOOFED))
    for command in (["log", SPOOFED], ["list"], ["show", SPOOFED]):
        shown = run(*command, "--db", db).out
        assert not set(shown) & set("\u202e\x1b\x07"), command
        assert "\\u202e" in shown
    assert run("log", SPOOFED, "--json", "--db", db).json["text"] == SPOOFED


def test_show_goes_back_to_a_turn_an_event_and_a_time(db: str) -> None:
    def slots(*moment: str) -> tuple[int, int, dict[str, object]]:
        shown = run("show", "alice", "--json", "--db", db, *moment).json
        return shown["turn"], shown["event"], shown["slots"]

    assert slots() == (2, 7, {"people": 2})
    assert slots("--at-turn", "1") == (1, 3, {"people": 2})
    assert slots("--at-event", "5") == (2, 5, {"people": 3})
    assert slots("--at", "1001.5") == (1, 3, {"people": 2})
    assert slots("--at", "1970-01-01T00:16:40Z") == (1, 2, {"people": 2})


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["show", "alice", "--at-turn", "3"], "turn 3 does not exist; the last is 2"),
        (["show", "alice", "--at-turn", "-1"], "turn -1 does not exist"),
        (["show", "alice", "--at-event", "99"], "event 99 does not exist"),
        (["show", "alice", "--at", "10"], "events are later than that time"),
        (["show", "bob", "--at", "1000"], "no timestamps"),
        (["show", "alice", "--at", "noon"], "'noon' is neither ISO 8601 nor"),
        (["show", "carol"], "conversation 'carol': does not exist"),
        (["states", "carol"], "conversation 'carol'"),
        (["show", "\udcff"], "does not exist"),
        (["show", "\x1fglobals"], "does not exist"),
        (["diff", "alice", "carol"], "conversation 'carol'"),
        (["delete", "carol"], "conversation 'carol'"),
        (["export", "--format", "nonsense", "--out", "x"], "unknown format 'nonsense'"),
        (["import", "nowhere"], "nowhere: file does not exist"),
        (["append", "alice", "nowhere"], "nowhere: No such file"),
    ],
)
def test_wrong_input_is_one_line_that_says_what(db: str, arguments: list[str], why: str) -> None:
    ran = run(*arguments, "--json", "--db", db)
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert why in ran.err


@pytest.mark.parametrize("path", ["/nowhere/at/all.db", "/proc/turnlog.db"])
def test_a_log_that_cannot_be_created_is_one_line(path: str, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"type": "UserUttered", "text": "hi"}')
    ran = run("append", "alice", event, "--db", f"sqlite:///{path}")
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert f"{path}: the database cannot be used" in ran.err


def test_two_moments_at_once_and_unknown_options_are_wrong_usage(db: str) -> None:
    both = run("show", "alice", "--at-turn", "1", "--at-event", "1", "--db", db)
    assert (both.status, both.out) == (2, "")
    assert run("show", "alice", "--at-trun", "1", "--db", db).status == 2
    assert run("shwo", "alice", "--db", db).status == 2


def test_states_has_a_line_after_every_turn(db: str) -> None:
    assert run("states", "--json", "--db", db).lines == [
        {"conversation": "alice", "turn": 1, "slots": {"people": 2}},
        {"conversation": "alice", "turn": 2, "slots": {"people": 2}},
        {"conversation": "bob", "turn": 1, "slots": {"city": "Salem"}},
    ]
    assert len(run("states", "bob", "--json", "--db", db).lines) == 1


def test_turn_0_is_shown_where_it_has_events(db: str) -> None:
    with turnlog.open(db) as log:
        log.record("dora", SlotSet("x", 1), UserUttered("hi"), SlotSet("x", 2))
    lines = run("states", "dora", "--json", "--db", db).lines
    assert [(line["turn"], line["slots"]) for line in lines] == [(0, {"x": 1}), (1, {"x": 2})]


def test_diff_between_turns_names_slots_and_events_and_exits_with_1(db: str) -> None:
    ran = run("diff", "alice", "--from-turn", "0", "--to-turn", "1", "--json", "--db", db)
    assert ran.status == 1
    assert ran.json["slots"] == {"people": [None, 2]}
    assert [event["event"] for event in ran.json["events"]] == [1, 2, 3]
    last = run("diff", "alice", "--json", "--db", db)
    assert (last.status, last.json["slots"]) == (1, {})
    assert [event["event"] for event in last.json["events"]] == [4, 5, 6, 7]
    assert run("diff", "alice", "--from-turn", "2", "--json", "--db", db).status == 0


def test_diff_between_conversations_is_empty_for_equal_ones(db: str) -> None:
    with turnlog.open(db) as log:
        log.record("bert", UserUttered("hi"), SlotSet("city", "Salem"))
        log.record("bill", UserUttered("hi"), SlotSet("city", "Utrecht"))
    same = run("diff", "bob", "bert", "--json", "--db", db)
    assert (same.status, same.json) == (0, {"slots": {}, "events": []})
    other = run("diff", "bob", "bill", "--json", "--db", db)
    assert (other.status, other.json["slots"]) == (1, {"city": ["Salem", "Utrecht"]})
    assert [event["conversation"] for event in other.json["events"]] == ["bob", "bill"]


@pytest.mark.parametrize(
    "given",
    [
        '{"type": "SlotSet", "name": "x", "value": 1}',
        '[{"type": "SlotSet", "name": "x", "value": 1}]',
        '\n{"type": "SlotSet", "name": "x", "value": 0}\n{"type": "SlotSet", "name": "x",'
        ' "value": 1}\n',
    ],
)
def test_append_takes_one_event_a_list_or_lines(db: str, tmp_path: Path, given: str) -> None:
    file = tmp_path / "events.json"
    file.write_text(given)
    assert run("append", "new", file, "--json", "--db", db).status == 0
    assert run("show", "new", "--json", "--db", db).json["slots"] == {"x": 1}


def test_append_reads_stdin_and_says_how_long_the_conversation_is(
    db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = io.BytesIO(b'{"type": "UserUttered", "text": "again", "message_id": "m1"}')
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=given))
    ran = run("append", "alice", "--json", "--db", db)
    assert ran.json == {"conversation": "alice", "turn": 3, "event": 8, "recorded": 1}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("", "is empty"),
        ("[]", "contains no events"),
        ('{"type": "UserUttered",\n "text": "a",,}', "events.json:2"),
        ("{broken", "events.json:1"),
        ('{"type": "SlotSet", "name": "x"}\n{"type": "Nonsense"}', "events.json:2: type"),
        ('{"type": "SlotSet", "value": 1}', "name"),
        ('{"type": "MessageEdited", "message": 99}', "event 99 does not exist"),
        ("[" * 100_000, "events.json:1"),
        ('"text"', "an event must be an object"),
    ],
)
def test_append_of_anything_but_events_records_nothing(
    db: str, tmp_path: Path, given: str, named: str
) -> None:
    file = tmp_path / "events.json"
    file.write_text(given)
    ran = run("append", "new", file, "--db", db)
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert named in ran.err
    assert run("show", "new", "--db", db).status == 2


def test_import_that_refused_some_stores_the_rest_and_exits_with_2(db: str, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    good = {"format": "turnlog/1", "conversation": "good", "events": [{"type": "UserUttered"}]}
    file.write_text(json.dumps(good) + "\n" + json.dumps(good | {"conversation": "bob"}) + "\n")
    ran = run("import", file, "--json", "--db", db)
    assert ran.status == 2
    assert (ran.json["conversations"], ran.json["events"]) == (1, 1)
    assert list(ran.json) == [
        "conversations", "events", "unchanged", "extended", "refused", "skipped", "unknown",
    ]  # fmt: skip
    assert list(ran.json["refused"][0]) == ["conversation", "file", "line", "field", "why"]
    assert ran.json["refused"][0]["conversation"] == "bob"
    assert "refused: " in run("import", file, "--db", db).err


def test_a_deleted_conversation_is_hidden_everywhere(db: str) -> None:
    ran = run("delete", "alice", "--json", "--db", db)
    assert (ran.status, ran.json["conversation"]) == (0, "alice")
    assert "bytes remain" in ran.json["note"]
    for command in ("log", "show", "states", "diff", "delete"):
        assert run(command, "alice", "--db", db).status == 2
    assert "alice" not in run("list", "--search", "table", "--db", db).out
    assert "alice" not in run("states", "--json", "--db", db).out
    assert run("stats", "--json", "--db", db).json["conversations"] == 1
    with turnlog.open(db) as log:
        entries = [log.store.reader.entries(name) for name in PROJECTIONS]
        assert not any(id == "alice" for model in entries for id, _, _ in model)


def test_rebuild_changes_nothing_that_is_seen(db: str) -> None:
    before = [run(*command, "--json", "--db", db).out for command in SEEN]
    assert run("stats", "--json", "--db", db).json["read_models"] == {}  # reading makes none
    assert set(run("rebuild", "--json", "--db", db).json["rebuilt"].values()) == {5}
    assert [run(*command, "--json", "--db", db).out for command in SEEN] == before


SEEN = (["list", "--search", "t"], ["states"], ["log", "alice"], ["show", "alice"])


def other_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (other_program, "not a turnlog log"),
        (
            lambda path: path.write_text("just text, and more than a few bytes of it"),
            "not a SQLite",
        ),
        (lambda path: path.write_bytes(os.urandom(9000)), "not a SQLite"),
        (lambda path: path.mkdir(), "unable to open"),
    ],
)
def test_a_database_that_is_not_ours_is_one_line_and_left_alone(tmp_path: Path, make, why) -> None:
    path = tmp_path / "foreign.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    ran = run("list", "--db", f"sqlite:///{path}")
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert why in ran.err
    assert "foreign.db" in ran.err
    assert before == (path.read_bytes() if path.is_file() else None)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://here", "is not a database URL"),
        ("sqlite:///x.db?timeout=soon", "timeout=soon"),
        ("sqlite:///x.db?synchronous=perhaps", "synchronous=PERHAPS"),
        ("memory:", "name a persistent database"),
    ],
)
def test_a_database_that_cannot_be_is_one_line(url: str, why: str) -> None:
    ran = run("list", "--db", url)
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert why in ran.err


def test_characters_that_the_terminal_lacks_are_escaped(db: str) -> None:
    with turnlog.open(db) as log:
        log.record("zh", UserUttered("\u4f60\u597d"))
    ran = subprocess.run(
        [sys.executable, "-m", "turnlog", "log", "zh", "--db", db],
        capture_output=True, text=True, check=True, env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert "\\u4f60\\u597d" in ran.stdout


def test_starting_up_loads_nothing_that_the_command_does_not_need(db: str) -> None:
    watched = "import sys; from turnlog.cli import main\ntry: main()\nfinally: print(*sys.modules)"
    started = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-c", watched, "show", "alice", "--json", "--db", db],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert time.perf_counter() - started < 10
    loaded = set(ran.stdout.splitlines()[-1].split())
    heavy = {"litestar", "hypothesis", "rich.table", "psycopg", "turnlog.server"}
    assert loaded & heavy == set()


def test_help_names_every_command() -> None:
    shown = run("--help").out
    assert [name for name in COMMANDS if f" {name} " not in shown] == []


def test_every_command_that_others_rely_on_exists() -> None:
    relied_upon = (
        "datasets "
        "import list log show states diff why verify replay export append delete backup restore"
        " rebuild stats audit serve demo fork checkout comply keygen head prove check-proof witness"
        " erase hold release keys access restrict retain subject minimise bundle compare accept"
    )
    assert set(COMMANDS) == set(relied_upon.split())
