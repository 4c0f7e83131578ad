"""The settings of store and broker in endpoints.yml, and how wrong ones stop Rasa."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Dict, Iterator, NamedTuple, Optional, Tuple

from turnlog_rasa.client import Client
from turnlog_rasa.outbox import Outbox
from turnlog_rasa.parking import Parking

PARKED = "turnlog-parked.jsonl"
"""In the folder in which Rasa runs."""

_streamed: "ContextVar[Optional[str]]" = ContextVar("turnlog_streamed", default=None)


class Settings(NamedTuple):
    """url, auth_token, timeout and patience: the client's. parked: the file for what waits."""

    url: str
    auth_token: Optional[str] = None
    timeout: float = 10.0
    patience: float = 10.0
    parked: str = PARKED

    def connected(self) -> Tuple[Client, Outbox]:
        """The process's client and outbox of the server. Raises ConnectionError if it cannot be
        used.

        Rasa Pro makes its store again after an error, perhaps with another token.
        """
        with _lock:
            key = (self.url, os.path.abspath(self.parked), os.getpid())
            client, outbox = _shared.get(key) or (Client(self.url), None)
            client.configure(self.auth_token, self.timeout, self.patience)
            client.check()
            if outbox is None:
                outbox = Outbox(client, Parking(self.parked, client.url))
            _shared[key] = client, outbox
            return client, outbox


_lock = threading.Lock()
_shared: Dict[Tuple[str, str, int], Tuple[Client, Outbox]] = {}


@contextmanager
def no_fallback() -> Iterator[None]:
    """Stops Rasa, which takes these two errors for a missing class and would continue in memory."""
    try:
        yield
    except (AttributeError, ImportError) as error:
        raise RuntimeError(
            f"turnlog_rasa cannot be used with this Rasa, which stops here so as not to keep"
            f" conversations in memory alone: {error!r}"
        ) from error


@contextmanager
def stored_in(log: str) -> Iterator[None]:
    """Events streamed in the block are being stored in that log, so that no broker need
    send them.
    """
    token = _streamed.set(log)
    try:
        yield
    finally:
        _streamed.reset(token)


def is_stored_in(log: str) -> bool:
    """Whether the events now streamed are being stored in that log."""
    return _streamed.get() == log
