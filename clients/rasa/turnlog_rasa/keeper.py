"""Trackers to and from the server: the store's work, without Rasa's base class."""

from __future__ import annotations

import contextvars
import copy
import logging
import threading
from collections import OrderedDict, deque
from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from turnlog_rasa import history
from turnlog_rasa.client import Client
from turnlog_rasa.outbox import Outbox
from turnlog_rasa.parcels import Parcel

logger = logging.getLogger(__name__)

CACHED_EVENTS = 200_000
"""The number of events in all trackers kept in memory."""

_outcomes: contextvars.ContextVar = contextvars.ContextVar("turnlog_outcomes")


class _Cached(NamedTuple):
    tracker: Any
    event: int
    first: int


class Keeper:
    """Reads and saves trackers. make: a blank tracker for a sender. parse: an event from Rasa's
    JSON, or None.

    The last trackers stay in memory, so that a read fetches only new events. The server always
    decides whether they are still valid.
    """

    def __init__(
        self,
        client: Client,
        make: Callable[[str], Any],
        parse: Callable[[Dict[str, Any]], Any],
        outbox: Optional[Outbox] = None,
    ) -> None:
        self._client = client
        self._make = make
        self._parse = parse
        self._outbox = outbox or Outbox(client)
        self._cache: "OrderedDict[Tuple[str, str], _Cached]" = OrderedDict()
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Forgets all trackers, because the domain has changed."""
        with self._lock:
            self._cache.clear()

    # --- reading --------------------------------------------------------------------------------

    def retrieve(self, sender: str, show: str) -> Any:
        """The tracker; None if the server does not know it. Raises ConnectionError."""
        self._outbox.flush(sender)
        with self._lock:
            cached = self._cache.get((sender, show))
        found = self._client.read(sender, show, cached.event if cached else 0)
        if not found.event:
            return None
        if cached is not None and found.after:
            tracker, first = _copied(cached.tracker), cached.first
        else:
            tracker, first = self._make(sender), found.first
        for event in found.events:
            self._update(tracker, event)
        history.settle(tracker, tracker.events, found.event, first)
        self._keep(sender, show, tracker)
        return tracker

    def _update(self, tracker: Any, content: Dict[str, Any]) -> None:
        """Adds an event. One that this Rasa cannot read does not hide the others."""
        try:
            event = self._parse(content)
        except Exception as error:
            name = content.get("event")
            logger.error("%r: Rasa cannot read a %r: %r", tracker.sender_id, name, error)
            return
        if event is not None:
            tracker.update(event)

    def _keep(self, sender: str, show: str, tracker: Any) -> None:
        base = history.base_of(tracker)
        with self._lock:
            kept = _Cached(_copied(tracker), base.event, base.first)
            self._cache[sender, show] = kept
            self._cache.move_to_end((sender, show))
            size = sum(len(cached.tracker.events) for cached in self._cache.values())
            while size > CACHED_EVENTS and len(self._cache) > 1:
                _, gone = self._cache.popitem(last=False)
                size -= len(gone.tracker.events)

    # --- writing --------------------------------------------------------------------------------

    def plan(self, tracker: Any) -> history.Save:
        """The save that stores a tracker."""
        return history.plan(tracker, outcomes().get(tracker.sender_id))

    def save(self, tracker: Any, save: history.Save) -> None:
        """Sends a save, after what could not be sent before. Raises ConnectionError.

        What cannot be sent now is kept, and sent before the conversation's next read or save.
        """
        sender, known = tracker.sender_id, list(tracker.events)
        before = history.base_of(tracker)
        if save.events or save.kind == "replace":
            first = before.first if before and save.kind == "append" else 0

            def sent(event: int, base: Optional[int]) -> None:
                own = event - save.counted + 1
                begins = own if save.kind != "append" or (before and not before.last) else first
                whole = save.kind == "append" and (not before or before.whole)
                whole = whole and base is not None and event == base + save.counted
                history.settle(tracker, known, event, begins, whole)
                if whole:
                    self._continue(sender, tracker)

            contents = [event.as_dict() for event in save.events]
            base = partial(_number, tracker, save)
            self._outbox.put(Parcel(sender, save.kind, contents, to=save.to, base=base, sent=sent))
            # they count as stored from here on: the outbox sends them once
            whole = before is None or before.whole
            history.settle(tracker, known, _number(tracker, save) or 0, first, whole)
        self._outbox.flush(sender)

    def _continue(self, sender: str, tracker: Any) -> None:
        """Keeps the saved tracker in memory in place of the one that it continues."""
        with self._lock:
            mine = [show for name, show in self._cache if name == sender]
            shows = [
                show for show in mine if _continues(self._cache[sender, show].tracker, tracker)
            ]
        for show in shows:
            self._keep(sender, show, tracker)

    def delete(self, sender: str) -> None:
        """Deletes a conversation and what waits for it; later if it raises ConnectionError."""
        self._outbox.drop(sender)
        self._outbox.put(Parcel(sender, "delete", ()))
        with self._lock:
            for key in [key for key in self._cache if key[0] == sender]:
                del self._cache[key]
        self._outbox.flush(sender)

    def names(self) -> List[str]:
        """The ids of all conversations."""
        return self._client.names()


def _number(tracker: Any, save: history.Save) -> Optional[int]:
    """The number of events that the tracker's writer knows of, for a save that appends."""
    base = history.base_of(tracker)
    if save.kind != "append":
        return None
    return base.event if base is not None else save.base


def _continues(cached: Any, tracker: Any) -> bool:
    """Whether a tracker begins like the cached one and contains no new session."""
    before, now = cached.events, list(tracker.events)
    if getattr(tracker.events, "maxlen", None) != getattr(before, "maxlen", None):
        return False
    if not before or len(now) < len(before) or now[0] is not before[0]:
        return False
    if now[len(before) - 1] is not before[-1]:
        return False
    return not any(event.type_name == "session_started" for event in now[len(before) :])


def _copied(tracker: Any) -> Any:
    """A separate tracker with the same events; its mutable values are copied."""
    copied = copy.copy(tracker)
    copied.events = deque(tracker.events, getattr(tracker.events, "maxlen", None))
    for name in ("slots", "active_loop"):
        held = getattr(tracker, name, None)
        if isinstance(held, dict) and type(held) is dict:
            setattr(copied, name, {key: copy.copy(value) for key, value in held.items()})
        elif held is not None:
            setattr(copied, name, copy.copy(held))
    return copied


def outcomes() -> Dict[str, Optional[str]]:
    """The result of each conversation's last read in this task."""
    try:
        return _outcomes.get()
    except LookupError:
        found: Dict[str, Optional[str]] = {}
        _outcomes.set(found)
        return found
