"""The messages of a conversation, read from its end, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from turnlog.domain.amounts import amount
from turnlog.domain.events import (
    Event,
    MessageEdited,
    MessageRegenerated,
    UserUttered,
)
from turnlog.domain.recorded import RecordedEvent
from turnlog.engine.log import Turnlog
from turnlog.server.errors import RequestRefused
from turnlog.server.page_messages import is_shown
from turnlog.server.wire import Spoken

Change = MessageEdited | MessageRegenerated

MAX_MESSAGES = 500
"""Messages of a page, if a turn has many."""


class PastMessages(NamedTuple):
    """Messages, oldest first, as later events left them.

    before: the number of the first message if there are older ones, else None. last: the number of
    the conversation's last event.
    """

    messages: Sequence[RecordedEvent]
    before: int | None
    last: int


def past_messages(
    log: Turnlog, conversation: str, before: int, turns: int, *, work: bool = True
) -> PastMessages:
    """The messages of that many turns before an event, at most MAX_MESSAGES.

    work: with what the bot did for its answers. Reads from the end, so that edits and redactions
    are met before the message that they change.
    """
    last = last_event(log, conversation)
    newest_first: list[RecordedEvent] = []
    for recorded in _as_they_are(log, conversation, work) if last else ():
        if recorded.number < before:
            if turns == 0 or len(newest_first) == MAX_MESSAGES:
                return PastMessages(newest_first[::-1], newest_first[-1].number, last)
            newest_first.append(recorded)
            turns -= isinstance(recorded.event, UserUttered)
    return PastMessages(newest_first[::-1], None, last)


def _as_they_are(log: Turnlog, conversation: str, work: bool) -> Iterator[RecordedEvent]:
    """The messages, newest first, without the redacted ones."""
    changes: dict[int, Change] = {}
    for recorded in log.conversation(conversation).newest_first():
        event = recorded.event
        if isinstance(event, Change):
            changes.setdefault(event.message, event)
        elif is_shown(recorded, work=work):
            changed = _changed(event, changes.get(recorded.number))
            yield msgspec.structs.replace(recorded, event=changed)


def last_event(log: Turnlog, conversation: str, seen: int = 0) -> int:
    """The number of a conversation's last event.

    Raises RequestRefused for a deleted conversation, and if a client has seen events that the log
    does not have: it would never receive the events that take their numbers.
    """
    head = log.current.head(log.store.reader, conversation)
    if head is not None and head.state.deleted:
        raise RequestRefused(410, "Gone", "the conversation was deleted")
    last = head.event if head is not None else 0
    if seen > last:
        why = f"the log has {amount(last, 'event')} of this conversation, and the client saw {seen}"
        raise RequestRefused(409, "Restored", why)
    return last


def _changed(event: Event, change: Change | None) -> Event:
    if isinstance(change, MessageRegenerated) and isinstance(event, Spoken):
        return msgspec.structs.replace(event, text=change.text, data=change.data)
    if isinstance(change, MessageEdited | MessageRegenerated):
        return msgspec.structs.replace(event, text=change.text)
    return event
