"""A thread's checkpoints as LangGraph reads them, including what others recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    PendingWrite,
)

from turnlog.agents.langgraph.bodies import KeptCheckpoint
from turnlog.agents.langgraph.message_list import MessageList
from turnlog.agents.langgraph.offer import Offering
from turnlog.agents.langgraph.thread import GraphThread, Held
from turnlog.agents.langgraph.values import ValueCodec


class Reading:
    """Reads one thread. The caller holds the thread's lock.

    offering: makes a checkpoint of what others recorded.
    """

    def __init__(
        self, thread: GraphThread, values: ValueCodec, offering: Callable[[], Offering]
    ) -> None:
        self._thread, self._values = thread, values
        self._offering = offering

    def newest(self, ns: str) -> KeptCheckpoint | None:
        """The newest checkpoint of a namespace, which may be an offered one."""
        return (None if ns else self.offered()) or self._thread.newest(ns)

    def found(self, ns: str, id: str) -> KeptCheckpoint | None:
        """The checkpoint with an id, unless it is hidden."""
        if (ns, id) in self._thread.checkpoints:
            return self._thread.visible((ns, id))
        offer = None if ns else self.offered()
        return offer if offer is not None and offer.id == id else None

    def listed(self) -> list[KeptCheckpoint]:
        """All checkpoints that are not hidden, newest first."""
        offer = self.offered()
        return [*([] if offer is None else [offer]), *self._thread.listed()]

    def offered(self) -> KeptCheckpoint | None:
        """What others recorded since the newest checkpoint, as one that continues it."""
        thread = self._thread
        newest = thread.newest("")
        if not thread.foreign.after(0 if newest is None else newest.seen):
            return None
        if thread.offer is None or thread.offer[0] != thread.version:
            thread.offer = thread.version, self._offering().checkpoint(thread, newest)
        return thread.offer[1]

    # --- as LangGraph takes them ----------------------------------------------------------------

    def tuple(self, checkpoint: KeptCheckpoint) -> CheckpointTuple:
        """A checkpoint as LangGraph's tuple, with its pending writes."""
        values, ns, id = self._values, checkpoint.ns, self._thread.id
        held = {
            **values.value(checkpoint.state),
            "id": checkpoint.id,
            "channel_values": self.channels(checkpoint),
        }
        return CheckpointTuple(
            config=config(id, ns, checkpoint.id),
            checkpoint=cast("Checkpoint", held),
            metadata=self.metadata(checkpoint),
            parent_config=config(id, ns, checkpoint.parent) if checkpoint.parent else None,
            pending_writes=self._pending(checkpoint),
        )

    def metadata(self, checkpoint: KeptCheckpoint) -> CheckpointMetadata:
        """A checkpoint's metadata."""
        return cast("CheckpointMetadata", self._values.value(checkpoint.metadata))

    def channels(self, checkpoint: KeptCheckpoint) -> dict[str, Any]:
        """The values of a checkpoint's channels."""
        held = self._thread.held(checkpoint).items()
        return {name: self._channel(value) for name, value in held}

    def _channel(self, held: Held) -> Any:
        spoken, values = self._thread.spoken, self._values
        if isinstance(held, MessageList):
            return held.copies(lambda item: spoken.pattern(item, values))
        if isinstance(held, list):
            return [spoken.value(item, values) for item in held]
        return spoken.value(held, values)

    def _pending(self, checkpoint: KeptCheckpoint) -> list[PendingWrite]:
        values, thread = self._values, self._thread
        return [
            (task, write.channel, thread.spoken.value(write.value, values))
            for task, write in thread.pending((checkpoint.ns, checkpoint.id))
        ]

    def history(self, at: KeptCheckpoint, channel: str) -> DeltaChannelHistory:
        """The writes of a delta channel up to its last full value, hidden checkpoints included."""
        newest_first: list[PendingWrite] = []
        for each in self._thread.ancestors(at):
            writes = self._pending(each)
            newest_first += [write for write in reversed(writes) if write[1] == channel]
            if channel in (held := self._thread.held(each)):
                return {"writes": newest_first[::-1], "seed": self._channel(held[channel])}
        return {"writes": newest_first[::-1]}


def config(thread: str, ns: str, id: str) -> RunnableConfig:
    """LangGraph's config of a checkpoint."""
    return {"configurable": {"thread_id": thread, "checkpoint_ns": ns, "checkpoint_id": id}}
