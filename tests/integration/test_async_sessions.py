"""The awaitable session manager: the same calls, and turns of one session in order."""

from __future__ import annotations

import asyncio
from contextvars import copy_context

from turnlog.sessions.aio import AsyncSessionManager
from turnlog.sessions.manager import SessionManager


async def test_both_managers_read_the_values_of_the_awaitable_one(tmp_path):
    url = f"sqlite:///{tmp_path}/sessions.db"
    async with AsyncSessionManager(url) as manager:
        await (await manager.session("ann")).save("ann", "a", [1])
        async with manager.turn("ann"):
            await manager.save_all("ann", {"a": [1, 2], "b": 1})
            await manager.save_prop("ann", "size", "large")
            await manager.save_global("g", 1)
            assert await manager.get("ann", "a") == [1, 2]
            assert manager.sync.log.conversation("ann").version == 2
        assert await manager.get_user_props("ann") == {"size": "large"}
        await manager.evict("ann", "b")
        assert not await manager.key_in_session("ann", "b")
    with SessionManager(url) as later:
        assert later.fetch_all("ann") == {"a": [1, 2], later.prop_key: {"size": "large"}}
        assert later.get_global("g") == 1


async def test_turns_of_one_session_wait_for_each_other_and_others_do_not():
    async with AsyncSessionManager() as manager:

        async def count(id: str) -> None:
            async with manager.turn(id):
                seen = await manager.get(id, "n") or 0
                await asyncio.sleep(0.001)
                await manager.save(id, "n", seen + 1)

        await asyncio.gather(*(count(id) for id in ("ann", "bob") for _ in range(20)))
        assert [await manager.get(id, "n") for id in ("ann", "bob")] == [20, 20]


async def test_a_second_request_waits_behind_earlier_ones():
    async with AsyncSessionManager() as manager:
        had: list[str] = []

        async def wanting(name: str) -> None:
            async with manager.turn("ann"):
                had.append(name)

        outside = copy_context()  # inside, they would belong to the turn
        async with manager.turn("ann"):
            waiting = [
                asyncio.create_task(wanting(name), context=outside) for name in ("first", "second")
            ]
            await asyncio.sleep(0)
        await wanting("again")
        await asyncio.gather(*waiting)
        assert had == ["first", "second", "again"]


def test_every_method_of_the_manager_has_an_awaitable_one():
    calls = {name for name in vars(SessionManager) if not name.startswith("_")}
    assert calls - {"DEFAULT_PROP_KEY"} <= set(vars(AsyncSessionManager))
