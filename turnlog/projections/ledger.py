"""What the log's own stream says about conversations and people: holds, exports and more."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

from msgspec import to_builtins

from turnlog.domain.events import (
    ConversationExported,
    ErasureRecorded,
    HoldPlaced,
    HoldReleased,
    LogRebuilt,
    RetentionRulesSet,
)
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.streams import UPKEEP
from turnlog.encoding.rows import TAGS, decode_skeleton, is_commit
from turnlog.errors import Corrupt
from turnlog.projections.view import View, numbered, place_of
from turnlog.storage.lookups import commitment_of
from turnlog.storage.rows import Row

_KEPT = frozenset(
    TAGS[kind]
    for kind in (
        ErasureRecorded,
        HoldPlaced,
        HoldReleased,
        ConversationExported,
        LogRebuilt,
        RetentionRulesSet,
    )
)


class LedgerProjection:
    """The log's own stream by key.

    `log.view("ledger").find(held(of))` returns the holds on a stream, by number, or on an id, by
    HMAC; `find(exported(stream))` its exports; `find(rebuilt(id))` the rebuilds that name it;
    `find(RULES)` the retention rules that were set; and `find(unnamed(id))` the streams without an
    id that concern a person, by HMAC.
    """

    name: ClassVar[str] = "ledger"

    def take(self, rows: Sequence[Row], view: View) -> None:
        """See `RowProjection.take`."""
        for row in rows:
            with suppress(Corrupt):  # verify reports it
                if is_commit(row.topic) and _is_kept(row):
                    for recorded in row.commit().recorded_events():
                        _note(view, recorded)


def _is_kept(row: Row) -> bool:
    return row.conversation == UPKEEP and not _KEPT.isdisjoint(decode_skeleton(row.skeleton).tags)


def held(of: int | str) -> str:
    """The key of holds on a stream or an id."""
    return f"held {of}"


def exported(stream: int) -> str:
    """The key of exports of a stream."""
    return f"exported {stream}"


def rebuilt(id: str) -> str:
    """The key of rebuilds that name a conversation."""
    return f"rebuilt {id}"


def _held(event: HoldPlaced | HoldReleased) -> list[int | str]:
    return [*event.streams, *event.ids]


def unnamed(id: str) -> str:
    """The key of streams that lost their id and concern a person, by HMAC."""
    return f"unnamed {id}"


RULES = "rules"
"""The key of retention rules, each with the time from which it applied."""


def _note(view: View, recorded: RecordedEvent) -> None:
    event = recorded.event
    if isinstance(event, HoldPlaced):
        for of in _held(event):
            _put(view, held(of), recorded, {"reason": event.reason, "actor": event.actor})
    elif isinstance(event, HoldReleased):
        for of in _held(event):
            for key, _ in [*view.entries(place_of(held(of)))]:
                view.remove(place_of(held(of)), key)
    elif isinstance(event, ConversationExported):
        said = {"recipient": event.recipient, "format": event.format, "purpose": event.purpose}
        for stream in event.streams:
            _put(view, exported(stream), recorded, {**said, "manifest": event.manifest})
    elif isinstance(event, ErasureRecorded):
        for left in event.unnamed:
            for id in left.ids:
                _put(view, unnamed(id), recorded, {"stream": left.stream}, of=left.stream)
    elif isinstance(event, RetentionRulesSet):
        said = {"rules": to_builtins(event.rules), "actor": event.actor}
        _put(view, RULES, recorded, said)
    elif isinstance(event, LogRebuilt):
        for name in _conversations(event.faults):
            _put(view, rebuilt(commitment_of(view.log.secret, name)), recorded, {})


def _conversations(faults: Sequence[Any]) -> set[str]:
    named = [fault.get("conversation") for fault in faults if isinstance(fault, dict)]
    return {name for name in named if isinstance(name, str)}


def _put(view: View, key: str, recorded: RecordedEvent, value: dict[str, Any], of: int = 0) -> None:
    found = [UPKEEP, recorded.number, {**value, "time": recorded.recorded}]
    view.put(place_of(key), f"{numbered(recorded.number)} {of}", found)
