"""The tracker store for endpoints.yml: `type: turnlog_rasa.TurnlogTrackerStore`."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Any, Iterable, List, Optional, Text

from rasa.core.brokers.broker import EventBroker
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import Event
from rasa.shared.core.trackers import DialogueStateTracker

from turnlog_rasa import history
from turnlog_rasa.keeper import Keeper, outcomes
from turnlog_rasa.settings import PARKED, Settings, no_fallback, stored_in

try:
    from rasa.core.tracker_stores.tracker_store import SerializedTrackerAsText, TrackerStore
except ImportError:  # before Rasa Pro 3.13
    from rasa.core.tracker_store import SerializedTrackerAsText, TrackerStore


class TurnlogTrackerStore(TrackerStore, SerializedTrackerAsText):
    """Keeps trackers in a turnlog server, as a thin client.

    Raises the built-in ConnectionError if the server cannot be used; Rasa then stops.
    """

    @no_fallback()
    def __init__(
        self,
        domain: Optional[Domain] = None,
        host: Text = "",
        event_broker: Optional[EventBroker] = None,
        auth_token: Optional[Text] = None,
        timeout: float = 10.0,
        patience: float = 10.0,
        parked: Text = PARKED,
        **kwargs: Any,
    ) -> None:
        settings = Settings(host, auth_token, timeout, patience, parked)
        self._client, outbox = settings.connected()
        self._keeper = Keeper(self._client, self.init_tracker, Event.from_parameters, outbox)
        super().__init__(domain, event_broker, **kwargs)

    @property
    def domain(self) -> Domain:
        """The bot's domain."""
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
        """Sends new events to the server and to the event broker.

        What waits in the file counts as saved: after an error, Rasa would store the whole tracker
        in memory and publish it again.
        """
        save = self._keeper.plan(tracker)
        await self._stream(tracker, save.new)
        await _saved(self._keeper.save, tracker, save)

    async def update(self, tracker: DialogueStateTracker, apply_deletion_only: bool = True) -> None:
        """Replaces the history by the tracker's and publishes nothing (Rasa Pro's privacy manager).

        Replaced events stay readable in the log.
        """
        await _saved(self._keeper.save, tracker, history.replacement(tracker))

    async def delete(self, sender_id: Text) -> None:
        """Deletes the conversation and what waits for it (Rasa Pro)."""
        await _saved(self._keeper.delete, sender_id)

    async def stream_events(
        self, tracker: DialogueStateTracker, new_events: Optional[List[Event]] = None
    ) -> None:
        """Sends a tracker's new events to the event broker."""
        given = self._keeper.plan(tracker).new if new_events is None else new_events
        await self._stream(tracker, given)

    async def _stream(self, tracker: DialogueStateTracker, events: List[Event]) -> None:
        broker = self.event_broker
        if broker is None or not getattr(broker, "stream_pii", True):
            return
        user = getattr(tracker, "user_id", None)
        more = () if user is None else (user,)
        with stored_in(self._client.log):
            await self._stream_new_events(broker, events, tracker.sender_id, *more)

    async def keys(self) -> Iterable[Text]:
        """The ids of all conversations."""
        return await _in_thread(self._keeper.names)


async def _saved(work: Any, *arguments: Any) -> None:
    """Runs an operation now or later: what must wait is in the file, and was logged."""
    with contextlib.suppress(ConnectionError):
        await _in_thread(work, *arguments)


async def _in_thread(work: Any, *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, partial(work, *arguments))
