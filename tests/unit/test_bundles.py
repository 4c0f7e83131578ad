"""Given planted words, when a divergence is bundled, then none of them is in the bundle."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

import turnlog
from turnlog import (
    BotUttered,
    ConversationTagged,
    Event,
    SessionStarted,
    SlotSet,
    ToolCalled,
    ToolReturned,
    UserIdentified,
    UserUttered,
)
from turnlog.bots import LoadedBot
from turnlog.errors import ConversationError
from turnlog.replay.trying.bundle import Bundle, bundle


@pytest.fixture
def log() -> Iterator[turnlog.Turnlog]:
    with turnlog.open("memory:") as log:
        yield log


def planted(random: Random) -> str:
    """A word that no bot says."""
    kind = random.choice(["qxz{}", "Qxz{}ora", "{}@qxz.example", "+49 {}", "{}"])
    return kind.format(random.randint(10_000, 99_999_999))


async def answer(conversation: Any, message: UserUttered, end: str) -> list[Event | str]:
    """Repeats all that it knows: what was said, what is known, what a tool returns."""
    known = await conversation.call("look", text=message.text, names=[conversation.slots])
    return [SlotSet("last", {"said": [message.text]}), f"{message.text} {known}{end}"]


async def right(conversation: Any, message: UserUttered) -> list[Event | str]:
    return await answer(conversation, message, ".")


async def wrong(conversation: Any, message: UserUttered) -> list[Event | str]:
    return await answer(conversation, message, "!" if conversation.turn > 1 else ".")


RIGHT, WRONG = LoadedBot(right), LoadedBot(wrong)


def record(log: turnlog.Turnlog, id: str, random: Random, words: list[str]) -> None:
    """A conversation with planted words in every field that can contain one."""

    def word() -> str:
        words.append(planted(random))
        return words[-1]

    log.record(
        id, SessionStarted(), UserIdentified(word(), {"mail": word()}),
        ConversationTagged((word(),)),
        SlotSet("iban", [word(), {word(): int(random.random() * 10**9)}], actor="system"),
    )  # fmt: skip
    for turn in range(random.randint(2, 5)):
        text = f"please {word()} and {word()}"
        slots = log.conversation(id).slots
        result = {"note": f"for {word()}", "of": word()}
        log.record(
            id,
            UserUttered(text, {"file": word()}, message_id=word(), name=word(),
                        timestamp=1_700_000_000.0 + turn, extra={"metadata": {"ip": word()}}),
            ToolCalled("look", {"text": text, "names": [slots]}), ToolReturned(result),
            SlotSet("last", {"said": [text]}), BotUttered(f"{text} {result}."),
        )  # fmt: skip


def leaks(made: Bundle, words: list[str]) -> list[str]:
    content = made.as_jsonl().decode().casefold()
    return [word for word in words if word.casefold() in content]


@pytest.mark.parametrize("seed", range(12))
def test_no_planted_word_is_in_a_bundle(log: turnlog.Turnlog, seed: int):
    random, words = Random(seed), list[str]()
    record(log, id := planted(random), random, words)
    made = bundle(log, id, WRONG, old=RIGHT if seed % 2 else None)
    recorded = repr(list(log.conversation(id).events()))
    assert [word for word in words if word not in recorded] == []
    assert len(words) > 20
    assert leaks(made, [*words, id]) == []
    assert made.divergence.kind == "text"
    assert len([event for event in made.events if isinstance(event, UserUttered)]) == 2


def test_events_before_the_first_message_are_omitted_unless_needed(log: turnlog.Turnlog):
    def greets(conversation: Any, message: UserUttered) -> str:
        return f"hello {conversation.slots.get('title', 'you')}"

    log.record(
        "anna", UserIdentified("u1"), SlotSet("title", "Dr", actor="system"),
        SlotSet("city", "Ulm", actor="system"), UserUttered("hi"), BotUttered("hello you"),
    )  # fmt: skip
    made = bundle(log, "anna", LoadedBot(greets), old=LoadedBot(lambda c, m: "hello you"))
    begin = [event for event in made.events if isinstance(event, UserIdentified | SlotSet)]
    assert [event.name for event in begin if isinstance(event, SlotSet)] == ["title"]
    assert len(begin) == 1
    assert made.kept == ()


def test_a_flaky_bot_gives_no_bundle(log: turnlog.Turnlog):
    asked: list[int] = []

    def flaky(conversation: Any, message: UserUttered) -> str:
        asked.append(1)
        return "no" if conversation.id == "anna" or len(asked) < 4 else "yes"

    log.record("anna", UserUttered("hi"), BotUttered("yes"))
    with pytest.raises(ConversationError, match="does not show"):
        bundle(log, "anna", LoadedBot(flaky))
