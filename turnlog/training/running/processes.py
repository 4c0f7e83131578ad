"""Processes that make the examples of an export, in the order of a single process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from typing import NamedTuple

from turnlog.engine.log import Turnlog
from turnlog.engine.processes import in_order
from turnlog.engine.shared_pasts import HeldPast
from turnlog.errors import UnknownConversation
from turnlog.training.plan import ExportPlan
from turnlog.training.running.outcome import ExampleOutcome
from turnlog.training.select import Chosen

AT_ONCE = 32
"""The number of conversations that a process receives together."""

Opener = Callable[[], Turnlog]
"""Opens the log for reading, in any process; picklable."""

Order = tuple[str, HeldPast]
"""A conversation, and the part of it that another one contains."""


class Pool(NamedTuple):
    """jobs: how many processes. opener: how each opens the log."""

    jobs: int
    opener: Opener

    def outcomes(self, plan: ExportPlan, chosen: Iterable[Chosen]) -> Iterator[ExampleOutcome]:
        """The outcomes of the conversations, in their order."""
        rest = ((head.conversation, held) for head, _, held in chosen)
        pieces = iter(lambda: list(islice(rest, AT_ONCE)), [])
        made = in_order(self.jobs, _made, pieces, _begin, (self.opener, plan))
        return chain.from_iterable(made)


_make: Callable[[Order], Iterable[ExampleOutcome]]
"""Set in each worker process when it starts."""


def _begin(opener: Opener, plan: ExportPlan) -> None:
    from turnlog.training.running.making import Making
    from turnlog.training.select import Selection

    global _make
    log = opener()
    making, selection = Making(log, plan), Selection(log, plan)

    def make(order: Order) -> Iterator[ExampleOutcome]:
        id, held = order
        with suppress(UnknownConversation):  # deleted since it was listed
            yield from map(making.of, selection.read(*log.head(id), held))

    _make = make


def _made(some: list[Order]) -> list[ExampleOutcome]:
    return [outcome for order in some for outcome in _make(order)]
