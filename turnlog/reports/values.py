"""Numbers of events, values and times as pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnlog.domain.plain import dumps
from turnlog.domain.recorded import RecordedEvent
from turnlog.reports.html import Element, element
from turnlog.reports.text import Clockface


def number(line: RecordedEvent) -> Element:
    """An event's number, as in `#12`."""
    return element("span", f"#{line.number}", class_="number")


def json_text(value: Any) -> str:
    """A text unchanged, any other value as JSON."""
    return value if isinstance(value, str) else dumps(value).decode()


def named_values(fields: Mapping[str, Any]) -> str:
    """The fields as `name: value`, separated by commas."""
    return ", ".join(f"{name}: {json_text(value)}" for name, value in fields.items())


def moment(face: Clockface, timestamp: float | None) -> Element:
    """A time in a table: in UTC, and in the other zone on the next line."""
    return element("span", face.at(timestamp).replace("Z (", "Z\n("), class_="moment")
