"""OpenAssistant: trees of messages; each path from the root to a leaf is a dialogue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue

PATH = "oasst/en_100_tree_subset.jsonl"


def dialogues(shared_data: Path) -> Iterator[Dialogue]:
    for line in (shared_data / PATH).read_text().splitlines():
        tree = json.loads(line)
        for number, way in enumerate(_ways(tree["prompt"]), 1):
            yield Dialogue(f"{tree['message_tree_id']}-{number}", tuple(map(_event, way)))


def best(shared_data: Path) -> Iterator[Dialogue]:
    """One dialogue a tree: the path along the best ranked replies."""
    for line in (shared_data / PATH).read_text().splitlines():
        tree = json.loads(line)
        yield Dialogue(tree["message_tree_id"], tuple(map(_event, _best(tree["prompt"]))))


def trees(shared_data: Path) -> Iterator[tuple[Dialogue, dict[str, Any]]]:
    """One dialogue a tree, with a branch for each further reply, and the original tree.

    Ranks become ratings: the higher, the better.
    """
    for line in (shared_data / PATH).read_text().splitlines():
        tree = json.loads(line)
        events: list[e.Event] = []
        ratings = list(_grown(tree["prompt"], events))
        yield Dialogue(tree["message_tree_id"], (*events, *ratings)), tree["prompt"]


def _grown(message: dict[str, Any], events: list[e.Event]) -> Iterator[e.MessageRated]:
    """Adds a message and its replies; returns the ratings of those."""
    events.append(_event(message))
    number, replies = len(events), message["replies"]
    for at, reply in enumerate(replies):
        if at:
            events.append(e.HistoryContinued(number, branch=f"from {len(events)}"))
        if reply.get("rank") is not None:
            yield e.MessageRated(len(events) + 1, len(replies) - reply["rank"])
        yield from _grown(reply, events)


def _best(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield message
    if message["replies"]:
        yield from _best(min(message["replies"], key=_rank))


def _rank(reply: dict[str, Any]) -> int:
    """0 is the best; a reply without a rank comes last."""
    rank = reply.get("rank")
    return 1_000 if rank is None else int(rank)


def _ways(message: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    if not message["replies"]:
        yield [message]
    for reply in message["replies"]:
        for way in _ways(reply):
            yield [message, *way]


def _event(message: dict[str, Any]) -> e.Event:
    kind = e.UserUttered if message["role"] == "prompter" else e.BotUttered
    return kind(message["text"], message_id=message["message_id"])
