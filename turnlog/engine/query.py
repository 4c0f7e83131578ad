"""Which conversations are meant: filters on where they stand, and search in what was said."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from turnlog.domain.lineage import MAIN
from turnlog.domain.rewinds import rewinds_in
from turnlog.domain.state import State
from turnlog.domain.values import is_text, same
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Recorded
from turnlog.engine.search import search as found
from turnlog.errors import FormatError
from turnlog.projections.live_head import LiveHead

Term = Callable[[State], bool]

TERMS = "slot.NAME=VALUE, after=TIME, before=TIME, tag=TAG, channel=NAME"


def seconds(time: str) -> float:
    """UTC seconds of a time given as ISO 8601 (UTC where it names no zone) or as seconds."""
    try:
        return float(time)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(time)
    except ValueError as error:
        raise FormatError(f"{time!r} is neither ISO 8601 nor a number of seconds") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def condition(text: str | None) -> Term:
    """The filter that terms joined by commas describe; all must hold.

    after and before hold against a conversation's first timestamp: each lies in one period. A
    term that contains a comma is put in double quotes. Raises FormatError for anything else.
    """
    if text is not None and not is_text(text):
        raise FormatError(f"{text!r:.80} is no term of --where; there are {TERMS}")
    terms = [_term(term) for term in _split(text or "")]
    return lambda state: all(term(state) for term in terms)


def _split(text: str) -> list[str]:
    return [term for line in csv.reader([text], skipinitialspace=True) for term in line]


def _term(text: str) -> Term:
    name, equals, value = text.partition("=")
    if equals and name.startswith("slot.") and len(name) > len("slot."):
        return _slot(name.removeprefix("slot."), value)
    if not equals or name not in _TERMS:
        raise FormatError(f"{text!r} is no term of --where; there are {TERMS}")
    return _TERMS[name](value)


def _slot(name: str, text: str) -> Term:
    """A slot whose value, or one in its list, reads like this, as text or as JSON."""
    accepted: list[Any] = [text]
    with suppress(msgspec.DecodeError):
        accepted.append(msgspec.json.decode(text))

    def holds(state: State) -> bool:
        held = state.context.slots.get(name)
        values = [held, *held] if isinstance(held, list) else [held]
        return any(same(value, one) for value in values for one in accepted)

    return holds


def _after(text: str) -> Term:
    time = seconds(text)
    return lambda state: state.started is not None and state.started >= time


def _before(text: str) -> Term:
    time = seconds(text)
    return lambda state: state.started is not None and state.started < time


_TERMS: dict[str, Callable[[str], Term]] = {
    "after": _after,
    "before": _before,
    "tag": lambda tag: lambda state: tag in state.tags,
    "channel": lambda channel: lambda state: state.channel == channel,
}


def matching(
    log: Turnlog,
    *,
    where: str | None = None,
    search: str | None = None,
    newest: bool = False,
    before: int | None = None,
) -> Iterator[tuple[LiveHead, State]]:
    """The conversations that are meant, all of them without a filter, in order of id.

    search: as `turnlog.engine.search` has it. newest: the one that was recorded in last first, of
    those whose newest row is below the position `before`. Raises FormatError for what is no term
    or no text.
    """
    holds = condition(where)
    among = found(log, search) if search else iter
    for head, state in log.heads(newest=newest, before=before, among=among):
        if holds(state):
            yield head, state


def summary(head: LiveHead, state: State) -> dict[str, Any]:
    """A conversation's line in a list.

    In that of a fork `shared` says how many of its turns and events come from its origin, and
    `trial` that it was made to try something.
    """
    line = state.lineage
    shared = {"shared": {"turns": line.turns, "events": line.shared}} if line.origin else {}
    return {
        "conversation": head.conversation,
        "turns": state.turn,
        "events": state.event,
        "started": state.started,
        "last": state.last,
        "tags": list(state.tags),
        "channel": state.channel,
        "user": state.user,
        **shared,
        **({"trial": True} if line.trial else {}),
    }


def standing(conversation: str, checkout: Recorded) -> dict[str, Any]:
    """Where a conversation stands after a checkout, and which event it went on from, if it did."""
    state = checkout.state
    return {
        "conversation": conversation,
        "branch": state.lineage.branch or MAIN,
        "event": state.event,
        "turn": state.turn,
        "branch_turn": state.context.turn,
        "to": rewinds[-1][1] if (rewinds := rewinds_in(enumerate(checkout.events))) else None,
    }
