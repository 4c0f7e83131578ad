"""A log that is sealed from its first row records which key store it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from turnlog.domain.conversation import Past
from turnlog.domain.events import Event, KeyStoreUsed
from turnlog.domain.state import State
from turnlog.domain.streams import UPKEEP
from turnlog.engine.request import Command, Request
from turnlog.engine.writer import Writer
from turnlog.errors import StorageError
from turnlog.storage.recorder import Recorder


class _Log(Protocol):
    store: Recorder
    writer: Writer
    clock: Callable[[], float]


def name_key_store(log: _Log) -> None:
    """Record the key store in an empty log. Raises StorageError if another process was faster with
    a different one.
    """
    keys = log.store.keys
    if keys is None or log.store.readonly or log.store.reader.last_position():
        return
    now, command = log.clock(), _naming(log.store, keys.id.hex())
    log.writer.perform(Request(UPKEEP, command, now, now))


def _naming(store: Recorder, key_store: str) -> Command:
    def command(state: State, past: Past) -> tuple[Event, ...]:
        if not store.reader.last_position():
            return (KeyStoreUsed(key_store),)
        if KeyStoreUsed(key_store) not in map(_named, past.events()):
            raise StorageError(f"{store.url}: another process began the log, without these keys")
        return ()

    return command


def _named(event: Event) -> Event | None:
    return KeyStoreUsed(event.store) if isinstance(event, KeyStoreUsed) else None
