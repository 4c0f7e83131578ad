"""Which fields may say what was said: each one of every event is known as that, or as a name."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from turnlog.domain import events as e
from turnlog.domain.masks import PARTS, WORDS, without_words

NAMES = {
    "message_id", "actor", "channel", "versions", "name", "token", "call_id", "unit", "state",
    "key", "field", "kind", "by", "on_timeout", "user", "other", "policy", "writer", "flow", "step",
    "slots", "events", "services", "retained", "due", "path", "entity", "slot", "service", "act",
    "requested_slots", "active_intent", "to", "code", "model", "prompt", "type", "values",
    "initial", "faults", "digest", "was", "fields",
    "mime", "source", "agent", "branch", "run", "scope", "role", "finish", "currency", "way",
    "severity", "outcome", "recipient", "format", "purpose", "manifest", "export", "exports",
    "streams", "ids", "of", "vacuum", "unnamed", "held", "subjects", "store", "tag", "rules",
    "from_branch",
}  # fmt: skip
"""Names, numbers of events, and what a redaction looks into by itself; always shown."""


def structs(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """The structs in a type, and those in their fields."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for hint in get_type_hints(kind).values():
            yield from structs(hint)
    for argument in get_args(kind):
        yield from structs(argument)


def only_numbers(hint: Any) -> bool:
    if get_origin(hint) in (Union, types.UnionType):
        return all(map(only_numbers, get_args(hint)))
    return hint in (int, float, bool, type(None))


def test_each_field_of_an_event_is_a_name_a_number_or_may_be_hidden():
    known = NAMES | WORDS | PARTS
    for kind in {struct for event in e.EVENTS for struct in structs(event)}:
        for name, hint in get_type_hints(kind).items():
            assert name in known or only_numbers(hint), (kind.__name__, name)


def test_a_hidden_event_of_any_type_can_be_stored():
    for kind in e.EVENTS:
        required = [f.name for f in msgspec.structs.fields(kind) if f.required]
        given: dict[str, Any] = {name: b"{}" if name == "entry" else "x" for name in required}
        hints = get_type_hints(kind)
        given |= {name: 1 for name in required if only_numbers(hints[name])}
        given |= {name: True for name in required if hints[name] is bool}
        given |= {name: () for name in required if get_origin(hints[name]) is tuple}
        hidden = without_words(kind(**given))
        assert msgspec.convert(msgspec.to_builtins(hidden), kind) == hidden
