"""The paths through a conversation: what was said up to each event that went back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.counted import counted
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.lineage import MAIN
from turnlog.domain.message_groups import Group, groups, side
from turnlog.domain.plain import to_plain
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.rewinds import kept
from turnlog.domain.traits import Rewind

Rewrite = e.MessageEdited | e.MessageRegenerated

_INCIDENTAL = frozenset(
    ("timestamp", "message_id", "actor", "channel", "versions", "cause", "call_id", "extra")
)
"""Members of an event that can differ between two answers that say the same."""


class PathTree:
    """Numbers messages by the messages before them, whatever path leads there.

    A node is a number; 0 is the beginning.
    """

    def __init__(self) -> None:
        self._nodes: dict[tuple[int, bytes], int] = {}

    def after(self, node: int, said: bytes) -> int:
        """The node after this message."""
        return self._nodes.setdefault((node, said), len(self._nodes) + 1)


class Way(msgspec.Struct, frozen=True):
    """A part of a conversation. last: the number of its last event. began, ended: the events that
    went back to its beginning, and from its end; None for the first and the last. counts: whether
    nothing of it was rewound; a branch that was left for another one was not.
    """

    last: int
    began: RecordedEvent | None = None
    ended: RecordedEvent | None = None
    counts: bool = True


def ways(recorded: Sequence[RecordedEvent]) -> list[Way]:
    """The paths on which the bot said something, and the current one; oldest first."""
    found: list[Way] = []
    heads: dict[str, int] = {}
    branch, began = MAIN, None
    for at, each in enumerate(recorded):
        is_on = isinstance(each.event, e.HistoryContinued) and each.event.branch
        onto = is_on or branch
        if _goes_back(each):
            if onto == branch:
                heads.pop(branch, None)
            since = 0 if began is None else began.number - recorded[0].number
            if any(side(one.event) == "assistant" for one in recorded[since:at]):
                if onto != branch:
                    heads[branch] = len(found)
                found.append(Way(each.number - 1, began, each, counts=False))
            began = each
        branch = onto
    left = [replace(way, counts=at in heads.values()) for at, way in enumerate(found)]
    return [*left, Way(recorded[-1].number, began)] if recorded else []


def _goes_back(each: RecordedEvent) -> bool:
    """Whether the event rewinds something; a fork begins with one that does not."""
    to = each.event.to if isinstance(each.event, Rewind) else None
    return to is not None and to < each.number - 1


class PathMessage(msgspec.Struct, frozen=True):
    """A message of a path. node: the messages before it. said: a digest of the message. first, end:
    its events among the path's. is_whole: it was not broken off.
    """

    side: str
    node: int
    said: bytes
    first: int
    end: int
    is_human: bool
    is_whole: bool


class Path:
    """The events of a path that count, and its messages in their last edited form."""

    def __init__(
        self, name: str, tree: PathTree, way: Way, recorded: Sequence[RecordedEvent]
    ) -> None:
        upto = way.last - recorded[0].number + 1
        later = (x for x in recorded[upto:] if isinstance(x.event, Rewrite | e.MessageRedacted))
        self._recorded = (*recorded[:upto], *later)
        self.name = name
        self.way = way
        self.seen = counted(self._recorded)
        self.messages = list(self._messages(tree))

    def _messages(self, tree: PathTree) -> Iterator[PathMessage]:
        node, end, events = 0, 0, self.seen.events
        for group in groups(enumerate(events, 1)):
            first, last = group.members[0][0] - 1, group.members[-1][0]
            if between := self._between(end, first):
                node = tree.after(node, between)
            said = digest([event for _, event in group.members])
            yield _message(group, node, said)
            node, end = tree.after(node, said), last

    def _between(self, end: int, first: int) -> bytes:
        """What affects an answer besides messages: tools, and omitted messages."""
        tools = [x for x in self.seen.events[end:first] if isinstance(x, e.SystemInstructed)]
        begin = self.seen.numbers[end - 1] if end else 0
        gone = [n for n in self._gone if begin < n < self.seen.numbers[first]]
        return digest([*tools], gone) if tools or gone else b""

    @cached_property
    def _gone(self) -> list[int]:
        """Numbers of the messages on the path that do not count."""
        every = [(each.number, each.event) for each in self._recorded]
        counting = frozenset(self.seen.numbers)
        said = (n for n, event in kept(reversed(every)) if side(event) is not None)
        return sorted(n for n in said if n not in counting)

    @cached_property
    def places(self) -> dict[int, int]:
        """The place, in `messages`, of each event of an assistant's message, by its number."""
        return {
            self.seen.numbers[event]: at
            for at, message in enumerate(self.messages)
            if message.side == "assistant"
            for event in range(message.first, message.end)
        }

    @cached_property
    def whole(self) -> int:
        """The number of its events before the first erased one."""
        erased = (at for at, x in enumerate(self.seen.events) if isinstance(x, e.EventErased))
        return next(erased, len(self.seen.events))

    def prompt(self, at: int) -> Dialogue:
        """The dialogue before the message at a place."""
        return Dialogue(self.name, self.seen.events[: self.messages[at].first])

    def events(self, at: int, end: int) -> tuple[e.Event, ...]:
        """The events of some messages."""
        return self.seen.events[self.messages[at].first : self.messages[end - 1].end]

    def number(self, at: int) -> int:
        """The number in the log of a message's last event."""
        return self.seen.numbers[self.messages[at].end - 1]

    def run(self, at: int) -> int:
        """The end of the run of messages by the sender of this one."""
        mine = (self.messages[at].side, self.messages[at].is_human)
        after = range(at + 1, len(self.messages))
        others = (n for n in after if (self.messages[n].side, self.messages[n].is_human) != mine)
        return next(others, len(self.messages))

    def before(self, number: int, then: int) -> tuple[e.Event, ...]:
        """A message as it was before the event `then` of the log. number: of one of its events."""
        message = self.messages[self.places[number]]
        its = slice(message.first, message.end)
        events = dict(zip(self.seen.numbers[its], self.seen.events[its], strict=True))
        every = self._versions[number]
        versions = [each for each in every if each.number < then]
        if versions and len(versions) < len(every):
            events[number] = _as_of(events[number], versions[0].event, versions[-1].event)
            if len(versions) == 1:
                events |= self._replaced(number)
        return tuple(events[each] for each in sorted(events))

    def _replaced(self, number: int) -> dict[int, e.Event]:
        """The further texts of a message, which an edit replaces too."""
        if not any(isinstance(each.event, e.TextAdded) for each in self._recorded):
            return {}
        found = groups((each.number, each.event) for each in self._recorded)
        parts = next(x.members for x in found if any(n == number for n, _ in x.members))
        counting = frozenset(self.seen.numbers)
        return {n: x for n, x in parts if isinstance(x, e.TextAdded) and n not in counting}

    @cached_property
    def _versions(self) -> dict[int, list[RecordedEvent]]:
        found: dict[int, list[RecordedEvent]] = defaultdict(list)
        for each in self._recorded:
            number = each.event.message if isinstance(each.event, Rewrite) else each.number
            if number in self.places:
                found[number].append(each)
        return found


def _message(group: Group, node: int, said: bytes) -> PathMessage:
    first, last = group.members[0][0] - 1, group.members[-1][0]
    is_human = isinstance(group.members[0][1], e.AgentUttered)
    is_whole = not any(isinstance(about, e.AnswerBrokenOff) for about in group.about)
    return PathMessage(group.side, node, said, first, last, is_human, is_whole)


def _as_of(event: e.Event, first: e.Event, changed: e.Event) -> e.Event:
    fields = {name: getattr(first, name) for name in ("text", "data") if hasattr(first, name)}
    fields |= {name: getattr(changed, name) for name in fields if hasattr(changed, name)}
    result: e.Event = replace(event, **fields)
    return result


def digest(events: Sequence[e.Event], *beside: object) -> bytes:
    """A digest of what events say, without their times and actors."""
    plain = [
        {name: held for name, held in to_plain(event).items() if name not in _INCIDENTAL}
        for event in events
    ]
    return blake2b(repr((plain, beside)).encode("utf-8", "surrogatepass"), digest_size=16).digest()
