"""Rasa's MongoDB tracker store in mongoexport's JSON: documents, and their unwound rows."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import ConversationAnnotated
from turnlog.errors import FormatError
from turnlog.serializers.rasa.source import Place, RasaCodec, sender_id

_SNIFF = re.compile(rb'"event"\s*:\s*\{|"tracker"\s*:\s*\{|"\$oid"')
_TEMPLATES = re.compile(rb'\{\s*"[^"]*"\s*:\s*\[\s*\{\s*"type"\s*:\s*"(?:user|bot|action)"')
_NUMBERS: dict[str, Callable[[str], int | float]] = {
    "$numberInt": int, "$numberLong": int, "$numberDouble": float, "$numberDecimal": float,
}  # fmt: skip
_HEADER = {
    "sender_id", "events", "event", "slots", "latest_message", "latest_event_time",
    "followup_action", "paused", "latest_input_channel", "active_loop", "active_form",
    "latest_action", "latest_action_name", "name",
}  # fmt: skip
"""The members next to a tracker's events, which all follow from the events."""


class RasaMongoCodec(RasaCodec):
    """An array or lines of documents.

    `{"sender_id", "events": […]}`; Botfront's `{"_id", "tracker": {…}}`; rows unwound to
    `{"sender_id", "event": {…}}`, joined again by sender; Botfront's templates, `{name: [{"type":
    "user", …}]}`. A tracker's other fields follow from its events and are not stored; other members
    of a document are stored in a ConversationAnnotated before the events.
    """

    name = "rasa-mongo"

    def sniff(self, head: bytes, path: Path) -> bool:
        """Recognises Mongo's ids and Botfront's templates; leaves jsonpickle's files to
        `rasa-dialogue`.
        """
        head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if head[:1] not in (b"{", b"[") or b'"py/object"' in head:
            return False
        return _SNIFF.search(head) is not None or _TEMPLATES.match(head) is not None

    def read(self, path: Path) -> Iterator[Dialogue | FormatError]:
        """One dialogue a document, and then one for each sender of unwound rows."""
        rows: dict[str, list[dict[str, Any]]] = {}
        summaries = 0
        for value, place in self.documents(path):
            if isinstance(value, dict) and isinstance(value.get("event"), dict):
                if isinstance(name := sender_id(_plain(value.get("sender_id"))), str):
                    rows.setdefault(name, []).append(value)
                else:
                    yield from self._caught(name, [], place)
            elif _is_summary(value):
                summaries += 1
            elif _is_templates(value):
                yield from self._templates(value, place)
            else:
                yield from self._document(value, place)
        if summaries:
            why = f"{summaries:,} rows of type 'flattened' have no event; skipped them"
            self.note(why, Place(str(path)), None, "rows")
        for name, events in rows.items():
            yield from self._caught(name, self._rows(events), Place(str(path), field="rows"))

    def _document(self, value: Any, place: Place) -> Iterator[Dialogue | FormatError]:
        tracker = value.get("tracker", value) if isinstance(value, dict) else None
        if not isinstance(tracker, dict) or "events" not in tracker:
            why = "neither a tracker nor an event of one"
            yield FormatError(why, file=place.file, line=place.line)
            return
        name = _plain(tracker.get("sender_id", value.get("_id")))
        stray = {key: value[key] for key in value if key not in _HEADER | {"_id", "tracker"}}
        yield from self._caught(name, tracker["events"], place, _plain(stray))

    def _rows(self, rows: list[dict[str, Any]]) -> list[Any]:
        """The rows' events, with the row's other members; a row without a type is stored whole."""
        events = []
        for row in rows:
            stray = {key: item for key, item in row.items() if key not in _HEADER | {"_id"}}
            typed = isinstance(row["event"].get("event"), str)
            events.append(row["event"] | stray if typed else stray | {"event": row["event"]})
        return events

    def _templates(self, value: dict[str, Any], place: Place) -> Iterator[Dialogue | FormatError]:
        for name, events in value.items():
            yield from self._caught(name, [_of_template(event) for event in events], place)

    def _caught(
        self, name: Any, events: Any, place: Place, stray: dict[str, Any] | None = None
    ) -> Iterator[Dialogue | FormatError]:
        annotated = (ConversationAnnotated(extra=stray),) if stray else ()
        try:
            yield self.dialogue(name, _plain(events), place, annotated)
        except FormatError as error:
            yield error


def _is_summary(value: Any) -> bool:
    """Whether a row is kairon's summary of a turn, which repeats its events."""
    return isinstance(value, dict) and value.get("type") == "flattened" and "events" not in value


def _is_templates(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(
            isinstance(events, list) and all(isinstance(e, dict) and "type" in e for e in events)
            for events in value.values()
        )
    )


def _of_template(event: dict[str, Any]) -> dict[str, Any]:
    """Botfront's short form: `name` is a message's intent, or the name of an action or a
    template.
    """
    rest = {key: value for key, value in event.items() if key != "type"}
    if event["type"] == "user":
        intent = {key: rest.pop(key) for key in ("name", "confidence") if key in rest}
        rest["parse_data"] = {"intent": intent}
    return {"event": event["type"], **rest}


def _plain(value: Any) -> Any:
    """Mongo's extended JSON as JSON; only numbers and object ids."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, held),) = value.items()
        if key == "$oid":
            return held
        if (number := _NUMBERS.get(key)) is not None and isinstance(held, str):
            try:
                found = number(held)
            except ValueError:
                return value
            return found if math.isfinite(found) else value
    return {
        key: _seconds(item) if key == "timestamp" else _plain(item) for key, item in value.items()
    }


def _seconds(value: Any) -> Any:
    """A timestamp; a date, `{"$date": "2026-01-01T00:00:00Z"}` or milliseconds, as seconds."""
    plain = _plain(value)
    date = plain.get("$date") if isinstance(plain, dict) else None
    if isinstance(date, int | float):
        return date / 1000
    try:
        return datetime.fromisoformat(date).timestamp() if isinstance(date, str) else plain
    except ValueError:
        return plain
