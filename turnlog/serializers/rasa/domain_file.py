"""Rasa's `domain.yml`: every intent, entity, slot, form, action and response that was recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.slots import Slot
from turnlog.serializers.rasa.understood import understood
from turnlog.serializers.rasa.yaml import write_members
from turnlog.serializers.shared import losses
from turnlog.serializers.shared.codec import Codec, Example
from turnlog.serializers.shared.document import refuse_raw_example

_HELD: losses.Held = {
    e.UserUttered: frozenset(("text",)),
    e.MessageUnderstood: frozenset(("intent", "entities", "message")),
    e.EntitiesAdded: frozenset(("entities",)),
    e.MessageAnnotated: frozenset(("frames", "message")),
    e.SlotsDeclared: frozenset(("slots", "closed")),
    e.SlotSet: frozenset(("name", "value")),
    e.ActionExecuted: frozenset(("name",)),
    e.LoopActivated: frozenset(("name",)),
    e.BotUttered: frozenset(("text", "data", "extra")),
}
_OWN = frozenset((
    "action_listen", "action_restart", "action_session_start", "action_default_fallback",
    "action_deactivate_loop", "action_revert_fallback_events", "action_default_ask_affirmation",
    "action_default_ask_rephrase", "action_two_stage_fallback", "action_unlikely_intent",
    "action_back", "action_extract_slots", "...",
))  # fmt: skip
"""Actions and slots that Rasa defines itself and no domain declares."""
_OWN_SLOTS = frozenset(("requested_slot", "session_started_metadata"))
_TYPES: dict[type, str] = {str: "text", bool: "bool", list: "list"}


class RasaDomainCodec(Codec):
    """An example is what one conversation needs of a domain; the file declares each name once.

    An undeclared slot gets the type of its values, or `any` if they have several types.
    """

    name = "rasa-domain"
    suffix = ".yml"
    writes = True
    libraries = ("PyYAML",)
    extra = "rasa"

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """One example: what the dialogue needs of a domain; empty if it needs nothing."""
        content = {name: held for name, held in _needed(dialogue).items() if held}
        if not content:
            return
        lost = losses.lost(dialogue.events, _HELD)
        example = Example.of(dialogue, content, lost)
        refuse_raw_example(example)
        yield example

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """All examples merged into one domain."""
        domain: dict[str, Any] = {}
        for example in examples:
            for name, held in example.content.items():
                _merge(domain.setdefault(name, {}), held)
        write_members(_declared(domain), out)


# --- what a conversation needs ------------------------------------------------------------------


def _needed(dialogue: Dialogue) -> dict[str, dict[str, Any]]:
    """What is known of each name, by section; all of it can be merged."""
    found: dict[str, dict[str, Any]] = {
        "intents": {}, "entities": {}, "slots": {}, "forms": {}, "actions": {}, "responses": {},
    }  # fmt: skip
    for message in understood(dialogue).values():
        if message.intent:
            found["intents"][message.intent] = {}
        for entity in message.entities:
            known = found["entities"].setdefault(entity.entity, {})
            for what in ("role", "group"):
                if isinstance(said := (entity.extra or {}).get(what), str):
                    known.setdefault(f"{what}s", {})[said] = {}
    last = None
    for event in dialogue.events:
        if isinstance(event, e.ActionExecuted):
            last = event.name
        _take(event, last, found)
    return found


def _take(event: e.Event, action: str | None, found: dict[str, dict[str, Any]]) -> None:
    match event:
        case e.SlotsDeclared():
            for slot in event.slots:
                found["slots"].setdefault(slot.name, {})["declared"] = _slot(slot)
        case e.SlotSet() if event.name not in _OWN_SLOTS:
            kinds = found["slots"].setdefault(event.name, {}).setdefault("kinds", {})
            if event.value is not None:
                kinds[_TYPES.get(type(event.value), "any")] = {}
        case e.ActionExecuted() if event.name and event.name not in _OWN:
            found["actions"][event.name] = {}
        case e.LoopActivated() if event.name:
            found["forms"][event.name] = {}
        case e.BotUttered() if event.text and (name := _response(event, action)):
            found["responses"].setdefault(name, {})[event.text] = _buttons(event)


def _response(event: e.BotUttered, action: str | None) -> str | None:
    """The response that was said: the one that Rasa names, or the preceding action."""
    metadata = (event.extra or {}).get("metadata")
    named = metadata.get("utter_action") if isinstance(metadata, dict) else None
    said = named if isinstance(named, str) else action
    return said if said and said.startswith("utter_") else None


def _buttons(event: e.BotUttered) -> dict[str, Any]:
    given = (event.data or {}).get("buttons")
    buttons = [
        {"title": button["title"], "payload": button["payload"]}
        for button in (given if isinstance(given, list) else ())
        if isinstance(button, dict)
        and all(isinstance(button.get(key), str) for key in ("title", "payload"))
    ]
    return {"buttons": buttons} if buttons else {}


def _slot(slot: Slot) -> dict[str, Any]:
    says = {
        "type": slot.type,
        "initial_value": slot.initial,
        "values": None if slot.values is None else list(slot.values),
        "min_value": slot.lowest,
        "max_value": slot.highest,
        "influence_conversation": None if slot.type == "any" else slot.influence,
    }
    given = {name: held for name, held in says.items() if held is not None}
    return {**given, **(slot.extra or {})}


def _merge(one: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Merges into the first. What both say of a name is merged; where it cannot be, the last one
    wins.
    """
    for name, held in other.items():
        known = one.setdefault(name, {} if isinstance(held, dict) else held)
        if isinstance(held, dict) and isinstance(known, dict) and name != "declared":
            _merge(known, held)
        else:
            one[name] = held


# --- the file -----------------------------------------------------------------------------------


def _declared(domain: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if "intents" in domain:
        yield "intents", list(domain["intents"])
    if "entities" in domain:
        yield "entities", [_entity(name, known) for name, known in domain["entities"].items()]
    if "slots" in domain:
        entities = domain.get("entities", {})
        yield "slots", {name: _typed(name, s, entities) for name, s in domain["slots"].items()}
    if "forms" in domain:
        yield "forms", {name: {"required_slots": []} for name in domain["forms"]}
    beyond = {*domain.get("forms", ()), *domain.get("responses", ())}
    if actions := [name for name in domain.get("actions", ()) if name not in beyond]:
        yield "actions", actions
    if "responses" in domain:
        yield (
            "responses",
            {
                name: [{"text": text, **beside} for text, beside in said.items()]
                for name, said in domain["responses"].items()
            },
        )


def _entity(name: str, known: Mapping[str, Any]) -> Any:
    return {name: {what: list(said) for what, said in known.items()}} if known else name


def _typed(name: str, known: Mapping[str, Any], entities: Mapping[str, Any]) -> dict[str, Any]:
    kinds = list(known.get("kinds", ()))
    says = dict(known.get("declared") or {"type": kinds[0] if len(kinds) == 1 else "any"})
    filled = {"type": "from_entity", "entity": name} if name in entities else {"type": "custom"}
    says.setdefault("mappings", [filled])
    return says
