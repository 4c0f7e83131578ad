"""Two units whose variables name their writer, as a process: [user, text] a line, in and out.

`python units_program.py DB`
"""

from __future__ import annotations

import asyncio
import json
import sys

import turnlog
from turnlog.dialogs.runner import DialogRunner
from turnlog.dialogs.units import Dialog, Unit

left, right = Unit("left"), Unit("right")


async def begin(thread) -> None:
    thread.ask("left or right?")
    thread.next("heard")


async def heard(thread) -> None:
    """Notes the text, and goes to the state named in it."""
    thread.variables.setdefault("heard", []).append(thread.text)
    await asyncio.sleep(0)
    word = thread.text.partition(" ")[2]
    if word in ("left", "right"):
        await thread.start(f"{word}.begin")
    elif word == "end":
        thread.end()
    else:
        thread.say(f"{thread.unit} {thread.text}")


for unit in (left, right):
    unit.states = {"begin": begin, "heard": heard}
dialog = Dialog(left, right, start="left.begin", ended="again")


def expected(texts: list[str]) -> tuple[str, dict[str, list[str]]]:
    """Unit and variables of a single user after these texts."""
    unit, variables = "left", {}
    for text in texts[1:]:
        variables.setdefault(unit, []).append(text)
        word = text.partition(" ")[2]
        unit = word if word in ("left", "right") else unit
    return unit, variables


async def main(db: str) -> None:
    async with turnlog.aopen(db) as log:
        runner = DialogRunner(log, dialog)
        lines = asyncio.Queue()
        loop = asyncio.get_running_loop()

        async def answer(line: str) -> None:
            user, text = json.loads(line)
            await runner.say(user, text)
            print(line, end="", flush=True)

        loop.run_in_executor(None, _read, loop, lines)
        tasks = set()
        while line := await lines.get():
            tasks.add(asyncio.create_task(answer(line)))
        await asyncio.gather(*tasks)


def _read(loop, lines) -> None:
    for line in sys.stdin:
        loop.call_soon_threadsafe(lines.put_nowait, line)
    loop.call_soon_threadsafe(lines.put_nowait, "")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
