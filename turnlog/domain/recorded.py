"""A stored event in its envelope, and what it changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

import msgspec
from msgspec.structs import replace

from turnlog.domain.actors import actor
from turnlog.domain.events import Event, HistoryContinued
from turnlog.domain.fold import Fold
from turnlog.domain.plain import to_plain
from turnlog.domain.redactions import Redactions
from turnlog.domain.traits import SlotChange
from turnlog.domain.values import same

Change = tuple[Any, Any]
"""A slot's value before and after; None for no value."""

_CHANGING = frozenset(get_args(SlotChange))


class RecordedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event in its conversation, as every view may show it.

    number: from 1 in the conversation. turn: its turn. version: its commit's. position: its
    commit's in the whole log, None until it is stored. recorded: the log's clock, UTC seconds.
    taken_back: the number of the event that retracted it. redacted: its words are hidden. life: of
    the conversation. branch: where it was recorded, branch_turn: its turn without retracted ones;
    None without branches.
    """

    conversation: str
    number: int
    turn: int
    version: int
    position: int | None
    recorded: float
    event: Event
    taken_back: int | None = None
    redacted: bool = False
    life: int = 1
    branch: str | None = None
    branch_turn: int | None = None

    @property
    def place(self) -> dict[str, Any]:
        """Branch and turn on it, if there are branches."""
        if self.branch is None:
            return {}
        return {"branch": self.branch, "branch_turn": self.branch_turn}

    @property
    def actor(self) -> str:
        """user, bot, agent, tool or system, unless the event names another."""
        return actor(self.event)

    def as_dict(self) -> dict[str, Any]:
        """The line that `turnlog log --json` prints."""
        fields = to_plain(self.event)
        if isinstance(self.event, HistoryContinued):  # the line has other names for these
            fields["to"] = fields.pop("event")
            if "conversation" in fields:
                fields["origin"] = fields.pop("conversation")
        line = {
            "conversation": self.conversation,
            "event": self.number,
            "turn": self.turn,
            "type": fields.pop("type"),
            "time": fields.pop("timestamp", None),
            **fields,
        }
        if self.redacted:
            line["redacted"] = True
        if self.life > 1:
            line["life"] = self.life
        line |= self.place
        line["actor"] = self.actor
        if self.taken_back is not None:
            line["taken_back"] = self.taken_back
        return line


class TracedEvent(RecordedEvent, frozen=True, gc=False):
    """A recorded event and its effects. slots: those it changed, by name. session: its number."""

    slots: Mapping[str, Change] = {}
    session: int = 0


def shown(
    events: Iterable[RecordedEvent], taken_back: Mapping[int, int], redactions: Redactions | None
) -> Iterator[RecordedEvent]:
    """Stored events as every view may show them, and whether they still count.

    taken_back: the numbers of retracted events, each with the number of the event that retracted
    it.
    """
    for recorded in events:
        number = recorded.number
        if redactions is not None:
            event = redactions.shown(number, recorded.event)
            recorded = replace(recorded, event=event, redacted=number in redactions)
        if number in taken_back:
            recorded = replace(recorded, taken_back=taken_back[number])
        yield recorded


def traced(events: Iterable[RecordedEvent]) -> Iterator[TracedEvent]:
    """A conversation's events from the first on, with the effects of each."""
    every = list(events)
    return trace(every, Fold(lambda: [recorded.event for recorded in every]))


def trace(events: Iterable[RecordedEvent], folded: Fold) -> Iterator[TracedEvent]:
    """The next events of a fold, which they continue, with the effects of each."""
    state = folded.state
    held = state.slots
    for recorded in events:
        folded.take((recorded.event,))
        slots: dict[str, Change] = {}
        if type(recorded.event) in _CHANGING:
            before, held = held, state.slots
            slots = changed(before, held)
        yield _traced(recorded, slots, state.session.number)


def _traced(r: RecordedEvent, slots: Mapping[str, Change], session: int) -> TracedEvent:
    return TracedEvent(
        r.conversation, r.number, r.turn, r.version, r.position, r.recorded, r.event,
        r.taken_back, r.redacted, r.life, r.branch, r.branch_turn, slots, session,
    )  # fmt: skip


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Change]:
    """The slots that differ, in order of name."""
    pairs = [(name, before.get(name), after.get(name)) for name in before.keys() | after.keys()]
    differing = {n: (one, other) for n, one, other in pairs if one is not other}
    return {n: differing[n] for n in sorted(differing) if not same(*differing[n])}
