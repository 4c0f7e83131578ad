"""`turnlog append`: record events given as JSON."""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import Id, open_log, or_no_log
from turnlog.domain.amounts import amount

File = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]", help="One event, a list, or one a line; default: stdin, also '-'."
    ),
]
Actor = Annotated[
    str | None,
    typer.Option("--actor", metavar="A", help="The actor of events that name none."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse unknown fields.")]


def append(id: Id, file: File = None, actor: Actor = None, strict: Strict = False) -> None:
    """Record events given as plain JSON.

    An unknown field is stored in the event's `extra`, and named on stderr.
    """
    unknown: Counter[str] = Counter()
    events = list(_events(file, actor, unknown, strict=strict))
    with or_no_log(), open_log(create=True) as log:
        recorded = log.record(id, *events)
    done = {
        "conversation": id,
        "turn": recorded.state.turn,
        "event": recorded.state.event,
        "recorded": len(recorded.events) if recorded.new else 0,
        **({"repeated": [*recorded.repeated]} if recorded.repeated else {}),
        **({"unknown": dict(unknown)} if unknown else {}),
    }
    output.document(done, human=lambda: _print(done))
    for place, count in unknown.items():
        output.note(f"unknown, kept in extra: {count:,} × {place}{_meant(place)}")


def _events(
    file: Path | None, actor: str | None, unknown: Counter[str], *, strict: bool
) -> Iterator[Any]:
    """The events of a file, or of stdin. Raises FormatError naming file, line and field."""
    from turnlog.errors import FormatError
    from turnlog.serializers.shared.plain import from_plain

    name = "stdin" if file is None or str(file) == "-" else str(file)
    for line, value in _values(_read(file), name):
        strays: list[str] = []
        try:
            event = from_plain(_by(actor, value), unknown=strays)
        except FormatError as error:
            raise FormatError(error.why, file=name, line=line, field=error.field) from error
        places = [f"{value['type']}.{stray}" for stray in strays]
        if strict and places:
            why = f"{value['type']} has no such field{_meant(places[0])}"
            raise FormatError(why, file=name, line=line, field=strays[0])
        unknown.update(places)
        yield event


def _read(file: Path | None) -> bytes:
    from turnlog.errors import FormatError

    if file is not None and str(file) != "-":
        try:
            return file.read_bytes()
        except OSError as error:
            raise FormatError(error.strerror or str(error), file=str(file)) from error
    if sys.stdin.buffer.isatty():
        output.note("reading events as JSON from the terminal; Ctrl-D ends the input")
    return sys.stdin.buffer.read()


def _values(data: bytes, name: str) -> Iterator[tuple[int | None, Any]]:
    """Line and value of each event."""
    from turnlog.errors import FormatError
    from turnlog.serializers.shared.json_stream import documents
    from turnlog.serializers.shared.json_value import parse

    count = 0
    try:
        for element in documents(io.BytesIO(data), len(data)):
            if isinstance(element, FormatError):
                raise element
            count += 1
            yield element.line, parse(element.json, line=element.line)
        if not count:
            raise FormatError("contains no events")
    except FormatError as error:
        raise FormatError(error.why, file=name, line=error.line, field=error.field) from error


def _by(actor: str | None, value: Any) -> Any:
    """The event, with the actor if it names none."""
    if actor is None or not isinstance(value, dict):
        return value
    return {"actor": actor, **value}


def _meant(place: str) -> str:
    """A field of the event itself with a similar name."""
    from difflib import get_close_matches

    from turnlog.domain.events import BY_NAME

    kind, _, field = place.partition(".")
    close = get_close_matches(field, BY_NAME[kind].__struct_fields__, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _print(done: dict[str, Any]) -> None:
    output.say(
        f"recorded {amount(done['recorded'], 'event')}; {done['conversation']} has"
        f" {amount(done['event'], 'event')} in {amount(done['turn'], 'turn')}"
    )
