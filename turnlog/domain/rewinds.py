"""How far back a rewind or an undo goes, and what was taken back."""

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
    """The number of each rewind, oldest first, and of the event it went back to."""
    return [
        (number, event.to)
        for number, event in events
        if isinstance(event, Rewind) and event.to is not None
    ]


def taken_back(events: Iterable[e.Event]) -> Mapping[int, int]:
    """Numbers of a conversation's events that were taken back: the number of what did it.

    events: all of them, oldest first.
    """
    return taken_by(rewinds_in(enumerate(events, 1)))


def taken_by(rewinds: Sequence[tuple[int, int]]) -> Mapping[int, int]:
    """The same, from the number of each rewind, oldest first, and of the event it went back to."""
    return _TakenBack([*counting(rewinds)][::-1])


class _TakenBack(Mapping[int, int]):
    """Of the rewinds that count alone: what they took back may be very much.

    rewinds: oldest first; none reaches into another.
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
    """Whether one goes back to before the event of that number, but not to the beginning."""
    return not _REWINDS.isdisjoint(map(type, events)) and any(
        isinstance(event, Rewind) and event.to is not None and 0 < event.to < number
        for event in events
    )


def counting(rewinds: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Those of such rewinds that were not themselves taken back, newest first."""
    oldest: int | None = None
    for number, to in reversed(rewinds):
        if oldest is None or number <= oldest:
            yield number, to
            oldest = to


# --- how far back -------------------------------------------------------------------------------

_MESSAGES = (e.UserUttered, e.BotUttered, e.AgentUttered)


def before_action(newest_first: Iterator[Numbered]) -> int | None:
    """Number of the event before the last action; None where there is no action.

    newest_first: the events that still count, as in the functions below.
    """
    return next((n - 1 for n, event in newest_first if isinstance(event, e.ActionExecuted)), None)


def listened(older: Iterator[Numbered]) -> int | None:
    """Number of the last action; None where a message is nearer.

    The action goes with the message after it: it listened (Rasa's `action_listen`).
    """
    for number, event in older:
        if isinstance(event, e.ActionExecuted):
            return number
        if isinstance(event, _MESSAGES):
            return None
    return None


def acted_last(context: Context) -> bool:
    """Whether the last action comes after the last messages that the context knows."""
    if (action := context.latest_action) is None:
        return False
    messages = (context.latest_message, context.latest_bot_message)
    return all(message is None or message.event < action.event for message in messages)


def before_message_as_rasa(newest_first: Iterator[Numbered]) -> int | None:
    """As Rasa goes back: through the user's last message, then through any last action."""
    said = any(isinstance(event, e.UserUttered) for _, event in newest_first)
    return before_action(newest_first) if said else None


RASA = "$rasa"
"""In an event's `extra`: what makes it the Rasa event that it was."""

RASA_ASKS = {"asks": True}
"""What stands there in a rewind or undo that comes from Rasa, until it is resolved."""


def asked_by_rasa(event: e.Event) -> bool:
    """Whether it goes back as it does in Rasa, which refuses none."""
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
    """What of the past was not taken back, newest first, without the events that take back.

    kinds: those of them that are carried out.
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
    """What is `kept` and still counts: up to the event that cleared what came before it."""
    return until_cleared(kept(newest_first))


def until_cleared(counting: Iterable[tuple[int, e.Event]]) -> Iterator[tuple[int, e.Event]]:
    """Events, newest first, up to the one that cleared what came before it."""
    for number, event in counting:
        yield number, event
        if isinstance(event, Clearing):
            return
