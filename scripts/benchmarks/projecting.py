"""eventsourcing's ProjectionRunner on the same job: the history of every slot, on SQLite.

Its SQLite recorder has no subscription, so it gets one that reads pages of 500 events and costs
next to nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import Notification, Subscription, Tracking
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteFactory, SQLiteTrackingRecorder

from scripts.benchmarks.figures import seconds
from scripts.benchmarks.sides import EVENTS_A_TURN, Stock


class PageSubscription(Subscription[Any]):
    """Pages of 500 events, as long as there are any."""

    def __init__(self, recorder: Any, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._page: Iterator[Notification] = iter(())

    def __next__(self) -> Notification:
        while not self._has_been_stopped:
            for notification in self._page:
                self._last_notification_id = notification.id
                return notification
            page = self._recorder.select_notifications(
                self._last_notification_id, 500, inclusive_of_start=False
            )
            self._page = iter(page)
            if not page:
                time.sleep(0.01)
        raise StopIteration


class Subscribable(SQLiteApplicationRecorder):
    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Any:
        return PageSubscription(self, gt, topics)


class SubscribableFactory(SQLiteFactory):
    application_recorder_class = Subscribable


class Slots(SQLiteTrackingRecorder):
    """Each change of a slot, with the value before it, and how far the log has been read."""

    def construct_create_table_statements(self) -> list[str]:
        return [
            *super().construct_create_table_statements(),
            "CREATE TABLE IF NOT EXISTS changes (id TEXT, version INTEGER, name TEXT,"
            " before TEXT, after TEXT, PRIMARY KEY (id, version))",
            "CREATE TABLE IF NOT EXISTS slots (id TEXT, name TEXT, value TEXT,"
            " PRIMARY KEY (id, name))",
        ]

    def set_slot(self, event: Any, tracking: Tracking) -> None:
        id, value = str(event.originator_id), json.dumps(event.value)
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute("SELECT value FROM slots WHERE id = ? AND name = ?", (id, event.name))
            found = cursor.fetchone()
            change = (id, event.originator_version, event.name, found and found[0], value)
            cursor.execute("INSERT INTO changes VALUES (?, ?, ?, ?, ?)", change)
            cursor.execute("INSERT OR REPLACE INTO slots VALUES (?, ?, ?)", (id, event.name, value))
            self._insert_tracking(cursor, tracking)


class SlotHistory(Projection[Slots]):
    name = "slothistory"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        if type(domain_event).__name__ == "SlotSet":
            self.view.set_slot(domain_event, tracking)
        else:
            self.view.insert_tracking(tracking)


class Chats(Application[UUID]):
    pass


class StockProjection:
    def __init__(self, folder: Path, turns: int) -> None:
        self._folder, self._turns, self._runs = folder, turns, 0
        self._log = folder / "projected-stock.db"
        stock = Stock(self._log)
        for conversation in range(20):
            stock.fill(conversation, turns // 20)
        stock.close()

    def run(self) -> float:
        """Events a second from the first to the last."""
        self._runs += 1
        environment = {
            "PERSISTENCE_MODULE": f"{SubscribableFactory.__module__}:SubscribableFactory",
            "SQLITE_DBNAME": str(self._log),
            "SLOTHISTORY_PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "SLOTHISTORY_SQLITE_DBNAME": str(self._folder / f"runner{self._runs}.db"),
        }

        def work() -> None:
            with ProjectionRunner(
                application_class=Chats, projection_class=SlotHistory, view_class=Slots,
                env=environment,
            ) as runner:  # fmt: skip
                runner.wait(runner.app.recorder.max_notification_id(), timeout=600)

        return self._turns * EVENTS_A_TURN / seconds(work)

    def close(self) -> None:
        """Nothing stays open."""
