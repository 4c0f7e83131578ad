"""The tracker store for endpoints.yml: `type: turnlog_rasa.TurnlogTrackerStore`."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Iterable, Optional, Text

from rasa.core.brokers.broker import EventBroker
from rasa.core.tracker_store import SerializedTrackerAsText, TrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import Event
from rasa.shared.core.trackers import DialogueStateTracker

from turnlog_rasa import history
from turnlog_rasa.client import Client
from turnlog_rasa.keeper import Keeper, outcomes


class TurnlogTrackerStore(TrackerStore, SerializedTrackerAsText):
    """Keeps trackers in a turnlog server, of which it is a thin client.

    Raises the built-in ConnectionError where the server cannot be used, at which Rasa stops.
    """

    def __init__(
        self,
        domain: Optional[Domain] = None,
        host: Text = "http://localhost:5005",
        event_broker: Optional[EventBroker] = None,
        auth_token: Optional[Text] = None,
        timeout: float = 10.0,
        patience: float = 10.0,
        **kwargs: Any,
    ) -> None:
        client = Client(host, auth_token, timeout, patience)
        client.check()
        self._keeper = Keeper(client, self.init_tracker, Event.from_parameters)
        super().__init__(domain, event_broker, **kwargs)

    @property
    def domain(self) -> Domain:
        return self._domain

    @domain.setter
    def domain(self, domain: Optional[Domain]) -> None:
        self._domain = domain or Domain.empty()
        self._keeper.forget()

    async def retrieve(self, sender_id: Text) -> Optional[DialogueStateTracker]:
        """The conversation since its last session began."""
        return await self._retrieve(sender_id, "SESSION")

    async def retrieve_full_tracker(self, conversation_id: Text) -> Optional[DialogueStateTracker]:
        """The conversation with all its sessions."""
        return await self._retrieve(conversation_id, "ALL")

    async def _retrieve(self, sender_id: Text, show: Text) -> Optional[DialogueStateTracker]:
        outcomes()[sender_id] = history.FAILED
        found = await _in_thread(self._keeper.retrieve, sender_id, show)
        outcomes()[sender_id] = history.FOUND if found is not None else history.MISSING
        return found

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Send what is new, to the event broker too."""
        save = self._keeper.plan(tracker)
        await self._stream(tracker.sender_id, save)
        await _in_thread(self._keeper.save, tracker, save)

    async def _stream(self, sender_id: Text, save: history.Save) -> None:
        if self.event_broker is not None:
            await self._stream_new_events(self.event_broker, save.new, sender_id)

    async def stream_events(self, tracker: DialogueStateTracker) -> None:
        """Send what is new of a tracker to the event broker."""
        await self._stream(tracker.sender_id, self._keeper.plan(tracker))

    async def keys(self) -> Iterable[Text]:
        """The ids of all conversations."""
        return await _in_thread(self._keeper.names)


async def _in_thread(work, *arguments):
    return await asyncio.get_running_loop().run_in_executor(None, partial(work, *arguments))
