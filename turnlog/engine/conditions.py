"""The terms of --where: conditions on a conversation's state or on its events."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from math import isfinite
from typing import Any, NamedTuple

import msgspec

from turnlog.domain import events as e
from turnlog.domain.rewinds import kept
from turnlog.domain.state import State
from turnlog.domain.values import is_text, same
from turnlog.engine.log import Turnlog
from turnlog.errors import FormatError
from turnlog.projections.persons import names_in
from turnlog.storage.lookups import commitment_of

TERMS = (
    "slot.NAME=VALUE, user=, channel=, tag=, ended=, after=TIME, before=TIME, intent=, outcome=,"
    " rating=, version=, language="
)

_QUOTES = (
    "a term with a comma or a line break goes between double quotes as a whole, one with a quote"
    ' too, where that is doubled: "user=Lee, Ann"'
)


class Candidate(NamedTuple):
    """A conversation to test. recorded: its events as they are shown, oldest first; called only by
    terms that need them.
    """

    id: str
    state: State
    recorded: Callable[[], Iterable[e.Event]]


class CountedEvents:
    """The events that were not retracted, oldest first; read once, on demand."""

    def __init__(self, candidate: Candidate) -> None:
        self._candidate = candidate

    @cached_property
    def every(self) -> Sequence[e.Event]:
        """All events, including retracted ones."""
        return [*self._candidate.recorded()]

    @cached_property
    def events(self) -> Sequence[e.Event]:
        """The events that were not retracted."""
        numbered = [*enumerate(self.every, 1)]
        return [event for _, event in kept(reversed(numbered))][::-1]


OfState = Callable[[State], bool]
OfEvents = Callable[[Sequence[e.Event]], bool]


class Condition:
    """Whether a conversation matches: all terms hold. Terms that read no events are tested
    first.
    """

    def __init__(self, log: Turnlog, text: str | None) -> None:
        """text: terms joined by commas; a term that contains a comma is in double quotes.

        after and before compare with a conversation's first timestamp, so each conversation is in
        one period. Raises FormatError for an invalid term.
        """
        if text is not None and not is_text(text):
            raise _no_term(text)
        self._of_state: list[OfState] = []
        self._of_events: list[OfEvents] = []
        self._users: list[_User] = []
        for term in _split(text or ""):
            self._add(log, term)

    def _add(self, log: Turnlog, term: str) -> None:
        name, equals, value = term.partition("=")
        if equals and name.startswith("slot.") and len(name) > len("slot."):
            self._of_state.append(_slot(name.removeprefix("slot."), value))
        elif equals and name == "user":
            self._users.append(_User(log, value))
        elif equals and name in _OF_STATE:
            self._of_state.append(_OF_STATE[name](value))
        elif equals and name in _OF_EVENTS:
            self._of_events.append(_OF_EVENTS[name](value))
        else:
            raise _no_term(term)

    def __call__(self, candidate: Candidate) -> bool:
        found = CountedEvents(candidate)
        return (
            all(holds(candidate.state) for holds in self._of_state)
            and all(user.is_in(candidate.id, found) for user in self._users)
            and all(holds(found.events) for holds in self._of_events)
        )


def _no_term(text: str) -> FormatError:
    hint = f" ({_QUOTES})" if '"' in str(text) else ""
    return FormatError(f"{text!r:.80} is not a term of --where; known: {TERMS}{hint}")


def _split(text: str) -> list[str]:
    try:
        lines = [*csv.reader([text], skipinitialspace=True, strict=True)]
    except csv.Error as error:
        raise FormatError(f"{text!r:.80} cannot be split into terms: {_QUOTES}") from error
    if text and lines == [[]]:
        raise _no_term(text)
    return [term for line in lines for term in line]


def seconds(time: str) -> float:
    """UTC seconds of a time in ISO 8601 (UTC if it names no zone) or in seconds."""
    with suppress(ValueError):
        if isfinite(number := float(time)):
            return number
    try:
        moment = datetime.fromisoformat(time)
    except ValueError as error:
        raise FormatError(f"{time!r} is neither ISO 8601 nor a number of seconds") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class _User:
    """A person was identified by this name; reads events only if one was identified at all."""

    def __init__(self, log: Turnlog, name: str) -> None:
        self._log = log
        self._name = name

    @cached_property
    def _conversations(self) -> frozenset[str]:
        key = commitment_of(self._log.store.reader.secret, self._name)
        return frozenset(found.conversation for found in self._log.view("persons").find(key))

    def is_in(self, id: str, found: CountedEvents) -> bool:
        return id in self._conversations and any(
            self._name in names_in(event) for event in found.every
        )


# --- of the state --------------------------------------------------------------------------------


def _accepted(text: str) -> list[Any]:
    """The values that are written like this, as text or as JSON."""
    accepted: list[Any] = [text]
    with suppress(msgspec.DecodeError):
        accepted.append(msgspec.json.decode(text))
    return accepted


def _slot(name: str, text: str) -> OfState:
    """A slot that has this value, or a list with it."""
    accepted = _accepted(text)

    def holds(state: State) -> bool:
        held = state.context.slots.get(name)
        values = [held, *held] if isinstance(held, list) else [held]
        return any(same(value, one) for value in values for one in accepted)

    return holds


def _after(text: str) -> OfState:
    time = seconds(text)
    return lambda state: state.started is not None and state.started >= time


def _before(text: str) -> OfState:
    time = seconds(text)
    return lambda state: state.started is not None and state.started < time


def _ended(reason: str) -> OfState:
    """Why the newest session or thread ended; the empty reason if neither ended."""

    def holds(state: State) -> bool:
        ended = (state.session.ended, state.thread.ended if state.thread else None)
        return reason in ended if reason else not any(ended)

    return holds


_OF_STATE: dict[str, Callable[[str], OfState]] = {
    "after": _after,
    "before": _before,
    "ended": _ended,
    "tag": lambda tag: lambda state: tag in state.tags,
    "channel": lambda channel: lambda state: state.channel == channel,
}


# --- of what was recorded -----------------------------------------------------------------------


def _intent(name: str) -> OfEvents:
    """A message's intent."""
    return lambda events: any(
        isinstance(event, e.MessageUnderstood) and event.intent and event.intent.name == name
        for event in events
    )


_SUCCEEDED = {True: "succeeded", False: "failed"}


def _outcome(text: str) -> OfEvents:
    """The last recorded outcome, by its name, or `succeeded` or `failed`."""

    def holds(events: Sequence[e.Event]) -> bool:
        outcomes = (event for event in reversed(events) if isinstance(event, e.OutcomeRecorded))
        last = next(outcomes, None)
        if last is None:
            return False
        succeeded = None if last.succeeded is None else _SUCCEEDED[last.succeeded]
        return text in (last.outcome, succeeded)

    return holds


def _rating(text: str) -> OfEvents:
    """The last rating of a message, as text or as a number."""
    accepted: list[str | float] = [text]
    with suppress(ValueError):
        accepted.append(float(text))

    def holds(events: Sequence[e.Event]) -> bool:
        rated = [event for event in events if isinstance(event, e.MessageRated)]
        ratings = {event.message: event.rating for event in rated}
        return any(rating in accepted for rating in ratings.values())

    return holds


def _version(text: str) -> OfEvents:
    """The version of the code, the model or the prompt that ran."""
    return lambda events: any(text in _ran(event) for event in events)


def _ran(event: e.Event) -> tuple[str | None, ...]:
    model = event.model if isinstance(event, e.AnswerMeasured) else None
    if (ran := event.versions) is None:
        return (model,)
    return (model, ran.code, ran.model, ran.prompt)


def _language(text: str) -> OfEvents:
    """A language that a channel or a bot recorded with an event; `de` includes `de-AT`."""
    wanted = f"{_tag(text)}-"
    return lambda events: any(
        f"{_tag(said)}-".startswith(wanted) for event in events for said in languages(event)
    )


_LANGUAGE = ("language", "lang", "locale")


def languages(event: e.Event) -> Iterator[str]:
    """The languages recorded with an event."""
    places = [event.extra, getattr(event, "data", None)]
    for place in [*places, *(p.get("metadata") for p in places if isinstance(p, dict))]:
        if isinstance(place, dict):
            yield from (said for key in _LANGUAGE if isinstance(said := place.get(key), str))


def _tag(language: str) -> str:
    return language.replace("_", "-").casefold()


_OF_EVENTS: dict[str, Callable[[str], OfEvents]] = {
    "intent": _intent,
    "outcome": _outcome,
    "rating": _rating,
    "version": _version,
    "language": _language,
}
