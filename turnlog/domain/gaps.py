"""Why a conversation cannot be repeated as it was: what is hidden or erased."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

import msgspec
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.fold import Fold
from turnlog.domain.state import State
from turnlog.domain.traits import ValueChange, opens_turn


class Gaps(msgspec.Struct, frozen=True):
    """events: the numbers of the hidden, masked or erased events. messages: the numbers of the
    user's messages at which the state contained something hidden.
    """

    events: frozenset[int] = frozenset()
    messages: frozenset[int] = frozenset()


_VALUES = frozenset(kind.__name__ for kind in get_args(ValueChange))


def gaps(stored: Iterable[e.Event], shown: Sequence[e.Event]) -> Gaps:
    """stored: all events of a conversation as they were recorded; shown: as views show them."""
    erased = [number for number, event in enumerate(shown, 1) if isinstance(event, e.EventErased)]
    if stored is shown and not erased:
        return Gaps()
    before, after = list(stored), shown
    altered = (n for n, pair in enumerate(zip(before, after, strict=True), 1) if pair[0] != pair[1])
    return Gaps(frozenset((*altered, *erased)), frozenset(_unlike(before, after)))


def _unlike(stored: Sequence[e.Event], shown: Sequence[e.Event]) -> Iterable[int]:
    """The messages at which the state differs from what views show, or is unknown."""
    was, held = Fold(lambda: stored), Fold(lambda: shown)
    lost = False
    for number, (before, after) in enumerate(zip(stored, shown, strict=True), 1):
        was.take((before,))
        held.take((after,))
        if isinstance(before, e.SlotsReset | e.ConversationRestarted):
            lost = False
        elif isinstance(before, e.EventErased) and before.was in _VALUES:
            lost = True
        if opens_turn(before) and (lost or _part(was.state) != _part(held.state)):
            yield number


def _part(state: State) -> Sequence[object]:
    """The part of a state that can contain values and words; not which events set them."""
    context = replace(state.context, since={})
    return context, state.thread, state.tags, state.user, state.identities
