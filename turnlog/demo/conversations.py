"""The conversations: what guests wrote, in order, and what else happened in between.

A text is a message, which the booking bot answers. A function returns the events to record, from
the numbers of the guest's last message and of the last answer.
"""

from __future__ import annotations

from collections.abc import Callable

from turnlog.domain.events import (
    AgentUttered,
    ConversationTagged,
    Event,
    HandoverEnded,
    HandoverStarted,
    MessageEdited,
    MessageRedacted,
    UserUtteranceReverted,
    UserUttered,
)

Happening = Callable[[int, int], tuple[Event, ...]]
Step = str | Happening

DAY = 86_400.0
MONDAY = 1_796_061_600.0
"""Monday, 30 November 2026, 18:00 UTC, in seconds since the epoch."""

WRONG_COUNT = "ada-wrong-count"
"""The conversation with the bug to find: the bot takes a number of courses for one of guests."""


def rewound(asked: int, answered: int) -> tuple[Event, ...]:
    """The user rewinds the last message."""
    return (UserUtteranceReverted(actor="user"),)


def handed_over(asked: int, answered: int) -> tuple[Event, ...]:
    """A colleague takes over, talks to the guest and returns the conversation to the bot."""
    return (
        HandoverStarted("front desk", "a group of more than 8"),
        AgentUttered("Hello Chiara, this is Marco. We can push two tables together on Saturday."),
        AgentUttered("I have put you down for 12 at 20:00. You will get a letter to confirm it."),
        HandoverEnded("booked by Marco"),
    )


def edited(asked: int, answered: int) -> tuple[Event, ...]:
    """A colleague edits the last answer."""
    new = "The last table is at 21:30. At what time?"
    return (MessageEdited(answered, new, actor="marco"),)


def redacted(asked: int, answered: int) -> tuple[Event, ...]:
    """The privacy desk redacts the last message."""
    return (MessageRedacted(asked, "a card number", actor="privacy desk"),)


def tagged(tag: str) -> Happening:
    """The conversation gets a tag."""
    return lambda asked, answered: (ConversationTagged((tag,)),)


SCRIPTS: dict[str, tuple[Step, ...]] = {
    "felix-booked": (
        "Good evening",
        "A table for 4 tomorrow at 11 am",
        "Felix Brandt",
        "Then at noon",
        "Yes please",
        tagged("booked"),
    ),
    "emma-redacted": (
        "Hi, a table for 2 on sunday",
        "My card is 4111 1111 1111 1111",
        redacted,
        "at 7 pm",
        tagged("privacy"),
    ),
    "david-edited": (
        "a table for 3 on saturday, my name is David Roth",
        "at 11 pm",
        edited,
        "9 pm",
        "yes",
        tagged("booked"),
    ),
    "chiara-handed-over": (
        "Hello",
        "We are 12 on saturday at 8 pm, my name is Chiara",
        handed_over,
        "Thank you so much",
        tagged("group"),
    ),
    "ben-rewound": (
        "a table for 5 on friday",
        "at 6 pm",
        rewound,
        "at 9 pm",
        "my name is Ben Okafor",
        "yes",
        tagged("booked"),
    ),
    WRONG_COUNT: (
        "Hello",
        "A table for 2 on friday at 8 pm",
        "Ada Moretti",
        "Do you have a menu for 6 courses?",
        "No, why six?",
        tagged("complaint"),
    ),
}
"""Scripts by the id of the conversation, each one day after the one before."""


def said(text: str) -> UserUttered:
    """A guest's message on the web."""
    return UserUttered(text, channel="web")
