"""Random histories of Rasa's events with turnlog's state after each event, for Rasa to compare.

Run with turnlog's Python: `python histories.py COUNT > histories.json`.
"""

import json
import random
import sys

from turnlog.domain import events as e
from turnlog.domain.conversation import Conversation
from turnlog.domain.history import NoHistory
from turnlog.domain.slots import Slot
from turnlog.domain.state import State
from turnlog.serializers.rasa.reader import from_rasa
from turnlog.serializers.rasa.state import current_state

SLOTS = [
    ("a", "any", None), ("t", "text", "x"), ("l", "list", None), ("c", "categorical", "low"),
    ("requested_slot", "any", None),
]  # fmt: skip
NAMES = ["action_listen", "action_listen", "utter_x", "form", "form", "other_form"]


def event(chance, number):
    pick = chance.choice
    kind = pick(
        ["user"] * 5 + ["action"] * 7 + ["slot"] * 3 + ["bot", "active_loop", "active_loop"]
        + ["form", "form_validation", "loop_interrupted", "action_execution_rejected"]
        + ["user_featurization", "entities", "rewind", "undo", "restart", "session_started"]
        + ["reset_slots", "pause", "resume", "followup", "agent", "reminder", "export"]
        + ["cancel_reminder"]
    )  # fmt: skip
    text, message = f"u{number}", f"m{number}"
    entities = [{"entity": "a", "value": number}] if chance.random() < 0.4 else []
    parsed = {"intent": {"name": pick(["greet", "inform"]), "confidence": 0.5}}
    parsed.update(entities=entities, text=text, message_id=message, metadata={})
    action = {"policy": None, "confidence": 1.0, "action_text": None, "hide_rule_turn": False}
    fields = {
        "user": {"text": text, "parse_data": parsed, "input_channel": "rest",
                 "message_id": message, "metadata": {}},
        "action": {"name": pick(NAMES), **action},
        "slot": {"name": pick("atlcz"), "value": pick([None, 1, "v", ["p"], 0, "", {"k": 1}])},
        "bot": {"text": "b", "data": {}, "metadata": {}},
        "active_loop": {"name": pick(["form", "other_form", "form", None])},
        "form": {"name": pick(["form", None])},
        "form_validation": {"validate": chance.random() < 0.5},
        "loop_interrupted": {"is_interrupted": chance.random() < 0.5},
        "action_execution_rejected": {"name": pick(["form", "x"]), "policy": None,
                                      "confidence": None},
        "user_featurization": {"use_text_for_featurization": chance.random() < 0.5},
        "entities": {"entities": [{"entity": "a", "value": chance.randint(0, 2)}]},
        "followup": {"name": "f"},
        "agent": {"text": "x", "data": None},
        "reminder": {"intent": "i", "date_time": "2020-01-01T00:00:00", "entities": None,
                     "name": "n", "kill_on_user_msg": True},
    }.get(kind, {})  # fmt: skip
    if kind == "action" and chance.random() < 0.1:
        fields = {**fields, "name": None, "action_text": "hey"}
    return {"event": kind, "timestamp": 1000.0 + number, **fields}


def history(seed):
    chance = random.Random(seed)
    conversation = Conversation("s", State(), NoHistory())
    slots = tuple(Slot(name, kind, initial) for name, kind, initial in SLOTS)
    conversation.stage(e.SlotsDeclared(slots, closed=True), recorded=0.0)
    events, states = [], []
    for number in range(chance.randint(3, 30)):
        events.append(event(chance, number))
        after = conversation.state.event + 1
        conversation.stage(*from_rasa(events[-1:], after), recorded=0.0)
        states.append(current_state("s", conversation.state, list(conversation.events())))
    return {"events": events, "states": states}


if __name__ == "__main__":
    cases = [history(seed) for seed in range(int(sys.argv[1]))]
    json.dump({"slots": SLOTS, "cases": cases}, sys.stdout)
