"""Finishing, when a log is opened, what a process that was killed had begun to erase."""

from __future__ import annotations

import logging
from typing import Any

from turnlog.engine.erasure.unfinished import unfinished
from turnlog.errors import StorageError

logger = logging.getLogger(__name__)


def finish_at_opening(log: Any) -> None:
    """Carry out what a process that was killed had recorded, and did not do.

    What goes wrong on the way is logged, and tried again when the log is opened next.
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

        logger.warning("%s: an erasure was cut off; it is finished now", log.store.url)
        if not finish(log, wait=False):
            logger.warning("%s: bytes of what was erased may be in free space", log.store.url)
    except StorageError as error:
        logger.warning("%s: an erasure cannot be finished: %s", log.store.url, error)
