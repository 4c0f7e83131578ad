"""The interpretation of a dialogue's messages in Rasa's words: intent and entities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.annotations import Entity, Frame
from turnlog.domain.dialogue import Dialogue
from turnlog.errors import FormatError
from turnlog.serializers.shared.spans import check_entities, check_frames

BETWEEN = "+"
"""Joins the acts of a data set's message to one intent, as Rasa joins several intents."""


class Understood(msgspec.Struct, frozen=True):
    """A user's message; event is its number."""

    event: int
    turn: int
    text: str | None
    intent: str | None = None
    entities: tuple[Entity, ...] = ()


def understood(dialogue: Dialogue) -> dict[int, Understood]:
    """The user's messages by number.

    A message with only a data set's annotation has its acts as intent and its spans as entities;
    one without acts has no intent. If a bot interprets messages, it interprets each: raises
    FormatError, naming conversation and turn, for a message without an intent, and for entities in
    the wrong place.
    """
    check_frames(dialogue)
    messages = _gathered(dialogue)
    by_a_bot = any(
        isinstance(event, e.MessageUnderstood) and event.intent is not None
        for event in dialogue.events
    )
    for message in messages.values():
        if by_a_bot and not message.intent:
            why = f"message {message.text!r:.60} has no intent"
            raise FormatError(why, conversation=dialogue.name, turn=message.turn, field="intent")
        check_entities(
            message.text, message.entities, conversation=dialogue.name, turn=message.turn
        )
    return messages


def _gathered(dialogue: Dialogue) -> dict[int, Understood]:
    messages: dict[int, Understood] = {}
    turn, latest = dialogue.first_turn, 0
    for number, event in dialogue.numbered():
        if isinstance(event, e.UserUttered):
            turn, latest = turn + 1, number
            messages[number] = Understood(number, turn, event.text)
        elif isinstance(event, e.MessageUnderstood):
            _update(messages, event.message or latest, event.intent, event.entities)
        elif isinstance(event, e.EntitiesAdded) and latest:
            _update(messages, latest, None, (*messages[latest].entities, *event.entities))
        elif isinstance(event, e.MessageAnnotated):
            _annotated(messages, event.message or latest, event.frames)
    return messages


def _update(
    messages: dict[int, Understood],
    number: int,
    intent: e.Intent | None,
    entities: tuple[Entity, ...],
) -> None:
    if (message := messages.get(number)) is not None:
        name = intent.name if intent and intent.name else message.intent
        messages[number] = replace(message, intent=name, entities=entities)


def _annotated(messages: dict[int, Understood], number: int, frames: Iterable[Frame]) -> None:
    message = messages.get(number)
    if message is None or message.intent is not None:
        return
    frames = list(frames)
    acts = {act.act.lower() for frame in frames for act in frame.acts or ()}
    if acts:
        entities = tuple(_entities(message.text or "", frames))
        messages[number] = replace(
            message, intent=BETWEEN.join(sorted(acts)), entities=entities or message.entities
        )


def _entities(text: str, frames: Iterable[Frame]) -> Iterator[Entity]:
    """Each place of a slot once, though several frames may name it."""
    seen: set[tuple[str, int | None, int | None]] = set()
    for frame in frames:
        for span in frame.spans or ():
            if (span.slot, span.start, span.end) not in seen:
                seen.add((span.slot, span.start, span.end))
                yield Entity(span.slot, text[span.start : span.end], span.start, span.end)
