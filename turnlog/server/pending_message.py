"""Looks up a user's message that waits for its answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

from turnlog.bots.keys import answer_key, call_id, call_key, piece_key
from turnlog.domain.commit import Commit
from turnlog.domain.conversation import Conversation
from turnlog.domain.events import Event, UserUttered
from turnlog.domain.state import State
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Recorded


class PendingMessage(NamedTuple):
    """A user's message with its event's number.

    pieces: of an answer that streamed and has no end. conversation: as it is now, or as it was at
    the message if the bot was asked before. answer: the complete recorded answer, if there is one.
    """

    conversation: Conversation
    number: int
    message: UserUttered
    pieces: Sequence[Commit] = ()
    answer: Sequence[Event] | None = None

    @property
    def answer_key(self) -> str:
        """The idempotency key of the answer's end, so that it ends once."""
        return answer_key(self.number)


def pending_message(log: Turnlog, conversation: str, number: int | None) -> PendingMessage | None:
    """The message of that event (None: an unanswered one), if it is still the last."""
    now = log.conversation(conversation)
    number = number or unanswered(log, now)
    if number is None:
        return None
    message = next(now.events(number - 1))
    assert isinstance(message, UserUttered)
    if now.state.event == number:
        return PendingMessage(now, number, message)
    pieces = list(_pieces(log, conversation, number))
    end = log.keyed(conversation, answer_key(number))
    if end is not None:
        events = [event for commit in (*pieces, end) for event in commit.events]
        return PendingMessage(now, number, message, answer=events)
    if not _is_last(now.state, number):
        return None
    asked = pieces or log.keyed(conversation, call_key(call_id(number, 1))) is not None
    seen = log.conversation(conversation, event=number) if asked else now
    return PendingMessage(seen, number, message, pieces)


def _pieces(log: Turnlog, conversation: str, number: int) -> Iterator[Commit]:
    for piece in count(1):
        commit = log.keyed(conversation, piece_key(number, piece))
        if commit is None:
            return
        yield commit


def _is_last(state: State, number: int) -> bool:
    latest = state.context.latest_message
    return latest is not None and latest.event == number


def message_number(recorded: Recorded) -> int:
    """The number of the user's message among the recorded events; 0 for one of an earlier life."""
    for commit in recorded.commits:
        for received in commit.recorded_events():
            if isinstance(received.event, UserUttered):
                return received.number
    return 0


def unanswered(log: Turnlog, conversation: Conversation) -> int | None:
    """The number of the last message, unless it has an answer.

    A streamed answer without an end does not count as an answer.
    """
    context = conversation.state.context
    if context.latest_message is None:
        return None
    number = context.latest_message.event
    after = (context.latest_bot_message, context.latest_action)
    if not any(reply and reply.event > number for reply in after):
        return number
    id = conversation.id
    began = log.keyed(id, piece_key(number, 1)) is not None
    return number if began and log.keyed(id, answer_key(number)) is None else None
