"""The awaitable face: durable answers, group commit, and followers that miss nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import turnlog
from turnlog import BotUttered, SlotSet, UserUttered
from turnlog.domain.state import State
from turnlog.engine import aio
from turnlog.errors import Unavailable, UnknownConversation, VersionConflict


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'log.db'}"


def run(scenario: Callable[[turnlog.AsyncTurnlog], Any], url: str) -> None:
    async def opened() -> None:
        async with turnlog.aopen(url) as log:
            await asyncio.wait_for(scenario(log), 20)

    asyncio.run(opened())


def test_events_can_be_read_when_record_returns(url: str) -> None:
    async def scenario(log: turnlog.AsyncTurnlog) -> None:
        await log.record("alice", UserUttered("hello"), SlotSet("people", 2))
        alice = await log.conversation("alice")
        assert alice.slots == {"people": 2}
        assert [type(event) for event in await log.read_events("alice", after=1)] == [SlotSet]

    run(scenario, url)


def test_concurrent_calls_share_transactions_and_keep_their_order(url: str) -> None:
    async def scenario(log: turnlog.AsyncTurnlog) -> None:
        await asyncio.gather(*(log.record("alice", UserUttered(str(n))) for n in range(200)))
        texts = [event.text for event in await log.read_events("alice")]
        assert texts == [str(n) for n in range(200)]

    run(scenario, url)


def test_a_caller_beyond_the_limit_of_waiters_is_refused_immediately(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aio, "MAX_WAITING", 3)
    going_on = threading.Event()

    def slow(state: State, past: object) -> list[UserUttered]:
        going_on.wait(10)
        return [UserUttered("slow")]

    async def scenario(log: turnlog.AsyncTurnlog) -> None:
        waiting = [log.submit(log.sync.request("alice", slow)) for _ in range(3)]
        with pytest.raises(Unavailable, match="3 requests are waiting"):
            await log.record("alice", UserUttered("one too many"))
        going_on.set()
        await asyncio.gather(*waiting)
        await log.record("alice", UserUttered("there is room again"))
        assert len(await log.read_events("alice")) == 4

    run(scenario, url)


def test_a_conflict_affects_only_its_own_caller(url: str) -> None:
    async def scenario(log: turnlog.AsyncTurnlog) -> None:
        outcomes = await asyncio.gather(
            log.record("alice", UserUttered("a"), expected_version=0),
            log.record("alice", UserUttered("b"), expected_version=0),
            log.record("bob", UserUttered("c")),
            return_exceptions=True,
        )
        assert isinstance(outcomes[1], VersionConflict)
        assert [type(event) for event in await log.read_events("bob")] == [UserUttered]
        assert len(await log.read_events("alice")) == 1

    run(scenario, url)


def test_a_command_sees_the_state_it_is_decided_on(url: str) -> None:
    async def scenario(log: turnlog.AsyncTurnlog) -> None:
        def count(state: Any, history: Any) -> list[SlotSet]:
            return [SlotSet("n", state.slots.get("n", 0) + 1)]

        await asyncio.gather(*(log.perform("alice", count) for _ in range(50)))
        assert (await log.conversation("alice")).slots == {"n": 50}

    run(scenario, url)


def test_a_follower_gets_every_commit_in_order(url: str) -> None:
    async def scenario(log: turnlog.AsyncTurnlog) -> None:
        async def follow() -> list[int]:
            seen = []
            async for position, _ in log.follow(0):
                seen.append(position)
                if len(seen) == 30:
                    return seen
            return seen

        following = asyncio.create_task(follow())
        for n in range(30):
            await log.record("alice", UserUttered(str(n)))
        assert await following == list(range(1, 31))

    run(scenario, url)


def test_waiting_ends_when_the_conversation_grows_or_the_time_is_over(url: str) -> None:
    async def scenario(log: turnlog.AsyncTurnlog) -> None:
        await log.record("alice", UserUttered("hello"))
        waiting = asyncio.create_task(log.wait("alice", 1))
        await asyncio.sleep(0.05)
        await log.record("bob", UserUttered("hello"))
        assert not waiting.done()
        await log.record("alice", BotUttered("hi"))
        assert await waiting
        assert not await log.wait("alice", 2, timeout=0.05)

    run(scenario, url)


def test_a_follower_sees_the_commits_of_another_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"

    async def scenario(log: turnlog.AsyncTurnlog) -> None:
        waiting = asyncio.create_task(log.wait("alice", 0, timeout=5))
        await asyncio.sleep(0.05)
        with turnlog.open(url) as other:
            other.record("alice", UserUttered("hello"))
        assert await waiting

    run(scenario, url)


def test_an_unknown_conversation_is_an_error(url: str) -> None:
    async def scenario(log: turnlog.AsyncTurnlog) -> None:
        with pytest.raises(UnknownConversation):
            await log.conversation("unknown")

    run(scenario, url)


def test_a_closed_log_refuses_calls_and_releases_its_files() -> None:
    async def scenario() -> None:
        log = await turnlog.aopen("memory:")
        await log.record("alice", UserUttered("hello"))
        await log.close()
        await log.close()
        with pytest.raises(Unavailable):
            await log.record("alice", UserUttered("again"))

    asyncio.run(scenario())


def test_a_cancelled_caller_does_not_disturb_the_others(url: str) -> None:
    async def scenario(log: turnlog.AsyncTurnlog) -> None:
        first = asyncio.create_task(log.record("alice", UserUttered("a")))
        await asyncio.sleep(0)
        first.cancel()
        await log.record("alice", UserUttered("b"))
        assert "b" in [event.text for event in await log.read_events("alice")]

    run(scenario, url)


@pytest.mark.parametrize("place", ["memory", "sqlite", "postgres"])
def test_followers_and_waiters_end_when_the_log_is_closed(
    request: pytest.FixtureRequest, tmp_path: Path, place: str
) -> None:
    url = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/chat.db"}.get(place)
    log = turnlog.open(url or request.getfixturevalue("postgres_url"))
    log.record("alice", UserUttered("hello"))
    with ThreadPoolExecutor() as pool:
        followed = log.follow(0)
        assert next(followed)[0] == 1
        following = pool.submit(list, followed)
        waiting = pool.submit(log.wait, "alice", 1)
        log.close()
        assert following.result(10) == []
        assert waiting.result(10) is False
