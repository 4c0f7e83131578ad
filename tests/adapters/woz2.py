"""WOZ 2.0: slots from the labels of each turn, which says what changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue

PATHS = [f"woz2/woz_train_{language}_subset.json" for language in ("en", "de", "it")]
REQUEST = "request"
"""A label that asks for a slot and sets none."""


def dialogues(shared_data: Path) -> Iterator[Dialogue]:
    for path in PATHS:
        for source in json.loads((shared_data / path).read_text()):
            yield Dialogue(name(path, source), tuple(_events(source["dialogue"])))


def name(path: str, source: dict[str, Any]) -> str:
    return f"{Path(path).stem}-{source['dialogue_idx']}"


def _events(turns: list[dict[str, Any]]) -> Iterator[e.Event]:
    for turn in turns:
        if turn["system_transcript"]:
            yield e.BotUttered(turn["system_transcript"])
        yield e.UserUttered(turn["transcript"])
        for slot, value in turn["turn_label"]:
            if slot != REQUEST:
                yield e.SlotSet(slot, value)
