"""Following a log as it grows."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Condition
from typing import TYPE_CHECKING, Any

from eventsourcing.persistence import Notification, Subscription

if TYPE_CHECKING:
    from turnlog.storage.recorder import Recorder


class Doorbell:
    """Rung after every commit; says that there may be more, never what."""

    def __init__(self) -> None:
        self._condition = Condition()
        self._listening = 0
        self.rung = 0

    def ring(self) -> None:
        self.rung += 1
        if self._listening:  # counted before `rung` is looked at, so that nobody misses it
            with self._condition:
                self._condition.notify_all()

    def wait(self, seen: int, timeout: float) -> None:
        """Return when it was rung since `seen` was read, or after so many seconds."""
        with self._condition:
            self._listening += 1
            try:
                self._condition.wait_for(lambda: self.rung != seen, timeout)
            finally:
                self._listening -= 1


class Following(Subscription[Any]):
    """eventsourcing's subscription over `Recorder.wait_above`."""

    patience = 0.5
    batch = 500

    def __init__(self, recorder: Recorder, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._ready: list[Notification] = []

    def stop(self) -> None:
        super().stop()
        self._recorder.bell.ring()

    def __next__(self) -> Notification:
        while not (self._ready or self._has_been_stopped):
            after = self._last_notification_id or 0
            self._ready = list(
                self._recorder.select_notifications(
                    after, self.batch, topics=self._topics, inclusive_of_start=False
                )
            )
            if not self._ready:
                self._recorder.wait_above(after, self.patience)
        if self._has_been_stopped:
            raise StopIteration
        following = self._ready.pop(0)
        self._last_notification_id = following.id
        return following
