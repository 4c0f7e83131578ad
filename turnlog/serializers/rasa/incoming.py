"""Rasa's events as a client sends them: an event that the log cannot hold affects no other."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any

from turnlog.domain.plain import as_json
from turnlog.encoding import binary
from turnlog.errors import FormatError
from turnlog.serializers.rasa.kinds import BLANK, BY_TYPE, OPTIONAL
from turnlog.serializers.rasa.reader import from_rasa
from turnlog.serializers.shared.codec import Limits
from turnlog.serializers.shared.json_stream import elements
from turnlog.serializers.shared.json_value import depth_of, parse

NOT_KEPT = "not_kept"
"""Key of an event whose fields are too large or too deep: the fields, and their digest."""

SMALL_BYTES = 10_000
"""A field with JSON of up to this many bytes stays in an event that is too large as a whole."""

EVENT_LEVELS = 5
"""The most levels of nesting that a Rasa event has around a value."""

MAX_GROWTH = 5
"""The most times as many bytes an event can have in the log as in JSON: a list of `1.`"""


def incoming(body: bytes, limits: Limits) -> list[Any]:
    """The event objects of a request's JSON, an array or one object. Raises FormatError.

    If an event exceeds `event_bytes` or is nested deeper than `depth`, its small fields stay and
    the others become null; `not_kept` names those, with the event's size in bytes and its SHA-256.
    """
    text = body.strip()
    if not text.startswith(b"["):
        return [_held(text, limits)]
    events = []
    for element in elements(BytesIO(text), keep=len(text), of="["):
        if isinstance(element, FormatError):
            raise element
        events.append(_held(element.json, limits, element.line))
    return events


def completed(source: dict[str, Any]) -> dict[str, Any]:
    """An event with every key of its Rasa class, defaults for those that the client omitted."""
    kind = BY_TYPE.get(source["event"])
    if kind is None:
        return source
    optional = [key for key, field in kind.fields.items() if field in OPTIONAL[kind.event]]
    blank = {key: BLANK.get(key) for key in optional} | dict(kind.constants)
    whole = {**blank, **source}
    if isinstance(parsed := source.get("parse_data"), dict):
        said = {key: whole.get(key) for key in ("text", "message_id", "metadata")}
        whole["parse_data"] = {"intent": {}, "entities": [], **said, **parsed}
    return whole


def _held(source: bytes, limits: Limits, line: int = 1) -> Any:
    most = limits.depth + EVENT_LEVELS
    if depth_of(source, most) > most:
        if not source.startswith(b"{"):
            raise FormatError(f"is nested deeper than {limits.depth}", line=line)
        return _shortened(source, limits)
    value = parse(source, depth=most, line=line, twins=[])
    if len(source) * MAX_GROWTH <= limits.event_bytes or not isinstance(value, dict):
        return value
    size = max(len(binary.encode(event)) for event in from_rasa([value]))
    return value if size <= limits.event_bytes else _shortened(source, limits)


def _shortened(source: bytes, limits: Limits) -> dict[str, Any]:
    kept, dropped = _small_fields(source, limits)
    if len(as_json(kept)) + sum(map(len, dropped)) > limits.event_bytes // MAX_GROWTH:
        kept = {key: kept[key] for key in ("event", "name", "timestamp") if key in kept}
        dropped = []
    digest = hashlib.sha256(source).hexdigest()
    return {**kept, NOT_KEPT: {"bytes": len(source), "sha256": digest, "fields": dropped}}


def _small_fields(source: bytes, limits: Limits) -> tuple[dict[str, Any], list[str]]:
    """An object's members, null unless small, and the names of those."""
    kept: dict[str, Any] = {}
    dropped: list[str] = []
    for member in elements(BytesIO(source), keep=len(source)):
        if isinstance(member, FormatError) or member.key is None:
            continue  # a duplicate key: the first counts
        if _is_small(member.json, limits):
            kept[member.key] = parse(member.json, depth=limits.depth, line=member.line, twins=[])
        elif member.key == "parse_data" and member.json.startswith(b"{"):
            kept[member.key], inner = _small_fields(member.json, limits)
            dropped += [f"{member.key}.{name}" for name in inner]
        else:
            kept[member.key] = None
            dropped.append(member.key)
    return kept, dropped


def _is_small(source: bytes, limits: Limits) -> bool:
    within = min(SMALL_BYTES, limits.event_bytes // MAX_GROWTH)
    return len(source) <= within and depth_of(source, limits.depth) <= limits.depth
