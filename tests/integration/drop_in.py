"""What Rasa does with the drop-in's logic, with a minimal tracker."""

from __future__ import annotations

import copy
import itertools
import sys
from collections import deque
from pathlib import Path
from typing import Any

import httpx

from tests import parts

sys.path.insert(0, str(parts.ROOT / "clients" / "rasa"))

from turnlog_rasa import history
from turnlog_rasa.client import Client
from turnlog_rasa.feed import Feed
from turnlog_rasa.keeper import Keeper, outcomes
from turnlog_rasa.outbox import Outbox
from turnlog_rasa.parking import Parking

__all__ = [
    "Client", "Event", "Feed", "Outbox", "Parking", "Store", "Tracker", "action", "close_all",
    "history", "log", "outcomes", "said", "session", "texts",
]  # fmt: skip

_times = itertools.count(1)
_opened: list[tuple[Client, Outbox]] = []


def close_all() -> None:
    """Close every store's connections and files, as at the end of a process."""
    while _opened:
        client, outbox = _opened.pop()
        outbox.close(0.0)
        client.close()


class Event:
    def __init__(self, content: dict[str, Any]) -> None:
        self.content = {"timestamp": float(next(_times)), **content}
        self.type_name = content["event"]
        self.action_name = content.get("name")

    def as_dict(self) -> dict[str, Any]:
        return copy.deepcopy(self.content)


class Tracker:
    def __init__(self, sender_id: str, most: int | None = None) -> None:
        self.sender_id = sender_id
        self.events: deque[Event] = deque(maxlen=most)
        self.slots: dict[str, Any] = {}

    def update(self, event: Event) -> None:
        self.events.append(event)


class Store:
    """What Rasa does with the keeper, its fail-safe wrapper included."""

    def __init__(self, url: str, parked: Path | None = None, **settings: Any) -> None:
        settings = {"timeout": 5.0, "patience": 0.2, **settings}
        self.client = Client(url, **settings)
        self.outbox = Outbox(self.client, Parking(str(parked), url) if parked else None)
        _opened.append((self.client, self.outbox))
        self.keeper = Keeper(self.client, Tracker, Event, self.outbox)

    def retrieve(self, sender: str, show: str = "SESSION") -> Tracker | None:
        outcomes()[sender] = history.FAILED
        try:
            found: Tracker | None = self.keeper.retrieve(sender, show)
        except ConnectionError:
            return None
        outcomes()[sender] = history.FOUND if found is not None else history.MISSING
        return found

    def get_or_create(self, sender: str) -> Tracker:
        found = self.retrieve(sender)
        if found is None:
            found = Tracker(sender)
            found.update(action("action_listen"))
            self.save(found)
        return found

    def save(self, tracker: Tracker) -> bool:
        try:
            self.keeper.save(tracker, self.keeper.plan(tracker))
        except ConnectionError:
            return False
        return True


def action(name: str) -> Event:
    blank = {"policy": None, "confidence": None, "action_text": None, "hide_rule_turn": False}
    return Event({"event": "action", "name": name, **blank})


def said(text: str) -> Event:
    parsed = {"intent": {"name": "i"}, "entities": [], "text": text, "message_id": None}
    more = {"metadata": {}, "input_channel": None, "message_id": None}
    return Event({"event": "user", "text": text, **more, "parse_data": {**parsed, "metadata": {}}})


def session() -> list[Event]:
    return [action("action_session_start"), Event({"event": "session_started"}), action("x")]


def texts(tracker: Tracker | None) -> list[str]:
    assert tracker is not None
    return [e.content.get("text") or e.content.get("name") or e.type_name for e in tracker.events]


def log(url: str, sender: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{url}/v1/conversations/{sender}/events").json()[
        "events"
    ]
    return found
