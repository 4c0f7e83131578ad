"""What store and broker are told in endpoints.yml, and how they stop Rasa where it is wrong."""

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
        """What speaks to the server, one for the process: Rasa Pro makes its store anew after an
        error, with another token maybe. Raises ConnectionError where the server cannot be used."""
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
    """Rasa takes these two errors for a class that is not there, and goes on in memory."""
    try:
        yield
    except (AttributeError, ImportError) as error:
        raise RuntimeError(
            f"turnlog_rasa cannot be used with this Rasa, which stops here lest it keep"
            f" conversations in memory alone: {error!r}"
        ) from error


@contextmanager
def stored_in(log: str) -> Iterator[None]:
    """Events streamed meanwhile are being stored in that log, so that no broker need send them."""
    token = _streamed.set(log)
    try:
        yield
    finally:
        _streamed.reset(token)


def is_stored_in(log: str) -> bool:
    return _streamed.get() == log
