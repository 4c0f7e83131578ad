"""Erasing: recorded, carried out, and, if interrupted, finished by the next process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from turnlog.domain.conversation import Past
from turnlog.domain.erasure_events import StreamEvents, UnnamedStream
from turnlog.domain.events import (
    ContentErased,
    ErasureFinished,
    ErasureRecorded,
    Event,
    LogVacuumed,
)
from turnlog.domain.state import State
from turnlog.domain.streams import UPKEEP
from turnlog.engine.erasure.destroying import destroyed, subjects_of
from turnlog.engine.erasure.dropping import Dropping
from turnlog.engine.erasure.plan import ErasurePlan
from turnlog.engine.erasure.unfinished import Open, unfinished
from turnlog.engine.erasure.words import check_words
from turnlog.engine.request import Request
from turnlog.engine.upkeep import record
from turnlog.errors import InvalidEvent
from turnlog.projections import catch_up_kept
from turnlog.storage.checkpoints import close_over

Progress = Callable[[str], None]
"""Receives progress messages."""


class Erased(msgspec.Struct):
    """The outcome of an erasure. erasure: the number of its record in the log's own stream.

    conversations: how many were erased whole; shared: how many lost events. kept: what a hold
    keeps, by conversation, and why. exports: the recipients of the erased content. vacuumed:
    whether free space is cleared.
    """

    erasure: int
    conversations: int = 0
    shared: int = 0
    events: int = 0
    kept: dict[str, list[str]] = {}
    exports: list[dict[str, Any]] = []
    vacuumed: bool = False


def carried_out(
    log: Any,
    planned: Callable[[], ErasurePlan],
    reason: str,
    actor: str,
    vacuum: str,
    progress: Progress,
) -> Erased:
    """Record an erasure and carry it out. planned: its plan, made once no other erasure is open."""
    for _ in range(_TRIES):
        finish(log, progress)
        plan = planned()
        check_words(plan.names, reason, actor)
        if (number := _record(log, plan, reason, actor, vacuum)) is not None:
            break
    else:
        raise InvalidEvent(None, "erasure", "other processes are erasing; try again")
    vacuumed = finish(log, progress)
    return Erased(
        number,
        len(plan.whole),
        len(plan.events),
        sum(map(len, plan.events.values())),
        {id: [*map(str, holds)] for id, holds in plan.held.items()},
        plan.exports,
        vacuumed,
    )


_TRIES = 20

HOW = ("no", "yes", "full")
"""How far free space is cleared, from the least."""


def _record(log: Any, plan: ErasurePlan, reason: str, actor: str, vacuum: str) -> int | None:
    """The number of the event; None if another erasure was recorded in between."""
    left = unfinished(log.store.reader).vacuum
    event = ErasureRecorded(
        reason,
        plan.of,
        max(vacuum, left.how if left else "no", key=HOW.index),
        tuple(sorted(plan.ids)),
        tuple(plan.streams),
        tuple(StreamEvents(stream, tuple(sorted(n))) for stream, n in plan.events.items()),
        tuple(UnnamedStream(s, tuple(sorted(left))) for s, left in plan.unnamed.items()),
        tuple(_streams_of(log, plan.held)),
        plan.exports,
        subjects_of(log, plan),
        actor=actor,
    )

    def command(state: State, past: Past) -> tuple[Event, ...]:
        open_one = next((e for _, e in past.newest_first() if isinstance(e, _MARKS)), None)
        return () if isinstance(open_one, ErasureRecorded) else (event,)

    now = log.clock()
    recorded = log.writer.perform(Request(UPKEEP, command, now, now))
    return recorded.commits[-1].last_event if recorded.commits else None


_MARKS = ErasureRecorded | ErasureFinished


def _streams_of(log: Any, conversations: Any) -> Iterator[int]:
    for id in conversations:
        if (stream := log.store.reader.stream(id)) is not None:
            yield stream.stream


# --- finishing ----------------------------------------------------------------------------------


def finish(log: Any, progress: Progress = lambda doing: None, *, wait: bool = True) -> bool:
    """Carry out what is left of the newest recorded erasure; whether free space is cleared.

    wait: for others who write or read, before free space is cleared.
    """
    left = unfinished(log.store.reader)
    if left.open is not None:
        event = left.open.event
        with destroyed(log, event.subjects, _names(log, event.streams)):
            _drop(log, left.open, progress)
        catch_up_kept(log.store)
        number = left.open.erasure
        record(log, ErasureFinished(number), key=f"erasure {number} finished")
    if left.vacuum is None:
        return True
    how, number = left.vacuum
    if how == "no":
        return False
    progress("vacuuming")
    if not log.store.vacuum(full=how == "full", wait=wait):
        return False
    record(log, LogVacuumed(number), key=f"erasure {number} vacuumed")
    return True


def _drop(log: Any, open: Open, progress: Progress) -> None:
    shared = _shared(log, open.event.events)
    for number, (name, numbers) in enumerate(shared.items(), 1):
        progress(f"dropping events of {number:,} of {len(shared):,} shared conversations")
        _in_transaction(log, open, partial(_drop_events, name, numbers, open))
    names = _names(log, open.event.streams)
    for number, name in enumerate(names, 1):
        progress(f"dropping conversation {number:,} of {len(names):,}")
        _in_transaction(log, open, partial(_drop_whole, name))


def _drop_whole(name: str, dropping: Dropping) -> None:
    dropping.whole(name)


def _drop_events(
    name: str, numbers: dict[int, tuple[int, ...]], open: Open, dropping: Dropping
) -> None:
    unnamed = {left.stream for left in open.event.unnamed}
    dropping.events(name, numbers, open.position, unname=not unnamed.isdisjoint(numbers))


def _shared(log: Any, events: Sequence[StreamEvents]) -> dict[str, dict[int, tuple[int, ...]]]:
    """The numbers of events by stream, by conversation; forks before their origins, which close
    them.
    """
    found: dict[str, dict[int, tuple[int, ...]]] = {}
    for each in reversed(events):
        stream = log.store.reader.stream_of(each.stream)
        if stream is not None:
            found.setdefault(stream.conversation, {})[each.stream] = each.events
    return found


def _in_transaction(log: Any, open: Open, drop: Callable[[Dropping], None]) -> None:
    now = log.clock()
    said = ContentErased(open.erasure, actor=open.event.actor, timestamp=now)
    with log.store.transaction() as transaction:
        log.current.catch_up_in(transaction)
        drop(Dropping(transaction, said, now))
        close_over(transaction)
    log.current.refresh(log.store.reader)


def _names(log: Any, streams: Sequence[int]) -> list[str]:
    """Conversations whose ids are not dropped yet."""
    found = (log.store.reader.stream_of(number) for number in streams)
    return [*dict.fromkeys(s.conversation for s in found if s is not None and s.name is not None)]
