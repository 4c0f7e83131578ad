"""Who received conversations, as far as exports are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnlog.projections.ledger import exported


def exports_of(log: Any, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The exports of these conversations, oldest first.

    Each has its time, recipient, purpose, format and conversations.
    """
    view, reader = log.view("ledger"), log.store.reader
    found: dict[int, dict[str, Any]] = {}
    for id in dict.fromkeys(ids):
        life = 1
        while (stream := reader.stream(id, life)) is not None:
            for entry in view.find(exported(stream.stream)):
                said = found.setdefault(entry.event, {**entry.value, "conversations": []})
                said["conversations"].append(id)
            life += 1
    return [found[event] for event in sorted(found)]
