"""What a framework stores of an input before its messages are recorded as events of a turn."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from turnlog.domain.events import Event, ForeignRecorded


def before_input(newest_first: Iterable[tuple[int, Event]], last: int) -> int:
    """The number of the last event before those that store the next turn's input; `last` for none.

    newest_first: events from the last one on, with their numbers.
    """
    end = None
    for number, event in newest_first:
        if not isinstance(event, ForeignRecorded) or event.source != _LANGGRAPH:
            break
        kept, is_checkpoint = _kept(event), event.kind == _CHECKPOINT
        if end is not None and (is_checkpoint or not kept.id):
            break  # writes that name their checkpoint precede it
        if end is None and is_checkpoint and not kept.ns and not kept.is_input:
            break
        if end is not None or (is_checkpoint and not kept.ns):
            end = number - 1
    return last if end is None else end


_LANGGRAPH, _CHECKPOINT = "langgraph", "checkpoint"


class _Kept(msgspec.Struct, gc=False):
    """The part of a LangGraph checkpoint, or of its writes, that says whether it is an input's.

    first: 0 if no message was recorded with it.
    """

    id: str = ""
    ns: str = ""
    first: int = 0
    metadata: dict[str, object] = {}

    @property
    def is_input(self) -> bool:
        return not self.first and self.metadata.get("source") == "input"


def _kept(event: ForeignRecorded) -> _Kept:
    """The fields of one that cannot be read: empty."""
    try:
        return msgspec.json.decode(bytes(event.body), type=_Kept)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Kept()
