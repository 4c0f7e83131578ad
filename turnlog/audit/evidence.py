"""How a bot is run, as far as its log shows: read once, for the checks of `compliance`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from turnlog.domain import events as e
from turnlog.domain.actors import actor
from turnlog.domain.event import Versions
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.streams import UPKEEP

ANSWERS = (e.BotUttered, e.MessageRegenerated)
OVERSIGHT = (e.AgentUttered, e.MessageEdited, e.ApprovalGiven, e.HandoverStarted)
UNNAMED = {"user", "bot", "agent", "tool", "system"}
"""Actors that name a role instead of a person."""


class VersionChange(NamedTuple):
    """From this event on another version ran. time: the log's clock, UTC seconds."""

    conversation: str
    event: int
    time: float
    versions: Versions


class Evidence(msgspec.Struct):
    """Counts over all conversations, without trial forks and deleted ones.

    first, last: of the log's clock, UTC seconds. undisclosed: conversations in which the bot
    answered before it said that it is an AI. unversioned: answers without versions. unnamed: acts
    of oversight by an unnamed person, and hand-overs to no one. restricted: conversations under
    restriction, which are counted nowhere else.
    """

    first: float | None = None
    last: float | None = None
    conversations: int = 0
    undisclosed: list[str] = []
    answers: int = 0
    unversioned: int = 0
    changes: list[VersionChange] = []
    oversight: int = 0
    unnamed: int = 0
    counts: Counter[str] = msgspec.field(default_factory=Counter)
    channels: Counter[str] = msgspec.field(default_factory=Counter)
    recipients: Counter[str] = msgspec.field(default_factory=Counter)
    purposes: Counter[str] = msgspec.field(default_factory=Counter)
    persons: set[str] = msgspec.field(default_factory=set)
    restricted: int = 0


def evidence(log: Any) -> Evidence:
    """The evidence in a log, which it reads once."""
    found = Evidence()
    changing: list[tuple[float, str, int, Versions]] = []
    for id in log.ids(trials=False):
        found.conversations += 1
        changing += _add_conversation(found, id, log.history(id).recorded())
    for recorded in (*log.deletions(), *log.history(UPKEEP).recorded()):
        _add(found, recorded)
    found.changes = list(_changes(changing))
    found.restricted = sum(head.state.restricted for head in log.current.every(log.store.reader))
    return found


def _add_conversation(
    found: Evidence, id: str, events: Iterable[RecordedEvent]
) -> Iterator[tuple[float, str, int, Versions]]:
    """The versions that ran, at each event that names them."""
    disclosed = answered_before = False
    for recorded in events:
        event = recorded.event
        _add(found, recorded)
        disclosed |= isinstance(event, e.AiDisclosed)
        answered_before |= isinstance(event, ANSWERS) and not disclosed
        if event.versions is not None:
            yield recorded.recorded, id, recorded.number, event.versions
    if answered_before:
        found.undisclosed.append(id)


def _add(found: Evidence, recorded: RecordedEvent) -> None:
    event, time = recorded.event, recorded.recorded
    found.first = time if found.first is None else min(found.first, time)
    found.last = time if found.last is None else max(found.last, time)
    found.counts[type(event).__name__] += 1
    if event.channel:
        found.channels[event.channel] += 1
    if isinstance(event, ANSWERS):
        found.answers += 1
        found.unversioned += event.versions is None
    if isinstance(event, OVERSIGHT):
        found.oversight += 1
        found.unnamed += actor(event) in UNNAMED and not getattr(event, "to", None)
    if isinstance(event, e.ConversationExported):
        conversations = max(1, len(event.streams))
        found.recipients[event.recipient] += conversations
        found.purposes[event.purpose or "not named"] += conversations
    if isinstance(event, e.UserIdentified):
        found.persons.add(event.user)


def _changes(ran: list[tuple[float, str, int, Versions]]) -> Iterator[VersionChange]:
    """Each change of version, in order of the log's clock."""
    before: Versions | None = None
    for time, conversation, event, versions in sorted(ran, key=lambda each: each[:3]):
        if before is not None and versions != before:
            yield VersionChange(conversation, event, time, versions)
        before = versions
