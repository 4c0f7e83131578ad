"""Reads a log repeatedly while others write it.

Each read has all turns that were acknowledged before, in order and none twice, and never goes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import turnlog
from turnlog import Turnlog, UserUttered
from turnlog.projections import slot_history, transcript
from turnlog.storage.subscription import Subscription


class Reading:
    """One way to read, and each conversation's length at the last read."""

    def __init__(self, acknowledged: Path, read: Callable[[int], int]) -> None:
        self._acknowledged = acknowledged
        self._read = read
        self.seen: Counter[int] = Counter()

    def again(self) -> None:
        for number, least in enumerate(turns_in(self._acknowledged)):
            turns = self._read(number)
            assert max(least, self.seen[number]) <= turns
            on_its_way = 1
            assert turns <= turns_in(self._acknowledged)[number] + on_its_way
            self.seen[number] = turns


def turns_in(acknowledged: Path) -> list[int]:
    content = acknowledged.read_bytes()
    return [int.from_bytes(content[at : at + 4], "big") for at in range(0, len(content), 4)]


def in_order(said: Sequence[str | None]) -> int:
    """How many turns were said; all are present, in order."""
    assert list(said) == [str(turn) for turn in range(1, len(said) + 1)]
    return len(said)


class Ways:
    """The ways to read a log; each returns a conversation's turns."""

    def __init__(self, log: Turnlog) -> None:
        self._log = log
        self._following = Subscription(log.store)
        self._followed: dict[str, list[str | None]] = {}

    def conversation(self, number: int) -> int:
        if (name := f"c{number}") not in self._log:
            return 0
        found = self._log.conversation(name)
        assert found.slots.get("n") == found.turn
        texts = [event.text for event in found.events() if isinstance(event, UserUttered)]
        assert in_order(texts) >= found.turn
        return found.turn

    def listed(self, number: int) -> int:
        turns = {head.conversation: state.turn for head, state in self._log.heads()}
        return turns.get(f"c{number}", 0)

    def followed(self, number: int) -> int:
        before = self._following.position
        while commits := self._log.next_commits(self._following):
            positions = [position for position, _ in commits]
            assert positions == list(range(before + 1, before + 1 + len(commits)))
            before = positions[-1]
            for _, commit in commits:
                texts = [event.text for event in commit.events if isinstance(event, UserUttered)]
                self._followed.setdefault(commit.conversation, []).extend(texts)
        return in_order(self._followed.get(f"c{number}", ()))

    def transcript(self, number: int) -> int:
        said = transcript.messages(self._log.view("transcript"), f"c{number}")
        return in_order([message["text"] for message in said])

    def slot_history(self, number: int) -> int:
        changes = slot_history.changes(self._log.view("slots"), f"c{number}", "n")
        return in_order([str(change["slots"]["n"][1]) for change in changes])


def read(url: str, how: str, acknowledged: str, turns: str) -> None:
    """Until each writer, of one conversation each, has so many turns; the number of reads goes to
    stdout.

    how: open or readonly. acknowledged: a file of 4 bytes a writer, its number of acknowledged
    turns.
    """
    with turnlog.open(url, readonly=how == "readonly") as log:
        ways, acks = Ways(log), Path(acknowledged)
        every = (ways.conversation, ways.listed, ways.followed, ways.transcript, ways.slot_history)
        readings = [Reading(acks, each) for each in every]
        passes = 0
        while any(turns_in(acks)[number] < int(turns) for number in range(len(turns_in(acks)))):
            passes += 1
            for reading in readings:
                reading.again()
        for reading in readings:
            reading.again()
            assert set(reading.seen.values()) == {int(turns)}
    print(passes)
