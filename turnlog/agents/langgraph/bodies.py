"""What the door stores beside the messages: the bodies of its foreign events.

A channel's value stands where it changed, once; a list goes on from the checkpoint before, so that
a thread grows by what is new (docs/agents.md).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.agents.checkpoints import CHECKPOINT, SOURCE
from turnlog.domain.events import ForeignRecorded
from turnlog.domain.values import same

WRITES, HIDDEN = "writes", "hidden"
"""Kinds of its foreign events, beside checkpoints."""

Key = tuple[str, str]
"""Namespace and id of a checkpoint."""


class ListTail(msgspec.Struct, array_like=True, gc=False):
    """A list as that of the base, cut after `kept` items, and its own items."""

    kept: int
    own: list[msgspec.Raw] = []


class KeptCheckpoint(msgspec.Struct, omit_defaults=True, gc=False):
    """base: number of the event of the checkpoint whose values go on here; 0 for none. first:
    number of its commit's first event. seen: number of the last event of others that its messages
    include.

    said: the channel whose items are messages, each the number of the event that says it, or the
    message without the words that events say. state: versions and the like. whole: whether the
    state is all there; else it is what differs from that of the base. parent: as stored, only where
    it is not the base.
    """

    id: str
    ns: str = ""
    parent: str | None = None
    base: int = 0
    first: int = 0
    seen: int = 0
    said: str | None = None
    whole: bool = False
    state: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    values: dict[str, msgspec.Raw] = {}
    lists: dict[str, ListTail] = {}
    gone: list[str] = []


class Write(msgspec.Struct, array_like=True, gc=False):
    """index: its place among the writes of its task; below 0 it replaces an earlier one."""

    index: int
    channel: str
    value: msgspec.Raw


class Writes(msgspec.Struct, omit_defaults=True, gc=False):
    """at: number of the event of the checkpoint, which is named by `ns` and `id` if it is 0."""

    task: str
    at: int = 0
    ns: str = ""
    id: str = ""
    path: str = ""
    writes: list[Write] = []


class Hidden(msgspec.Struct, omit_defaults=True, gc=False):
    """Checkpoints that are listed no more; they are still there to go on from.

    keys: of checkpoints. upto: number of an event, before which all are but those of `kept`.
    """

    keys: list[Key] = []
    upto: int = 0
    kept: list[Key] = []


def stored(body: msgspec.Struct, kind: str) -> ForeignRecorded:
    return ForeignRecorded(SOURCE, kind, msgspec.json.encode(body))


_BLANK: dict[str, Any] = {"v": 2, "channel_versions": {}, "versions_seen": {}}
"""What every state says."""

_NESTED = ("channel_versions", "versions_seen")
"""What of the state is a mapping that grows with the graph."""


def packed(checkpoint: KeptCheckpoint, base: KeptCheckpoint | None) -> ForeignRecorded:
    """A checkpoint as it is stored, without what its base says."""
    if base is None:
        return stored(replace(checkpoint, whole=True), CHECKPOINT)
    parent = None if checkpoint.parent == base.id else checkpoint.parent
    state = _difference(base.state, checkpoint.state)
    whole = state is None
    body = replace(checkpoint, parent=parent, whole=whole, state=state or checkpoint.state)
    return stored(body, CHECKPOINT)


def unpacked(checkpoint: KeptCheckpoint, base: KeptCheckpoint | None) -> KeptCheckpoint:
    """The way back. Of a base that is hidden nothing is known."""
    if base is None:
        known = checkpoint.whole or not checkpoint.base
        return checkpoint if known else replace(checkpoint, state={**_BLANK, **checkpoint.state})
    parent = base.id if checkpoint.parent is None else checkpoint.parent
    if checkpoint.whole:
        return replace(checkpoint, parent=parent)
    state = {**base.state, **checkpoint.state}
    for name in _NESTED:
        if isinstance(before := base.state.get(name), dict):
            state[name] = {**before, **checkpoint.state.get(name, {})}
    return replace(checkpoint, parent=parent, state=state)


def _difference(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any] | None:
    """None where a key was removed."""
    if before.keys() - now.keys():
        return None
    changed = {name: held for name, held in now.items() if not same(before.get(name), held)}
    for name in _NESTED:
        old, new = before.get(name), now.get(name)
        if name in changed and isinstance(old, dict) and isinstance(new, dict):
            if old.keys() - new.keys():
                return None
            changed[name] = {key: held for key, held in new.items() if old.get(key) != held}
    return changed
