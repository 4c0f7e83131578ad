"""Every Rasa file of the shared data: round trips, event by event."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.fold import fold, replay
from turnlog.domain.slots import Slot
from turnlog.domain.state import State
from turnlog.errors import FormatError
from turnlog.serializers.formats import codec, detect
from turnlog.serializers.rasa.kinds import BY_TYPE
from turnlog.serializers.rasa.reader import from_rasa
from turnlog.serializers.rasa.state import current_state
from turnlog.serializers.rasa.writer import to_rasa
from turnlog.serializers.shared.codec import Codec


@pytest.fixture
def rasa(shared_data: Path) -> Path:
    return shared_data / "rasa"


def read(path: Path, name: str) -> tuple[Codec, list[Dialogue]]:
    found = detect(path)
    assert found is not None
    assert found.name == name
    dialogues = list(found.read(path))
    assert not [item for item in dialogues if isinstance(item, FormatError)]
    return found, dialogues  # type: ignore[return-value]


def unknown(dialogues: list[Dialogue]) -> Counter[str]:
    every = (event for dialogue in dialogues for event in dialogue.events)
    return Counter(event.name for event in every if isinstance(event, e.Unknown))


def out(dialogue: Dialogue) -> list[Any]:
    return list(to_rasa(dialogue.events))


# --- tracker JSON -------------------------------------------------------------------------------


def test_all_26_trackers_round_trip_unchanged(rasa):
    files = sorted((rasa / "tracker_history").glob("*.json"))
    assert len(files) == 26
    for file in files:
        _, (dialogue,) = read(file, "rasa-tracker")
        source = json.loads(file.read_text())
        assert dialogue.name == source["sender_id"]
        assert out(dialogue) == source["events"], file.name
        assert not unknown([dialogue])


def test_the_state_of_a_running_rasa_is_ours_key_by_key(rasa):
    file = rasa / "rasa_3.6.21" / "real_3.6.21_tracker_ALL.json"
    source = json.loads(file.read_text())
    _, (dialogue,) = read(file, "rasa-tracker")
    declared = e.SlotsDeclared(tuple(Slot(name) for name in source["slots"]), closed=True)
    events = (declared, *from_rasa(source["events"], 2))
    ours = current_state(dialogue.name, replay(events), events)
    assert ours | {"events": source["events"]} == source
    assert list(ours) == list(source)
    applied = json.loads((file.parent / "real_3.6.21_tracker_APPLIED.json").read_text())
    assert ours | {"events": applied["events"]} == applied


def test_every_type_of_3_6_and_before_has_its_own_event():
    # fmt: off
    documented = [
        "user", "bot", "action", "slot", "reset_slots", "restart", "session_started", "rewind",
        "undo", "followup", "pause", "resume", "active_loop", "form", "loop_interrupted",
        "form_validation", "action_execution_rejected", "user_featurization", "entities",
        "reminder", "cancel_reminder", "export", "agent", "topic",
    ]
    of_rasa_pro = [
        "stack", "flow_started", "flow_interrupted", "flow_resumed", "flow_completed",
        "flow_cancelled",
    ]
    # fmt: on
    assert sorted(BY_TYPE) == sorted(documented + of_rasa_pro)
    full = {"name": "n", "intent": "i", "topic": "t"}
    for name in documented:
        (first, *_) = from_rasa([{"event": name, "timestamp": 1.5, **full}])
        assert not isinstance(first, e.Unknown)
        assert next(iter(to_rasa([first])))["event"] == name


def test_values_that_rasa_loses_are_kept():
    source = [
        {"event": "cancel_reminder", "timestamp": 1.0, "name": "n", "intent": "i", "entities": []},
        {"event": "export", "timestamp": 2.0, "path": "stories.yml"},
        {"event": "form_validation", "timestamp": 3.0, "validate": False},
        {"event": "user", "timestamp": 0.0, "text": "a", "use_text_for_featurization": True},
        {"event": "slot", "timestamp": None, "name": "n", "value": {"py": [1, None]}, "$rasa": 7},
        {"event": "slot", "name": "n"},
        {"event": "action", "name": 7, "confidence": "high", "policy": {"of": 2}},
        {"event": "bot", "text": ["no", "text"], "data": None, "metadata": None},
        {"event": "user", "text": "a", "parse_data": None},
        {"event": "user", "text": "a", "parse_data": {"intent": None, "entities": [1], "x": {}}},
        {"event": "entities", "entities": [{"entity": "e", "start": None, "role": "to"}]},
        {"event": "user_uttered_by_nobody", "with": "fields"},
        {"event": "slot", "value": 3},
        {"no": "type"},
        "no object",
    ]
    events = list(from_rasa(source))
    assert list(to_rasa(events))[:-1] == source[:-1]
    assert sum(isinstance(event, e.Unknown) for event in events) == 4
    assert events[2].is_interrupted is True


def test_a_file_of_bare_events_is_a_conversation_named_by_the_file(rasa):
    for name, count in (("tracker_file", 14), ("tracker_events_multiple_actions_predicted", 151)):
        file = rasa / "kairon" / f"{name}.json"
        _, (dialogue,) = read(file, "rasa-tracker")
        source = json.loads(file.read_text())
        assert dialogue.name == name
        assert len(source) == count
        assert out(dialogue) == source


def test_an_event_earlier_than_the_one_before_is_noted(rasa):
    file = sorted((rasa / "tracker_history").glob("*.json"))[0]
    found, _ = read(file, "rasa-tracker")
    assert [note.field for note in found.notes] == ["events[1].timestamp", "events[4].timestamp"]
    assert "earlier than the event before it" in str(found.notes[0])


# --- SQL ----------------------------------------------------------------------------------------


def rows(file: Path, table: str, sender: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)) as db:
        flag = ", is_flagged" if table == "conversation_event" else ", 0"
        for name, data, flagged in db.execute(
            f"SELECT {sender}, data{flag} FROM {table} ORDER BY id"
        ):
            event = json.loads(data) | ({"is_flagged": flagged} if flagged else {})
            found.setdefault(name, []).append(event)
    return found


@pytest.mark.parametrize(
    ("file", "table", "sender", "count"),
    [
        ("rasa_3.6.21/tracker.sqlite", "events", "sender_id", 145),
        (
            "helpdesk-assistant/rasa_x_conversations.sqlite",
            "conversation_event", "conversation_id", 193,
        ),
    ],
)  # fmt: skip
def test_a_sql_store_round_trips_row_by_row(rasa, file, table, sender, count):
    source = rows(rasa / file, table, sender)
    _, dialogues = read(rasa / file, "rasa-sql")
    assert {dialogue.name: out(dialogue) for dialogue in dialogues} == source
    assert sum(map(len, source.values())) == count
    assert not unknown(dialogues)


def test_a_sql_store_can_be_named_by_url(rasa):
    url = Path(f"sqlite:///{rasa}/rasa_3.6.21/tracker.sqlite")
    assert len(list(codec("rasa-sql").read(url))) == 9


def test_a_store_in_postgresql_is_read_by_url(postgres_url, rasa):
    psycopg = pytest.importorskip("psycopg")
    source = rows(rasa / "rasa_3.6.21" / "tracker.sqlite", "events", "sender_id")
    with psycopg.connect(postgres_url) as db:
        db.execute("CREATE TABLE events (id serial, sender_id text, type_name text, data text)")
        for name, events in source.items():
            for event in events:
                row = (name, event["event"], json.dumps(event))
                statement = "INSERT INTO events (sender_id, type_name, data) VALUES (%s, %s, %s)"
                db.execute(statement, row)
    dialogues = list(codec("rasa-sql").read(Path(postgres_url)))
    assert {dialogue.name: out(dialogue) for dialogue in dialogues} == source


def test_a_row_that_cannot_be_read_is_refused_and_the_other_conversations_are_not(tmp_path):
    file = tmp_path / "store.db"
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE events (id, sender_id, type_name, timestamp, data)")
        rows = [(1, "a", "pause", 1.0, "{broken"), (2, "b", "pause", 2.5, None)]
        db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
        db.commit()
    refused, read = codec("rasa-sql").read(file)
    assert isinstance(refused, FormatError)
    assert (refused.conversation, refused.field) == ("a", "events.data, id 1")
    assert read == Dialogue("b", (e.ConversationPaused(timestamp=2.5),))


# --- Mongo --------------------------------------------------------------------------------------


def test_botfronts_documents_round_trip_unchanged(rasa):
    files = list((rasa / "botfront").rglob("conversation*.json"))
    assert len(files) == 3
    trackers = 0
    for file in files:
        source = json.loads(file.read_text())
        _, dialogues = read(file, "rasa-mongo")
        assert len(dialogues) == len(source)
        if isinstance(source, dict):
            continue
        for dialogue, document in zip(dialogues, source, strict=True):
            assert dialogue.name == document["tracker"]["sender_id"]
            assert out(dialogue) == document["tracker"]["events"]
            said = dialogue.events[0].extra
            assert said is not None
            assert set(said) == set(document) - {"_id", "tracker"}
            trackers += 1
    assert trackers == 10


def test_botfronts_templates_are_conversations(rasa):
    file = next((rasa / "botfront").rglob("conversation_event_templates.json"))
    source = json.loads(file.read_text())
    _, dialogues = read(file, "rasa-mongo")
    for dialogue in dialogues:
        kinds = [event["event"] for event in out(dialogue)]
        assert kinds == [event["type"] for event in source[dialogue.name]]
    assert not unknown(dialogues)


def test_kairons_rows_are_joined_and_reported_one_by_one(rasa):
    file = rasa / "kairon" / "conversations_history_subset.json"
    source = json.loads(file.read_text())
    found, dialogues = read(file, "rasa-mongo")
    assert len(source) == 763
    assert len(dialogues) == 10
    untyped = [row for row in source if "event" not in row["event"]]
    for dialogue in dialogues:
        mine = [row for row in source if row["sender_id"] == dialogue.name]
        for row, event in zip(mine, out(dialogue), strict=True):
            if row in untyped:
                assert event == {key: row[key] for key in row if key != "sender_id"}
            else:
                assert event == row["event"]
    assert unknown(dialogues) == {"(none)": len(untyped)}
    why = Counter(note.why for note in found.notes)
    assert why["has no event type; stored as Unknown"] == len(untyped) == 136
    assert why["'$currentDate()' is not a time; stored the event without one"] == 763
    assert len({(note.conversation, note.field) for note in found.notes}) == len(found.notes)


def test_jumbled_events_keep_their_order_and_each_is_reported(rasa):
    file = rasa / "kairon" / "jumbled_events.json"
    found, (dialogue,) = read(file, "rasa-mongo")
    assert out(dialogue) == [row["event"] for row in json.loads(file.read_text())]
    assert len(found.notes) == 6


def test_kairons_slots_equal_rasas_own_header_in_8_of_8(rasa):
    source = json.loads((rasa / "kairon" / "conversations_history_subset.json").read_text())
    _, dialogues = read(rasa / "kairon" / "conversations_history_subset.json", "rasa-mongo")
    checked = 0
    for dialogue in dialogues:
        row = next(row for row in source if row["sender_id"] == dialogue.name)
        set_ = {event.name for event in dialogue.events if isinstance(event, e.SlotSet)}
        if not set_:
            continue
        last = {s.name: s.value for s in dialogue.events if isinstance(s, e.SlotSet)}
        # A store of rows says no slot before the last session but what Rasa carried over.
        assert {name: row["slots"][name] for name in set_} == last
        state = fold(State(), dialogue.events)
        assert state.slots == {name: value for name, value in last.items() if value is not None}
        checked += 1
    assert checked == 8


def test_mongos_extended_numbers_are_numbers(tmp_path):
    file = tmp_path / "out.json"
    event = {"event": "slot", "timestamp": {"$numberDouble": "1.5"}, "name": "n",
             "value": {"$numberLong": "7"}}  # fmt: skip
    file.write_text(json.dumps({"_id": {"$oid": "5f"}, "sender_id": "a", "events": [event]}))
    _, (dialogue,) = read(file, "rasa-mongo")
    assert dialogue.events == (e.SlotSet("n", 7, timestamp=1.5),)


NUMBERS = [
    ({"$numberDecimal": "1663777794.5"}, 1663777794.5),
    ({"$numberDouble": "1.5"}, 1.5),
    ({"$date": "2022-09-21T16:29:54.500Z"}, 1663777794.5),
    ({"$date": {"$numberLong": "1663777794500"}}, 1663777794.5),
    ({"$date": 1663777794500}, 1663777794.5),
]


@pytest.mark.parametrize(("written", "time"), NUMBERS)
def test_mongos_ways_to_write_a_time_are_read(tmp_path, written, time):
    file = tmp_path / "out.json"
    event = {"event": "pause", "timestamp": written}
    file.write_text(json.dumps({"_id": {"$oid": "5f"}, "sender_id": "a", "events": [event]}))
    found, (dialogue,) = read(file, "rasa-mongo")
    assert dialogue.events == (e.ConversationPaused(timestamp=time),)
    assert not found.notes


@pytest.mark.parametrize("value", ["NaN", "Infinity", "many"])
def test_an_invalid_number_of_mongos_is_noted(tmp_path, value):
    file = tmp_path / "out.json"
    event = {"event": "pause", "timestamp": {"$numberDecimal": value}}
    file.write_text(json.dumps({"_id": {"$oid": "5f"}, "sender_id": "a", "events": [event]}))
    found, (dialogue,) = read(file, "rasa-mongo")
    assert dialogue.events[0].timestamp is None
    assert "is not a time" in found.notes[0].why


def test_kairons_summaries_without_an_event_are_skipped_and_counted(tmp_path):
    file = tmp_path / "rows.json"
    row = {"sender_id": "a", "event": {"event": "pause", "timestamp": 1.0}}
    summary = {"type": "flattened", "sender_id": "a", "data": {"user_input": "hi"}}
    file.write_text(json.dumps([row, summary, summary]))
    found = codec("rasa-mongo")
    (dialogue,) = found.read(file)
    assert dialogue.events == (e.ConversationPaused(timestamp=1.0),)
    assert [note.why for note in found.notes] == [
        "2 rows of type 'flattened' have no event; skipped them"
    ]


@pytest.mark.parametrize(
    ("sender", "name"),
    [("7", "7"), ("12345678901234567890123", "12345678901234567890123"), ("-1.5", "-1.5")],
)
def test_a_sender_id_that_is_a_number_is_taken_as_text(tmp_path, sender, name):
    event = '{"event":"pause","timestamp":1.0}'
    files = {
        "rasa-tracker": f'{{"sender_id":{sender},"events":[{event}]}}',
        "rasa-mongo": f'[{{"sender_id":{sender},"event":{event}}}]',
    }
    for format, text in files.items():
        file = tmp_path / f"{format}.json"
        file.write_text(text)
        (dialogue,) = codec(format).read(file)
        assert (dialogue.name, len(dialogue.events)) == (name, 1)


@pytest.mark.parametrize("sender", ["true", "null", '{"a":1}', "[1]", '""'])
def test_an_invalid_sender_id_is_refused_alone(tmp_path, sender):
    event = '{"event":"pause","timestamp":1.0}'
    file = tmp_path / "rows.json"
    rows = f'{{"sender_id":{sender},"event":{event}}},{{"sender_id":"a","event":{event}}}'
    file.write_text(f"[{rows}]")
    found = list(codec("rasa-mongo").read(file))
    assert [dialogue.name for dialogue in found if isinstance(dialogue, Dialogue)] == ["a"]
    assert [error.why for error in found if isinstance(error, FormatError)]


# --- DynamoDB -----------------------------------------------------------------------------------

ITEM = {
    "sender_id": {"S": "a"},
    "events": {"L": [
        {"M": {"event": {"S": "slot"}, "timestamp": {"N": "1663777794.5"}, "name": {"S": "n"},
               "value": {"M": {"list": {"L": [{"N": "7"}, {"BOOL": True}, {"NULL": True}]}}}}},
        {"M": {"event": {"S": "user"}, "timestamp": {"N": "1663777795"}, "text": {"S": "hi"},
               "parse_data": {"M": {"intent": {"M": {"name": {"S": "greet"},
                                                      "confidence": {"N": "0.9"}}},
                                    "entities": {"L": []}, "text": {"S": "hi"}}}}},
    ]},
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"Item": ITEM}) + "\n" + json.dumps({"Item": {**ITEM, "sender_id": {"N": "7"}}}),
        json.dumps({"Items": [ITEM, {**ITEM, "sender_id": {"N": "7"}}], "Count": 2}, indent=1),
        json.dumps([ITEM, {**ITEM, "sender_id": {"N": "7"}}]),
    ],
)
def test_dynamodbs_json_is_read(tmp_path, text):
    file = tmp_path / "out.json"
    file.write_text(text)
    _found, dialogues = read(file, "rasa-dynamo")
    assert [dialogue.name for dialogue in dialogues] == ["a", "7"]
    slot, uttered, understood = dialogues[0].events
    value = {"list": [7, True, None]}
    assert slot == e.SlotSet("n", value, timestamp=1663777794.5)
    assert (uttered.text, understood.intent.name) == ("hi", "greet")


@pytest.mark.parametrize("events", [{"L": [{"X": "1"}]}, {"L": [{"N": "x"}]}, {"L": 7}, {}, []])
def test_an_item_of_another_kind_is_refused_by_its_place(tmp_path, events):
    file = tmp_path / "out.json"
    file.write_text(json.dumps({"Item": {**ITEM, "events": events}}))
    (error,) = codec("rasa-dynamo").read(file)
    assert (error.file, error.line) == (str(file), 1)


# --- Redis --------------------------------------------------------------------------------------


def test_a_redis_dump_is_read_and_a_pickle_is_not(tmp_path, rasa):
    tracker = json.loads((rasa / "rasa_3.6.21/real_3.6.21_tracker_ALL.json").read_text())
    value = json.dumps({"events": tracker["events"], "name": "u1"})
    file = tmp_path / "dump.json"
    file.write_text(json.dumps({"tracker:u1": value, "my:tracker:u2": "\x80\x04pickle", "x": "1"}))
    found = detect(file)
    assert found is not None
    assert found.name == "rasa-redis"
    good, *bad = found.read(file)
    assert isinstance(good, Dialogue)
    assert (good.name, out(good)) == ("u1", tracker["events"])
    assert [item.conversation for item in bad] == ["u2", None]


def test_a_live_redis_is_read(valkey_url, rasa):
    redis = pytest.importorskip("redis")
    tracker = json.loads((rasa / "rasa_3.6.21/real_3.6.21_tracker_ALL.json").read_text())
    with redis.Redis.from_url(valkey_url) as server:
        server.set("tracker:u1", json.dumps({"events": tracker["events"], "name": "u1"}))
        server.set("tracker:u2", json.dumps({"events": [{"event": "pause"}], "name": "u2"}))
    one, two = codec("rasa-redis").read(Path(valkey_url))
    assert (one.name, out(one)) == ("u1", tracker["events"])
    assert (two.name, out(two)) == ("u2", [{"event": "pause"}])


# --- the domain ---------------------------------------------------------------------------------


def test_a_domain_declares_slots_with_types_and_initial_values(tmp_path, rasa):
    pytest.importorskip("yaml")
    domain = tmp_path / "domain.yml"
    domain.write_text(
        "slots:\n  tags: {type: list}\n  city: {type: text, initial_value: Rome}\n"
        "  price: {type: categorical, values: [Low, HIGH]}\n  own: {type: bot.MySlot}\n"
        "forms: {trip_form: {}}\n"
    )
    file = tmp_path / "t.json"
    events = [{"event": "slot", "name": n, "value": "x"} for n in ("tags", "other")]
    file.write_text(json.dumps({"sender_id": "a", "events": events}))
    (dialogue,) = codec("rasa-tracker", domain=str(domain)).read(file)
    state = replay(dialogue.events)
    assert state.slots == {"tags": ["x"], "city": "Rome"}
    assert current_state("a", state, dialogue.events)["slots"] == {
        "tags": ["x"], "city": "Rome", "price": None, "own": None, "requested_slot": None,
        "session_started_metadata": None,
    }  # fmt: skip
    assert out(dialogue) == events


def test_every_domain_of_the_shared_data_is_read(rasa):
    pytest.importorskip("yaml")
    from turnlog.serializers.rasa.domain import read_domain

    files = sorted(rasa.rglob("domain.yml"))
    assert len(files) > 5
    slots = [slot for file in files for slot in read_domain(file).slots]
    assert {slot.type for slot in slots} >= {"any", "text", "bool", "list"}
