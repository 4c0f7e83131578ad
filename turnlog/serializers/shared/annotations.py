"""Annotations, and the messages that they describe."""

from __future__ import annotations

from turnlog.domain.events import Event, MessageAnnotated
from turnlog.domain.traits import Utterance


def annotations_by_message(
    events: tuple[Event, ...], first: int
) -> tuple[dict[int, list[MessageAnnotated]], int]:
    """Annotations by the number of their message, and how many have none."""
    annotations: dict[int, list[MessageAnnotated]] = {}
    numbers: set[int] = set()
    latest = 0
    for number, event in enumerate(events, first):
        if isinstance(event, Utterance):
            numbers.add(number)
            latest = number
        elif isinstance(event, MessageAnnotated):
            annotations.setdefault(event.message or latest, []).append(event)
    stray = sum(len(annotations[number]) for number in annotations.keys() - numbers)
    return annotations, stray
