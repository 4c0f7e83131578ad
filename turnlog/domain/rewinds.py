"""How far a rewind or an undo goes back, and what it retracts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from types import UnionType
from typing import get_args

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.context import Context
from turnlog.domain.loops import Numbered
from turnlog.domain.traits import Clearing, Rewind


def rewinds_in(events: Iterable[Numbered]) -> list[tuple[int, int]]:
    """The number of each rewind, oldest first, and of the event it returned to."""
    return [
        (number, event.to)
        for number, event in events
        if isinstance(event, Rewind) and event.to is not None
    ]


def taken_back(events: Iterable[e.Event]) -> Mapping[int, int]:
    """The numbers of a conversation's retracted events, each with the number of the event that
    retracted it.

    events: all of them, oldest first.
    """
    return taken_by(rewinds_in(enumerate(events, 1)))


def taken_by(rewinds: Sequence[tuple[int, int]]) -> Mapping[int, int]:
    """The same, from the number of each rewind, oldest first, and of the event it returned to."""
    return _TakenBack([*counting(rewinds)][::-1])


class _TakenBack(Mapping[int, int]):
    """Only for rewinds that count: they may have retracted a great many events.

    rewinds: oldest first; none overlaps another.
    """

    def __init__(self, rewinds: Sequence[tuple[int, int]]) -> None:
        self._rewinds = rewinds

    def __getitem__(self, number: int) -> int:
        index = bisect_right(self._rewinds, number, key=itemgetter(0))
        if index < len(self._rewinds) and self._rewinds[index][1] < number:
            return self._rewinds[index][0]
        raise KeyError(number)

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(range(to + 1, number) for number, to in self._rewinds)

    def __len__(self) -> int:
        return sum(number - to - 1 for number, to in self._rewinds)


_REWINDS = frozenset(get_args(Rewind))


def goes_behind(events: Sequence[e.Event], number: int) -> bool:
    """Whether one returns to before the event with that number, but not to the beginning."""
    return not _REWINDS.isdisjoint(map(type, events)) and any(
        isinstance(event, Rewind) and event.to is not None and 0 < event.to < number
        for event in events
    )


def counting(rewinds: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The rewinds that were not retracted themselves, newest first."""
    oldest: int | None = None
    for number, to in reversed(rewinds):
        if oldest is None or number <= oldest:
            yield number, to
            oldest = to


# --- how far back -------------------------------------------------------------------------------

_MESSAGES = (e.UserUttered, e.BotUttered, e.AgentUttered)


def before_action(newest_first: Iterator[Numbered]) -> int | None:
    """The number of the event before the last action; None without an action.

    newest_first: the events that still count, as in the functions below.
    """
    return next((n - 1 for n, event in newest_first if isinstance(event, e.ActionExecuted)), None)


def listened(older: Iterator[Numbered]) -> int | None:
    """The number of the last action; None if a message is nearer.

    The action is retracted with the message after it: it listened (Rasa's `action_listen`).
    """
    for number, event in older:
        if isinstance(event, e.ActionExecuted):
            return number
        if isinstance(event, _MESSAGES):
            return None
    return None


def acted_last(context: Context) -> bool:
    """Whether the last action follows the last messages in the context."""
    if (action := context.latest_action) is None:
        return False
    messages = (context.latest_message, context.latest_bot_message)
    return all(message is None or message.event < action.event for message in messages)


def before_message_as_rasa(newest_first: Iterator[Numbered]) -> int | None:
    """As Rasa rewinds: through the user's last message, then through any last action."""
    said = any(isinstance(event, e.UserUttered) for _, event in newest_first)
    return before_action(newest_first) if said else None


RASA = "$rasa"
"""In an event's `extra`: marks the Rasa event that it came from."""

RASA_ASKS = {"asks": True}
"""The value in a rewind or undo from Rasa until it is resolved."""


def asked_by_rasa(event: e.Event) -> bool:
    """Whether it rewinds as in Rasa, which never refuses."""
    kept = (event.extra or {}).get(RASA)
    return isinstance(kept, dict) and kept.items() >= RASA_ASKS.items()


def without_asker(event: Rewind) -> Rewind:
    """The event as it is recorded, without that mark."""
    if not asked_by_rasa(event):
        return event
    extra = dict(event.extra or {})
    kept = {key: value for key, value in extra.pop(RASA).items() if key not in RASA_ASKS}
    return replace(event, extra={**extra, **({RASA: kept} if kept else {})} or None)


def kept(
    newest_first: Iterable[tuple[int, e.Event]],
    kinds: UnionType = Rewind,
) -> Iterator[tuple[int, e.Event]]:
    """The part of the past that was not retracted, newest first, without the rewinds.

    kinds: the rewinds that are carried out.
    """
    upto: int | None = None
    for number, event in newest_first:
        if upto is not None and number > upto:
            continue
        if isinstance(event, kinds):
            upto = getattr(event, "to", None)
        else:
            yield number, event


def applied(newest_first: Iterable[tuple[int, e.Event]]) -> Iterator[tuple[int, e.Event]]:
    """The events of `kept` that still count: those after the last restart or session start."""
    return until_cleared(kept(newest_first))


def until_cleared(counting: Iterable[tuple[int, e.Event]]) -> Iterator[tuple[int, e.Event]]:
    """Events, newest first, up to and including the last restart or session start."""
    for number, event in counting:
        yield number, event
        if isinstance(event, Clearing):
            return
