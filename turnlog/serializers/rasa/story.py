"""A conversation as Rasa's end-to-end test story, in YAML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from turnlog.extras import needed

VERSION = "3.1"
_UNSAID = ("action_listen", "action_session_start")


def story(name: str, sessions: Iterable[Sequence[dict[str, Any]]]) -> str:
    """The YAML of a conversation's sessions, each a list of events in Rasa's JSON."""
    with needed("rasa", "Rasa's YAML"):
        import yaml

    kept = [steps for events in sessions if (steps := list(_steps(events)))]
    stories = [
        {"story": name if len(kept) == 1 else f"{name}, session {number}", "steps": steps}
        for number, steps in enumerate(kept, 1)
    ]
    content = {"version": VERSION, "stories": stories}
    text: str = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=10_000)
    return text


def sessions(events: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Events, split where a session begins."""
    cut: list[list[dict[str, Any]]] = [[]]
    for event in events:
        if event.get("event") == "session_started":
            cut.append([])
        cut[-1].append(event)
    return [session for session in cut if session]


def _steps(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for event in events:
        match event.get("event"):
            case "user":
                yield _user(event)
            case "action" if event.get("action_text"):
                yield {"bot": event["action_text"]}
            case "action" if event.get("name") not in _UNSAID:
                yield {"action": event.get("name")}
            case "slot":
                yield {"slot_was_set": [{event.get("name"): event.get("value")}]}
            case "active_loop" | "form":
                yield {"active_loop": event.get("name")}


def _user(event: dict[str, Any]) -> dict[str, Any]:
    parsed = event.get("parse_data") or {}
    intent = (parsed.get("intent") or {}).get("name")
    step = {"user": _annotated(event.get("text") or "", parsed.get("entities") or [])}
    return {**step, "intent": intent} if intent else step


def _annotated(text: str, entities: Sequence[Any]) -> str:
    """The text with `[words]{"entity": …}` for its entities; unchanged for `/intent{…}`."""
    placed = [e for e in entities if isinstance(e, dict) and type(e.get("start")) is int]
    if text.startswith("/"):
        return text
    for entity in sorted(placed, key=lambda entity: -entity["start"]):
        start, end = entity["start"], entity.get("end")
        if not isinstance(end, int) or not 0 <= start < end <= len(text):
            continue
        says = {k: entity[k] for k in ("entity", "role", "group") if entity.get(k) is not None}
        if entity.get("value") != text[start:end]:
            says["value"] = entity.get("value")
        text = f"{text[:start]}[{text[start:end]}]{json.dumps(says)}{text[end:]}"
    return text
