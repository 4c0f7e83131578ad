"""The cost of an export: each format, several processes, and memory.

theirs, of a format, is the limit: msgspec on the same contents, ready in memory. theirs, of
`export_beside_stock`, is stock eventsourcing that reads the same conversations and writes the
messages with `json`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

import turnlog
from scripts.benchmarks.figures import Figure, at_least, at_most, interleaved, seconds
from scripts.benchmarks.sides import EVENTS_A_TURN, Stock, turn
from turnlog.domain.dialogue import Dialogue
from turnlog.training.plan import ExportPlan
from turnlog.training.running.processes import Pool
from turnlog.training.write import export

TURNS = 10
"""Turns of each conversation."""
FORMATS = ("openai", "trl", "sharegpt", "alpaca", "jsonl")


def figures(*, quick: bool) -> Iterator[Figure]:
    few, many = (10_000, 50_000) if quick else (10_000, 1_000_000)
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name:
        folder = Path(name)
        url = filled(folder, few)
        for format in FORMATS:
            yield _rate(folder, url, format, few)
        yield _beside_stock(folder, url, few)
        url = filled(folder, many)
        yield _jobs(folder, url, many)
        peaks = [peak_megabytes(folder, events) for events in (many, few)]
        yield at_most("export_memory", *peaks, f"MB, {many:,} events and {few:,}", most=1.2)


def filled(folder: Path, events: int) -> str:
    """The database of a log of so many events, created if absent."""
    path = folder / f"{events}.db"
    url = f"sqlite:///{path}"
    if not path.exists():
        said = tuple(event for n in range(TURNS) for event in turn(n))
        with turnlog.open(f"{url}?synchronous=OFF") as log:
            for number in range(events // (EVENTS_A_TURN * TURNS)):
                log.import_dialogue(Dialogue(f"c{number}", said))
    return url


def write(url: str, format: str, out: Path, jobs: int = 1) -> None:
    with turnlog.open(url, readonly=True) as log:
        plan = ExportPlan(format=format, position=log.store.reader.last_position())
        pool = Pool(jobs, partial(turnlog.open, url, readonly=True)) if jobs > 1 else None
        assert export(log, plan, out, pool=pool).files


def _rate(folder: Path, url: str, format: str, events: int) -> Figure:
    out = folder / "out"
    write(url, format, out)
    read = out.read_bytes()
    decoder = msgspec.json.Decoder()
    ready = decoder.decode(read) if read[:1] == b"[" else decoder.decode_lines(read)
    encode = msgspec.json.Encoder().encode_lines
    runs = {
        "ours": partial(_processor_seconds, partial(write, url, format, out)),
        "theirs": partial(_processor_seconds, partial(encode, ready)),
    }
    taken = interleaved(runs, 5)
    ours, theirs = events / taken["ours"], events / taken["theirs"]
    return Figure(f"export_{format}", ours, theirs, "events/s of CPU", ours / theirs)


ROLES = {"UserUttered": "user", "BotUttered": "assistant"}
"""The events of the stock aggregate that contain a message."""


def _beside_stock(folder: Path, url: str, events: int) -> Figure:
    stock = Stock(folder / "stock.db", "OFF")
    for conversation in range(events // (EVENTS_A_TURN * TURNS)):
        stock.fill(conversation, TURNS)
    runs = {
        "ours": partial(_processor_seconds, partial(write, url, "openai", folder / "out")),
        "theirs": partial(_processor_seconds, partial(_write_stock, stock, folder / "stock.jsonl")),
    }
    taken = interleaved(runs, 5)
    stock.close()
    ours, theirs = events / taken["ours"], events / taken["theirs"]
    return Figure("export_beside_stock", ours, theirs, "events/s of CPU", ours / theirs)


def _write_stock(stock: Stock, out: Path) -> None:
    with out.open("w") as file:
        for chat in stock.chats.values():
            said: Iterable[Any] = stock.application.events.get(chat.id)
            spoken = ((ROLES.get(type(event).__name__), event) for event in said)
            messages = [{"role": role, "content": event.text} for role, event in spoken if role]
            file.write(json.dumps({"id": str(chat.id), "messages": messages}) + "\n")


def _processor_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _jobs(folder: Path, url: str, events: int) -> Figure:
    """Two processes against one, in wall-clock time."""
    outs = {jobs: folder / f"{jobs}.jsonl" for jobs in (2, 1)}
    two, one = (seconds(partial(write, url, "openai", out, jobs)) for jobs, out in outs.items())
    assert outs[1].read_bytes() == outs[2].read_bytes()
    return at_least("export_jobs_2", events / two, events / one, "events/s", least=1.6)


def peak_megabytes(folder: Path, events: int) -> float:
    """Highest memory of a process that exports so many events."""
    command = [sys.executable, "-m", __name__, filled(folder, events), str(folder / "peak")]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    write(sys.argv[1], "openai", Path(sys.argv[2]))
    # getrusage would also count the parent's memory at the time of the fork.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    print(int(peak[1]) / 1024)
