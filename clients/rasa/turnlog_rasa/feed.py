"""Sends single events to the log, in order, on their own thread."""

from __future__ import annotations

import queue
import threading
from typing import Any, Dict, Optional

from turnlog_rasa.client import Client, Effort
from turnlog_rasa.outbox import Outbox
from turnlog_rasa.parcels import Parcel

TOGETHER = 200
"""The largest number of one conversation's events sent together."""

ONCE = Effort(0.0)


class Feed:
    """Keeps events until the server has them. `close` waits `timeout` seconds for that."""

    def __init__(self, client: Client, outbox: Optional[Outbox] = None) -> None:
        self._client = client
        self._outbox = outbox or Outbox(client)
        self._queue: "queue.Queue[Optional[Dict[str, Any]]]" = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="turnlog-feed", daemon=True)
        self._thread.start()

    def put(self, event: Dict[str, Any]) -> None:
        """Queues an event."""
        self._queue.put(dict(event))

    def close(self, timeout: float = 30.0) -> None:
        """Sends what waits, and stops."""
        self._queue.put(None)
        self._thread.join(timeout)
        self._outbox.drain(timeout)
        self._client.close()

    def _run(self) -> None:
        while (event := self._queue.get()) is not None:
            parcel = self._together(event)
            self._outbox.put(parcel)
            try:
                self._outbox.flush(parcel.sender, ONCE)
            except OSError:
                continue  # it waits; the outbox has logged why

    def _together(self, event: Dict[str, Any]) -> Parcel:
        """The event and those after it that belong to the same conversation."""
        sender = event.pop("sender_id", None) or "default"
        events = [event]
        while len(events) < TOGETHER and not self._queue.empty():
            following = self._queue.queue[0]
            if following is None or following.get("sender_id") != sender:
                break
            following = self._queue.get()
            following.pop("sender_id", None)
            events.append(following)
        return Parcel(sender, "append", events)
