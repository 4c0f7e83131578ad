"""What a conversation accepts, beyond what its events require by themselves."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.domain.events import (
    AccessRecorded,
    AccessRecordingSet,
    ContentErased,
    ConversationDeleted,
    ErasureFinished,
    ErasureRecorded,
    Event,
    HoldPlaced,
    HoldReleased,
    KeyStoreUsed,
    LogRebuilt,
    LogVacuumed,
    OriginDeleted,
    RetentionRulesSet,
    TailLost,
)
from turnlog.domain.state import State
from turnlog.domain.streams import is_conversation
from turnlog.errors import InvalidEvent

OF_THE_LOG = (
    AccessRecorded, AccessRecordingSet, KeyStoreUsed, LogRebuilt, OriginDeleted, TailLost,
    RetentionRulesSet,
    ErasureRecorded, ErasureFinished, ContentErased, HoldPlaced, HoldReleased, LogVacuumed,
)  # fmt: skip
"""Events that the log records about itself, in its own stream or in the forks of a deleted
origin.
"""

_LOOKED_AT = frozenset({*OF_THE_LOG, ConversationDeleted})


def check_recordable(conversation: str, state: State, events: Sequence[Event]) -> None:
    """Raise InvalidEvent for events that cannot have happened there.

    state: the conversation's before them.
    """
    if _LOOKED_AT.isdisjoint(map(type, events)):
        return
    for number, event in enumerate(events, 1):
        kind = type(event).__name__
        if isinstance(event, OF_THE_LOG) and is_conversation(conversation):
            raise InvalidEvent(conversation, kind, "can be recorded only by the log itself")
        if isinstance(event, ConversationDeleted):
            if state.event == 0 and number == 1:
                raise InvalidEvent(conversation, kind, "does not exist, so it cannot be deleted")
            if number < len(events):
                why = "nothing follows a deletion in the same commit"
                raise InvalidEvent(conversation, kind, why)
