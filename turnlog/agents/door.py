"""What all doors share: a log, opened by URL or passed by the caller."""

from __future__ import annotations

from asyncio import to_thread
from typing import Self

from turnlog.engine.log import Turnlog
from turnlog.engine.opening import open as open_log


class Door:
    """A log for a framework, as a context manager of both kinds.

    url: of the log, or an open log, which the caller closes.
    """

    def __init__(self, url: str | Turnlog) -> None:
        self._is_mine = isinstance(url, str)
        self.log = open_log(url) if isinstance(url, str) else url

    def close(self) -> None:
        """Closes the log if the door opened it."""
        if self._is_mine:
            self.log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await to_thread(self.close)
