"""What is compared: each event of an answer with its family, its name and its content."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

from turnlog.domain import events as e
from turnlog.domain.message_groups import Numbered
from turnlog.domain.traits import entities_in
from turnlog.encoding import binary
from turnlog.replay.allowing.rules import Rules
from turnlog.replay.comparing.likeness import INCIDENTAL
from turnlog.serializers.shared.plain import to_plain

Family = Literal["understood", "tool", "slot", "action", "text"]


class Item(NamedTuple):
    """The compared parts of an event: its family, its subject, and its encoded content.

    action: the last one executed before it.
    """

    number: int
    family: Family
    name: str
    content: bytes
    event: e.Event
    action: str | None

    @property
    def says(self) -> dict[str, Any]:
        """What the rules left of it, in plain form."""
        said: dict[str, Any] = binary.decode(self.content)
        return said

    @property
    def entities(self) -> list[dict[str, Any]]:
        """What was understood, sorted."""
        found = entities_in(self.event)
        return [{name: getattr(entity, name) for name in _OF_ENTITY} for entity in found]


FAMILIES: dict[type[e.Event], Family] = {
    e.MessageUnderstood: "understood",
    e.EntitiesAdded: "understood",
    e.ToolCalled: "tool",
    e.BotUttered: "text",
    e.SlotSet: "slot",
    e.SlotsReset: "slot",
    e.ActionExecuted: "action",
    e.ActionRejected: "action",
    e.ActionReverted: "action",
    e.UserUtteranceReverted: "action",
    e.ConversationRestarted: "action",
    e.FollowupSet: "action",
    e.LoopActivated: "action",
    e.LoopInterrupted: "action",
    e.ConversationPaused: "action",
    e.ConversationResumed: "action",
    e.HandoverStarted: "action",
    e.HandoverEnded: "action",
    e.ReminderScheduled: "action",
    e.ReminderCancelled: "action",
}
"""Events that a bot is responsible for; others are not compared."""

_BY_ANYBODY = (
    e.HandoverStarted, e.HandoverEnded, e.ConversationPaused, e.ConversationResumed,
    e.ReminderCancelled,
)  # fmt: skip
"""Events that people and other systems record as well as bots."""


def is_anybodys(event: e.Event) -> bool:
    """Whether its author is unknown: it names no cause and no actor."""
    return isinstance(event, _BY_ANYBODY) and event.actor is None and event.cause is None


def items(answer: Iterable[Numbered], rules: Rules) -> Iterator[Item]:
    """The compared events of an answer, in order."""
    action: str | None = None
    for number, event in answer:
        action = event.name if isinstance(event, e.ActionExecuted) else action
        family = FAMILIES.get(type(event))
        if family is None or _ignored(event, family, rules):
            continue
        content = {k: v for k, v in to_plain(event).items() if k not in INCIDENTAL}
        compared = _CONTENT.get(type(event), _as_it_is)(content, rules)
        if compared is not None:
            name = f"{compared['type']} {compared.get('name', '')}"
            encoded = binary.encode_ordered(rules.masked(compared))
            yield Item(number, family, name, encoded, event, action)


def _ignored(event: e.Event, family: Family, rules: Rules) -> bool:
    """For texts and what was understood, only the content is omitted."""
    if isinstance(event, e.SlotSet) and rules.ignores_slot(event.name):
        return True
    kind = "tool_call" if family == "tool" else family
    return kind in rules.ignore and kind != "text"


def _as_it_is(content: dict[str, Any], rules: Rules) -> dict[str, Any] | None:
    return content


def _understood(content: dict[str, Any], rules: Rules) -> dict[str, Any] | None:
    kept: dict[str, Any] = {"type": content["type"]}
    if "intent" not in rules.ignore:
        kept["intent"] = (content.get("intent") or {}).get("name")
    if "entity" not in rules.ignore:
        entities = (
            {f: entity.get(f) for f in _OF_ENTITY} for entity in content.get("entities", [])
        )
        kept["entities"] = sorted(entities, key=binary.encode_ordered)
    return kept if len(kept) > 1 else None


_OF_ENTITY = ("entity", "value", "start", "end")


def _said(content: dict[str, Any], rules: Rules) -> dict[str, Any]:
    return {"type": content["type"]} if "text" in rules.ignore else content


def _called(content: dict[str, Any], rules: Rules) -> dict[str, Any]:
    arguments = None if "tool_arguments" in rules.ignore else content.get("arguments")
    return {**content, "arguments": arguments or None}


def _scheduled(content: dict[str, Any], rules: Rules) -> dict[str, Any]:
    """Without its time, which comes from the clock, and without a generated name."""
    drawn = _DRAWN.fullmatch(content.get("name") or "") is not None
    left_out = ("due", "name") if drawn else ("due",)
    return {key: value for key, value in content.items() if key not in left_out}


_DRAWN = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")


_CONTENT: dict[type[e.Event], Callable[[dict[str, Any], Rules], dict[str, Any] | None]] = {
    e.MessageUnderstood: _understood,
    e.BotUttered: _said,
    e.ToolCalled: _called,
    e.ReminderScheduled: _scheduled,
}
