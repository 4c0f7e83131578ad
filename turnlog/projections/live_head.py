"""A conversation's head with its state, in memory."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from turnlog.domain.events import Event
from turnlog.domain.rewinds import goes_behind
from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.storage.rows import Head, Snapshot

SNAPSHOT_EVERY = 256
"""The number of events between a conversation's snapshots."""


class LiveHead(msgspec.Struct, frozen=True):
    """A head with its decoded state, at the end of the log. digest: of its newest row."""

    conversation: str
    stream: int
    owner: bytes
    life: int
    version: int
    position: int
    digest: bytes
    snapshot: int
    state: State

    @classmethod
    def of(cls, head: Head) -> LiveHead:
        """The live head of a stored one. Raises Corrupt."""
        state = binary.decode_state(head.state)
        return cls(
            head.conversation, head.stream, head.owner, head.life, head.version,
            head.position, head.digest, head.snapshot, state,
        )  # fmt: skip

    @property
    def event(self) -> int:
        """Number of its last event."""
        return self.state.event

    @property
    def turn(self) -> int:
        """Number of its last turn."""
        return self.state.turn

    @property
    def is_fork(self) -> bool:
        """Whether the conversation is a fork."""
        return self.state.lineage.origin is not None

    def stored(self) -> Head:
        """The head as stored."""
        state = self.state
        return Head(
            self.conversation, self.stream, self.owner, self.life, self.version,
            self.position, self.digest, state.event, state.turn, self.snapshot,
            binary.encode_state(state),
        )  # fmt: skip

    def due(self, before: int, events: Sequence[Event]) -> Snapshot | None:
        """The snapshot to take here; None if none is due. before: the event of the previous one.

        A snapshot is also due if a new event goes back to before the previous one, so that events
        after a snapshot never do.
        """
        continues = self.state.event - before < SNAPSHOT_EVERY and not goes_behind(events, before)
        if self.state.deleted or continues:
            return None
        stored = self.stored()
        return Snapshot(
            self.stream, self.version, stored.event, stored.turn, self.digest, stored.state, before
        )
