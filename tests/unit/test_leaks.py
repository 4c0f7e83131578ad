"""Leaks between the parts of an export."""

from __future__ import annotations

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.recorded import RecordedEvent
from turnlog.training.parts.leaks import Leaks
from turnlog.training.select import PastConversation


def conversation(id: str, *events: e.Event) -> PastConversation:
    numbered = enumerate(events, 1)
    return PastConversation(
        id, 1, tuple(RecordedEvent(id, n, 0, n, n, 0.0, event) for n, event in numbered)
    )


def test_every_leak_is_named_however_many_there_are() -> None:
    leaks = Leaks()
    for number in range(150):
        for part in ("train", "test"):
            id, said = f"{part} {number}", e.UserUttered(f"{number} in {part}")
            leaks.look(
                part, conversation(id, e.UserIdentified(f"u{number}")), Dialogue(id, (said,))
            )
    counts, found = leaks.found()
    assert counts == {"text": 0, "user": 150}
    assert [leak.conversations for leak in found] == [
        [f"test {number}", f"train {number}"] for number in range(150)
    ]
