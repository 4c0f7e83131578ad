"""Which of the next turn's input a fork at a turn omits."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from turnlog.domain.events import BotUttered, Event, ForeignRecorded, UserUttered
from turnlog.domain.inputs import before_input


def kept(kind: str, **body: Any) -> ForeignRecorded:
    return ForeignRecorded("langgraph", kind, msgspec.json.encode(body))


SAID = UserUttered("hello")
DONE = kept("checkpoint", id="1", first=1, metadata={"source": "loop"})
QUIET = kept("checkpoint", id="3", base=3, metadata={"source": "loop"})
INPUT = kept("checkpoint", id="2", base=2, metadata={"source": "input"})
WHOLE = kept("checkpoint", id="2", first=1, metadata={"source": "input"})
INNER = kept("checkpoint", id="4", ns="inner:1", metadata={"source": "input"})
LATER = kept("writes", task="t", id="3", writes=[])
WAITING = kept("writes", task="t", at=2, writes=[])
OTHERS = ForeignRecorded("others", "checkpoint", b"not JSON")
UNREADABLE = ForeignRecorded("langgraph", "checkpoint", b"not JSON")


@pytest.mark.parametrize(
    ("events", "last"),
    [
        ([SAID, DONE], 2),
        ([SAID, DONE, WAITING], 3),
        ([SAID, DONE, INPUT], 2),
        ([SAID, DONE, INPUT, LATER, LATER], 2),
        ([SAID, DONE, WAITING, LATER, INPUT], 3),
        ([SAID, DONE, INPUT, INNER, LATER], 2),
        ([SAID, DONE, INPUT, QUIET], 4),
        ([SAID, DONE, INNER], 3),
        ([SAID, WHOLE], 2),
        ([SAID, DONE, BotUttered("from elsewhere"), INPUT], 3),
        ([SAID, OTHERS], 2),
        ([SAID, UNREADABLE], 2),
        ([INPUT, LATER], 0),
        ([], 0),
    ],
)
def test_the_last_event_before_an_input(events: list[Event], last: int) -> None:
    numbered = list(enumerate(events, 1))
    assert before_input(reversed(numbered), len(events)) == last
