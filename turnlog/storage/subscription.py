"""Following a log as it grows, for back ends that have no signal of their own."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Any

from eventsourcing.persistence import ApplicationRecorder, Notification, Subscription


class PollingSubscription(Subscription[Any]):
    """Looks for new rows every `interval` seconds while it waits."""

    interval = 0.02
    batch = 500

    def __init__(
        self, recorder: ApplicationRecorder, gt: int | None, topics: Sequence[str]
    ) -> None:
        super().__init__(recorder, gt, topics)
        self._ready: list[Notification] = []
        self._stopping = Event()

    def stop(self) -> None:
        super().stop()
        self._stopping.set()

    def __next__(self) -> Notification:
        while not self._ready:
            if self._stopping.is_set():
                raise StopIteration
            self._ready = list(
                self._recorder.select_notifications(
                    self._last_notification_id,
                    self.batch,
                    topics=self._topics,
                    inclusive_of_start=False,
                )
            )
            if not self._ready:
                self._stopping.wait(self.interval)
        following = self._ready.pop(0)
        self._last_notification_id = following.id
        return following
