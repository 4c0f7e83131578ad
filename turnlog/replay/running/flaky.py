"""Replays a bot several times, and distinguishes faults from flaky answers.

Each run uses new processes with another hash seed. A difference that every run shows in the same
way is a fault; any other is flaky.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import asdict, replace

from turnlog.encoding import binary
from turnlog.engine.log import Turnlog
from turnlog.replay.divergence import Divergence
from turnlog.replay.replayed import ReplayedConversation
from turnlog.replay.running.many import replay


class RepeatedDivergence(Divergence, frozen=True):
    """A divergence of one of several runs. runs: the numbers, from 1, of the runs that show it."""

    runs: tuple[int, ...] = ()


def replay_again(
    log: Turnlog, ids: Iterable[str], bot: str, *, runs: int, at_least: int, **options: Any
) -> list[ReplayedConversation]:
    """The combined result of this many runs: the differences of each conversation, with the runs
    that show them.

    at_least: a turn passes if this many runs answered it as recorded. options: as of `replay`.
    """
    chosen = list(ids)
    jobs = max(options.pop("jobs", 1), 1)
    found = [
        list(replay(log, chosen, bot, jobs=jobs, every=True, hash_seed=number, **options))
        for number in range(1, runs + 1)
    ]
    return [_together(same, at_least) for same in zip(*found, strict=True)]


def is_flaky(divergence: Divergence, runs: int) -> bool:
    """Whether some of this many runs do not show it."""
    return isinstance(divergence, RepeatedDivergence) and len(divergence.runs) < runs


def _together(runs: Sequence[ReplayedConversation], at_least: int) -> ReplayedConversation:
    by_turn: dict[int, list[tuple[int, Divergence]]] = defaultdict(list)
    for number, replayed in enumerate(runs, 1):
        for divergence in replayed.divergences:
            by_turn[divergence.turn].append((number, divergence))
    kept = [
        repeated
        for turn in sorted(by_turn)
        if len(runs) - len({number for number, _ in by_turn[turn]}) < at_least
        for repeated in _repeated(by_turn[turn])
    ]
    seconds = sum(replayed.seconds for replayed in runs)
    covered = frozenset[str]().union(*(replayed.covered for replayed in runs))
    return replace(runs[0], divergences=tuple(kept), seconds=seconds, covered=covered)


def _repeated(found: Iterable[tuple[int, Divergence]]) -> Iterator[RepeatedDivergence]:
    """Each difference of a turn once, the most frequent first."""
    alike: dict[bytes, list[tuple[int, Divergence]]] = defaultdict(list)
    for number, divergence in found:
        alike[_identity(divergence)].append((number, divergence))
    for same in sorted(alike.values(), key=len, reverse=True):
        runs = tuple(dict.fromkeys(number for number, _ in same))
        yield RepeatedDivergence(**asdict(same[0][1]), runs=runs)


def _identity(divergence: Divergence) -> bytes:
    """What two runs with the same difference share; for a failure its kind, not its words."""
    actual = divergence.actual
    if divergence.kind in ("error", "timeout"):
        actual = str((actual or {}).get("detail")).partition(":")[0]
    return binary.encode_ordered(
        (divergence.event, divergence.kind, divergence.path, divergence.expected, actual)
    )
