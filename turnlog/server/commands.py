"""Runs turnlog's commands in separate processes, so that a bot's side effects stay there."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress

from turnlog.server.errors import RequestRefused
from turnlog.server.settings import Settings

SECONDS = 120.0
"""Seconds after which a command is ended."""

FOUND = (0, 1)
"""Exit statuses of commands that succeeded."""


class PageCommands:
    """Runs one command at a time, on the log that the server serves."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = asyncio.Lock()

    async def run(self, *arguments: str, actor: str | None) -> bytes:
        """What a command prints. actor: who requested it; None for the server's user.

        Raises RequestRefused with the reason if the command did nothing.
        """
        if self._settings.db.startswith("memory:"):
            raise RequestRefused(
                409, "NotPossible", "a log in memory cannot be read by other processes"
            )
        async with self._turn:
            return await self._run(arguments, actor)

    async def _run(self, arguments: tuple[str, ...], actor: str | None) -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "turnlog", *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment(actor),
        )  # fmt: skip
        try:
            async with asyncio.timeout(SECONDS):
                said, complaint = await process.communicate()
        except TimeoutError as error:
            why = f"timed out after {SECONDS:.0f} s"
            raise RequestRefused(504, "Timeout", why) from error
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        if process.returncode not in FOUND:
            lines = complaint.decode(errors="replace").strip().splitlines() or ["it failed"]
            raise RequestRefused(422, "Refused", lines[-1])
        return said

    def _environment(self, actor: str | None) -> dict[str, str]:
        given = {"TURNLOG_DB": self._settings.db}
        if self._settings.keys is not None:
            given["TURNLOG_KEYS"] = self._settings.keys
        if actor is not None:
            given["TURNLOG_ACTOR"] = actor
        return {**os.environ, **given}
