"""The conversations that contain LangGraph's checkpoints; works without LangGraph installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import msgspec

from turnlog.domain.events import ForeignRecorded, HistoryContinued
from turnlog.domain.recorded import RecordedEvent
from turnlog.engine.log import Turnlog
from turnlog.projections.keyed import KeyedProjection
from turnlog.projections.view import StoredView

SOURCE = "langgraph"
CHECKPOINT = "checkpoint"
"""Source and kind of the foreign events that contain checkpoints."""

EVERY = "every"
"""The key of all conversations that have checkpoints themselves."""


def of_run(run: str) -> str:
    """The key of the conversations with checkpoints of a run."""
    return f"run {run}"


def _of_origin(stream: int) -> str:
    """The key of the forks of a stream, which share its checkpoints."""
    return f"origin {stream}"


class _Described(msgspec.Struct, gc=False):
    """The part of a checkpoint that names its run."""

    metadata: dict[str, Any] = {}


class ThreadsProjection(KeyedProjection):
    """The conversations that have checkpoints, and those of each run, newest first."""

    name: ClassVar[str] = "langgraph_threads"
    once: ClassVar[bool] = True

    def keys(self, recorded: RecordedEvent) -> Iterable[tuple[str, Any]]:
        """The keys under which an event puts its conversation."""
        event = recorded.event
        if isinstance(event, HistoryContinued) and event.conversation is not None:
            yield _of_origin(event.conversation), None
        if not isinstance(event, ForeignRecorded) or event.source != SOURCE:
            return
        if event.kind == CHECKPOINT and event.body:
            yield EVERY, None
            if isinstance(run := _run(bytes(event.body)), str):
                yield of_run(run), None


def _run(body: bytes) -> Any:
    """The run of a checkpoint; None if the body is not a checkpoint."""
    try:
        return msgspec.json.decode(body, type=_Described).metadata.get("run_id")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def threads(log: Turnlog, keys: Sequence[str]) -> Iterator[str]:
    """The conversations under some keys, each once, followed by its forks."""
    view, seen = log.view(ThreadsProjection.name), set[str]()
    for key in keys:
        yield from _found(log, view, key, seen)


def _found(log: Turnlog, view: StoredView, key: str, seen: set[str]) -> Iterator[str]:
    for found in view.find(key):
        if found.conversation not in seen and found.conversation in log:
            seen.add(found.conversation)
            yield found.conversation
            head, _ = log.head(found.conversation)
            yield from _found(log, view, _of_origin(head.stream), seen)
