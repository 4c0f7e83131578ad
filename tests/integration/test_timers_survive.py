"""Ten thousand armed prompts, killed processes, a clock set back, two concurrent processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import turnlog
from turnlog import (
    BotUttered,
    MessageRedacted,
    PromptArmed,
    PromptTimedOut,
    ThreadEnded,
    ThreadStarted,
    UserUttered,
)

ROOT = Path(__file__).parents[2]
PROMPTS = 10_000
NOW = 1_800_000_000.0

ANSWERED, ENDED, LATER = 0, 1, 2
"""What happens to prompts whose number modulo ten is the key; the others fall due."""


def due(number: int) -> float:
    """Half of them within the first minute, half in the second; some much later."""
    return NOW + (100_000 if number % 10 == LATER else 1 + number % 120)


class Stage:
    """A log with armed prompts, the clock that all processes read, and the sent messages."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.clock = folder / "clock"
        self.clock.touch()
        self.sent = folder / "sent"
        self.set(NOW)

    def set(self, now: float) -> None:
        with self.clock.open("r+b") as file:  # in place: others read it all the time
            file.write(f"{now:<32}".encode())

    def arm(self) -> None:
        with turnlog.open(self.url, clock=lambda: NOW) as log:
            for number in range(PROMPTS):
                asked = PromptArmed(
                    token="t", due=due(number), text="Are you there?", wait=1e6, attempts=2
                )
                events = [ThreadStarted(unit="u", state="s"), asked]
                if number % 10 == ANSWERED:
                    events.append(UserUttered("yes"))
                elif number % 10 == ENDED:
                    events.append(ThreadEnded())
                log.writer.submit(log.request(f"user-{number}", events))
            log.writer.flush()
            log.record("another", UserUttered("secret"))
            log.record("another", MessageRedacted(1))  # the timers ignore it

    @contextmanager
    def process(self) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "tests.integration.timers_program"]
        command += [self.url, str(self.clock), str(self.sent)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                yield process
            finally:
                process.kill()

    def timed_out(self) -> Counter[str]:
        """How often each user's prompt timed out; never before it was due."""
        found: Counter[str] = Counter()
        with turnlog.open(self.url) as log:
            after = 0
            while rows := log.store.reader.tail(after, 5000):
                for row in rows:
                    commit = row.commit()
                    for event in commit.events:
                        if isinstance(event, PromptTimedOut):
                            number = int(commit.conversation.removeprefix("user-"))
                            assert event.token == "t"
                            assert event.timestamp >= due(number), "fired early"
                            found[commit.conversation] += 1
                after = rows[-1].position
        return found

    def wait(self, done: Callable[[int], bool], seconds: float = 120) -> None:
        with turnlog.open(self.url) as log:
            end = time.monotonic() + seconds
            while not done(log.store.reader.last_position()):
                assert time.monotonic() < end, "the timers did not get done"
                time.sleep(0.05)


def expected(until: float) -> set[str]:
    return {
        f"user-{number}"
        for number in range(PROMPTS)
        if number % 10 not in (ANSWERED, ENDED) and due(number) <= until
    }


def run(stage: Stage) -> None:
    stage.arm()
    first = NOW + 60
    stage.set(first)
    with stage.process() as killed:
        stage.wait(lambda position: position > PROMPTS + 1500)
        killed.kill()
    before = stage.timed_out()
    assert 0 < len(before) < len(expected(first)), "it was not killed in the middle"

    stage.set(first - 3600)
    with stage.process():
        time.sleep(1.5)
    assert stage.timed_out() == before, "a clock that was set back fired something"

    stage.set(NOW + 200)
    all_due = expected(NOW + 200)
    with stage.process(), stage.process() as other:
        stage.wait(lambda position: position > PROMPTS + 6000)
        other.kill()
        stage.set(
            NOW + 240
        )  # what the killed one was sending stays reserved for it for half a minute
        stage.wait(lambda position: _sent(stage) >= all_due)
    found = stage.timed_out()
    assert set(found) == all_due
    assert set(found.values()) == {1}, "a prompt timed out twice"
    _check_messages(stage, all_due)


def _sent(stage: Stage) -> set[str]:
    return {line.split(" ")[0] for line in stage.sent.read_text().splitlines()}


def _check_messages(stage: Stage, users: set[str]) -> None:
    """Each message went out at least once, under one id."""
    ids: dict[str, set[str]] = {}
    for line in stage.sent.read_text().splitlines():
        user, event, message_id = line.split(" ")
        ids.setdefault(user, set()).add(f"{event} {message_id}")
    assert set(ids) == users
    assert all(len(of_user) == 1 for of_user in ids.values())
    with turnlog.open(stage.url) as log:
        for user in list(users)[:100]:
            said = [e for e in log.conversation(user).events() if isinstance(e, BotUttered)]
            assert [message.message_id for message in said] == ["timeout-t-0"]


def test_ten_thousand_prompts_fire_once_each_despite_kills(tmp_path):
    run(Stage(tmp_path, f"sqlite:///{tmp_path}/timers.db"))
