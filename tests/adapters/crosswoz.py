"""CrossWOZ: the state before the wizard's query, at every message of the system."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.annotations import Act, Frame
from turnlog.domain.dialogue import Dialogue
from turnlog.serializers.shared.states import changes

PATH = "crosswoz/val_subset.json"


def dialogues(shared_data: Path) -> Iterator[Dialogue]:
    for name, source in json.loads((shared_data / PATH).read_text()).items():
        yield Dialogue(f"crosswoz-{name}", tuple(_events(source["messages"])))


def _events(messages: list[dict[str, Any]]) -> Iterator[e.Event]:
    slots: dict[str, Any] = {}
    for message in messages:
        if message["role"] == "sys":
            after = _slots(message["sys_state_init"])
            yield from changes(slots, after)
            slots = after
        yield (e.UserUttered if message["role"] == "usr" else e.BotUttered)(message["content"])
        yield e.MessageAnnotated(
            tuple(Frame(d, [Act(act, slot, [v])]) for act, d, slot, v in message["dialog_act"])
        )


def _slots(state: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        f"{domain}.{slot}": value
        for domain, values in state.items()
        for slot, value in values.items()
        if slot != "selectedResults" and value not in ("", [])
    }
