"""What the door stores beside the messages: the bodies of its foreign events.

A channel's value stands where it changed, once; a list goes on from the checkpoint before, so that
a thread grows by what is new (docs/agents.md).
"""

from __future__ import annotations

from typing import Any

import msgspec

from turnlog.domain.events import ForeignRecorded

SOURCE = "langgraph"
CHECKPOINT, WRITES, HIDDEN = "checkpoint", "writes", "hidden"
"""Kinds of its foreign events."""

Key = tuple[str, str]
"""Namespace and id of a checkpoint."""


class Tail(msgspec.Struct, array_like=True):
    """A list as that of the base, cut after `kept` items, and its own items."""

    kept: int
    own: list[msgspec.Raw] = []


class Checkpoint(msgspec.Struct, omit_defaults=True):
    """base: id of the checkpoint whose values go on here. first: number of its commit's first
    event. seen: number of the last event of others that its messages include.

    said: the channel whose items are messages, each the number of the event that says it, or the
    message without the words that events say. state: versions and the like.
    """

    id: str
    ns: str = ""
    parent: str | None = None
    base: str | None = None
    first: int = 0
    seen: int = 0
    said: str | None = None
    state: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    values: dict[str, msgspec.Raw] = {}
    lists: dict[str, Tail] = {}
    gone: list[str] = []


class Write(msgspec.Struct, array_like=True):
    """index: its place among the writes of its task; below 0 it replaces an earlier one."""

    index: int
    channel: str
    value: msgspec.Raw


class Writes(msgspec.Struct, omit_defaults=True):
    id: str
    task: str
    ns: str = ""
    path: str = ""
    writes: list[Write] = []


class Hidden(msgspec.Struct, omit_defaults=True):
    """Checkpoints that are listed no more; they are still there to go on from.

    keys: of checkpoints. upto: number of an event, before which all are but those of `kept`.
    """

    keys: list[Key] = []
    upto: int = 0
    kept: list[Key] = []


def stored(body: msgspec.Struct, kind: str) -> ForeignRecorded:
    return ForeignRecorded(SOURCE, kind, msgspec.json.encode(body))
