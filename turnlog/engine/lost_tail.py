"""A log that is opened behind its high-water file: reported, recorded, and then used."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from turnlog.domain.events import TailLost
from turnlog.engine.upkeep import record
from turnlog.engine.writer import Writer
from turnlog.errors import StorageError
from turnlog.storage.high_water import HighWater, HighWaterFile
from turnlog.storage.recorder import Recorder

logger = logging.getLogger(__name__)


class _Log(Protocol):
    store: Recorder
    writer: Writer
    clock: Callable[[], float]


def check_tail(log: _Log) -> None:
    """Warn and record if a log that is opened for writing has lost its newest rows.

    Errors are logged, and the next opening of the log tries again.
    """
    file = log.store.high_water
    if file is None or log.store.readonly:
        return
    try:
        _check(log, file)
    except (StorageError, OSError) as error:
        logger.warning("%s: the end of the log cannot be checked: %s", log.store.url, error)


def _check(log: _Log, file: HighWaterFile) -> None:
    reached = file.read()  # read before the log, which is never behind the file
    if reached is None:
        logger.warning("%s: the end of the log cannot be verified: %s", log.store.url, file.lack)
    elif (what := reached.missed(log.store.reader)) is not None:
        logger.warning("%s: %s", log.store.url, what)
        _record(log, reached)
        file.replace(reached, HighWater.now(log.store.reader))


def _record(log: _Log, lost: HighWater) -> None:
    """Recorded once, however many processes open the log at the same time."""
    digest = lost.digest.hex()
    event = TailLost(lost.position, digest, log.store.reader.last_position())
    record(log, event, key=f"tail-lost {lost.position} {digest}")
