"""A turn of six events on a conversation of 10 to 10,000, against Rasa's SQLTrackerStore.

Rasa runs in the environment that scripts/test-rasa makes (RASA_VENV); without it only our own
figures are taken. Rasa's store and the drop-in run in the same Rasa process.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import turnlog
from scripts.benchmarks.figures import Figure, at_least, at_most, below, seconds
from tests.parts import ROOT
from tests.parts import turnlog as turnlog_part
from turnlog.domain import events as e

SIZES = (10, 100, 1_000, 10_000)
WANTED = {"log": 100.0, "drop-in": 20.0}
"""How many times as fast as Rasa's store, at 10,000 events."""


def figures(*, quick: bool) -> Iterator[Figure]:
    sizes = SIZES[:3] if quick else SIZES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = {size: _turn(folder, size) for size in sizes}
        each = _bytes_per_event(folder / f"n{sizes[-1]}.db")
        python = Path(os.environ.get("RASA_VENV", ROOT / ".parts" / "rasa-3.6.21"), "bin", "python")
        if not python.exists():
            for size, took in ours.items():
                note = "Rasa is not installed; scripts/test-rasa installs it"
                yield Figure(f"turn at {size:,} events", took, None, "ms", None, note=note)
            yield below("bytes an event", each, "bytes", most=355)
            return
        theirs = _rasa(python, f"sql:///{folder}/rasa.db", sizes)
        with turnlog_part.running(bot=None) as server:
            through = _rasa(python, server.url, sizes)
        sql_bytes = (folder / "rasa.db").stat().st_size / sum(map(_events, sizes))
    for size in sizes:
        yield _beside("log", size, theirs[size][0], ours[size])
        yield _beside("drop-in", size, theirs[size][0], through[size][0])
    for size in sizes:
        name = f"drop-in, first read of a process, at {size:,} events; Rasa's store by ours"
        yield Figure(
            name, theirs[size][1], through[size][1], "ms", theirs[size][1] / through[size][1]
        )
    yield at_most("bytes an event", each, sql_bytes, "bytes", most=1.0)


def _beside(what: str, size: int, theirs: float, ours: float) -> Figure:
    """Rasa's milliseconds by ours."""
    name = f"{what}: load, append a turn, save at {size:,} events; Rasa's store by ours"
    if size == SIZES[-1]:
        return at_least(name, theirs, ours, "ms", least=WANTED[what])
    return Figure(name, theirs, ours, "ms", theirs / ours)


def _events(size: int) -> int:
    return -(-size // 6) * 6 + 10 * 6


def turn(number: int) -> tuple[e.Event, ...]:
    """The turn that Rasa's side appends."""
    intent = e.Intent("inform", 0.9)
    return (
        e.UserUttered("to Rome", message_id=f"m{number}", timestamp=1e9 + number),
        e.MessageUnderstood(intent),
        e.SlotSet("city", "Rome"),
        e.ActionExecuted("utter_ok", "RulePolicy", 1.0),
        e.BotUttered("Fine, Rome it is", {}, extra={"metadata": {"utter_action": "utter_ok"}}),
        e.ActionExecuted("action_restart_form", "RulePolicy", 1.0),
        e.ActionExecuted("action_listen", "RulePolicy", 1.0),
    )


def _turn(folder: Path, size: int) -> float:
    """Milliseconds to load a conversation, append a turn and store it on the disk."""
    with turnlog.open(f"sqlite:///{folder}/n{size}.db") as log:
        numbers = iter(range(10**9))
        for _ in range(-(-size // 6)):
            log.record("a", *turn(next(numbers)))

        def once() -> None:
            assert log.conversation("a").slots == {"city": "Rome"}
            log.record("a", *turn(next(numbers)))

        return median(seconds(once) for _ in range(15)) * 1000


def _bytes_per_event(db: Path) -> float:
    with turnlog.open(f"sqlite:///{db}") as log:
        events = log.conversation("a").state.event
    return sum(file.stat().st_size for file in db.parent.glob(f"{db.name}*")) / events


def _rasa(python: Path, where: str, sizes: tuple[int, ...]) -> dict[int, list[float]]:
    side = ROOT / "clients" / "rasa" / "tests" / "measured.py"
    command = [python, "-W", "ignore", side, where, *map(str, sizes)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "rasa")}
    done = subprocess.run(command, check=True, capture_output=True, env=environment, timeout=900)
    return {int(size): took for size, took in json.loads(done.stdout.splitlines()[-1]).items()}
