"""Rasa's domain, put together from what was recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

import turnlog
from tests.command_line import run
from turnlog import ActionExecuted, BotUttered, MessageUnderstood, SlotSet, UserUttered
from turnlog.domain.events import Entity, Event, Intent, LoopActivated, SlotsDeclared
from turnlog.domain.slots import Slot
from turnlog.serializers.rasa.domain import read_domain


def exported(tmp_path: Path, **conversations: tuple[Event, ...]) -> dict[str, Any]:
    db = f"sqlite:///{tmp_path}/log.db"
    with turnlog.open(db) as log:
        for id, events in conversations.items():
            log.record(id, *events)
    ran = run("--db", db, "export", "--format", "rasa-domain", "--out", tmp_path / "domain.yml")
    assert ran.status == 0, ran.err
    domain: dict[str, Any] = yaml.safe_load((tmp_path / "domain.yml").read_bytes())
    return domain


def asked(intent: str, *entities: Entity) -> tuple[Event, ...]:
    return UserUttered("from Rome"), MessageUnderstood(Intent(intent), entities)


def test_a_domain_declares_what_the_conversations_need(tmp_path: Path) -> None:
    city = Entity("city", "Rome", 5, 9, extra={"role": "from"})
    buttons = {"buttons": [{"title": "Yes", "payload": "/affirm", "type": "x"}, "odd"]}
    domain = exported(
        tmp_path,
        a=(
            *asked("book", city),
            SlotSet("city", "Rome"),
            SlotSet("people", 2),
            ActionExecuted("action_listen"),
            ActionExecuted("action_book"),
            ActionExecuted("utter_ask"),
            BotUttered("From Rome?", data=buttons),
        ),
        b=(
            *asked("affirm", Entity("city", "Rome", 5, 9, extra={"role": "to"})),
            LoopActivated("booking_form"),
            ActionExecuted("booking_form"),
            SlotSet("requested_slot", "people"),
            SlotSet("people", "many"),
            SlotSet("sure", True),
            SlotSet("names", ["Ann"]),
            SlotSet("nothing", None),
            ActionExecuted("utter_ask"),
            BotUttered("From where?"),
            ActionExecuted("action_send"),
            BotUttered("Sent."),
            BotUttered("Bye.", extra={"metadata": {"utter_action": "utter_bye"}}),
        ),
    )
    assert domain == {
        "version": "3.1",
        "intents": ["book", "affirm"],
        "entities": [{"city": {"roles": ["from", "to"]}}],
        "slots": {
            "city": {"type": "text", "mappings": [{"type": "from_entity", "entity": "city"}]},
            "people": {"type": "any", "mappings": [{"type": "custom"}]},
            "sure": {"type": "bool", "mappings": [{"type": "custom"}]},
            "names": {"type": "list", "mappings": [{"type": "custom"}]},
            "nothing": {"type": "any", "mappings": [{"type": "custom"}]},
        },
        "forms": {"booking_form": {"required_slots": []}},
        "actions": ["action_book", "action_send"],
        "responses": {
            "utter_ask": [
                {"text": "From Rome?", "buttons": [{"title": "Yes", "payload": "/affirm"}]},
                {"text": "From where?"},
            ],
            "utter_bye": [{"text": "Bye."}],
        },
    }


def test_declared_slots_are_declared_again(tmp_path: Path) -> None:
    declared = (
        Slot("size", "categorical", "small", values=("small", "large")),
        Slot("people", "float", None, lowest=1.0, highest=9.0, influence=False),
        Slot("note", "any", influence=False, extra={"mappings": [{"type": "from_text"}]}),
    )
    exported(tmp_path, a=(SlotsDeclared(declared), SlotSet("size", "large"), *asked("book")))
    read = {slot.name: slot for slot in read_domain(tmp_path / "domain.yml").slots}
    for slot in declared:
        given = {"mappings": [{"type": "custom"}]} | (slot.extra or {})
        found = read[slot.name]
        assert (found.type, found.initial, found.values, found.influence) == (
            slot.type, slot.initial, slot.values, slot.influence,
        )  # fmt: skip
        assert (found.lowest, found.highest, found.extra) == (slot.lowest, slot.highest, given)


def test_small_talk_needs_no_domain(tmp_path: Path) -> None:
    domain = exported(tmp_path, a=(UserUttered("hi"), BotUttered("hello")))
    assert domain == {"version": "3.1"}
