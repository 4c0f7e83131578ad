"""The drop-in inside Rasa's own code, and Rasa as the judge of states and of exported files."""

import asyncio
import copy
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import jsonpickle
import pytest
from conftest import PYTHON, Server, turnlog
from rasa.core.brokers.broker import EventBroker
from rasa.core.tracker_store import FailSafeTrackerStore, TrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import (
    ActionExecuted,
    Event,
    Restarted,
    SessionStarted,
    SlotSet,
    UserUttered,
)
from rasa.shared.core.slots import Slot, TextSlot
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import ConnectionException
from rasa.utils.endpoints import EndpointConfig

from turnlog_rasa import TurnlogEventBroker, TurnlogTrackerStore
from turnlog_rasa.keeper import outcomes
from turnlog_rasa.settings import PARKED

DATA = Path(os.environ.get("TURNLOG_DATA", "/nonexistent")) / "rasa"
DOMAIN = Domain.from_dict({"slots": {"city": {"type": "text", "mappings": []}}})


def opened(url, broker=None, **settings):
    """The store as `rasa run` makes it: from endpoints.yml, the domain later, fail-safe."""
    settings = {"patience": 0.3, **settings}
    config = EndpointConfig(url, type="turnlog_rasa.TurnlogTrackerStore", **settings)
    store = TrackerStore.create(config, event_broker=broker)
    assert type(store) is TurnlogTrackerStore
    store.domain = DOMAIN
    outcomes().clear()
    return FailSafeTrackerStore(store)


logging.getLogger("rasa").setLevel(logging.CRITICAL)  # slots that are not declared, on purpose


def run(coroutine):
    return asyncio.run(coroutine)


def said(text):
    return UserUttered(text, {"name": "greet", "confidence": 1.0}, message_id=text)


def events(tracker):
    return [event.as_dict() for event in tracker.events]


def session():
    return [
        ActionExecuted("action_session_start"),
        SessionStarted(),
        ActionExecuted("action_listen"),
    ]


def full(store, sender="a"):
    return run(store.retrieve_full_tracker(sender))


def test_a_slot_survives_get_or_create_save_get_or_create(server):
    store = opened(server.url)
    tracker = run(store.get_or_create_tracker("a"))
    tracker.update(SlotSet("city", "Rome"))
    run(store.save(tracker))
    again = run(store.get_or_create_tracker("a"))
    assert again.get_slot("city") == "Rome"
    assert again == tracker
    assert run(store.get_or_create_tracker("b")).get_slot("city") is None
    assert sorted(run(store.keys())) == ["a", "b"]
    assert run(store.exists("a"))


@pytest.mark.parametrize("listens", [True, False])
def test_a_full_tracker_is_created_with_and_without_action_listen(server, listens):
    store = opened(server.url)
    tracker = run(store.get_or_create_full_tracker("a", append_action_listen=listens))
    assert [e["name"] for e in events(tracker)] == (["action_listen"] if listens else [])


def test_every_session_is_kept_over_restarts_of_either_side(server):
    expected = []
    for number in range(4):
        store = opened(server.url)
        tracker = run(store.get_or_create_tracker("a", append_action_listen=False))
        for event in (*session(), said(f"m{number}"), SlotSet("city", f"c{number}")):
            tracker.update(event)
            expected.append(event.as_dict())
        run(store.save(tracker))
        last = run(store.retrieve("a"))
        assert [e["event"] for e in events(last)] == ["session_started", "action", "user", "slot"]
        assert last.get_slot("city") == f"c{number}"
        server.stop()
        server.start()
    assert events(full(opened(server.url))) == expected


def test_a_full_tracker_with_a_restart_is_the_saved_one(server):
    store = opened(server.url)
    tracker = run(store.get_or_create_tracker("a"))
    for event in (said("one"), Restarted(), said("two")):
        tracker.update(event)
    run(store.save(tracker))
    assert events(full(store)) == events(tracker)
    assert full(opened(server.url)).current_state() == full(store).current_state()


def test_a_shorter_put_replaces_and_the_old_events_stay_readable(server):
    store = opened(server.url)
    tracker = run(store.get_or_create_tracker("a"))
    tracker.update(said("one"))
    run(store.save(tracker))
    outcomes().clear()
    source = [ActionExecuted("action_listen").as_dict(), said("instead").as_dict()]
    put = DialogueStateTracker.from_dict("a", copy.deepcopy(source), DOMAIN.slots)
    run(store.save(put))  # as Rasa's `PUT …/tracker/events` does it
    assert events(full(store)) == source
    out = subprocess.run(
        [PYTHON, "-m", "turnlog", "--db", server.db, "log", "a", "--json"],
        check=True, stdout=subprocess.PIPE, text=True,
    ).stdout  # fmt: skip
    assert '"one"' in out


def test_of_two_writers_no_event_is_lost(server):
    one, two = opened(server.url), opened(server.url)
    run(one.get_or_create_tracker("a"))
    a, b = run(one.retrieve("a")), run(two.retrieve("a"))
    a.update(said("from a"))
    b.update(said("from b"))
    run(one.save(a))
    run(two.save(b))
    texts = [e.get("text") for e in events(full(one)) if e["event"] == "user"]
    assert texts == ["from a", "from b"]


def test_a_server_that_stops_during_a_read_erases_nothing(server):
    store = opened(server.url)
    tracker = run(store.get_or_create_tracker("a"))
    tracker.update(said("before"))
    run(store.save(tracker))
    store = opened(server.url)
    server.stop()

    async def turn():
        blank = await store.get_or_create_tracker("a")  # the read fails and Rasa makes a blank one
        blank.update(said("while it was away"))
        await store.save(blank)

    run(turn())
    server.start()
    texts = [e.get("text") for e in events(full(store)) if e["event"] == "user"]
    assert texts == ["before", "while it was away"]


def test_a_slot_posted_to_a_fresh_conversation_stays(server):
    store = opened(server.url)

    async def post():  # as Rasa's `POST …/tracker/events` does it
        tracker = await store.get_or_create_tracker("a", append_action_listen=False)
        tracker.update(SlotSet("city", "Rome"))
        await store.save(tracker)

    run(post())
    assert run(store.get_or_create_tracker("a")).get_slot("city") == "Rome"


def test_few_events_in_memory_are_all_events_in_the_log(server):
    store = opened(server.url)
    tracker = run(store.get_or_create_tracker("a", max_event_history=3))
    for number in range(6):
        tracker.update(said(f"m{number}"))
        run(store.save(tracker))
    store.max_event_history = store._tracker_store.max_event_history = None
    texts = [e.get("text") for e in events(full(opened(server.url))) if e["event"] == "user"]
    assert texts == [f"m{n}" for n in range(6)]


class Heard(EventBroker):
    def __init__(self):
        self.events = []

    def publish(self, event):
        self.events.append(event)


def test_every_event_is_streamed_once(server):
    heard = Heard()
    store = opened(server.url, heard)
    tracker = run(store.get_or_create_tracker("a"))
    for number in range(3):
        tracker.update(said(f"m{number}"))
        run(store.save(tracker))
        tracker = run(store.retrieve("a"))
    assert [{**event, "sender_id": None} for event in heard.events] == [
        {"sender_id": None, **event} for event in events(tracker)
    ]


def test_the_broker_alone_fills_the_log(server):
    async def publish():
        config = EndpointConfig(server.url, type="turnlog_rasa.TurnlogEventBroker")
        broker = await EventBroker.create(config)
        assert type(broker) is TurnlogEventBroker
        for number in range(20):
            broker.publish({"sender_id": "a", **said(f"m{number}").as_dict()})
        await broker.close()

    run(publish())
    texts = [e["text"] for e in events(full(opened(server.url)))]
    assert texts == [f"m{n}" for n in range(20)]


def test_without_a_server_rasa_stops_and_no_store_in_memory_takes_its_place():
    config = EndpointConfig("http://127.0.0.1:9", type="turnlog_rasa.TurnlogTrackerStore")
    with pytest.raises(ConnectionException, match="turnlog serve"):
        TrackerStore.create(config)


# --- outages ------------------------------------------------------------------------------------


def eventually(holds, within=30.0):
    end = time.monotonic() + within
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def spoken(store, sender):
    tracker = full(store, sender)
    return [e.text for e in tracker.events if isinstance(e, UserUttered)] if tracker else []


async def turn(store, sender, text):
    """Handles a message as Rasa does: it reads, and saves."""
    tracker = await store.get_or_create_tracker(sender)
    tracker.update(said(text))
    await store.save(tracker)


def test_a_parked_turn_goes_when_the_server_is_back_and_rasa_keeps_nothing_in_memory(
    server, tmp_path
):
    store = opened(server.url)
    run(turn(store, "p", "before"))
    server.stop()
    run(turn(store, "p", "while it was away"))
    assert store._fallback_tracker_store is None
    parked = tmp_path / PARKED
    assert "while it was away" in parked.read_text()
    server.start()
    run(turn(store, "others", "hello"))
    assert eventually(lambda: spoken(store, "p") == ["before", "while it was away"])
    assert eventually(lambda: parked.read_bytes() == b"")


KILLED = """
import asyncio, os, sys
from test_in_rasa import opened, turn
store = opened(sys.argv[1])
asyncio.run(turn(store, "p", "before"))
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(turn(store, "p", "while it was away"))
os._exit(9)
"""


def test_a_parked_turn_survives_rasas_death(server, tmp_path):
    tests = str(Path(__file__).parent)
    path = os.pathsep.join([tests, str(Path(tests).parent)])
    rasa = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KILLED, server.url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert rasa.stdout.readline() == b"ready\n"
    server.stop()
    rasa.communicate(b"\n", timeout=60)
    assert "while it was away" in (tmp_path / PARKED).read_text()
    server.start()
    store = opened(server.url)
    assert eventually(lambda: spoken(store, "p") == ["before", "while it was away"])


def test_a_wrong_token_drops_no_turn(tmp_path):
    server = Server(tmp_path)
    server.start("--auth-token", "right")
    try:
        store = opened(server.url, auth_token="right")
        run(turn(store, "p", "before"))
        server.stop()
        server.start("--auth-token", "another")
        run(turn(store, "p", "with the wrong token"))
        server.stop()
        server.start("--auth-token", "right")
        assert eventually(lambda: spoken(store, "p") == ["before", "with the wrong token"])
    finally:
        server.stop()


def test_while_the_server_is_away_turns_do_not_wait_for_it(server):
    store = opened(server.url, patience=5.0)
    run(turn(store, "p", "before"))
    server.stop()
    run(turn(store, "p", "first"))
    begun = time.monotonic()
    for number in range(5):
        run(turn(store, "p", f"m{number}"))
    assert time.monotonic() - begun < 10.0  # ten requests would wait 50 s
    server.start()
    expected = ["before", "first", *(f"m{n}" for n in range(5))]
    assert eventually(lambda: spoken(store, "p") == expected)


def test_store_and_broker_on_one_server_store_each_event_once(server):
    async def both():
        config = EndpointConfig(server.url, type="turnlog_rasa.TurnlogEventBroker")
        broker = await EventBroker.create(config)
        store = opened(server.url.replace("127.0.0.1", "localhost"), broker)
        for number in range(3):
            await turn(store, "a", f"m{number}")
        await broker.close()
        return store

    store = run(both())
    tracker = full(opened(server.url), "a")
    assert [e.text for e in tracker.events if isinstance(e, UserUttered)] == ["m0", "m1", "m2"]
    assert len(tracker.events) == 4
    assert spoken(store, "a") == ["m0", "m1", "m2"]


def test_a_store_and_a_broker_for_other_logs_both_store(server, tmp_path):
    (tmp_path / "other").mkdir()
    other = Server(tmp_path / "other")
    other.start()
    try:

        async def both():
            config = EndpointConfig(other.url, type="turnlog_rasa.TurnlogEventBroker")
            broker = await EventBroker.create(config)
            await turn(opened(server.url, broker), "a", "hello")
            await broker.close()

        run(both())
        assert spoken(opened(server.url), "a") == spoken(opened(other.url), "a") == ["hello"]
    finally:
        other.stop()


@pytest.mark.parametrize(
    ("module", "name"),
    [("turnlog_rasa", "TurnlogTrackerstore"), ("turnlog_rasa", "TurnlogTrackerStore")],
)
def test_rasa_stops_instead_of_continuing_in_memory(monkeypatch, module, name):
    monkeypatch.setitem(sys.modules, "turnlog_rasa.store", None)  # like a Rasa with other modules
    monkeypatch.delattr("turnlog_rasa.store", raising=False)
    config = EndpointConfig("http://127.0.0.1:9", type=f"{module}.{name}")
    with pytest.raises(RuntimeError, match="turnlog_rasa"):
        TrackerStore.create(config)


def test_a_store_made_again_continues_with_what_waits(server, tmp_path):
    """As Rasa Pro does after an error, perhaps with another token."""
    first = opened(server.url)
    run(turn(first, "p", "before"))
    server.stop()
    run(turn(first, "p", "while it was away"))
    server.start()
    again = opened(server.url, auth_token="another")
    assert spoken(again, "p") == ["before", "while it was away"]
    assert [path.name for path in tmp_path.glob("turnlog-parked*")] == [PARKED]


def test_update_replaces_and_delete_deletes(server):
    store = opened(server.url)._tracker_store
    run(turn(store, "a", "my name is Ann"))
    tracker = full(store)
    tracker.events = type(tracker.events)(e for e in tracker.events if e.type_name != "user")
    run(store.update(tracker, apply_deletion_only=False))
    assert spoken(opened(server.url), "a") == []
    run(store.delete("a"))
    run(store.delete("never there"))
    assert list(run(store.keys())) == []


def test_a_deleted_sender_begins_again(server):
    store = opened(server.url)._tracker_store
    run(turn(store, "a", "before"))
    run(store.delete("a"))
    for text in ("again", "and on"):
        run(turn(store, "a", text))
    assert spoken(opened(server.url), "a") == ["again", "and on"]
    assert list(run(store.keys())) == ["a"]


def test_a_slot_that_is_too_large_takes_no_turn_with_it(server):
    async def large():
        tracker = await store.get_or_create_tracker("a")
        deep = []
        for _ in range(200):
            deep = [deep]
        for event in (said("before"), SlotSet("city", "x" * 1_100_000), SlotSet("city", deep)):
            tracker.update(event)
        await store.save(tracker)

    store = opened(server.url)
    run(large())
    run(turn(store, "a", "after"))
    again = opened(server.url)
    assert spoken(again, "a") == ["before", "after"]
    assert run(again.retrieve("a")).get_slot("city") is None
    run(turn(again, "i" * 1_500, "a long id"))
    assert spoken(again, "i" * 1_500) == ["a long id"]


def test_an_imported_conversation_with_a_slash_in_its_id_continues(server, tmp_path):
    history = [said("imported").as_dict()]
    dump = tmp_path / "tracker.json"
    dump.write_text(json.dumps([{"sender_id": "viber/+9a==", "events": history}]))
    server.stop()
    turnlog("--db", server.db, "import", "--format", "rasa-tracker", str(dump))
    server.start()
    store = opened(server.url)
    run(turn(store, "viber/+9a==", "goes on"))
    assert spoken(store, "viber/+9a==") == ["imported", "goes on"]
    assert run(store.keys()) == ["viber/+9a=="]


# --- Rasa as the judge --------------------------------------------------------------------------


def test_rasas_state_is_ours_after_every_event_of_random_histories():
    """Compares everything but entities that policies added, which Rasa shares by accident.

    A rewind replays in Rasa, and its replay forgets the messages of a form's later turns, which
    turnlog remembers (docs/rasa.md). The latest message alone may differ then.
    """
    script = Path(__file__).with_name("histories.py")
    made = subprocess.run([PYTHON, str(script), "600"], check=True, stdout=subprocess.PIPE).stdout
    found = json.loads(made)
    compared = replayed = 0
    for case in found["cases"]:
        tracker = DialogueStateTracker("s", [_slot(*slot) for slot in found["slots"]])
        for event, ours in zip(case["events"], case["states"]):
            tracker.update(Event.from_parameters(copy.deepcopy(event)))
            theirs = json.loads(json.dumps(tracker.current_state()))
            compared += 1
            if event["event"] in ("rewind", "undo") and _differing(theirs, ours) == {
                "latest_message"
            }:
                replayed += 1
                break
            assert _differing(theirs, ours) == set(), [e["event"] for e in case["events"]]
    assert compared > 5_000
    assert replayed < compared / 1_000


def _said(event):
    """What an event says. Rasa fills in keys that its source lacked when it loads JSON."""
    content = event.as_dict()
    parsed = content.pop("parse_data", {})
    kept = {key: parsed.get(key) for key in ("intent", "entities", "text")}
    return {**kept, **{key: value for key, value in content.items() if value}}


def _slot(name, kind, initial):
    more = {"values": ["low"]} if kind == "categorical" else {}
    return Slot.resolve_by_type(kind)(name, mappings=[], initial_value=initial, **more)


def _differing(theirs, ours):
    one, other = _compared(theirs), _compared(ours)
    return {key for key in one if one[key] != other[key]} | (set(one) ^ set(other))


def _compared(state):
    state = copy.deepcopy(state)
    state["latest_message"].pop("entities")
    if state["active_loop"]:
        state["active_loop"]["trigger_message"].pop("entities")
    return state


@pytest.mark.skipif(not DATA.is_dir(), reason="part not had: shared data (TURNLOG_DATA)")
def test_exported_files_load_in_rasas_own_code(tmp_path):
    db = f"sqlite:///{tmp_path}/log.db"
    turnlog("--db", db, "import", str(DATA / "rasa_3.6.21" / "tracker.sqlite"))
    turnlog("--db", db, "import", str(DATA / "helpdesk-assistant" / "rasa_x_conversations.sqlite"))
    for name in ("rasa-dialogue", "rasa-tracker"):
        turnlog("--db", db, "export", "--format", name, "--out", str(tmp_path / name))
    trackers = json.loads((tmp_path / "rasa-tracker").read_text())
    lines = (tmp_path / "rasa-dialogue").read_text().splitlines()
    assert len(trackers) == len(lines) == 14
    known = {tracker["sender_id"]: tracker["events"] for tracker in trackers}
    for line in lines:
        dialogue = jsonpickle.decode(line)
        one = DialogueStateTracker(dialogue.name, [TextSlot("city", mappings=[])])
        one.recreate_from_dialogue(dialogue)
        other = DialogueStateTracker.from_dict(
            dialogue.name, known[dialogue.name], one.slots.values()
        )
        assert list(map(_said, one.events)) == list(map(_said, other.events))
        assert one.current_slot_values() == other.current_slot_values()
