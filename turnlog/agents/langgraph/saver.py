"""TurnlogSaver: where LangGraph keeps its checkpoints, both faces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any, Literal, Self

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    PendingWrite,
    get_checkpoint_id,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.base import Checkpoint as LangGraphCheckpoint
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from msgspec import Raw

from turnlog.agents.langgraph.bodies import (
    CHECKPOINT,
    HIDDEN,
    WRITES,
    Checkpoint,
    Hidden,
    Write,
    Writes,
)
from turnlog.agents.langgraph.messages import copied
from turnlog.agents.langgraph.offer import NAMED, offered
from turnlog.agents.langgraph.plan import Plan, stored
from turnlog.agents.langgraph.thread import Item, Thread
from turnlog.agents.langgraph.threads import Threads
from turnlog.agents.langgraph.values import Values
from turnlog.domain.events import Event
from turnlog.domain.plain import dumps
from turnlog.domain.skeletons import skeleton
from turnlog.domain.streams import LONGEST
from turnlog.engine.log import Turnlog
from turnlog.engine.opening import open as open_log
from turnlog.errors import StaleParent, UnknownConversation

Configurable = Mapping[str, Any]


class TurnlogSaver(BaseCheckpointSaver[int]):
    """Keeps LangGraph's checkpoints in a log: a thread is a conversation, its id the thread's.

    A context manager of both kinds; safe to use from several threads, event loops and processes.
    What it answers is durable.
    """

    def __init__(
        self,
        url: str | Turnlog,
        *,
        serde: JsonPlusSerializer | None = None,
        channel: str = "messages",
        stale: Literal["keep", "raise"] = "keep",
    ) -> None:
        """url: of the log, or the log itself, which the caller closes.

        channel: whose messages are the conversation's. stale: what becomes of a checkpoint whose
        parent is not the newest; with `raise` it raises StaleParent and records nothing.
        """
        serde = JsonPlusSerializer() if serde is None else serde
        if not isinstance(serde, JsonPlusSerializer):
            raise TypeError(f"serde has to be a JsonPlusSerializer, not a {type(serde).__name__}")
        if stale not in ("keep", "raise"):
            raise ValueError(f"stale has to be 'keep' or 'raise', not {stale!r:.40}")
        super().__init__(serde=serde)
        self._is_mine = isinstance(url, str)
        self.log = open_log(url) if isinstance(url, str) else url
        self._threads = Threads(self.log)
        self._channel = channel
        self._raises = stale == "raise"

    @property
    def _values(self) -> Values:
        assert isinstance(self.serde, JsonPlusSerializer)
        return Values(self.serde)

    def close(self) -> None:
        if self._is_mine:
            self.log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await asyncio.to_thread(self.close)

    # --- reading --------------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint of the config's id, or the newest."""
        asked = config["configurable"]
        ns, id = asked.get("checkpoint_ns", ""), get_checkpoint_id(config)
        with self._threads.at(asked["thread_id"]) as thread:
            checkpoint = self._newest(thread, ns) if not id else self._found(thread, ns, id)
            return None if checkpoint is None else self._tuple(thread, checkpoint)

    def _newest(self, thread: Thread, ns: str) -> Checkpoint | None:
        return (None if ns else self._offered(thread)) or thread.newest(ns)

    def _found(self, thread: Thread, ns: str, id: str) -> Checkpoint | None:
        if (ns, id) in thread.checkpoints:
            return thread.visible((ns, id))
        offer = None if ns else self._offered(thread)
        return offer if offer is not None and offer.id == id else None

    def _offered(self, thread: Thread) -> Checkpoint | None:
        """What others recorded since the newest checkpoint, as one that goes on from it."""
        newest = thread.newest("")
        if not thread.foreign.after(0 if newest is None else newest.seen):
            return None
        if thread.offer is None or thread.offer[0] != thread.version:
            conversation = self.log.conversation(thread.id)
            offer = offered(
                thread, conversation, self._channel, self._values, self._next_version
            )
            thread.offer = thread.version, offer
        return thread.offer[1]

    def _next_version(self, current: Any) -> Any:
        return self.get_next_version(current, None)

    def _tuple(self, thread: Thread, checkpoint: Checkpoint) -> CheckpointTuple:
        values, ns = self._values, checkpoint.ns
        state = values.value(checkpoint.state)
        held = {**state, "id": checkpoint.id, "channel_values": self._channels(thread, checkpoint)}
        return CheckpointTuple(
            config=_config(thread.id, ns, checkpoint.id),
            checkpoint=held,
            metadata=values.value(checkpoint.metadata),
            parent_config=_config(thread.id, ns, checkpoint.parent) if checkpoint.parent else None,
            pending_writes=self._pending(thread, checkpoint),
        )

    def _channels(self, thread: Thread, checkpoint: Checkpoint) -> dict[str, Any]:
        held = thread.held(checkpoint).items()
        return {name: self._channel_value(thread, value) for name, value in held}

    def _channel_value(self, thread: Thread, value: Any) -> Any:
        values = self._values
        if isinstance(value, list):
            return [
                copied(thread.built(item, values))
                if isinstance(item, Item)
                else thread.value(item, values)
                for item in value
            ]
        return thread.value(value, values)

    def _pending(self, thread: Thread, checkpoint: Checkpoint) -> list[PendingWrite]:
        values = self._values
        return [
            (task, write.channel, thread.value(write.value, values))
            for task, write in thread.pending((checkpoint.ns, checkpoint.id))
        ]

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Checkpoints that match, newest first; of all threads where there is no config."""
        asked: Configurable = config["configurable"] if config else {}
        threads = [asked["thread_id"]] if config else list(self.log.ids())
        upto = get_checkpoint_id(before) if before else None
        for id in threads:
            for checkpoint in self._listed(id, asked, upto, filter or {}):
                if limit is not None and limit <= 0:
                    return
                limit = None if limit is None else limit - 1
                with self._threads.at(id) as thread:  # never while the caller looks at one
                    found = self._tuple(thread, checkpoint)
                yield found

    def _listed(
        self, id: str, asked: Configurable, before: str | None, wanted: dict[str, Any]
    ) -> Sequence[Checkpoint]:
        ns, own = asked.get("checkpoint_ns"), asked.get("checkpoint_id")
        with self._threads.at(id) as thread:
            offer = self._offered(thread)
            listed = [*([offer] if offer is not None else ()), *thread.listed()]
        return [
            each
            for each in listed
            if (ns is None or each.ns == ns)
            and (not own or each.id == own)
            and (not before or each.id < before)
            and (not wanted or self._holds(each, wanted))
        ]

    def _holds(self, checkpoint: Checkpoint, wanted: dict[str, Any]) -> bool:
        metadata = self._values.value(checkpoint.metadata)
        return all(metadata.get(name) == held for name, held in wanted.items())

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """What delta channels are made of, from hidden checkpoints too."""
        asked = config["configurable"]
        ns, id = asked.get("checkpoint_ns", ""), get_checkpoint_id(config)
        with self._threads.at(asked["thread_id"]) as thread:
            found = self._found(thread, ns, id) if id else self._newest(thread, ns)
            if found is None:
                return {channel: {"writes": []} for channel in channels}
            return {channel: self._history(thread, found, channel) for channel in channels}

    def _history(self, thread: Thread, at: Checkpoint, channel: str) -> DeltaChannelHistory:
        newest_first: list[PendingWrite] = []
        for each in thread.ancestors(at):
            writes = self._pending(thread, each)
            newest_first += [write for write in reversed(writes) if write[1] == channel]
            if channel in (held := thread.held(each)):
                seed = self._channel_value(thread, held[channel])
                return {"writes": newest_first[::-1], "seed": seed}
        return {"writes": newest_first[::-1]}

    # --- writing --------------------------------------------------------------------------------

    def put(
        self,
        config: RunnableConfig,
        checkpoint: LangGraphCheckpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Record a checkpoint and the messages that are new in it, in one commit."""
        asked = config["configurable"]
        id, ns = asked["thread_id"], asked.get("checkpoint_ns", "")
        state: dict[str, Any] = dict(checkpoint)
        found = state.pop("channel_values")
        plain = self._values.plain
        body = Checkpoint(
            state.pop("id"),
            ns,
            parent=get_checkpoint_id(config),
            state=plain(state),
            metadata=plain(get_checkpoint_metadata(config, metadata)),
        )
        planned = partial(self._planned, body, found, frozenset(new_versions))
        self._threads.record(id, planned, _key(ns, body.id), begins=body.parent is None)
        return _config(id, ns, body.id)

    def _is_recorded(self, thread: Thread, body: Checkpoint, found: dict[str, Any]) -> bool:
        """Whether the same checkpoint was recorded before, with the same content."""
        known = thread.checkpoints.get((body.ns, body.id))
        if known is None or (known.parent, known.state) != (body.parent, body.state):
            return False
        encoded = self._values.encoded
        return encoded(self._channels(thread, known)) == encoded(found)

    def _planned(
        self, body: Checkpoint, found: dict[str, Any], changed: frozenset[str], thread: Thread
    ) -> Sequence[Event]:
        if self._is_recorded(thread, body, found):
            return ()
        if self._raises and not body.ns:
            self._check_parent(thread, body.parent)
        before, parent = self._gone_on_from(thread, body.ns, body.parent)
        after = 0 if thread.deleted else thread.event
        plan = Plan(thread, self._values, self._channel, parent, after + len(before))
        body.seen = 0 if parent is None else parent.seen
        plan.take(body, found, changed)
        return [*before, *plan.events]

    def _check_parent(self, thread: Thread, parent: str | None) -> None:
        newest = self._newest(thread, "")
        if parent != (newest.id if newest else None):
            raise StaleParent(thread.id, parent, newest.id if newest else None)

    def _gone_on_from(
        self, thread: Thread, ns: str, id: str | None
    ) -> tuple[Sequence[Event], Checkpoint | None]:
        """A checkpoint that others are going on from; first recorded if it was only offered."""
        if id is None or (ns, id) in thread.checkpoints:
            return (), thread.checkpoints.get((ns, id or ""))
        offer = self._found(thread, ns, id)
        return ([stored(offer, CHECKPOINT)] if offer is not None else ()), offer

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Record what a task wrote, before its checkpoint is made."""
        asked = config["configurable"]
        ns, id = asked.get("checkpoint_ns", ""), asked["checkpoint_id"]
        found = [
            Write(WRITES_IDX_MAP.get(channel, index), channel, self._raw(value))
            for index, (channel, value) in enumerate(writes)
        ]
        body = Writes(id, task_id, ns, task_path, found)

        def planned(thread: Thread) -> Sequence[Event]:
            known = thread.writes.get((ns, id), {})
            body.writes = [w for w in found if w.index < 0 or (task_id, w.index) not in known]
            if not body.writes:
                return ()
            before, _ = self._gone_on_from(thread, ns, id)
            return [*before, stored(body, WRITES)]

        self._threads.record(asked["thread_id"], planned, None, begins=False)

    def _raw(self, value: Any) -> Raw:
        return Raw(dumps(skeleton(self._values.plain(value), (), NAMED)))

    # --- upkeep ---------------------------------------------------------------------------------

    def delete_thread(self, thread_id: str) -> None:
        """Delete the conversation; its id may be used again."""
        try:
            self.log.delete(thread_id)
        except UnknownConversation:
            return

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Hide the checkpoints of runs; what goes on from them stays whole."""
        wanted = set(run_ids)
        if not wanted:
            return

        def planned(thread: Thread) -> Sequence[Event]:
            keys = [
                (each.ns, each.id)
                for each in thread.listed()
                if each.metadata.get("run_id") in wanted
            ]
            return [stored(Hidden(keys), HIDDEN)] if keys else ()

        for id in list(self.log.ids()):
            self._threads.record(id, planned, None, begins=False)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy the conversation, every checkpoint of it; the target must not exist yet."""
        source = self._threads.conversation(source_thread_id)
        if source is None:
            return
        self.log.record(target_thread_id, *source.events(), expected_version=0)

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Hide all checkpoints but each namespace's newest, or with `delete` all of them.

        They stay in the log: what goes on from them, delta channels too, stays whole.
        """
        if strategy not in ("keep_latest", "delete"):
            raise ValueError(f"strategy has to be 'keep_latest' or 'delete', not {strategy!r:.40}")

        def planned(thread: Thread) -> Sequence[Event]:
            listed = thread.listed()
            newest = {each.ns: each for each in reversed(listed)}
            kept = [] if strategy == "delete" else [(e.ns, e.id) for e in newest.values()]
            if len(kept) == len(listed):
                return ()
            if not kept:
                return [stored(Hidden(upto=thread.event + 1), HIDDEN)]
            gone = [(e.ns, e.id) for e in listed if (e.ns, e.id) not in kept]
            return [stored(Hidden(gone), HIDDEN)]

        for id in thread_ids:
            self._threads.record(id, planned, None, begins=False)

    # --- the asynchronous face ------------------------------------------------------------------

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        listed = self.list(config, filter=filter, before=before, limit=limit)
        while (found := await asyncio.to_thread(next, listed, None)) is not None:
            yield found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: LangGraphCheckpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return await asyncio.to_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        await asyncio.to_thread(self.put_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        await asyncio.to_thread(self.delete_thread, thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        await asyncio.to_thread(self.delete_for_runs, run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        await asyncio.to_thread(self.copy_thread, source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        call: Callable[[], None] = partial(self.prune, thread_ids, strategy=strategy)
        await asyncio.to_thread(call)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        call = partial(self.get_delta_channel_history, config=config, channels=channels)
        return await asyncio.to_thread(call)


def _config(thread: str, ns: str, id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": ns, "checkpoint_id": id}}


def _key(ns: str, id: str) -> str:
    """A checkpoint's idempotency key."""
    key = f"langgraph {ns} {id}"
    if len(key.encode()) <= LONGEST:
        return key
    return f"langgraph {sha256(key.encode()).hexdigest()}"
