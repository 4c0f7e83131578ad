"""What the door stores alongside the messages: the bodies of its foreign events.

A channel's value is stored once, where it changed. A list continues the previous checkpoint's, so
that a thread grows only by what is new (docs/agents.md).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.agents.checkpoints import CHECKPOINT, SOURCE
from turnlog.domain.events import ForeignRecorded
from turnlog.domain.values import same

WRITES, HIDDEN = "writes", "hidden"
"""Kinds of its foreign events other than checkpoints."""

Key = tuple[str, str]
"""Namespace and id of a checkpoint."""


class ListTail(msgspec.Struct, array_like=True, gc=False):
    """A list: the first `kept` items of the base's list, then its own."""

    kept: int
    own: list[msgspec.Raw] = []


class KeptCheckpoint(msgspec.Struct, omit_defaults=True, gc=False):
    """A checkpoint as stored.

    base: number of the event of the checkpoint whose values it continues; 0 for none. first: number
    of the first event of its commit. seen: number of the last event of others that its messages
    include.

    said: the channel whose items are messages. Each item is the number of the event that says it,
    or the message without the words that events say. state: versions and the like. whole: whether
    `state` is complete; otherwise it is the difference from the base's. parent: stored only if it
    is not the base.
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
    """One write of a task.

    index: its place among the task's writes; a negative one replaces an earlier write.
    """

    index: int
    channel: str
    value: msgspec.Raw


class Writes(msgspec.Struct, omit_defaults=True, gc=False):
    """The writes of a task at a checkpoint.

    at: number of the checkpoint's event; if it is 0, `ns` and `id` name the checkpoint.
    """

    task: str
    at: int = 0
    ns: str = ""
    id: str = ""
    path: str = ""
    writes: list[Write] = []


class Hidden(msgspec.Struct, omit_defaults=True, gc=False):
    """Hides checkpoints from lists; others can still continue from them.

    keys: the hidden checkpoints. upto: number of an event before which all are hidden except
    `kept`.
    """

    keys: list[Key] = []
    upto: int = 0
    kept: list[Key] = []


def stored(body: msgspec.Struct, kind: str) -> ForeignRecorded:
    """The event that stores a body."""
    return ForeignRecorded(SOURCE, kind, msgspec.json.encode(body))


_BLANK: dict[str, Any] = {"v": 2, "channel_versions": {}, "versions_seen": {}}
"""What every state contains."""

_NESTED = ("channel_versions", "versions_seen")
"""Parts of the state that are mappings and grow with the graph."""


def packed(checkpoint: KeptCheckpoint, base: KeptCheckpoint | None) -> ForeignRecorded:
    """The event of a checkpoint, without what its base already says."""
    if base is None:
        return stored(replace(checkpoint, whole=True), CHECKPOINT)
    parent = None if checkpoint.parent == base.id else checkpoint.parent
    state = _difference(base.state, checkpoint.state)
    whole = state is None
    body = replace(checkpoint, parent=parent, whole=whole, state=state or checkpoint.state)
    return stored(body, CHECKPOINT)


def unpacked(checkpoint: KeptCheckpoint, base: KeptCheckpoint | None) -> KeptCheckpoint:
    """The inverse of `packed`. Of a hidden base nothing is known."""
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
    """What changed; None if a key was removed."""
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
