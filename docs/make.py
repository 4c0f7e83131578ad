"""The page and the JSON schema of events, made from the event table: `python docs/make.py`."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from turnlog.domain.events import EVENTS, Event
from turnlog.domain.plain import struct_in
from turnlog.serializers.jsonl import VERSION
from turnlog.serializers.shared.plain import schema

HERE = Path(__file__).parent
PAGE, SCHEMA = "events.md", "events.schema.json"

_HEAD = """# Events

Made from the event table by `python docs/make.py`; not to be edited.

This is how events look in `jsonl`, in `turnlog append`, and over HTTP: an object with a `type`. \
Fields at their default are left out. Fields that a type does not declare are kept in `extra`. \
The [JSON schema](events.schema.json) describes a line of a `jsonl` file:

```json
{"format": "turnlog/1", "conversation": "alice", "events": [
  {"type": "UserUttered", "text": "a table for two", "timestamp": 1767225600.5},
  {"type": "SlotSet", "name": "people", "value": 2}]}
```
"""


def page() -> str:
    """The page, as Markdown."""
    parts: dict[str, type[msgspec.Struct]] = {}
    for event in EVENTS:
        _gather(event, parts)
    lines = [_HEAD, "## Every event", "", *_described(Event), "", *_table(Event, ())]
    common = Event.__struct_fields__
    for event in EVENTS:
        lines += ["", f"## {event.__name__}", "", *_described(event), "", *_table(event, common)]
    lines += ["", "# Parts of events"]
    for name, part in sorted(parts.items()):
        lines += ["", f"## {name}", "", *_described(part), "", *_table(part, ())]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def line_schema() -> dict[str, Any]:
    """JSON schema of a line of the native format."""
    event = schema()
    definitions = event.pop("$defs")
    number = {"type": "integer", "minimum": 0}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A turnlog dialogue",
        "type": "object",
        "properties": {
            "format": {"const": f"turnlog/{VERSION}"},
            "conversation": {"type": "string", "minLength": 1},
            "events": {"type": "array", "items": event},
            "first_event": number,
            "first_turn": number,
        },
        "required": ["format", "conversation", "events"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def schema_text() -> str:
    """The schema with each definition on a line."""
    whole = line_schema()
    definitions = whole.pop("$defs")
    named = [f"{json.dumps(name)}: {json.dumps(held)}" for name, held in definitions.items()]
    text = json.dumps(whole, indent=1).removesuffix("\n}")
    return text + ',\n "$defs": {\n  ' + ",\n  ".join(named) + "\n }\n}\n"


def _gather(cls: type[msgspec.Struct], parts: dict[str, type[msgspec.Struct]]) -> None:
    for hint in get_type_hints(cls).values():
        part = struct_in(hint)
        if part is not None and part.__name__ not in parts:
            parts[part.__name__] = part
            _gather(part, parts)


def _described(cls: type[msgspec.Struct]) -> Iterator[str]:
    if cls.__doc__:
        yield inspect.cleandoc(cls.__doc__)


def _table(cls: type[msgspec.Struct], without: tuple[str, ...]) -> Iterator[str]:
    hints = get_type_hints(cls)
    fields = [field for field in msgspec.structs.fields(cls) if field.name not in without]
    if fields:
        yield from ("| field | type | default |", "|---|---|---|")
    for field in fields:
        default = "" if field.required else f"`{json.dumps(_default(field))}`"
        yield f"| `{field.name}` | {_type(hints[field.name])} | {default} |"


def _default(field: msgspec.structs.FieldInfo) -> Any:
    made = field.default_factory
    value = field.default if made is msgspec.NODEFAULT else made()
    return msgspec.to_builtins(value)


def _type(hint: Any) -> str:
    """A type in JSON's words."""
    if hint in _WORDS:
        return _WORDS[hint]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (list, tuple):
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return "object" if arguments[1] is Any else f"object of {_type(arguments[1])}"
    if all(isinstance(argument, str) for argument in arguments):
        return " or ".join(f"`{argument}`" for argument in arguments)
    return " or ".join(_type(a) for a in arguments if a is not type(None))


_WORDS = {
    Any: "any value",
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    bytes: "base64",
    type(None): "null",
}


if __name__ == "__main__":
    (HERE / PAGE).write_text(page(), encoding="utf-8")
    (HERE / SCHEMA).write_text(schema_text(), encoding="utf-8")
