"""Which recorded turns are put to the bot, and why others are not (ADR 21)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from turnlog.domain.conversation import Conversation
from turnlog.domain.dialogue import Turn, turns
from turnlog.domain.message_groups import Numbered
from turnlog.domain.rewinds import taken_back
from turnlog.replay.comparing import own

Reason = Literal["redacted", "taken_back", "unanswered", "foreign"]
"""Why a turn is not put to the bot."""


class RecordedTurn(NamedTuple):
    """A user's message and what followed. answer: the bot's own. reason: why it is not put to the
    bot, None where it is."""

    turn: Turn
    answer: Sequence[Numbered]
    reason: Reason | None


def recorded_turns(conversation: Conversation) -> Iterator[RecordedTurn]:
    """The turns of a conversation in order, without what comes before the first message."""
    taken = taken_back(conversation.events())
    last = conversation.turn
    for turn in turns(conversation.events()):
        if turn.number > 0:
            answer = own(turn.first_event, turn.events[1:])
            reason = _reason(conversation, turn, answer, taken, is_last=turn.number == last)
            yield RecordedTurn(turn, answer, reason)


def _reason(
    conversation: Conversation,
    turn: Turn,
    answer: Sequence[Numbered],
    taken: Mapping[int, int],
    *,
    is_last: bool,
) -> Reason | None:
    if turn.message is None or any(conversation.hides(number) for number, _ in turn.numbered()):
        return "redacted"
    by = taken.get(turn.first_event)
    if by is not None and by not in (number for number, _ in answer):
        return "taken_back"
    if is_last and len(turn.events) == 1:
        return "unanswered"
    return None
