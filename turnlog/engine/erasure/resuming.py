"""Finishes an interrupted erasure when a log is opened."""

from __future__ import annotations

import logging
from typing import Any

from turnlog.engine.erasure.unfinished import unfinished
from turnlog.errors import StorageError

logger = logging.getLogger(__name__)


def finish_at_opening(log: Any) -> None:
    """Carry out what a killed process had recorded and not done.

    Errors are logged, and the next opening of the log tries again.
    """
    if not log.store.readonly:
        _finish(log)
    if log.keys is not None:
        from turnlog.engine.erasure.destroying import destroy_again

        destroy_again(log)


def _finish(log: Any) -> None:
    try:
        left = unfinished(log.store.reader)
        if left.open is None and (left.vacuum is None or left.vacuum.how == "no"):
            return
        from turnlog.engine.erasure.erasing import finish

        logger.warning("%s: finishing an interrupted erasure", log.store.url)
        if not finish(log, wait=False):
            logger.warning("%s: free space may contain erased bytes", log.store.url)
    except StorageError as error:
        logger.warning("%s: cannot finish an erasure: %s", log.store.url, error)
