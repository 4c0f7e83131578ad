"""TurnlogSaver, LangGraph's checkpointer on a log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any, Literal, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_checkpoint_id,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from msgspec import Raw

from turnlog.agents.door import Door
from turnlog.agents.langgraph.aio import AsyncFace
from turnlog.agents.langgraph.bodies import (
    WRITES,
    KeptCheckpoint,
    Write,
    Writes,
    packed,
    stored,
)
from turnlog.agents.langgraph.offer import NAMED, Offering
from turnlog.agents.langgraph.plan import SavePlan
from turnlog.agents.langgraph.reading import Reading, config
from turnlog.agents.langgraph.thread import GraphThread
from turnlog.agents.langgraph.threads import GraphThreads
from turnlog.agents.langgraph.upkeep import Upkeep
from turnlog.agents.langgraph.values import ValueCodec
from turnlog.domain.events import Event
from turnlog.domain.plain import dumps
from turnlog.domain.skeletons import skeleton
from turnlog.domain.streams import LONGEST
from turnlog.engine.log import Turnlog
from turnlog.errors import StaleParent


class TurnlogSaver(Door, Upkeep, AsyncFace):
    """Keeps LangGraph's checkpoints in a log. A thread is a conversation with the thread's id.

    A context manager of both kinds; safe to share between threads, event loops and processes. What
    a method returns is durable.
    """

    def __init__(
        self,
        url: str | Turnlog,
        *,
        serde: JsonPlusSerializer | None = None,
        channel: str = "messages",
        summary: str = "summary",
        stale: Literal["keep", "raise"] = "keep",
    ) -> None:
        """url: of the log, or an open log, which the caller closes.

        channel: the one whose messages are the conversation's. summary: the channel whose text
        replaces messages that were removed before others, unless a message does. stale: what
        happens to a checkpoint whose parent is not the newest; with `raise`, StaleParent is raised
        and nothing recorded.
        """
        serde = JsonPlusSerializer() if serde is None else serde
        if not isinstance(serde, JsonPlusSerializer):
            raise TypeError(f"serde must be a JsonPlusSerializer, not a {type(serde).__name__}")
        if stale not in ("keep", "raise"):
            raise ValueError(f"stale must be 'keep' or 'raise', not {stale!r:.40}")
        AsyncFace.__init__(self, serde=serde)
        Door.__init__(self, url)
        self._threads = GraphThreads(self.log)
        self._channel, self._summary = channel, summary
        self._raises = stale == "raise"

    @property
    def _values(self) -> ValueCodec:
        assert isinstance(self.serde, JsonPlusSerializer)  # also a clone with another allowlist
        return ValueCodec(self.serde)

    def _reading(self, thread: GraphThread) -> Reading:
        return Reading(thread, self._values, lambda: self._offering(thread.id))

    def _offering(self, id: str) -> Offering:
        conversation = self.log.conversation(id)
        return Offering(
            conversation, self._channel, self._values, lambda v: self.get_next_version(v, None)
        )

    # --- reading --------------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint with the config's id, or the newest one."""
        with self._threads.at(_asked_of(config)["thread_id"]) as thread:
            reading = self._reading(thread)
            checkpoint = _asked(reading, config)
            return None if checkpoint is None else reading.tuple(checkpoint)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Matching checkpoints, newest first. Without a config: of all threads, the most recently
        continued first.
        """
        asked = _asked_of(config) if config else {}
        threads = [asked["thread_id"]] if config else self._every_thread()
        upto = get_checkpoint_id(before) if before else None
        for id in threads:
            for checkpoint in self._listed(id, asked, upto, filter or {}):
                if limit is not None and limit <= 0:
                    return
                limit = None if limit is None else limit - 1
                with self._threads.at(id) as thread:  # unlocked while the caller looks at one
                    found = self._reading(thread).tuple(checkpoint)
                yield found

    def _listed(
        self, id: str, asked: Mapping[str, Any], before: str | None, wanted: dict[str, Any]
    ) -> Sequence[KeptCheckpoint]:
        ns, own = asked.get("checkpoint_ns"), asked.get("checkpoint_id")
        with self._threads.at(id) as thread:
            reading = self._reading(thread)
            return [
                each
                for each in reading.listed()
                if (ns is None or each.ns == ns)
                and (not own or each.id == own)
                and (not before or each.id < before)
                and (not wanted or _holds(reading.metadata(each), wanted))
            ]

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """The writes of delta channels, including those of hidden checkpoints."""
        with self._threads.at(_asked_of(config)["thread_id"]) as thread:
            reading = self._reading(thread)
            if (at := _asked(reading, config)) is None:
                return {channel: {"writes": []} for channel in channels}
            return {channel: reading.history(at, channel) for channel in channels}

    # --- writing --------------------------------------------------------------------------------

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Records a checkpoint and its new messages in one commit."""
        asked, plain = _asked_of(config), self._values.plain
        state: dict[str, Any] = {**checkpoint}
        found = state.pop("channel_values")
        body = KeptCheckpoint(
            state.pop("id"),
            asked.get("checkpoint_ns", ""),
            parent=get_checkpoint_id(config),
            state=plain(state),
            metadata=plain(get_checkpoint_metadata(config, metadata)),
        )
        planned = partial(self._planned, body, found, frozenset(new_versions))
        id, key = asked["thread_id"], _key(body.ns, body.id)
        self._threads.record(id, planned, key, begins=body.parent is None)
        return _config(id, body.ns, body.id)

    def _planned(
        self,
        body: KeptCheckpoint,
        found: dict[str, Any],
        changed: frozenset[str],
        thread: GraphThread,
    ) -> Sequence[Event]:
        reading = self._reading(thread)
        if self._is_recorded(reading, thread, body, found):
            return ()
        if self._raises and not body.ns:
            _check_parent(reading, thread, body.parent)
        before, parent = self._gone_on_from(reading, thread, body.ns, body.parent)
        after = 0 if thread.deleted else thread.event
        after += len(before)
        plan = SavePlan(thread, self._values, self._channel, self._summary, parent, after)
        body.seen = 0 if parent is None else parent.seen
        plan.take(body, found, changed)
        return [*before, *plan.events]

    def _is_recorded(
        self, reading: Reading, thread: GraphThread, body: KeptCheckpoint, found: dict[str, Any]
    ) -> bool:
        """Whether the same checkpoint was recorded before, with the same content."""
        known = thread.checkpoints.get((body.ns, body.id))
        if known is None or (known.parent, known.state) != (body.parent, body.state):
            return False
        encoded = self._values.encoded
        return encoded(reading.channels(known)) == encoded(found)

    def _gone_on_from(
        self, reading: Reading, thread: GraphThread, ns: str, id: str | None
    ) -> tuple[Sequence[Event], KeptCheckpoint | None]:
        """The checkpoint with an id, and the events that record it first if it was only offered."""
        if id is None or (ns, id) in thread.checkpoints:
            return (), thread.checkpoints.get((ns, id or ""))
        offer = reading.found(ns, id)
        if offer is None:
            return (), None
        return [packed(offer, thread.newest(""))], offer

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Records the writes of a task, before its checkpoint is made."""
        asked = _asked_of(config)
        ns, id = asked.get("checkpoint_ns", ""), asked["checkpoint_id"]
        found = [
            Write(WRITES_IDX_MAP.get(channel, index), channel, self._raw(value))
            for index, (channel, value) in enumerate(writes)
        ]

        def planned(thread: GraphThread) -> Sequence[Event]:
            known = thread.writes.get((ns, id), {})
            new = [w for w in found if w.index < 0 or (task_id, w.index) not in known]
            if not new:
                return ()
            before, _ = self._gone_on_from(self._reading(thread), thread, ns, id)
            at = thread.numbers.get((ns, id), thread.event + 1 if before else 0)
            named = {} if at else {"ns": ns, "id": id}
            return [
                *before,
                stored(Writes(task_id, at, path=task_path, writes=new, **named), WRITES),
            ]

        self._threads.record(asked["thread_id"], planned, None, begins=False)

    def _raw(self, value: Any) -> Raw:
        return Raw(dumps(skeleton(self._values.plain(value), (), NAMED)))


def _asked(reading: Reading, config: RunnableConfig) -> KeptCheckpoint | None:
    ns = _asked_of(config).get("checkpoint_ns", "")
    id = get_checkpoint_id(config)
    return reading.found(ns, id) if id else reading.newest(ns)


def _check_parent(reading: Reading, thread: GraphThread, parent: str | None) -> None:
    newest = reading.newest("")
    if parent != (newest.id if newest else None):
        raise StaleParent(thread.id, parent, newest.id if newest else None)


def _holds(metadata: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(metadata.get(name) == held for name, held in wanted.items())


def _key(ns: str, id: str) -> str:
    """A checkpoint's idempotency key."""
    key = f"langgraph {ns} {id}"
    if len(key.encode()) <= LONGEST:
        return key
    return f"langgraph {sha256(key.encode()).hexdigest()}"


_config = config


def _asked_of(config: RunnableConfig) -> dict[str, Any]:
    """The `configurable` part of a config. Raises KeyError if it has none."""
    return cast("dict[str, dict[str, Any]]", config)["configurable"]
