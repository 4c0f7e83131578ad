"""Rewinds, restarts, forks, checkouts, redactions, deletions, against a model that copies them.

The model keeps every event of every conversation, a fork's past copied into it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest

import turnlog
from turnlog import (
    BotUttered,
    ConversationRestarted,
    MessageRedacted,
    SlotSet,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.audit.rebuilding import rebuild
from turnlog.audit.verify import verify
from turnlog.domain.fold import replay
from turnlog.engine.log import Turnlog
from turnlog.projections import live_head, tail
from turnlog.projections.transcript import messages

STEPS = 10_000 if os.environ.get("TURNLOG_FAULTS") == "long" else 400
MOST = 12
"""Conversations that there are at a time."""


class Node(msgspec.Struct):
    """An event. parent: the number of the one that it goes on from. uid: shared by copies."""

    uid: int
    parent: int
    turn: int
    text: str | None = None


class Copy(msgspec.Struct):
    """A conversation. forks: those that were made of it. shared: how many events it was given."""

    nodes: list[Node] = []
    forks: list[str] = []
    shared: int = 0
    redacted: set[int] = msgspec.field(default_factory=set)
    hidden: int = 0
    branches: dict[str, int] = {}
    branch: str = "main"

    @property
    def last(self) -> int:
        return len(self.nodes)

    def path(self) -> Iterator[int]:
        number = self.last
        while number:
            yield number
            number = self.nodes[number - 1].parent

    def said(self) -> list[str]:
        gone = {node.turn for node in self.nodes if node.uid in self.redacted}
        shown = [self.nodes[n - 1] for n in self.path() if n > self.hidden]
        return [n.text for n in reversed(shown) if n.text and n.turn not in gone]


class Model:
    """Does what the log does, by copying, and asks the log whether it did the same."""

    def __init__(self, log: Turnlog, random: Random) -> None:
        self.log = log
        self.random = random
        self.copies: dict[str, Copy] = {}
        self.names = (f"c{n}" for n in range(10**6))
        self.uids = iter(range(10**9))

    def step(self) -> None:
        ways = [self.say] * 8 + [self.rewind] * 2 + [self.restart] + [self.fork] * 3
        ways += [self.checkout] * 3 + [self.redact] + [self.delete] * (len(self.copies) >= MOST)
        name = self.random.choice([*self.copies, ""]) if len(self.copies) < MOST else ""
        name = name or (self.random.choice([*self.copies]) if len(self.copies) >= MOST else "")
        if not name:
            name = next(self.names)
            self.copies[name] = Copy([], [], 0, set(), 0, {})
            self.say(name)
        else:
            self.random.choice(ways)(name)
        for each in [name, *self.copies] if self.random.random() < 0.05 else [name]:
            self.check(each)

    def add(self, name: str, parent: int | None = None, text: str | None = None) -> None:
        copy = self.copies[name]
        turn = copy.nodes[-1].turn if copy.nodes else 0
        parent = copy.last if parent is None else parent
        copy.nodes.append(Node(next(self.uids), parent, turn + (text is not None), text))

    def say(self, name: str) -> None:
        word = f"word {next(self.uids)}"
        value = self.random.randrange(100)
        slot = self.random.choice("abc")
        self.log.record(name, UserUttered(word), SlotSet(slot, value))
        self.add(name, text=word)
        self.add(name)
        if self.random.random() < 0.7:
            self.log.record(name, BotUttered("ok"))
            self.add(name)

    def rewind(self, name: str) -> None:
        recorded = self.log.record(name, UserUtteranceReverted())
        self.add(name, recorded.events[0].to)  # type: ignore[attr-defined]

    def restart(self, name: str) -> None:
        self.log.record(name, ConversationRestarted())
        self.add(name)

    def fork(self, name: str) -> None:
        if len(self.copies) >= MOST:
            return
        origin, as_ = self.copies[name], next(self.names)
        shared = self.random.randint(1, origin.last)
        self.log.fork(name, event=shared, as_=as_)
        within = {node.uid for node in origin.nodes[:shared]}
        hidden = min(origin.hidden, shared)
        left = {b: at for b, at in origin.branches.items() if at <= shared}
        fork = Copy(origin.nodes[:shared], [], shared, origin.redacted & within, hidden, left)
        fork.branches, fork.branch = {}, ""
        self.copies[as_] = fork
        origin.forks.append(as_)
        raw = list(self.log.history(as_).events())
        while fork.last < len(raw):  # where it goes on from, and what was hidden since
            self.add(as_)
        self.check(as_)

    def checkout(self, name: str) -> None:
        copy = self.copies[name]
        to = self.random.randint(0, copy.last)
        branch = self.random.choice([None, "x", "y", "main"])
        before = self.log.history(name).state(to).context
        self.log.checkout(name, branch, event=to)
        self.add(name, to)
        head, _ = self.log.head(name)
        now = self.log.history(name).state(head.event).context
        if not copy.redacted and not copy.hidden:
            assert now == before

    def redact(self, name: str) -> None:
        said = [n for n, node in enumerate(self.copies[name].nodes, 1) if node.text]
        said = [n for n in said if n > self.copies[name].hidden]
        if said:
            number = self.random.choice(said)
            self.log.record(name, MessageRedacted(number))
            self.reached(name, number)

    def reached(self, name: str, number: int) -> None:
        copy = self.copies[name]
        copy.redacted.add(copy.nodes[number - 1].uid)
        self.add(name)
        for fork in copy.forks:
            if fork in self.copies and self.copies[fork].shared >= number:
                self.reached(fork, number)

    def delete(self, name: str) -> None:
        self.log.delete(name)
        copy = self.copies.pop(name)
        for fork in copy.forks:
            if fork in self.copies:
                self.hide(fork, self.copies[fork].shared)

    def hide(self, name: str, upto: int) -> None:
        copy = self.copies[name]
        copy.hidden = max(copy.hidden, upto)
        self.add(name)
        for fork in copy.forks:
            if fork in self.copies:
                self.hide(fork, min(upto, self.copies[fork].shared))

    def check(self, name: str) -> None:
        if name not in self.copies:
            assert name not in self.log
            return
        copy, conversation = self.copies[name], self.log.conversation(name)
        raw = list(self.log.history(name).events())
        assert len(raw) == copy.last
        assert [getattr(e, "text", None) for e in raw if type(e) is UserUttered] == [
            node.text for node in copy.nodes if node.text
        ]
        [head] = self.log.current.known(self.log.store.reader, [name]).values()
        assert replay(raw) == head.state
        said = [m.text for m in conversation.messages() if m.role == "user"]
        assert said == copy.said()
        every = list(conversation.messages())
        assert conversation.last(3) == every[-3:]
        number = self.random.randint(0, copy.last)
        assert self.log.history(name).state(number) == replay(raw[:number])

    def check_all(self) -> None:
        assert verify(self.log.store).faults == []
        for name in self.copies:
            self.check(name)
            shown = {m["text"] for m in messages(self.log.view("transcript"), name)}
            assert set(self.copies[name].said()) <= shown


@pytest.mark.parametrize("where", ["memory", "sqlite", "postgres"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_log_does_what_copying_would(
    where: str,
    seed: int,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_head, "SNAPSHOT_EVERY", 8)
    monkeypatch.setattr(tail, "BEHIND_ROWS", 20)
    steps = STEPS if where == "sqlite" else max(STEPS // 10, 60)
    url = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/log.db?synchronous=OFF"}.get(where)
    url = url or request.getfixturevalue("postgres_url")
    with turnlog.open(url) as log:
        model = Model(log, Random(seed))
        for number in range(steps):
            model.step()
            if number % 200 == 199:
                model.check_all()
        model.check_all()
        rebuild(log.store)
        model.check_all()
    print(f"{steps} steps, {len(model.copies)} conversations at the end")
