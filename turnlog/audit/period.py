"""Figures of a span of time: volumes, outcomes, failures, and interventions of people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

import msgspec

from turnlog.domain import events as e
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.streams import UPKEEP
from turnlog.engine.conditions import seconds
from turnlog.errors import FormatError


class Period(msgspec.Struct, frozen=True):
    """A span of the log's clock in UTC seconds, without its end."""

    start: float
    end: float

    @classmethod
    def read(cls, text: str) -> Self:
        """The period in FROM..TO. Raises FormatError."""
        start, dots, end = text.partition("..")
        if not dots:
            raise FormatError(
                f"{text!r} is not a period; write FROM..TO, as in 2026-01-01..2026-02-01"
            )
        period = cls(seconds(start), seconds(end))
        if not period.start < period.end:
            raise FormatError(f"the period {text!r} ends before it begins")
        return period

    def holds(self, time: float) -> bool:
        """Whether a time is in the period."""
        return self.start <= time < self.end

    def days(self) -> Iterator[date]:
        """Every day, in UTC, with a part in the period."""
        day, last = _day(self.start), _day(self.end - 1e-6)
        while day <= last:
            yield day
            day += timedelta(days=1)


def _day(time: float) -> date:
    return datetime.fromtimestamp(time, UTC).date()


class PeriodFigures(msgspec.Struct):
    """The counts of a period. by_day: per kind, for the days with any, in UTC.

    outcomes: as OutcomeRecorded names them. conversations: those with an event in the period.
    undisclosed: those without AiDisclosed.
    """

    conversations: int = 0
    undisclosed: int = 0
    totals: Counter[str] = msgspec.field(default_factory=Counter)
    by_day: dict[str, Counter[date]] = msgspec.field(default_factory=dict)
    outcomes: Counter[str] = msgspec.field(default_factory=Counter)
    models: Counter[str] = msgspec.field(default_factory=Counter)

    def count(self, kind: str, time: float) -> None:
        """Counts one event of a kind."""
        self.totals[kind] += 1
        self.by_day.setdefault(kind, Counter())[_day(time)] += 1


def _always(event: Any) -> bool:
    return True


_Counted = tuple[type[e.Event], Callable[[Any], bool]]
KINDS: dict[str, tuple[_Counted, ...]] = {
    "turns": ((e.UserUttered, _always),),
    "answers": ((e.BotUttered, _always),),
    "failures": ((e.BotFailed, _always), (e.AnswerBrokenOff, _always)),
    "failed tool calls": ((e.ToolReturned, lambda event: bool(event.is_error)),),
    "hand-overs": ((e.HandoverStarted, _always),),
    "overrides": (
        (e.AgentUttered, _always), (e.MessageEdited, _always),
        (e.ApprovalGiven, lambda event: not event.approved),
    ),
    "incidents": ((e.IncidentReported, _always),),
    "redactions": ((e.MessageRedacted, _always),),
    "deletions": ((e.ConversationDeleted, _always),),
    "erasures": ((e.ErasureRecorded, _always),),
    "exports": ((e.ConversationExported, _always),),
}  # fmt: skip
"""What is counted, by name: types of events, each with a condition."""

_KIND_OF = {type_: (kind, counts) for kind, all in KINDS.items() for type_, counts in all}


def figures(log: Any, period: Period) -> PeriodFigures:
    """The figures of a period, by the log's own clock, without trial forks."""
    found = PeriodFigures()
    for id in log.ids(trials=False):
        _add(found, period, log.history(id).recorded())
    for recorded in (*log.deletions(), *log.history(UPKEEP).recorded()):
        if period.holds(recorded.recorded):
            _add_event(found, recorded)
    return found


def _add(found: PeriodFigures, period: Period, events: Iterator[RecordedEvent]) -> None:
    every = list(events)
    within = [recorded for recorded in every if period.holds(recorded.recorded)]
    if not within:
        return
    for recorded in within:
        _add_event(found, recorded)
    found.conversations += 1
    found.undisclosed += not any(isinstance(r.event, e.AiDisclosed) for r in every)


def _add_event(found: PeriodFigures, recorded: RecordedEvent) -> None:
    event = recorded.event
    kind, counts = _KIND_OF.get(type(event), ("", _always))
    if kind and counts(event):
        found.count(kind, recorded.recorded)
    if isinstance(event, e.OutcomeRecorded):
        found.outcomes[_outcome(event)] += 1
    if event.versions is not None and event.versions.model:
        found.models[event.versions.model] += 1


def _outcome(event: e.OutcomeRecorded) -> str:
    if event.outcome is not None:
        return event.outcome
    return {True: "succeeded", False: "failed", None: "not named"}[event.succeeded]
