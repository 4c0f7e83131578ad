"""Single events on their way to the log, in order, by a thread of their own."""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from typing import Any, Dict, List, Optional, Tuple

from turnlog_rasa.client import Client, Refused

logger = logging.getLogger(__name__)

TOGETHER = 200
"""Events of one conversation that are sent at once, at most."""

Batch = Tuple[str, List[Dict[str, Any]]]


class Feed:
    """Keeps events until the server has them; close waits `timeout` seconds for that."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._queue: "queue.Queue[Optional[Dict[str, Any]]]" = queue.Queue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="turnlog-feed", daemon=True)
        self._thread.start()

    def put(self, event: Dict[str, Any]) -> None:
        self._queue.put(dict(event))

    def close(self, timeout: float = 30.0) -> None:
        """Send what waits, and stop."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join(timeout)
        if self._thread.is_alive():
            left = self._queue.qsize()
            logger.error("%d events could not be sent to %s", left, self._client.url)
        self._client.close()

    def _run(self) -> None:
        while (event := self._queue.get()) is not None:
            sender, events = self._together(event)
            self._send(sender, events, uuid.uuid4().hex)

    def _together(self, event: Dict[str, Any]) -> Batch:
        """The event with those after it that are of the same conversation."""
        sender = event.pop("sender_id", None) or "default"
        events = [event]
        while len(events) < TOGETHER and not self._queue.empty():
            following = self._queue.queue[0]
            if following is None or following.get("sender_id") != sender:
                break
            following = self._queue.get()
            following.pop("sender_id", None)
            events.append(following)
        return sender, events

    def _send(self, sender: str, events: List[Dict[str, Any]], key: str) -> None:
        """Send until it is sent; only what the server refuses is given up, with an error."""
        while True:
            try:
                self._client.append(sender, events, key)
                return
            except Refused as error:
                logger.error("%d events of %r are refused: %s", len(events), sender, error)
                return
            except ConnectionError as error:
                logger.warning("%d events of %r wait: %s", len(events), sender, error)
