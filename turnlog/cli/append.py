"""`turnlog append`: record events given as JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import Id, open_log

File = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE]", help="One event, a list, or one a line; else from stdin."),
]


def append(id: Id, file: File = None) -> None:
    """Record events, in plain JSON, at the end of a conversation."""
    events = _events(file)
    with open_log(create=True) as log:
        recorded = log.record(id, *events)
        state = recorded.state
        done = {
            "conversation": id,
            "turn": state.turn,
            "event": state.event,
            "recorded": len(recorded.events) if recorded.new else 0,
        }
    output.document(done, human=lambda: _print(done))


def _events(file: Path | None) -> list[Any]:
    """The events of a file, all of them read before one is recorded."""
    from turnlog.errors import FormatError
    from turnlog.serializers.plain import from_plain

    name = str(file) if file else "stdin"
    try:
        data = file.read_bytes() if file else sys.stdin.buffer.read()
    except OSError as error:
        raise FormatError(error.strerror or str(error), file=name) from error
    events = []
    for number, value in _values(data, name):
        try:
            events.append(from_plain(value))
        except FormatError as error:
            raise FormatError(error.why, file=name, line=number, field=error.field) from error
    if not events:
        raise FormatError("there is no event in it", file=name)
    return events


def _values(data: bytes, name: str) -> list[tuple[int | None, Any]]:
    """Line, where there is one event a line, and value."""
    import msgspec

    from turnlog.errors import FormatError

    try:
        whole = msgspec.json.decode(data)
        return [(None, value) for value in (whole if isinstance(whole, list) else [whole])]
    except (msgspec.DecodeError, RecursionError):
        pass
    values: list[tuple[int | None, Any]] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            try:
                values.append((number, msgspec.json.decode(line)))
            except (msgspec.DecodeError, RecursionError) as error:
                raise FormatError(str(error), file=name, line=number) from error
    return values


def _print(done: dict[str, Any]) -> None:
    output.say(
        f"recorded {done['recorded']} events; {done['conversation']} has"
        f" {done['event']} events in {done['turn']} turns"
    )
