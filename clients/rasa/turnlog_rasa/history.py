"""Which events of a tracker are stored already, and what a save must send. Needs no class of
Rasa's.

Events that the server has carry a mark. A tracker that came from the server or was sent to it knows
how far the conversation had come. Both are in the objects' own `__dict__`, which Rasa never writes.
"""

from __future__ import annotations

from typing import Any, Iterable, List, NamedTuple, Optional

_MARK = "_turnlog"
_BASE = "_turnlog_base"
MISSING, FAILED, FOUND = "missing", "failed", "found"


class Base(NamedTuple):
    """The stored state of a tracker.

    event: the conversation's number of events. first: number of the tracker's first event, 0 if
    unknown. last: the tracker's last event then. whole: whether the tracker has all events of its
    conversation; false after a concurrent writer.
    """

    event: int
    first: int
    last: Any
    whole: bool = True


class Save(NamedTuple):
    """What a save must send.

    kind: append, fresh or replace. base, to: the server's parameters. new: the events that were not
    stored before.
    """

    kind: str
    events: List[Any]
    new: List[Any]
    base: Optional[int] = None
    to: int = 0

    @property
    def counted(self) -> int:
        """The number of events in the log that they become: what a user said, and what was
        understood.
        """
        return sum(2 if event.type_name == "user" else 1 for event in self.events)


def plan(tracker: Any, outcome: Optional[str]) -> Save:
    """The save that stores a tracker.

    outcome: of the conversation's last read in this task; None without one.
    """
    events = list(tracker.events)
    base = base_of(tracker)
    marks = [_mark(event, tracker.sender_id) for event in events]
    known = [mark for mark in marks if mark is not None]
    new = [event for event, mark in zip(events, marks) if mark is None]
    if base is not None and _was_cut(tracker, events, base):
        return Save("replace", events, new, to=base.first - 1)
    if base is not None:
        return Save("append", new, new, base=base.event)
    if known:
        return Save("append", new, new, base=max(known))
    if outcome in (MISSING, FAILED) or _is_blank(events):
        return Save("fresh", new, new)
    return Save("replace", events, new)


def replacement(tracker: Any) -> Save:
    """The tracker replaces all events of its conversation."""
    events = list(tracker.events)
    return Save("replace", events, events)


def _was_cut(tracker: Any, events: List[Any], base: Base) -> bool:
    """Whether the last known event is missing, and not only because of the tracker's size limit."""
    if not base.first or base.last is None or any(event is base.last for event in events):
        return False
    most = getattr(tracker.events, "maxlen", None)
    return most is None or len(events) < most


def _is_blank(events: List[Any]) -> bool:
    """Whether Rasa made the tracker without knowing anything: it listens at most."""
    names = [getattr(event, "action_name", "") for event in events]
    return names in ([], ["action_listen"])


def settle(tracker: Any, events: Iterable[Any], event: int, first: int, whole: bool = True) -> None:
    """Notes that the server has these events of the tracker, and `event` events in all."""
    known = list(events)
    for item in known:
        item.__dict__[_MARK] = (tracker.sender_id, event)
    last = known[-1] if known else None
    tracker.__dict__[_BASE] = Base(event, first, last, whole)


def base_of(tracker: Any) -> Optional[Base]:
    """The noted state of a tracker, or None."""
    return tracker.__dict__.get(_BASE)


def _mark(event: Any, sender: str) -> Optional[int]:
    owner, number = event.__dict__.get(_MARK, (None, None))
    return number if owner == sender else None
