"""Speed and size against stock eventsourcing and against the floor of this machine."""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import mean, median, stdev

import turnlog
from scripts.benchmarks import postgres
from scripts.benchmarks.figures import (
    Figure,
    at_least,
    at_most,
    below,
    interleaved,
    seconds,
    seconds_raw,
)
from scripts.benchmarks.sides import (
    EVENTS_A_TURN,
    Floor,
    Ours,
    Stock,
    bodies,
    size,
)
from turnlog.domain.fold import fold
from turnlog.encoding import binary
from turnlog.projections import PROJECTIONS
from turnlog.projections.projection import catch_up

GROUP = 32
SPREAD = 1_000
"""Conversations to which a server's turns belong, at random."""

LONG_TURNS = 10_000
"""Turns of the long conversation: 60,000 events."""


def figures(*, quick: bool) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name:
        folder = Path(name)
        yield from _appends(folder, quick)
        yield from _long_conversation(folder, quick)
        yield from _projection(folder, quick)
        yield from _bytes(folder, quick)
        yield from _slope(folder, quick)
        if not quick:
            yield _import_memory(folder)
        yield from postgres.figures(quick=quick)


def _appends(folder: Path, quick: bool) -> Iterator[Figure]:
    yield from _appends_at("NORMAL", "", folder, 1_000, 15 if quick else 51, stock=4)
    yield from _appends_at("FULL", "_full", folder, 160, 31 if quick else 101, stock=1.2)


def _appends_at(
    synchronous: str, suffix: str, folder: Path, turns: int, times: int, *, stock: float
) -> Iterator[Figure]:
    """Runs end when every derived table is level. stock: the required ratio to it."""
    ours = Ours(folder / f"ours{suffix}.db", synchronous)
    peer = Stock(folder / f"stock{suffix}.db", synchronous)
    floor = Floor(folder / f"floor{suffix}.db", synchronous)
    spread = Ours(folder / f"spread{suffix}.db", synchronous)
    chance = random.Random(5)
    for n in range(SPREAD):
        spread.append(n, n)

    def appended(side: Ours | Floor | Stock, conversations: list[int]) -> None:
        for n, conversation in enumerate(conversations):
            side.append(conversation, n)
        side.level()

    def grouped(side: Ours | Floor) -> None:
        for _ in range(turns // GROUP):
            side.append_group(0, GROUP)
        side.level()

    in_order = [n % GROUP for n in range(turns)]
    at_random = [chance.randrange(SPREAD) for _ in range(turns)]
    works: dict[str, Callable[[], None]] = {
        "ours": partial(appended, ours, in_order),
        "stock": partial(appended, peer, in_order[: min(turns, 160)]),
        "floor": partial(appended, floor, in_order),
        "spread": partial(appended, spread, at_random),
        "ours32": partial(grouped, ours),
        "floor32": partial(grouped, floor),
    }
    done = dict.fromkeys(works, turns) | {"stock": min(turns, 160)}
    runs = {
        name: partial(lambda name, work: done[name] / seconds_raw(work), name, work)
        for name, work in works.items()
    }
    taken = interleaved(runs, times)
    unit = f"turns/s, {synchronous}"
    to_stock, to_floor = taken["ours"], taken["floor"]
    yield at_least(f"append_one_vs_stock{suffix}", to_stock, taken["stock"], unit, least=stock)
    yield at_least(f"append_one_vs_floor{suffix}", taken["ours"], to_floor, unit, least=0.45)
    yield at_least(f"append_spread{suffix}", taken["spread"], to_floor, unit, least=0.33)
    yield at_least(f"group32_vs_stock{suffix}", taken["ours32"], taken["stock"], unit, least=10)
    for one, other in (("ours32", "floor32"), ("floor32", "stock")):
        name = f"{'group32' if one == 'ours32' else one}_vs_{other.removesuffix('32')}{suffix}"
        ratio = taken[one] / taken[other]
        yield Figure(name, taken[one], taken[other], unit, ratio)
    for side in (ours, peer, floor, spread):
        side.close()


def _long_conversation(folder: Path, quick: bool) -> Iterator[Figure]:
    ours, stock = Ours(folder / "long.db"), Stock(folder / "long-stock.db")
    ours.fill(0, LONG_TURNS)
    stock.fill(0, LONG_TURNS)
    events = LONG_TURNS * EVENTS_A_TURN
    encoded = list(bodies(LONG_TURNS))

    def in_memory() -> None:
        state = turnlog.State()
        for body in encoded:
            fold(state, binary.decode_events(body))

    taken = interleaved(
        {
            "ours": lambda: events / seconds(lambda: ours.replay(0)),
            "stock": lambda: events / seconds(lambda: stock.replay(0)),
            "memory": lambda: events / seconds(in_memory),
        },
        3 if quick else 7,
    )
    yield at_least("replay_60k_vs_stock", taken["ours"], taken["stock"], "events/s", least=30)
    yield at_least("replay_60k_vs_memory", taken["ours"], taken["memory"], "events/s", least=0.45)
    ours.fill(1, 10)
    current = interleaved(
        {str(c): lambda c=c: milliseconds(ours, f"c{c}") for c in (0, 1)},  # type: ignore[misc]
        200,
    )
    note = f"{current['1']:.3f} ms for a conversation of 60 events"
    yield below("current_state_60k_ms", current["0"], "ms", most=0.05, note=note)
    with turnlog.open(f"sqlite:///{ours.path}", readonly=True) as other:
        took = 1000 * min(seconds_raw(lambda: other.conversation("c0").slots) for _ in range(9))
    yield below("current_state_elsewhere_ms", took, "ms", most=0.5)
    asked = [n * 7919 % LONG_TURNS + 1 for n in range(50 if quick else 300)]
    at_turns = [milliseconds(ours, "c0", turn=n) for n in asked]
    note = f"95 % within {_percentile(at_turns, 0.95):.2f} ms"
    yield below("any_turn_60k_ms", median(at_turns), "ms", most=5, note=note)
    ours.close()
    stock.close()


def milliseconds(ours: Ours, id: str, turn: int | None = None) -> float:
    return 1000 * seconds_raw(lambda: ours.log.conversation(id, turn=turn).slots)


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _projection(folder: Path, quick: bool) -> Iterator[Figure]:
    from scripts.benchmarks.projecting import StockProjection

    turns = 500 if quick else 3000
    ours, stock = Ours(folder / "projected.db"), StockProjection(folder, turns)
    for conversation in range(20):
        ours.fill(conversation, turns // 20)
    projection = PROJECTIONS["slots"]

    def run_ours() -> float:
        with ours.log.store.transaction() as transaction:
            transaction.clear(projection.name)
        return turns * EVENTS_A_TURN / seconds(lambda: catch_up(ours.log.store, [projection]))

    taken = interleaved({"ours": run_ours, "stock": stock.run}, 3)
    yield at_least("projection_vs_runner", taken["ours"], taken["stock"], "events/s", least=50)
    ours.close()
    stock.close()


def _bytes(folder: Path, quick: bool) -> Iterator[Figure]:
    events = 5000 * EVENTS_A_TURN
    ours, theirs = (size_of(side, folder, 1, 5000) / events for side in (Ours, Stock))
    yield at_most("bytes_vs_stock", ours, theirs, "bytes/event", most=0.30)
    many = 40  # concurrent short conversations, because a database grows by whole pages
    early = (size_of(Ours, folder, many, 200) - size_of(Ours, folder, many, 100)) / (100 * many)
    late = (size_of(Ours, folder, 1, 10_000) - size_of(Ours, folder, 1, 5000)) / 5000
    yield Figure(
        "bytes_flat", late, early, "bytes/turn", late / early, "0.9 to 1.1",
        0.9 <= late / early <= 1.1, "ours: at turn 5,000; theirs: ours at turn 100",
    )  # fmt: skip


def size_of(kind: type[Ours | Stock], folder: Path, conversations: int, turns: int) -> int:
    """Bytes of a database with so many conversations of so many turns."""
    side = kind(folder / f"size-{kind.__name__}-{conversations}-{turns}.db")
    for conversation in range(conversations):
        side.fill(conversation, turns)
    side.close()
    return size(side.path)


def _slope(folder: Path, quick: bool) -> Iterator[Figure]:
    """Time per append late in a conversation ÷ early in another, both growing in turns."""
    ours = Ours(folder / "slope.db", "NORMAL")
    late_from = 2000 if quick else 10_000
    ours.fill(0, late_from)
    rounds, turns = (150, 10) if quick else (400, 10)
    ratios = []
    for n in range(rounds):
        order = [f"s{n}", "c0"] if n % 2 else ["c0", f"s{n}"]
        took = {id: seconds_raw(partial(_some, ours, id, turns)) for id in order}
        ratios.append(math.log(took["c0"] / took[f"s{n}"]))
    kept = sorted(ratios)[rounds // 10 : -rounds // 10]
    centre = math.exp(mean(kept))
    half = 1.96 * stdev(kept) / math.sqrt(len(kept))
    low, high = centre * math.exp(-half), centre * math.exp(half)
    yield Figure(
        "append_flat", centre, 1.0, "time late ÷ time early", centre, "95 % interval in 0.9 to 1.1",
        low >= 0.9 and high <= 1.1, f"95 % interval {low:.3f} to {high:.3f}, from turn {late_from}",
    )  # fmt: skip
    ours.close()


def _some(ours: Ours, id: str, turns: int) -> None:
    for n in range(turns):
        ours.append_to(id, n)


def _import_memory(folder: Path) -> Figure:
    """Peak memory after importing 1,000,000 events, against that after 100,000."""
    from scripts.benchmarks.importing import peak_megabytes

    few, many = (peak_megabytes(folder, events) for events in (100_000, 1_000_000))
    return Figure(
        "import_memory", many, few, "MB peak", many / few, "≤ 1.1", many / few <= 1.1,
        "ours: 1,000,000 events; theirs: ours at 100,000",
    )  # fmt: skip
