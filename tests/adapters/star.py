"""STAR: a user, a wizard who picks what the system would say, and a knowledge base."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue

FOLDER = "star/dialogues"
Source = dict[str, Any]


def dialogues(shared_data: Path) -> Iterator[Dialogue]:
    for path in sorted((shared_data / FOLDER).glob("*.json")):
        source = json.loads(path.read_text())
        about = {key: held for key, held in source.items() if key not in ("DialogueID", "Events")}
        opening = e.ConversationAnnotated(extra=about)
        events = map(_event, source["Events"])
        yield Dialogue(f"star-{source['DialogueID']}", (opening, *events))


def _event(source: Source) -> e.Event:
    kind = f"{source['Agent']}.{source['Action']}"
    known = ("Agent", "Action", "UnixTime", "Text")
    rest = {key: held for key, held in source.items() if key not in known}
    common: dict[str, Any] = {"timestamp": source.get("UnixTime"), "actor": source["Agent"]}
    return _KINDS.get(kind, _done)(source, rest, common)


def _said(kind: type[e.UserUttered] | type[e.BotUttered]) -> Callable[..., e.Event]:
    return lambda source, rest, common: kind(source["Text"], extra=rest or None, **common)


def _instructed(source: Source, rest: Source, common: Source) -> e.Event:
    return e.SystemInstructed(source["Text"], extra=rest or None, **common)


def _queried(source: Source, rest: Source, common: Source) -> e.Event:
    constraints = {key: held for each in source["Constraints"] for key, held in each.items()}
    rest = {key: held for key, held in rest.items() if key not in ("APIName", "Constraints")}
    return e.ToolCalled(source["APIName"], constraints, extra=rest or None, **common)


def _returned(source: Source, rest: Source, common: Source) -> e.Event:
    item = {key: held for key, held in rest.items() if key != "APIName"}
    return e.ToolReturned(item, name=source["APIName"], **common)


def _done(source: Source, rest: Source, common: Source) -> e.Event:
    extra = {**rest, **({"Text": source["Text"]} if "Text" in source else {})}
    return e.ActionExecuted(source["Action"], extra=extra or None, **common)


_KINDS: dict[str, Callable[[Source, Source, Source], e.Event]] = {
    "User.utter": _said(e.UserUttered),
    "Wizard.utter": _said(e.BotUttered),
    "Wizard.pick_suggestion": _said(e.BotUttered),
    "UserGuide.instruct": _instructed,
    "Wizard.query": _queried,
    "KnowledgeBase.return_item": _returned,
}
