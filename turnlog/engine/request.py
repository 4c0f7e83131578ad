"""Requests to a writer, and their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from turnlog.domain.commit import Commit, RepeatKey
from turnlog.domain.conversation import Past
from turnlog.domain.events import Event
from turnlog.domain.state import State
from turnlog.engine.forking import Fork


class Answer(msgspec.Struct, frozen=True):
    """The events that a command asks to record, and its result for the caller."""

    events: Iterable[Event]
    result: Any = None


Command = Callable[[State, Past], Iterable[Event] | Answer]
"""Asks for events, given the state of the conversation at the time of writing.

It is called again if that state was outdated, so it only reads and answers.
"""


class Recorded(msgspec.Struct):
    """What was recorded: the commits, oldest first; `new` is False if all of it was known.

    commits: for a known request, those recorded before; none of an earlier life. state: as the fold
    computes it, for the next decision. result: the command's answer, from its last call; None if
    the key was known. repeated: the ids of user messages that were known and are not recorded
    again.
    """

    commits: list[Commit]
    state: State
    new: bool = True
    result: Any = None
    repeated: Sequence[str] = ()

    @property
    def events(self) -> list[Event]:
        """The events of the commits, oldest first."""
        return [event for commit in self.commits for event in commit.events]


class CommitPart(NamedTuple):
    """The events of one commit, their time of recording and their idempotency key."""

    events: Sequence[Event]
    recorded: float
    key: str | None


class Request(msgspec.Struct):
    """One conversation's command, recorded in one commit unless it is split.

    now: as in `decide`. split: the most events in a commit. staged: its commits were decided
    before, and are stored as they are. revives: whether it may begin a new life of a deleted
    conversation. fork: where the conversation begins, if as a fork. given: the events that the
    command asks for, of which each user message is recorded once; messages: by these ids. outcome:
    None until it was tried.
    """

    conversation: str
    command: Command
    recorded: float
    now: float | None = None
    key: str | None = None
    expected_version: int | None = None
    split: int | None = None
    staged: Sequence[Commit] = ()
    revives: bool = True
    fork: Fork | None = None
    given: Sequence[Event] = ()
    messages: Sequence[str] = ()
    outcome: Recorded | BaseException | None = None

    @property
    def keys(self) -> Sequence[str]:
        """The idempotency keys of its commits."""
        keys = [self.key, *(commit.key for commit in self.staged)]
        return [key for key in keys if key is not None]

    @property
    def repeat_keys(self) -> Iterator[RepeatKey]:
        """The keys and message ids that may be known."""
        yield from map(RepeatKey, self.keys)
        yield from (RepeatKey(id, is_message=True) for id in self.messages)

    def is_cut(self, events: Sequence[Event]) -> bool:
        """Whether these events take more than one commit, or were decided before."""
        return bool(self.staged) or len(events) > (self.split or len(events))

    def parts(self, events: Sequence[Event]) -> Iterator[CommitPart]:
        """The events of each commit. The first of equal parts has the key."""
        if self.staged:
            rest = iter(events)
            for commit in self.staged:
                yield CommitPart(
                    list(islice(rest, len(commit.events))), commit.recorded, commit.key
                )
            return
        size = self.split or len(events)
        for start in range(0, len(events), size):
            key = None if start else self.key
            yield CommitPart(events[start : start + size], self.recorded, key)

    def result(self) -> Recorded:
        """What was recorded; raises the error of a failed request."""
        assert self.outcome is not None, "the request waits for a flush"
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome
