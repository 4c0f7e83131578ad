"""The server's parts, each tested separately."""

from __future__ import annotations

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from turnlog import (
    ActionExecuted,
    AgentUttered,
    BotFailed,
    BotUttered,
    MediaAdded,
    MessageRedacted,
    SlotSet,
    Turnlog,
    UserUtteranceReverted,
    UserUttered,
    aopen,
)
from turnlog.domain.commit import Commit
from turnlog.domain.event import Event
from turnlog.domain.recorded import RecordedEvent, traced
from turnlog.server import wire
from turnlog.server.errors import RequestRefused
from turnlog.server.event_stream import ALIVE, Outbox
from turnlog.server.feed import Feed, Follower
from turnlog.server.locks import ConversationLocks
from turnlog.server.message_rate import MessageRate
from turnlog.server.patience import bot_answer
from turnlog.server.settings import ClientLimits, Names, Settings
from turnlog.server.timeline import item
from turnlog.server.tokens import Tokens, named, stored_secret


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_an_id_with_a_tag_is_known_only_under_the_same_secret() -> None:
    clock = Clock()
    ours, theirs = (Tokens(secret, life=60, clock=clock) for secret in (b"a" * 32, b"b" * 32))
    id = ours.new_tagged_id()
    assert ours.is_ours(id)
    assert not theirs.is_ours(id)
    assert not ours.is_ours(ours.new_id())
    assert not ours.is_ours(id[:-1] + ("0" if id[-1] != "0" else "1"))


def test_a_token_opens_only_its_conversation_and_kind_until_it_expires() -> None:
    clock = Clock()
    tokens = Tokens(b"a" * 32, life=60, clock=clock)
    token = tokens.token("alice")
    assert tokens.conversation(token) == "alice"
    with pytest.raises(RequestRefused, match="invalid"):
        tokens.conversation(token, "inspect")
    clock.now += 60
    with pytest.raises(RequestRefused, match="expired"):
        tokens.conversation(token)


async def test_every_server_on_a_log_has_the_same_secret(tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/chat.db"
    async with aopen(url) as one, aopen(url) as other:
        assert await stored_secret(one) == await stored_secret(other)
        assert list(one.sync.ids()) == []


@pytest.mark.parametrize("absent", [None, "", "null", "undefined", 5, ["a"]])
def test_an_invalid_id_counts_as_missing(absent: object) -> None:
    assert named(absent) is None


async def test_a_conversation_waits_only_for_itself_and_in_order() -> None:
    locks, done = ConversationLocks(), []

    async def work(conversation: str, name: str) -> None:
        async with locks.of(conversation):
            await asyncio.sleep(0.01)
            done.append(name)

    began = asyncio.get_running_loop().time()
    names = [("a", f"a{n}") for n in range(5)] + [(f"b{n}", f"b{n}") for n in range(50)]
    await asyncio.gather(*(work(*name) for name in names))
    assert [name for name in done if name[0] == "a"] == ["a0", "a1", "a2", "a3", "a4"]
    assert asyncio.get_running_loop().time() - began < 0.5
    assert not locks.busy("a")


async def test_too_many_waiters_for_one_conversation_are_refused() -> None:
    locks = ConversationLocks(waiting=2)
    await locks.enter("a")
    waiting = [asyncio.create_task(locks.enter("a")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(RequestRefused, match="3 messages"):
        await locks.enter("a")
    waiting[0].cancel()
    await asyncio.gather(waiting[0], return_exceptions=True)
    locks.release("a")
    await waiting[1]
    locks.release("a")
    assert not locks.busy("a")


def test_a_bucket_empties_and_each_name_has_its_own() -> None:
    rate = MessageRate(rate=1, burst=3)
    for _ in range(3):
        rate.take("a")
    with pytest.raises(RequestRefused, match="too many"):
        rate.take("a")
    rate.take("b")


async def test_a_follower_gets_each_event_once_while_the_past_is_read() -> None:
    sent: list[int] = []

    async def send(events: object) -> None:
        sent.extend(recorded.number for recorded in events)  # type: ignore[attr-defined]

    def commit(first: int, count: int) -> Commit:
        return Commit("a", first, first, 0, 0.0, tuple(UserUttered("x") for _ in range(count)))

    follower = Follower("a", 2, send)
    await follower.push(commit(5, 2))  # early: the past is being read
    await follower.take(commit(3, 3).recorded_events())  # the past: 3 to 5
    await follower.go_live()
    await follower.push(commit(5, 2))
    await follower.push(commit(7, 1))
    assert sent == [3, 4, 5, 6, 7]


async def test_the_feed_continues_when_a_follower_fails() -> None:
    heard: list[RecordedEvent] = []

    async def fail(events: object) -> None:
        raise ValueError("gone")

    async def hear(events: object) -> None:
        heard.extend(events)  # type: ignore[arg-type]

    async with aopen("memory:") as log:
        feed = Feed(log)
        async with feed.running():
            await feed.join("a", 0, fail)
            await feed.join("a", 0, hear)
            await log.record("a", UserUttered("hi"))
            async with asyncio.timeout(5):
                while not heard:
                    await asyncio.sleep(0.01)
    assert [recorded.number for recorded in heard] == [1]


def test_redacted_words_are_not_sent_and_whole_messages_keep_their_parts() -> None:
    image = {"type": "image", "payload": {"src": "https://example.com/a.png"}}
    events = (
        UserUttered("secret", message_id="m"),
        BotUttered("one\n\ntwo", {"buttons": [{"title": "Yes"}], "attachment": image}),
        AgentUttered("a person"),
        MessageRedacted(1),
    )
    recorded = [*Commit("a", 1, 1, 0, 0.0, events).recorded_events()]
    sent = list(wire.numbered_messages(recorded, Names(), wire.redacted(recorded)))
    assert [(name, data["event"]) for name, data in sent] == [
        ("bot_uttered", 2), ("bot_uttered", 3), ("message_changed", 4),
    ]  # fmt: skip
    assert sent[0][1]["text"] == "one\n\ntwo"
    assert sent[0][1]["attachments"] == [image]
    assert sent[0][1]["quick_replies"][0]["payload"] == "Yes"
    assert sent[1][1]["agent"] is True
    assert sent[2][1]["text"] is None


async def test_the_timeline_shows_the_slots_that_each_event_changed() -> None:
    async with aopen("memory:") as log:
        await log.record("a", UserUttered("two"), SlotSet("people", 2), ActionExecuted("ask"))
        await log.record("a", UserUttered("three"), SlotSet("people", 3), SlotSet("day", "today"))
        await log.record("a", UserUtteranceReverted(), SlotSet("people", None))
        recorded = await log.read_recorded("a")
    items = list(map(item, traced(recorded)))
    assert [item.get("slots") for item in items] == [
        None, {"people": 2}, None, None, {"people": 3}, {"day": "today"},
        {"day": None, "people": 2}, {"people": None},
    ]  # fmt: skip
    assert items[6]["to"] == 2


@pytest.mark.parametrize(
    ("limits", "size"),
    [(ClientLimits(behind=10), 1), (ClientLimits(behind_bytes=1_000), 200)],
)
async def test_an_outbox_closes_when_too_much_waits_and_drops_it(
    limits: ClientLimits, size: int
) -> None:
    outbox = Outbox(limits)
    for _ in range(5):
        outbox.put(b"x" * size)
    assert await outbox.take() == b"x" * size * 5
    for _ in range(20):
        outbox.put(b"x" * size)
    assert outbox.closed
    outbox.put(b"more")
    assert await outbox.take() == ALIVE


async def test_one_message_of_any_length_is_sent() -> None:
    outbox = Outbox(ClientLimits(behind_bytes=1_000))
    outbox.put(b"x" * 5_000)
    assert not outbox.closed
    assert len(await outbox.take()) == 5_000


async def test_a_large_medium_is_named_and_not_broadcast() -> None:
    async with aopen("memory:") as log:
        film = MediaAdded("video", content=bytes(1_000_001), filename="film.mp4")
        small = MediaAdded("image", "image/png", content=bytes(1_000_000))
        await log.record("a", UserUttered("show"), film, small)
        _, *media = await log.read(lambda log: log.read_events("a"))
        large, whole = [await log.read(partial(_said, event)) for event in media]
    assert (large.text, large.data) == ("film.mp4 (1,000,001 bytes)", None)
    assert len((whole.data or {})["image"]) > 1_333_000


def _said(event: Event, log: Turnlog) -> wire.Spoken:
    said = wire.spoken(event)
    assert said is not None
    return said


class Stop(BaseException):
    """Not an Exception, so that bots' handlers miss it."""


async def test_a_bot_that_raises_a_base_exception_has_failed() -> None:
    async def stops() -> Any:
        raise Stop

    view: Any = SimpleNamespace(waited=0.0, idle=lambda: 0.0)
    outcome = await bot_answer(stops(), view, Settings(), asyncio.Event())
    [failed] = outcome.events
    assert isinstance(failed, BotFailed)
    assert (failed.kind, outcome.broken) == ("error", "error")
