"""A conversation's head with its state, as it is known in memory."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from turnlog.domain.events import Event
from turnlog.domain.rewinds import goes_behind
from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.storage.rows import Head, Snapshot

SNAPSHOT_EVERY = 256
"""Events between the snapshots of a conversation."""


class LiveHead(msgspec.Struct, frozen=True):
    """A head with its state, at the end of the log; digest: of its newest row."""

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
        return self.state.turn

    @property
    def is_fork(self) -> bool:
        return self.state.lineage.origin is not None

    def stored(self) -> Head:
        state = self.state
        return Head(
            self.conversation, self.stream, self.owner, self.life, self.version,
            self.position, self.digest, state.event, state.turn, self.snapshot,
            binary.encode_state(state),
        )  # fmt: skip

    def due(self, before: int, events: Sequence[Event]) -> Snapshot | None:
        """The snapshot to be taken here, the one before being after the event `before`.

        Also where one of the newest events goes back to before that one, so that what follows on
        a snapshot never does.
        """
        goes_on = self.state.event - before < SNAPSHOT_EVERY and not goes_behind(events, before)
        if self.state.deleted or goes_on:
            return None
        stored = self.stored()
        return Snapshot(
            self.stream, self.version, stored.event, stored.turn, self.digest, stored.state, before
        )
