"""The face of the old Rasa Core docs."""

from __future__ import annotations

import json

import turnlog
from turnlog.rasa import (
    ActionExecuted,
    ActiveLoop,
    DialogueStateTracker,
    ListSlot,
    Restarted,
    SlotSet,
    TextSlot,
    UserUtteranceReverted,
    UserUttered,
)


def test_the_example_of_the_docs():
    tracker = DialogueStateTracker("default", slots=[TextSlot("cuisine")])
    tracker.update(SlotSet("cuisine", "Mexican"))
    assert tracker.slots == {"cuisine": "Mexican"}
    assert [event.name for event in tracker.events] == ["cuisine"]
    assert tracker.latest_message is None


def test_an_undeclared_slot_is_kept_without_effect_and_a_list_slot_wraps():
    tracker = DialogueStateTracker("default", slots=[ListSlot("tags"), TextSlot("other")])
    tracker.update(SlotSet("tags", "x"))
    tracker.update(SlotSet("unknown", 1))
    assert tracker.slots == {"tags": ["x"], "other": None}
    assert len(tracker.events) == 2


def test_a_rewind_restores_the_earlier_state():
    tracker = DialogueStateTracker("default")
    for event in (ActionExecuted("action_listen"), UserUttered("hi"), SlotSet("a", 1)):
        tracker.update(event)
    assert tracker.latest_message is not None
    assert tracker.latest_message.text == "hi"
    tracker.update(UserUtteranceReverted())
    assert tracker.slots == {}
    assert tracker.applied_events() == []
    assert len(tracker.events) == 4


def test_rasas_events_go_back_as_in_rasa_and_our_own_one_message():
    said = [{"event": "user", "text": text, "timestamp": 1.0} for text in ("hi", "oops")]
    for kind in ("undo", "rewind"):
        tracker = DialogueStateTracker.from_dict("u1", [*said, {"event": kind, "timestamp": 2.0}])
        assert (tracker.latest_message, tracker.applied_events()) == (None, [])
    tracker = DialogueStateTracker.from_dict("u1", said)
    tracker.update(UserUtteranceReverted())
    assert tracker.latest_message is not None
    assert tracker.latest_message.text == "hi"


def test_forms_followups_and_pauses_have_rasas_names():
    tracker = DialogueStateTracker("default")
    tracker.update(ActiveLoop("form"))
    tracker.update(ActionExecuted("form"))
    assert tracker.active_loop is not None
    assert tracker.latest_action_name == "form"
    tracker.update(Restarted())
    assert tracker.active_loop is None
    assert tracker.followup_action == "action_session_start"
    assert not tracker.is_paused()


def test_a_tracker_of_a_stored_conversation_stores_every_update(tmp_path):
    url = f"sqlite:///{tmp_path}/chat.db"
    with turnlog.open(url) as log:
        tracker = DialogueStateTracker("alice", slots=[TextSlot("city")], log=log)
        tracker.update(UserUttered("to Rome"))
        tracker.update(SlotSet("city", "Rome"))
        recorded = tracker.events
    with turnlog.open(url) as log:
        again = DialogueStateTracker("alice", slots=[TextSlot("city")], log=log)
        assert again.slots == {"city": "Rome"}
        assert again.events == recorded
        assert log.conversation("alice").slots == {"city": "Rome"}


def test_the_state_of_a_running_rasa_follows_from_its_events(shared_data):
    file = shared_data / "rasa" / "rasa_3.6.21" / "real_3.6.21_tracker_ALL.json"
    source = json.loads(file.read_text())
    slots = [TextSlot(name) for name in source["slots"]]
    tracker = DialogueStateTracker.from_dict("u1", source["events"], slots)
    assert tracker.current_state(events=True) == source
    assert tracker.copy().current_state(events=True) == source
    applied = json.loads((file.parent / "real_3.6.21_tracker_APPLIED.json").read_text())
    from turnlog.serializers.rasa.writer import to_rasa

    shown = [event["event"] for event in applied["events"]]
    assert [event["event"] for event in to_rasa(tracker.applied_events())] == shown
    assert len(list(tracker.as_dialogue(turns=1).turns())) == 1
