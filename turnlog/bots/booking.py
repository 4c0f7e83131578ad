"""A small table-booking bot without model, clock or chance: the same words get the same answer.

It fills the slots people, date, time and name, asks for the first that is missing, takes
corrections, calls its tool `check_table`, and books when the user says yes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from turnlog.bots.conversation import BotConversation
from turnlog.domain.events import (
    ActionExecuted,
    BotUttered,
    Entity,
    Event,
    Intent,
    MessageUnderstood,
    SlotSet,
    SlotsReset,
    UserUttered,
)

SLOTS = ("people", "date", "time", "name")
LARGEST_TABLE = 8
OPENING, CLOSING = "12:00", "22:00"

_QUESTIONS = {
    "people": "For how many people?",
    "date": "For which day?",
    "time": "At what time?",
    "name": "Under which name?",
}
_SUGGESTED = {
    "people": ("2", "4", "6"),
    "date": ("today", "tomorrow"),
    "time": ("18:00", "19:30", "21:00"),
}
_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {word: number for number, word in enumerate(_WORDS, 1)}
_COUNT = r"(\d{1,2}|" + "|".join(_NUMBERS) + r")\b"
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"

_PATTERNS = {
    "date": rf"\b(today|tonight|tomorrow|(?:next )?(?:{_DAYS})|\d{{4}}-\d\d-\d\d"
    rf"|\d{{1,2}}(?:st|nd|rd|th)? (?:of )?(?:{_MONTHS}))\b",
    "time": r"(?<![\d-])(\d{1,2}[:.]\d\d|\d{1,2} ?(?:am|pm|o'clock)|noon)\b",
    "people": rf"\b(?:for|of|table for|make it|we are) {_COUNT}(?! ?(?:am|pm|o'clock|[:.]\d))"
    rf"(?! (?:of )?(?:{_MONTHS}))|\b{_COUNT} (?:people|persons|guests)",
    "name": r"\b(?:my name is|name is|under the name|(?:i am|i'm) (?-i:(?=[A-Z])))"
    r" ?([^\W\d_][\w'-]*(?: (?-i:[A-Z])[\w'-]*)*)",
}
_INTENTS = {
    "cancel": r"^/cancel\b|\b(?:cancel|forget it|never mind|start over)\b",
    "affirm": r"^(?:/affirm|yes|yep|yeah|sure|ok|okay|please do|correct)\b",
    "deny": r"^(?:/deny|no|nope|not)\b",
    "greet": r"^(?:/greet|hi|hello|hey|good (?:morning|evening))\b",
    "thank": r"\b(?:thanks|thank you|cheers)\b",
    "bye": r"^(?:bye|goodbye|see you)\b",
}


def check_table(people: int, date: str, time: str) -> dict[str, Any]:
    """Whether a table is free: for up to eight people, from noon to ten in the evening."""
    if people > LARGEST_TABLE:
        return {"free": False, "why": "people"}
    if not OPENING <= time <= CLOSING:
        return {"free": False, "why": "time"}
    return {"free": True, "table": people * 10 + int(time[:2]) % 10}


tools = {"check_table": check_table}


async def bot(conversation: BotConversation, message: UserUttered) -> list[Event | str]:
    """Answers one message."""
    slots = conversation.slots
    understood = understand(message.text or "", slots)
    events: list[Event | str] = [understood]
    changes = {entity.entity: entity.value for entity in understood.entities}
    events += [SlotSet(name, value) for name, value in changes.items()]
    intent = understood.intent.name if understood.intent else None
    events += await _react(conversation, intent, changes, slots | changes)
    return events


def understand(text: str, slots: Mapping[str, Any]) -> MessageUnderstood:
    """Intent and entities of a text. The meaning of a bare answer depends on the slot asked for."""
    entities = tuple(_entities(text, _missing(slots)))
    name = next((i for i, pattern in _INTENTS.items() if re.search(pattern, text, re.I)), None)
    if name in (None, "deny", "greet", "affirm", "thank") and entities:
        name = "inform"
    elif name == "cancel":
        entities = ()
    return MessageUnderstood(Intent(name or "unknown", 1.0 if name else 0.0), entities)


def _missing(slots: Mapping[str, Any]) -> str | None:
    return next((name for name in SLOTS if slots.get(name) is None), None)


def _entities(text: str, slot: str | None) -> Iterator[Entity]:
    matches = {name: re.search(pattern, text, re.I) for name, pattern in _PATTERNS.items()}
    bare = re.search(rf"^\s*{_COUNT}\s*[.!]?\s*$", text, re.I)
    if bare and slot in ("people", "time") and not any(matches.values()):
        matches[slot] = bare
    if slot == "name" and not any(matches.values()) and not _has_intent(text):
        matches["name"] = re.search(r"^\s*([^\W\d_][\w' -]{0,60}?)\s*[.!]?\s*$", text)
    for name in SLOTS:
        if match := matches[name]:
            group = match.lastindex or 0
            value = _VALUES[name](match[group])
            if value is not None:
                yield Entity(name, value, match.start(group), match.end(group))


def _has_intent(text: str) -> bool:
    return any(re.search(pattern, text, re.I) for pattern in _INTENTS.values())


def _number(text: str) -> int | None:
    number = _NUMBERS.get(text.lower()) or int(text)
    return number or None


def _clock(text: str) -> str | None:
    """HH:MM; small hours without am or pm are in the afternoon or evening."""
    if text.lower() == "noon":
        return OPENING
    text = str(_NUMBERS.get(text.lower(), text))
    hour, *minutes = (int(part) for part in re.findall(r"\d+", text))
    if hour < 12 and not text.lower().endswith("am"):
        hour += 12
    minute = minutes[0] if minutes else 0
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else None


_VALUES: dict[str, Any] = {
    "people": _number,
    "date": str.lower,
    "time": _clock,
    "name": lambda text: text.strip(),
}


async def _react(
    conversation: BotConversation,
    intent: str | None,
    changes: Mapping[str, Any],
    slots: Mapping[str, Any],
) -> list[Event | str]:
    if intent == "cancel":
        return [SlotsReset(), *_say("utter_cancelled", "All right, nothing is booked.")]
    if intent == "bye" or (intent == "thank" and not changes):
        return _say("utter_bye", "Goodbye!")
    missing = _missing(slots)
    if missing is not None:
        return _ask_for(missing, greet=intent == "greet")
    if intent == "affirm":
        return _book(slots)
    if intent == "deny":
        return _say("utter_ask_change", "What shall I change?")
    return await _offer(conversation, slots)


def _ask_for(slot: str, greet: bool) -> list[Event | str]:
    replies = [{"title": text, "payload": text} for text in _SUGGESTED.get(slot, ())]
    hello = "Hello! I book tables. " if greet else ""
    data = {"quick_replies": replies} if replies else None
    return _say(f"utter_ask_{slot}", hello + _QUESTIONS[slot], data)


async def _offer(conversation: BotConversation, slots: Mapping[str, Any]) -> list[Event | str]:
    booking = {name: slots[name] for name in ("people", "date", "time")}
    table = await conversation.call("check_table", **booking)
    if not table["free"]:
        why = table["why"]
        note = {
            "people": f"Our largest table seats {LARGEST_TABLE}.",
            "time": f"We are open from {OPENING} to {CLOSING}.",
        }[why]
        again = _ask_for(why, greet=False)
        return [SlotSet(why, None), *_say("utter_full", note), *again]
    text = (
        f"A table for {slots['people']}, {slots['date']} at {slots['time']}, for {slots['name']}?"
    )
    yes_no = [{"title": "Yes", "payload": "/affirm"}, {"title": "No", "payload": "/deny"}]
    return _say("utter_confirm", text, {"buttons": yes_no})


def _book(slots: Mapping[str, Any]) -> list[Event | str]:
    text = f"Booked: {slots['people']} people, {slots['date']} at {slots['time']}. See you!"
    return [*_say("action_book", text), SlotsReset()]


def _say(action: str, text: str, data: dict[str, Any] | None = None) -> list[Event | str]:
    return [ActionExecuted(action), BotUttered(text, data)]
