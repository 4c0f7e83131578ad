"""The event broker for endpoints.yml: `type: turnlog_rasa.TurnlogEventBroker`."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, Optional, Text

from rasa.core.brokers.broker import EventBroker

from turnlog_rasa.feed import Feed
from turnlog_rasa.settings import Settings, is_stored_in, no_fallback


class TurnlogEventBroker(EventBroker):
    """Sends every event to a turnlog server, next to any tracker store.

    It does not send what a TurnlogTrackerStore stores in the same log.
    """

    @no_fallback()
    def __init__(self, url: Text, **settings: Any) -> None:
        self._client, outbox = Settings(url, **settings).connected()
        self._feed = Feed(self._client, outbox)

    @classmethod
    async def from_endpoint_config(
        cls, broker_config: Any, event_loop: Optional[asyncio.AbstractEventLoop] = None
    ) -> Optional["TurnlogEventBroker"]:
        """The broker that endpoints.yml describes. Raises ConnectionError without a server."""
        if broker_config is None:
            return None
        return cls(broker_config.url, **broker_config.kwargs)

    def publish(self, event: Dict[Text, Any]) -> None:
        """Queues an event and returns immediately."""
        if not is_stored_in(self._client.log):
            self._feed.put(event)

    async def close(self) -> None:
        """Sends what waits. What cannot be sent stays in the file for the next run."""
        await asyncio.get_running_loop().run_in_executor(None, self._feed.close)
