"""The script of a trial: the past that it continues from, and the messages that follow."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.conversation import Conversation
from turnlog.errors import ConversationError, FormatError, OutOfRange
from turnlog.replay.record.turns import RecordedTurn, recorded_turns
from turnlog.serializers.shared.plain import from_plain, to_plain

Edits = Mapping[int, Mapping[str, Any]]
"""Fields that replace those of a recorded event, by its number."""

_SURROUNDINGS = (e.SessionStarted, e.SlotsDeclared, e.UserIdentified)
"""Events that no bot answers, and whose effects a bot sees."""

_OTHERS_SET = (e.SlotSet, e.SlotsReset)


class ScriptLine(NamedTuple):
    """A message, its recorded turn, and what others recorded in that turn."""

    message: e.UserUttered
    recorded: RecordedTurn
    around: Sequence[e.Event]


class Script(msgspec.Struct, frozen=True):
    """shared: how many of the record's events are the past. changed: the following events, with an
    edit among them. lines: the messages.
    """

    shared: int
    changed: Sequence[e.Event]
    lines: Sequence[ScriptLine]


def script(
    conversation: Conversation,
    from_turn: int | None,
    say: str | e.UserUttered | None,
    edits: Edits,
    follow: bool,
) -> Script:
    """Raises OutOfRange for an unknown turn or event, FormatError for an invalid edit,
    ConversationError if a needed part was redacted.
    """
    asked = list(recorded_turns(conversation))
    events = dict(enumerate(conversation.events(), 1))
    changed = {n: _edited(conversation, n, events, fields) for n, fields in edits.items()}
    first = _first(conversation, asked, from_turn, changed)
    start = first.turn.first_event
    lines = list(_lines(conversation, first, say, changed, follow))
    _check_said(conversation, changed, start, lines)
    shared = min([start, *changed]) - 1
    between = range(shared + 1, start)
    if any(conversation.hides(number) for number in between):
        raise ConversationError(conversation.id, "a part after the edit is redacted")
    return Script(shared, [changed.get(n, events[n]) for n in between], lines)


def _check_said(
    conversation: Conversation, changed: Collection[int], start: int, lines: Iterable[ScriptLine]
) -> None:
    """Raise OutOfRange for an edit of an event that is replaced or not sent."""
    said = {line.recorded.turn.first_event for line in lines}
    for number in changed:
        if number >= start and number not in said:
            why = f"event {number} is not used: it comes after the first message that is sent"
            raise OutOfRange(conversation.id, why)


def _first(
    conversation: Conversation,
    asked: Sequence[RecordedTurn],
    number: int | None,
    changed: Mapping[int, e.Event],
) -> RecordedTurn:
    """The turn that is answered first: by default the first one after an edit."""
    edit = min(changed, default=1)
    for turn in asked:
        if turn.turn.number == number or (number is None and turn.turn.first_event >= edit):
            return turn
    wanted = f"message behind event {edit}" if number is None else f"turn {number}"
    raise OutOfRange(
        conversation.id, f"{wanted} does not exist; the last turn is {conversation.turn}"
    )


def _edited(
    conversation: Conversation,
    number: int,
    events: Mapping[int, e.Event],
    fields: Mapping[str, Any],
) -> e.Event:
    """A recorded event with other fields."""
    if (event := events.get(number)) is None:
        raise OutOfRange(
            conversation.id, f"event {number} does not exist; the last is {len(events)}"
        )
    if conversation.hides(number):
        raise ConversationError(conversation.id, f"event {number} is redacted")
    plain, strays = to_plain(event), list[str]()
    changed = from_plain({**plain, **fields, "type": plain["type"]}, unknown=strays)
    if fields.get("type", plain["type"]) != plain["type"]:
        raise FormatError(f"event {number} is a {plain['type']}", field="type")
    if strays:
        raise FormatError(f"{plain['type']} has no such field", field=strays[0])
    return changed


def _lines(
    conversation: Conversation,
    first: RecordedTurn,
    say: str | e.UserUttered | None,
    changed: Mapping[int, e.Event],
    follow: bool,
) -> Iterator[ScriptLine]:
    """The messages from a turn on; redacted and retracted ones are omitted."""
    later = [turn for turn in sayable(conversation) if turn.turn.number > first.turn.number]
    for turn in [first, *(later if follow else ())]:
        number = turn.turn.first_event
        message = changed.get(number, turn.turn.events[0])
        if turn is first and say is not None:
            if number in changed:
                why = f"event {number} is both edited and replaced by another message"
                raise ConversationError(conversation.id, why)
            given = say if isinstance(say, e.UserUttered) else e.UserUttered(say)
            message = replace(given, timestamp=message.timestamp, channel=message.channel)
        elif conversation.hides(number) or not isinstance(message, e.UserUttered):
            why = f"the message of turn {turn.turn.number} is redacted; send another one with --say"
            raise ConversationError(conversation.id, why)
        yield line(turn, message)


def sayable(conversation: Conversation) -> list[RecordedTurn]:
    """The recorded turns whose message counts and may be shown."""
    every = recorded_turns(conversation)
    return [turn for turn in every if turn.reason != "taken_back" and _is_known(conversation, turn)]


def _is_known(conversation: Conversation, turn: RecordedTurn) -> bool:
    return turn.turn.message is not None and not conversation.hides(turn.turn.first_event)


def line(recorded: RecordedTurn, message: e.UserUttered) -> ScriptLine:
    """A message that is sent in a recorded turn."""
    around = [replace(event, cause=None) for event in recorded.turn.events if _is_around(event)]
    return ScriptLine(message, recorded, around)


def _is_around(event: e.Event) -> bool:
    """Whether anyone but bot and user changed something that a bot may see."""
    if isinstance(event, _SURROUNDINGS):
        return True
    return isinstance(event, _OTHERS_SET) and event.actor in ("user", "agent", "system")
