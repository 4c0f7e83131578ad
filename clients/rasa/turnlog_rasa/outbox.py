"""Saves on their way: each is sent once, in order, and kept until the server has it."""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict, deque
from typing import Any, Callable, Deque, Dict, List, Optional

from turnlog_rasa.client import Client, Refused
from turnlog_rasa.history import Save


class Parcel:
    """A save with its key. base: asked when it is sent. sent: told how many events the
    conversation has then, and the base."""

    def __init__(
        self,
        save: Save,
        base: Callable[[], Optional[int]],
        sent: Callable[[int, Optional[int]], None],
    ) -> None:
        self.kind = save.kind
        self.contents: List[Dict[str, Any]] = [event.as_dict() for event in save.events]
        self.to = save.to
        self.key = uuid.uuid4().hex
        self.base = base
        self.sent = sent


class Outbox:
    """A conversation's parcels go one after the other; what cannot be sent now goes first later."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._waiting: Dict[str, Deque[Parcel]] = defaultdict(deque)
        self._locks: Dict[str, threading.Lock] = defaultdict(threading.Lock)

    def put(self, sender: str, parcel: Parcel) -> None:
        self._waiting[sender].append(parcel)

    def flush(self, sender: str) -> None:
        """Send what waits for a conversation. Raises ConnectionError and keeps the rest."""
        if sender not in self._waiting:
            return
        with self._locks[sender]:
            parcels = self._waiting[sender]
            while parcels:
                base = parcels[0].base()
                try:
                    event = self._send(sender, parcels[0], base)
                except Refused:
                    parcels.popleft()
                    raise
                parcels.popleft().sent(event, base)
            self._waiting.pop(sender, None)

    def _send(self, sender: str, parcel: Parcel, base: Optional[int]) -> int:
        if parcel.kind == "replace":
            return self._client.replace(sender, parcel.contents, parcel.key, to=parcel.to)
        fresh = "true" if parcel.kind == "fresh" else None
        return self._client.append(
            sender,
            parcel.contents,
            parcel.key,
            base=base,
            writer=self._client.writer,
            fresh=fresh,
        )
