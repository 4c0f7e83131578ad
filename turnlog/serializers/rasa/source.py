"""What Rasa's formats have in common: documents in a file, and Rasa's events to a dialogue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import Event
from turnlog.domain.values import RawJson
from turnlog.encoding import binary
from turnlog.errors import FormatError
from turnlog.serializers.rasa.domain import read_domain
from turnlog.serializers.rasa.reader import from_rasa
from turnlog.serializers.shared.codec import Codec
from turnlog.serializers.shared.json_stream import Element, documents
from turnlog.serializers.shared.json_value import parse

ENVELOPE_DEPTH = 6
"""Levels of nesting that the formats put around a value."""

MAX_VALUES = 4_000_000
"""The most values in one document; a tracker of 64 MB has fewer."""


class Place(NamedTuple):
    """Where a conversation was found. field: precedes its events' numbers in messages."""

    file: str
    line: int | None = None
    field: str = "events"


class RasaCodec(Codec):
    """A format of Rasa's.

    Option `domain`: path of a domain.yml, whose slots are declared at the beginning of each
    conversation. Option `turns` for writing: only the last so many. `notes` lists what a person
    should know although it was imported: an unreadable timestamp, an event earlier than the one
    before it, a row without a type.
    """

    reads = whole = True
    settings = frozenset(("turns",))

    def _prologue(self) -> tuple[Event, ...]:
        path = self.options.get("domain")
        return () if path is None else (read_domain(Path(path)),)

    def last_turns(self, dialogue: Dialogue) -> Dialogue:
        """The dialogue, or only the last of its turns if the option `turns` says so."""
        turns = self.options.get("turns")
        return dialogue if turns is None else dialogue.last(turns)

    def dialogue(
        self, name: Any, objects: Any, place: Place, first: tuple[Event, ...] = ()
    ) -> Dialogue:
        """The dialogue of a conversation's events in Rasa's JSON, oldest first, after `first`."""
        name = sender_id(name)
        if not isinstance(name, str) or not name:
            raise FormatError(f"{name!r:.60} is not a sender id", **_where(place))
        if not isinstance(objects, list):
            why = f"expected a list of events, not {objects!r:.60}"
            raise FormatError(why, **_where(place, name, place.field))
        before = (*self._prologue(), *first)
        events = (*before, *from_rasa(objects, len(before) + 1))
        self._check_sizes(name, events, place)
        self._note(name, objects, place)
        return Dialogue(name, events)

    def _check_sizes(self, name: str, events: tuple[Event, ...], place: Place) -> None:
        most = self.limits.event_bytes
        if len(binary.encode_events(events)) <= most:
            return
        for event in events:
            if (size := len(binary.encode(event))) > most:
                why = f"{type(event).__name__} has {size:,} bytes, more than {most:,}"
                raise FormatError(why, **_where(place, name))

    def _note(self, name: str, objects: list[Any], place: Place) -> None:
        last: float | None = None
        for number, source in enumerate(objects):
            field = f"{place.field}[{number}]"
            time = source.get("timestamp") if isinstance(source, dict) else None
            if not isinstance(source, dict) or not isinstance(source.get("event"), str):
                self.note("has no event type; stored as Unknown", place, name, field)
            if isinstance(time, int | float):
                if last is not None and time < last:
                    why = f"{time} is earlier than the event before it, {last}"
                    self.note(why, place, name, f"{field}.timestamp")
                last = time
            elif time is not None:
                why = f"{time!r:.60} is not a time; stored the event without one"
                self.note(why, place, name, f"{field}.timestamp")

    def note(self, why: str, place: Place, name: str | None, field: str) -> None:
        """Adds a note about a place."""
        self.notes.append(FormatError(why, **_where(place, name, field)))

    def parsed(self, element: Element, place: Place) -> Any:
        """A document's value. Raises FormatError with its place if it cannot be read."""
        if not element.whole:
            most = f"{self.limits.conversation_bytes:,}"
            raise FormatError(f"has more than {most} bytes", **_where(place))
        if element.json.count(b",") > MAX_VALUES:
            raise FormatError(f"has more than {MAX_VALUES:,} values", **_where(place))
        twins: list[str] = []
        depth = self.limits.depth + ENVELOPE_DEPTH
        try:
            value = parse(element.json, depth=depth, line=element.line, twins=twins)
        except FormatError as error:
            raise placed(error, place.file) from error
        for key in twins:
            self.note("duplicate key; the last counts, as in Rasa", place, None, key)
        return value

    def documents(self, path: Path) -> Iterator[tuple[Any, Place]]:
        """The documents of a file with their places: those of an array, those of lines, or a single
        one.
        """
        with path.open("rb") as file:
            try:
                for element in documents(file, self.limits.conversation_bytes):
                    if isinstance(element, FormatError):
                        raise element
                    place = Place(str(path), element.line)
                    yield self.parsed(element, place), place
            except FormatError as error:
                raise placed(error, str(path)) from error


def sender_id(name: Any) -> Any:
    """A number as its text; everything else unchanged."""
    if isinstance(name, RawJson) and name.json[:1] in b"-0123456789":
        return name.json.decode()
    is_number = isinstance(name, int | float) and not isinstance(name, bool)
    return str(name) if is_number else name


def _where(place: Place, name: str | None = None, field: str | None = None) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "conversation": name, "field": field}


def placed(error: FormatError, file: str) -> FormatError:
    """The error, with its file."""
    error.file = error.file or file
    error.args = (str(error),)
    return error
