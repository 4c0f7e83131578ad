"""Keyed locks: one holder a key, waiters in the order asked, threads and coroutines alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from turnlog.engine.locks import KeyedLocks


@pytest.fixture
def locks() -> KeyedLocks:
    return KeyedLocks()


def queued(locks: KeyedLocks, count: int) -> None:
    """Return when so many hold or want the lock "a"."""
    until(lambda: locks.users("a") == count)


def until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if holds():
            return
        pause.wait(0.005)
    raise AssertionError("did not come about within 5 s")


def test_keys_do_not_block_each_other_and_nothing_is_kept(locks: KeyedLocks) -> None:
    with locks.of("a"), locks.of("b"):
        assert (locks.users("a"), locks.users("b"), locks.users("c")) == (1, 1, 0)
    assert locks._queues == {}


def test_threads_get_their_turn_in_the_order_asked(locks: KeyedLocks) -> None:
    done: list[int] = []

    def work(number: int) -> None:
        with locks.of("a"):
            done.append(number)

    locks.acquire("a")
    threads = [threading.Thread(target=work, args=[number]) for number in range(20)]
    for number, thread in enumerate(threads):
        thread.start()
        queued(locks, number + 2)
    assert done == []
    locks.release("a")
    for thread in threads:
        thread.join(5)
    assert done == list(range(20))
    assert locks._queues == {}


async def test_threads_and_coroutines_wait_in_one_queue(locks: KeyedLocks) -> None:
    done: list[str] = []

    def in_thread() -> None:
        with locks.of("a"):
            done.append("thread")

    async def in_loop(name: str) -> None:
        async with locks.of("a"):
            done.append(name)

    await locks.enter("a")
    first = asyncio.create_task(in_loop("first"))
    await asyncio.sleep(0)
    thread = threading.Thread(target=in_thread)
    thread.start()
    await asyncio.to_thread(queued, locks, 3)
    last = asyncio.create_task(in_loop("last"))
    await asyncio.sleep(0)
    locks.release("a")
    await asyncio.gather(first, last)
    thread.join(5)
    assert done == ["first", "thread", "last"]


async def test_a_waiter_that_gives_up_is_passed_over(locks: KeyedLocks) -> None:
    await locks.enter("a")
    leaving, staying = (asyncio.create_task(locks.enter("a")) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    locks.release("a")
    await asyncio.wait_for(staying, 5)
    locks.release("a")
    assert locks._queues == {}


async def test_a_waiter_cancelled_just_after_it_got_the_lock_hands_it_on(
    locks: KeyedLocks,
) -> None:
    await locks.enter("a")
    leaving, staying = (asyncio.create_task(locks.enter("a")) for _ in range(2))
    await asyncio.sleep(0)
    locks.release("a")
    leaving.cancel()  # before the loop could report that it has the lock
    await asyncio.gather(leaving, return_exceptions=True)
    assert leaving.cancelled()
    await asyncio.wait_for(staying, 5)


def test_a_block_that_raises_releases_the_lock(locks: KeyedLocks) -> None:
    with pytest.raises(ZeroDivisionError), locks.of("a"):
        raise ZeroDivisionError
    assert locks.users("a") == 0
