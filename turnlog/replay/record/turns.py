"""Which recorded turns are sent to the bot, and why others are not (ADR 21)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from turnlog.domain import events as e
from turnlog.domain.calls import answers
from turnlog.domain.conversation import Conversation
from turnlog.domain.dialogue import Turn, turns
from turnlog.domain.gaps import Gaps
from turnlog.domain.message_groups import Numbered
from turnlog.domain.rewinds import taken_back
from turnlog.replay.comparing.items import is_anybodys
from turnlog.replay.record.answers import RecordedAnswers
from turnlog.replay.record.calls import Recorded

Reason = Literal["redacted", "taken_back", "unanswered", "foreign"]
"""Why a turn is not sent to the bot."""


class RecordedTurn(NamedTuple):
    """A user's message and what followed. answer: the bot's own events. reason: why the turn is not
    sent to the bot; None if it is. calls: the tool calls made for it, with their results.
    """

    turn: Turn
    answer: Sequence[Numbered]
    reason: Reason | None
    calls: Sequence[Recorded]


def recorded_turns(conversation: Conversation) -> Iterator[RecordedTurn]:
    """The turns of a conversation in order, without turn 0."""
    events = list(conversation.events())
    yield from said_turns(events, conversation.gaps(events))


def said_turns(events: Iterable[e.Event], gaps: Gaps = Gaps()) -> Iterator[RecordedTurn]:  # noqa: B008  # frozen
    """The same for events, all of a conversation's."""
    numbered = list(enumerate(events, 1))
    recorded = _Record(numbered, gaps)
    for turn in turns(event for _, event in numbered):
        if turn.number > 0:
            yield recorded.turn(turn)


class _Record:
    """events: all of a conversation's, as views show them."""

    def __init__(self, events: Sequence[Numbered], gaps: Gaps) -> None:
        self._gaps = gaps
        self._answers = RecordedAnswers(events)
        self._taken_back = taken_back(event for _, event in events)
        self._paused = frozenset(_while_paused(events))
        self._results = answers(events)
        hidden = (event for number, event in events if number in gaps.events)
        self._hidden = {id(event) for event in hidden if isinstance(event, e.ToolReturned)}

    def turn(self, turn: Turn) -> RecordedTurn:
        answer, made = self._answers.of(turn), self._answers.calls(turn)
        calls = [(call, self._results.get(number)) for number, call in made]
        return RecordedTurn(turn, answer, self._reason(turn, answer, calls), calls)

    def _reason(
        self, turn: Turn, answer: Sequence[Numbered], calls: Sequence[Recorded]
    ) -> Reason | None:
        own = [number for number, _ in answer]
        if turn.message is None or self._is_hidden(turn, own, calls):
            return "redacted"
        by = self._taken_back.get(turn.first_event)
        if by is not None and by not in own:
            return "taken_back"
        silent = _UNDERSTOOD if turn.first_event in self._paused else ()
        if not all(is_anybodys(event) or isinstance(event, silent) for _, event in answer):
            return None
        return "foreign" if any(map(_is_of_others, turn.events[1:])) else "unanswered"

    def _is_hidden(self, turn: Turn, answer: Sequence[int], calls: Sequence[Recorded]) -> bool:
        """Whether a part of the turn, or of the state before its answer, is hidden."""
        numbers = {*answer, *(number for number, _ in turn.numbered())}
        if turn.first_event in self._gaps.messages or not numbers.isdisjoint(self._gaps.events):
            return True
        return any(id(returned) in self._hidden for _, returned in calls)


_UNDERSTOOD = (e.MessageUnderstood, e.EntitiesAdded)
"""What even a paused bot does with a message (Rasa)."""


def _while_paused(events: Iterable[Numbered]) -> Iterator[int]:
    """The messages that the bot was not supposed to answer."""
    paused = False
    for number, event in events:
        if isinstance(event, e.ConversationPaused):
            paused = True
        elif isinstance(event, e.ConversationResumed | e.ConversationRestarted):
            paused = False
        elif paused and isinstance(event, e.UserUttered):
            yield number


def _is_of_others(event: e.Event) -> bool:
    """Whether a person or another system said or did it."""
    if isinstance(event, e.AgentUttered):
        return True
    return isinstance(event, e.BotUttered | e.ActionExecuted) and event.actor in ("agent", "system")
