"""Other processes that make the examples of an export, which come in the order of one process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice

import msgspec
from msgspec.structs import replace

from turnlog.domain.plain import dumps
from turnlog.engine.log import Turnlog
from turnlog.engine.processes import in_order
from turnlog.engine.shared_pasts import HeldPast
from turnlog.errors import UnknownConversation
from turnlog.training.outcome import ExampleOutcome
from turnlog.training.plan import ExportPlan

AT_ONCE = 32
"""Conversations that a process is given together."""

Opener = Callable[[], Turnlog]
"""Opens the log to read it, in whatever process; picklable."""

Chosen = tuple[str, HeldPast]
"""A conversation, and what of it another one holds."""


def outcomes(
    jobs: int, opener: Opener, plan: ExportPlan, chosen: Iterable[Chosen]
) -> Iterator[ExampleOutcome]:
    """What becomes of the conversations, in their order."""
    rest = iter(chosen)
    pieces = iter(lambda: list(islice(rest, AT_ONCE)), [])
    return chain.from_iterable(in_order(jobs, _made, pieces, _begin, (opener, plan)))


_make: Callable[[Chosen], Iterable[ExampleOutcome]]
"""Of this process, once it has begun."""


def _begin(opener: Opener, plan: ExportPlan) -> None:
    from turnlog.training.making import Making
    from turnlog.training.select import Selection

    global _make
    log = opener()
    making, selection = Making(log, plan), Selection(log, plan)

    def make(chosen: Chosen) -> Iterator[ExampleOutcome]:
        id, held = chosen
        with suppress(UnknownConversation):  # deleted since it was listed
            for conversation in selection.read(*log.head(id), held):
                outcome = making.of(conversation)
                yield _ready(outcome) if making.codec.writes_json else outcome

    _make = make


def _ready(outcome: ExampleOutcome) -> ExampleOutcome:
    """With contents as JSON, which costs less to hand over."""
    examples = [replace(x, content=msgspec.Raw(dumps(x.content))) for x in outcome.examples]
    return replace(outcome, examples=examples)


def _made(some: list[Chosen]) -> list[ExampleOutcome]:
    return [outcome for chosen in some for outcome in _make(chosen)]
