"""A framework's own JSON without the words in typed events (ADR 14).

Each word is stored once, and words that are redacted or erased in an event disappear from the
framework's view too. In a skeleton `{"$e": "NUMBER_FIELD_FORM"}` replaces a value. It is one word,
so that the mask of a redaction hides all or none of it.
"""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from turnlog.domain.attachment import Attachment
from turnlog.domain.events import Event
from turnlog.domain.plain import dumps

HOLE = "$e"

FIELDS = ("text", "arguments", "raw", "result", "opaque", "signature", "uri", "filename", "content")
"""The fields of events whose values are cut out."""

NAMES = frozenset((
    "role", "type", "kind", "id", "name", "tool_name", "tool_call_id", "call_id", "status", "model",
    "model_name", "finish_reason", "part_kind", "author",
))  # fmt: skip
"""Keys under which a text is a name; it stays, even if someone said the same word."""

NAMES_OF: Mapping[str, frozenset[str]] = {
    "langgraph": NAMES | {
        "$", "ns", "parent", "base", "first", "seen", "said", "state", "gone", "task", "at", "path",
        "keys", "upto", "kept", "whole", "code", "usage_metadata",
    },
    "pydantic-ai": NAMES | {
        "scope", "head_id", "revision", "forked_from", "forked_at", "parent", "branches",
        "events", "said", "timestamp", "updated_at", "usage", "outcome", "state", "run_id",
        "conversation_id", "media_type", "provider_name", "provider_url", "provider_response_id",
        "model_id", "tool_kind", "identifier", "force_download", "cause",
    },
}  # fmt: skip
"""Keys of a source's bodies whose values no redaction hides, because the body needs them."""

_BLANK: Mapping[str, Any] = {"text": "", "json": "{}", "base64": "", "object": {}, "list": []}
"""What fills a hole whose event no longer has the value, by form."""

Holes = dict[str | bytes, deque[str]]
"""What is cut out, oldest first: texts as they are, objects and lists as their JSON."""


def skeleton(
    document: Any, events: Iterable[tuple[int, Event]], names: Collection[str] = NAMES
) -> Any:
    """The document, a JSON value, without what these events say.

    events: with their numbers, oldest first; equal words are assigned to them in this order. names:
    keys whose texts stay.
    """
    holes: Holes = {}
    for number, event in events:
        for key, field, form in _words(event):
            holes.setdefault(key, deque()).append(f"{number}_{field}_{form}")
    return _cut(document, holes, names)


def filled(skeleton: Any, event: Callable[[int], Event | None]) -> Any:
    """The document of a skeleton. event: returns the event with a number as it may be shown.

    A word that its event no longer says becomes an empty text, object or list.
    """
    if isinstance(skeleton, list):
        return [filled(item, event) for item in skeleton]
    if not isinstance(skeleton, dict):
        return skeleton
    held = skeleton.get(HOLE)
    if isinstance(held, str):
        number, field, form = held.split("_")
        return _said(event(int(number)), field, form)
    if isinstance(held, dict):  # the document's own key
        return {key: filled(item, event) for key, item in held.items()}
    return {key: filled(item, event) for key, item in skeleton.items()}


# --- cutting out --------------------------------------------------------------------------------


def _words(event: Event) -> Iterator[tuple[str | bytes, str, str]]:
    """What an event says, its field, and each form in which a document may say it."""
    for field in FIELDS:
        held = getattr(event, field, None)
        if held in (None, "", b"", [], {}):
            continue
        if isinstance(held, str):
            yield held, field, "text"
        elif isinstance(held, bytes | Attachment):
            yield b64encode(bytes(held)).decode(), field, "base64"
        elif isinstance(held, dict | list):
            yield dumps(held), field, "object" if isinstance(held, dict) else "list"
            yield dumps(held).decode(), field, "json"


def _cut(value: Any, holes: Holes, names: Collection[str]) -> Any:
    if isinstance(value, str):
        return _hole(holes.get(value), value)
    if not isinstance(value, dict | list):
        return value
    whole = holes.get(dumps(value)) if value else None
    if whole is not None:
        return _hole(whole, value)
    if isinstance(value, list):
        return [_cut(item, holes, names) for item in value]
    rest = {
        key: item if key in names and isinstance(item, str) else _cut(item, holes, names)
        for key, item in value.items()
    }
    return {HOLE: rest} if HOLE in rest else rest


def _hole(found: deque[str] | None, value: Any) -> Any:
    """The next event that says it, or the last one again."""
    if found is None:
        return value
    return {HOLE: found.popleft() if len(found) > 1 else found[0]}


# --- filling in ---------------------------------------------------------------------------------


def _said(event: Event | None, field: str, form: str) -> Any:
    held = getattr(event, field, None)
    if held is None:
        return msgspec.json.decode(dumps(_BLANK[form]))  # a fresh copy
    if form == "json":
        return dumps(held).decode()
    return b64encode(bytes(held)).decode() if form == "base64" else held
