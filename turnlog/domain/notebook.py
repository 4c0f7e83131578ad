"""A dialogue as HTML, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from turnlog.domain.plain import dumps
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.traits import Utterance

_LEFT_OUT = ("conversation", "event", "turn", "type", "time", "actor", "text", "taken_back")


def as_html(events: Iterable[RecordedEvent]) -> str:
    """A table of the events: messages in bold, retracted events struck through."""
    rows = "".join(map(_row, events))
    return f"<table><tr><th>event<th>turn<th>actor<th>type<th>says</tr>{rows}</table>"


def _row(recorded: RecordedEvent) -> str:
    says = escape(" ".join(_says(recorded)))
    if isinstance(recorded.event, Utterance):
        says = f"<b>{says}</b>"
    if recorded.taken_back is not None:
        says = f"<s>{says}</s>"
    cells = (recorded.number, recorded.turn, recorded.actor, type(recorded.event).__name__)
    return "<tr>" + "".join(f"<td>{escape(str(cell))}" for cell in cells) + f"<td>{says}</tr>"


def _says(recorded: RecordedEvent) -> Iterator[str]:
    line: dict[str, Any] = recorded.as_dict()
    if (text := line.get("text")) is not None:
        yield str(text)
    for name, value in line.items():
        if name not in _LEFT_OUT:
            yield f"{name}={value if isinstance(value, str) else dumps(value).decode()}"
