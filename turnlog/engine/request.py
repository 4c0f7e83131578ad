"""What a writer is asked for, and what became of it."""

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
    """What a command asks to record, and what it has to say to whoever gave it."""

    events: Iterable[Event]
    result: Any = None


Command = Callable[[State, Past], Iterable[Event] | Answer]
"""Asks for events, given where the conversation stands when its turn to write has come.

Called again where that turns out to be outdated, so it reads and answers, and does nothing else.
"""


class Recorded(msgspec.Struct):
    """What was recorded: the commits, oldest first; `new` is False where all of it was known.

    commits: where it was known, those that hold it; none of an earlier life. state: as the fold
    has it, from which the next decision is made. result: what the command answered, as it stood
    when it was last called; None where the key was known. repeated: ids of the user's messages
    that were known and are not recorded again.
    """

    commits: list[Commit]
    state: State
    new: bool = True
    result: Any = None
    repeated: Sequence[str] = ()

    @property
    def events(self) -> list[Event]:
        return [event for commit in self.commits for event in commit.events]


class CommitPart(NamedTuple):
    """The events of one commit, when they were recorded and their idempotency key."""

    events: Sequence[Event]
    recorded: float
    key: str | None


class Request(msgspec.Struct):
    """One conversation's command, recorded in one commit unless it is cut.

    now: as in `decide`. split: at most that many events a commit. staged: the commits that it
    asks for were decided before, and are stored as they were cut then. revives: whether a deleted
    conversation may begin a new life by it. fork: where the conversation is to begin as one.
    given: the events that the command asks for, where each user's message is recorded once;
    messages: by these ids. outcome: None until it was tried.
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
        """What may be known of it."""
        yield from map(RepeatKey, self.keys)
        yield from (RepeatKey(id, is_message=True) for id in self.messages)

    def is_cut(self, events: Sequence[Event]) -> bool:
        """Whether these events take more than one commit, or were decided before."""
        return bool(self.staged) or len(events) > (self.split or len(events))

    def parts(self, events: Sequence[Event]) -> Iterator[CommitPart]:
        """Where it is cut: what each commit holds. The first of even parts has the key."""
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
        """What was recorded, once it was tried; raises what was in the way."""
        assert self.outcome is not None, "the request waits for a flush"
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome
