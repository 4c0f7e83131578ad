"""The entry points of an erasure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from turnlog.domain.arguments import check_numbers
from turnlog.engine.erasure.erasing import HOW, Erased, Progress, carried_out
from turnlog.engine.erasure.plan import ErasurePlan, of_conversation, of_event, of_person
from turnlog.errors import OutOfRange


def erase(
    log: Any, id: str | None, person: str | None, event: int | None, reason: str, actor: str,
    vacuum: str, progress: Progress,
) -> Erased:  # fmt: skip
    """Raises OutOfRange unless exactly one thing is named."""
    if vacuum not in HOW:
        raise OutOfRange(None, f"vacuum: {vacuum!r:.40} is not one of {', '.join(HOW)}")
    planned = _planned(log, id, person, event)
    return carried_out(log, planned, reason, actor, vacuum, progress)


def _planned(
    log: Any, id: str | None, person: str | None, event: int | None
) -> Callable[[], ErasurePlan]:
    if person is not None and id is None and event is None:
        return lambda: of_person(log, person)
    if id is None or person is not None:
        raise OutOfRange(None, "name either a person or a conversation")
    if event is None:
        return lambda: of_conversation(log, id)
    check_numbers(id, event=event)
    return lambda: of_event(log, id, event)
