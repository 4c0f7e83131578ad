"""Rasa's annotated texts: `a table in [Milan]{"entity": "city", "value": "Milano"}`."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from turnlog.domain.annotations import Entity
from turnlog.serializers.shared.spans import in_order, is_payload

_ANNOTATED = re.compile(
    r"\[(?P<text>[^\]]+?)\](\((?P<entity>[^:)]+?)(?:\:(?P<value>[^)]+))?\)|\{(?P<dict>[^}]+?)\}"
    r"|\[(?P<list>.*?)\])"
)
"""The pattern of an annotation in Rasa's entities_parser."""


def annotated(text: str, entities: Sequence[Entity], lost: Counter[str]) -> str | None:
    """The text with its entities marked; None if Rasa would read another text.

    Entities that it cannot mark are counted as lost. A button's payload contains its entities.
    """
    if is_payload(text):
        return text
    kept, overlapping = in_order(entities)
    lost.update({"entity that overlaps another": overlapping} if overlapping else {})
    if unplaced := sum(entity.start is None for entity in entities):
        lost["entity without a place in the text"] += unplaced
    written, upto = "", 0
    for entity in kept:
        shown = text[entity.start : entity.end]
        if "]" in shown:
            lost["entity with a bracket in its text"] += 1
            continue
        written += text[upto : entity.start] + f"[{shown}]{_dict(entity, shown, lost)}"
        upto = entity.end or upto
    written += text[upto:]
    if _ANNOTATED.sub(lambda match: match["text"], written) != text or text != text.strip():
        lost["text that Rasa would read as another"] += 1
        return None
    return written


def _dict(entity: Entity, shown: str, lost: Counter[str]) -> str:
    held: dict[str, Any] = {"entity": entity.entity}
    for name in ("role", "group"):
        if isinstance(value := (entity.extra or {}).get(name), str):
            held[name] = value
    if isinstance(entity.value, str | int | float) and not isinstance(entity.value, bool):
        if entity.value != shown:
            held["value"] = entity.value
    elif entity.value is not None:
        lost["entity value that is neither text nor number"] += 1
    text = json.dumps(held, ensure_ascii=False)
    return "{" + text[1:-1].replace("{", "\\u007b").replace("}", "\\u007d") + "}"
