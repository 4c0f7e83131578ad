"""Many users at once: no user ever sees another's unit, variables or values."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import turnlog
from tests.integration.units_program import dialog, expected
from turnlog import BotUttered
from turnlog.dialogs.runner import DialogRunner
from turnlog.sessions.manager import SessionManager

ROOT = Path(__file__).parents[2]
USERS = 100
words = st.sampled_from(["left", "right", "stay", "end", "hello"])
scripts = st.lists(st.lists(words, min_size=1, max_size=6), min_size=USERS, max_size=USERS)
slow = settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
)


def said(scripts: list[list[str]]) -> dict[str, list[str]]:
    """The messages of each user; every text names its user."""
    return {f"u{n}": [f"u{n} {word}" for word in script] for n, script in enumerate(scripts)}


async def check(log: turnlog.AsyncTurnlog, users: dict[str, list[str]]) -> None:
    for user, texts in users.items():
        found = await log.conversation(user)
        thread = found.state.thread
        unit, variables = expected(texts)
        assert thread.unit == unit
        assert {name: held["heard"] for name, held in thread.variables.items() if held} == variables
        for event in await log.read_events(user):
            if isinstance(event, BotUttered) and event.text != "left or right?":
                assert event.text.split(" ")[1] == user


@slow
@given(scripts, st.randoms(use_true_random=False))
def test_a_hundred_users_of_one_process_never_mix(scripts, chance):
    async def run() -> None:
        async with turnlog.aopen("memory:") as log:
            runner, users = DialogRunner(log, dialog), said(scripts)

            async def talk(user: str) -> None:
                for text in users[user]:
                    await runner.say(user, text)
                    if chance.random() < 0.3:
                        await asyncio.sleep(0)

            await asyncio.gather(*(talk(user) for user in users))
            await check(log, users)

    asyncio.run(run())


class Worker:
    """A process that answers users' messages."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def started(cls, db: str) -> Worker:
        pipe = asyncio.subprocess.PIPE
        program = [sys.executable, "-m", "tests.integration.units_program", db]
        return cls(
            await asyncio.create_subprocess_exec(*program, cwd=ROOT, stdin=pipe, stdout=pipe)
        )

    async def say(self, user: str, text: str) -> None:
        self._waiting[user] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps([user, text]).encode() + b"\n")
        await self._waiting[user]

    async def _read(self) -> None:
        async for line in self._process.stdout:
            self._waiting[json.loads(line)[0]].set_result(None)

    async def stop(self) -> None:
        self._process.stdin.close()
        await self._process.wait()
        await self._reading


@settings(slow, max_examples=2)
@given(scripts=scripts, chance=st.randoms(use_true_random=False))
def test_a_hundred_users_over_two_processes_never_mix(tmp_path_factory, scripts, chance):
    db = f"sqlite:///{tmp_path_factory.mktemp('users')}/users.db"

    async def run() -> None:
        users = said(scripts)
        workers = [await Worker.started(db) for _ in range(2)]

        async def talk(user: str) -> None:
            for text in users[user]:
                await chance.choice(workers).say(user, text)

        await asyncio.wait_for(asyncio.gather(*(talk(user) for user in users)), 120)
        for worker in workers:
            await worker.stop()
        async with turnlog.aopen(db) as log:
            await check(log, users)

    asyncio.run(run())


@slow
@given(scripts, st.integers(0, 1000))
def test_the_values_of_a_hundred_sessions_never_mix(scripts, seed):
    users = said(scripts)
    order = [(user, text) for user, texts in users.items() for text in texts]
    random.Random(seed).shuffle(order)
    with turnlog.open("memory:") as log:
        managers = [SessionManager(log=log), SessionManager(log=log)]

        def handle(turn: tuple[int, tuple[str, str]]) -> None:
            number, (user, text) = turn
            manager = managers[number % 2]
            with manager.turn(user):
                manager.session(user).save_prop(user, text, number)
                manager.save(user, "last", text)
                heard = manager.get(user, "heard") or []
                manager.save(user, "heard", [*heard, text])

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(handle, enumerate(order)))
        for user, texts in users.items():
            with SessionManager(log=log) as manager:
                assert set(manager.get_user_props(user)) == set(texts)
                assert manager.get(user, "last") in texts
                assert all(text in texts for text in manager.get(user, "heard"))
                assert len(manager.get(user, "heard")) >= 1
