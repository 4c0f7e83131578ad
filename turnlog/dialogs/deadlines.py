"""The deadlines and undelivered messages of timers, in memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from turnlog.projections.due_prompts import DUE, OUT


class DeadlineIndex:
    """The entries of the read model in memory, with quick access to the next deadline."""

    def __init__(self) -> None:
        self._due: dict[tuple[str, str], float] = {}
        self._by_conversation: dict[str, set[str]] = {}
        self._heap: list[tuple[float, str, str]] = []
        self.sending: set[tuple[str, int]] = set()
        self._undelivered: dict[tuple[str, int], float] = {}

    def put(self, conversation: str, key: str, value: Any) -> None:
        """Adds an entry of the read model: a deadline or an undelivered message."""
        if key.startswith(DUE):
            self._due[conversation, key] = value
            self._by_conversation.setdefault(conversation, set()).add(key)
            heapq.heappush(self._heap, (value, conversation, key))
        elif (message := (conversation, _number(key))) not in self.sending:
            self._undelivered[message] = value

    def remove(self, conversation: str, key: str) -> None:
        """Removes an entry, if it exists."""
        if key.startswith(DUE):
            if self._due.pop((conversation, key), None) is not None:
                keys = self._by_conversation[conversation]
                keys.discard(key)
                if not keys:
                    del self._by_conversation[conversation]
        else:
            self._undelivered.pop((conversation, _number(key)), None)
            self.sending.discard((conversation, _number(key)))

    def get(self, conversation: str, key: str) -> Any:
        """A deadline, UTC seconds; None if it does not exist."""
        return self._due.get((conversation, key))

    def entries(self, conversation: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Keys and values of a conversation's deadlines."""
        keys = list(self._by_conversation.get(conversation, ()))
        return ((key, self._due[conversation, key]) for key in keys if key.startswith(prefix))

    def next_due(self) -> float:
        """The next deadline, UTC seconds; infinity if no prompt is armed."""
        return self._heap[0][0] if self._heap else float("inf")

    def take_due(self, now: float, most: int) -> list[tuple[str, str]]:
        """Removes passed deadlines; their conversations and tokens, the oldest first."""
        taken: list[tuple[str, str]] = []
        while self._heap and self._heap[0][0] <= now and len(taken) < most:
            time, conversation, key = heapq.heappop(self._heap)
            if self._due.get((conversation, key)) == time:
                self.remove(conversation, key)
                taken.append((conversation, key.removeprefix(DUE)))
        return taken

    def take_undelivered(self, before: float) -> list[tuple[str, int]]:
        """Removes undelivered messages recorded before a time; their conversations and numbers."""
        taken = sorted(message for message, time in self._undelivered.items() if time <= before)
        for message in taken:
            del self._undelivered[message]
        return taken


def _number(key: str) -> int:
    return int(key.removeprefix(OUT))
