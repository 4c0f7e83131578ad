"""A user's message that waits for its answer, looked up in the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from turnlog.bots.live import OWN
from turnlog.domain.conversation import Conversation
from turnlog.domain.events import Event, UserUttered
from turnlog.domain.state import State
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Recorded


class PendingMessage(NamedTuple):
    """A user's message with its event's number; answer: what was recorded for it before."""

    conversation: Conversation
    number: int
    message: UserUttered
    answer: Sequence[Event] | None = None

    @property
    def answer_key(self) -> str:
        """The idempotency key of its answer, so that it has one."""
        return _answer_key(self.number)


def pending_message(log: Turnlog, conversation: str, number: int | None) -> PendingMessage | None:
    """The message of that event (None: one that is unanswered), if it is still the last."""
    now = log.conversation(conversation)
    number = number or unanswered(now.state)
    if number is None:
        return None
    message = next(now.events(number - 1))
    assert isinstance(message, UserUttered)
    answer = log.keyed(conversation, _answer_key(number))
    if answer is not None:
        return PendingMessage(now, number, message, answer.events)
    latest = now.state.context.latest_message
    is_last = latest is not None and latest.event == number
    return PendingMessage(now, number, message) if is_last else None


def message_number(recorded: Recorded) -> int:
    """The number of the user's message among what was recorded."""
    for commit in recorded.commits:
        for received in commit.recorded_events():
            if isinstance(received.event, UserUttered):
                return received.number
    raise AssertionError("no user's message was recorded")


def unanswered(state: State) -> int | None:
    """The number of the last message, unless something answered it."""
    context = state.context
    if context.latest_message is None:
        return None
    number = context.latest_message.event
    after = (context.latest_bot_message, context.latest_action)
    return None if any(reply and reply.event > number for reply in after) else number


def _answer_key(number: int) -> str:
    return f"{OWN}answer {number}"
