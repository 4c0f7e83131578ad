"""Timers in a separate process, to be killed: `python timers_program.py DB CLOCK SENT`.

CLOCK is a file with the time, SENT one that gets a line for each message sent.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import turnlog
from turnlog.dialogs.runner import DialogRunner
from turnlog.dialogs.units import Dialog, Unit

unit = Unit("u")


@unit.state
async def s(thread):
    thread.say("answered")


dialog = Dialog(unit, start="u.s")


class FileClock:
    """The time in a file, which each call reads again."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_RDONLY)

    def __call__(self) -> float:
        return float(os.pread(self._file, 32, 0))


async def main(db: str, clock: Path, sent: Path) -> None:
    out = os.open(sent, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def deliver(id: str, event: int, message: turnlog.BotUttered) -> str:
        os.write(out, f"{id} {event} {message.message_id}\n".encode())
        return "sent"

    async with turnlog.aopen(db, clock=FileClock(clock)) as log:
        print("running", flush=True)
        await DialogRunner(log, dialog, deliver=deliver).timers.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
