"""OpenAssistant: trees of messages; each way from the root to a leaf is a dialogue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.conversation import Dialogue

PATH = "oasst/en_100_tree_subset.jsonl"


def dialogues(shared_data: Path) -> Iterator[Dialogue]:
    for line in (shared_data / PATH).read_text().splitlines():
        tree = json.loads(line)
        for number, way in enumerate(_ways(tree["prompt"]), 1):
            yield Dialogue(f"{tree['message_tree_id']}-{number}", tuple(map(_event, way)))


def _ways(message: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    if not message["replies"]:
        yield [message]
    for reply in message["replies"]:
        for way in _ways(reply):
            yield [message, *way]


def _event(message: dict[str, Any]) -> e.Event:
    kind = e.UserUttered if message["role"] == "prompter" else e.BotUttered
    return kind(message["text"], message_id=message["message_id"])
