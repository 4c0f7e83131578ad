"""Rewinds, restarts, forks, branches, edits, redactions, deletions, lives and erasures, against a
model that copies.

The model keeps every event of every conversation, a fork's past copied into it.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

import turnlog
from turnlog import (
    BotUttered,
    Conversation,
    ConversationRestarted,
    HistoryContinued,
    MessageEdited,
    MessageRedacted,
    SlotSet,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.audit.rebuilding import rebuild
from turnlog.audit.verify import verify
from turnlog.domain import branches
from turnlog.domain.fold import replay
from turnlog.domain.recorded import RecordedEvent
from turnlog.encoding.dropping import dropped
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Recorded
from turnlog.projections import PROJECTIONS, live_head, tail
from turnlog.projections.keyed import KeyedProjection
from turnlog.projections.projection import rebuild as rebuild_one
from turnlog.projections.transcript import messages

STEPS = 10_000 if os.environ.get("TURNLOG_FAULTS") == "long" else 400
Erase = Callable[[Turnlog, str, int], Turnlog]

ERASING = 1 / 200
MOST = 12
"""The largest number of conversations at a time."""


class Node(msgspec.Struct, frozen=True):
    """An event. parent: the number of the event that it continues from. uid: shared by copies.

    path_turn: its turn on its branch. left: where the other branches ended when it was recorded.
    """

    uid: int
    parent: int
    turn: int
    text: str | None = None
    opens: bool = False
    path_turn: int = 0
    continues: bool = False
    branch: str | None = None
    left: dict[str, int] = {}


class Copy(msgspec.Struct):
    """A conversation. forks: those made from it. shared: how many events it shares with its origin.

    edits: by number, the message edited and its new text.
    """

    nodes: list[Node] = []
    forks: list[str] = []
    shared: int = 0
    redacted: set[int] = msgspec.field(default_factory=set)
    hidden: int = 0
    edits: dict[int, tuple[int, str]] = {}

    @property
    def last(self) -> int:
        return len(self.nodes)

    @property
    def newest(self) -> Node:
        return self.nodes[-1] if self.nodes else Node(-1, 0, 0)

    @property
    def branches(self) -> dict[str, int]:
        return {**self.newest.left, self.newest.branch or "main": self.last}

    def sayable(self) -> list[int]:
        """Numbers of the users' messages whose words exist."""
        return [n for n, node in enumerate(self.nodes, 1) if node.text and n > self.hidden]

    def path(self) -> Iterator[int]:
        number = self.last
        while number:
            yield number
            number = self.nodes[number - 1].parent

    def said(self) -> list[str]:
        gone = {node.turn for node in self.nodes if node.uid in self.redacted}
        edited = dict(self.edits.values())
        shown = [(self.nodes[n - 1], edited.get(n)) for n in self.path() if n > self.hidden]
        said = [(n, text or n.text) for n, text in reversed(shown)]
        return [text for n, text in said if n.text and text and n.turn not in gone]


class Model:
    """Does what the log does, by copying, and compares the log's results with its own."""

    def __init__(self, log: Turnlog, random: Random, erase: Erase | None = None) -> None:
        self.log = log
        self.erase_in = erase
        self.used: list[str] = []
        self.done: Counter[str] = Counter()
        self.random = random
        self.copies: dict[str, Copy] = {}
        self.names = (f"c{n}" for n in range(10**6))
        self.uids = iter(range(10**9))

    def step(self) -> None:
        ways = [self.say] * 8 + [self.rewind] * 2 + [self.restart] + [self.fork] * 3 + [self.edit]
        ways += [self.checkout] * 3 + [self.switch] * 2 + [self.redact]
        ways += [self.delete] * (len(self.copies) >= MOST)
        if self.erase_in is not None and self.random.random() < ERASING:
            ways = [self.erase]
        name = self.random.choice([*self.copies, ""]) if len(self.copies) < MOST else ""
        name = name or (self.random.choice([*self.copies]) if len(self.copies) >= MOST else "")
        if not name:
            again = bool(self.used) and self.random.random() < 0.5
            name = self.used.pop() if again else next(self.names)
            self.copies[name] = Copy()
            self.say(name)
        else:
            way = self.random.choice(ways)
            self.done[way.__name__] += 1
            way(name)
        for each in [name, *self.copies] if self.random.random() < 0.02 else [name]:
            self.check(each)

    def add(
        self, name: str, parent: int | None = None, text: str | None = None, **known: Any
    ) -> None:
        copy, opens = self.copies[name], text is not None
        parent = copy.last if parent is None else parent
        turn = copy.nodes[parent - 1].path_turn if parent else 0
        known = {"branch": copy.newest.branch, "left": copy.newest.left, **known}
        copy.nodes.append(
            Node(
                next(self.uids),
                parent,
                copy.newest.turn + opens,
                text,
                opens,
                turn + opens,
                **known,
            )
        )

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
        edits = {number: edit for number, edit in origin.edits.items() if number <= shared}
        nodes = origin.nodes[:shared]
        fork = Copy(nodes, [], shared, origin.redacted & within, hidden, edits)
        self.copies[as_] = fork
        origin.forks.append(as_)
        raw = list(self.log.history(as_).events())
        self.add(as_, continues=True)
        while fork.last < len(raw):  # what was hidden since
            self.add(as_)
        self.check(as_)

    def checkout(self, name: str) -> None:
        """Anywhere, on any branch."""
        copy = self.copies[name]
        to = self.random.randint(0, copy.last)
        branch = self.random.choice([None, "x", "y", "main"])
        before = self.log.history(name).state(to).context
        recorded = self.log.checkout(name, branch, event=to)
        self.continued(name, to, branch, recorded)
        head, _ = self.log.head(name)
        now = self.log.history(name).state(head.event).context
        if not copy.redacted and not copy.hidden and not copy.edits:
            assert now == before

    def switch(self, name: str) -> None:
        """To where a branch ended."""
        copy = self.copies[name]
        branch = self.random.choice([*copy.branches])
        recorded = self.log.checkout(name, branch)
        if branch == (copy.newest.branch or "main"):
            assert not recorded.commits
        else:
            self.continued(name, copy.branches[branch], branch, recorded)

    def continued(self, name: str, to: int, branch: str | None, recorded: Recorded) -> None:
        copy = self.copies[name]
        before = copy.newest.branch or "main"
        left, now = copy.newest.left, branch or copy.newest.branch
        if branch is not None and branch != before:
            end = copy.newest.parent if copy.newest.continues else copy.last
            left = {b: last for b, last in left.items() if b != branch} | {before: end}
        there = (copy.nodes[to - 1].branch if to else None) or "main"
        [event] = recorded.events
        assert isinstance(event, HistoryContinued)
        assert (event.event, event.from_branch or now or "main") == (to, there)
        self.add(name, to, continues=True, branch=now, left=left)

    def edit(self, name: str) -> None:
        copy = self.copies[name]
        if said := copy.sayable():
            number, text = self.random.choice(said), f"edited {next(self.uids)}"
            self.log.record(name, MessageEdited(number, text))
            self.add(name)
            copy.edits[copy.last] = number, text

    def erase(self, name: str) -> None:
        """Drop the content of a message; every conversation that shares it loses it."""
        copy = self.copies[name]
        if self.erase_in is not None and (said := copy.sayable()):
            number = self.random.choice(said)
            gone = copy.nodes[number - 1].uid
            self.log = self.erase_in(self.log, name, number)
            for each in self.copies.values():
                each.nodes = [
                    msgspec.structs.replace(node, text=None) if node.uid == gone else node
                    for node in each.nodes
                ]

    def redact(self, name: str) -> None:
        if said := self.copies[name].sayable():
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
        self.used.append(name)
        for each in self.copies.values():
            each.forks = [fork for fork in each.forks if fork != name]
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
        if self.random.random() < 0.2:
            self.check_branches(copy, conversation)
        number = self.random.randint(0, copy.last)
        assert self.log.history(name).state(number) == replay(raw[:number])

    def check_branches(self, copy: Copy, conversation: Conversation) -> None:
        assert conversation.branches == copy.branches
        recorded = list(conversation.recorded())
        assert list(conversation.newest_first()) == recorded[::-1]
        has_branches = copy.newest.branch is not None
        assert [(r.branch, r.branch_turn) for r in recorded] == [
            (n.branch or "main", n.path_turn) if has_branches else (None, None) for n in copy.nodes
        ]
        on_path = set(copy.path())
        assert [r.number for r in recorded if r.taken_back is None] == [
            n for n, _ in enumerate(copy.nodes, 1) if n in on_path
        ]

    def read_models(self) -> list[Any]:
        """Every entry of every read model, and the results of lookups by key."""
        found: list[Any] = []
        for name in PROJECTIONS:
            view = self.log.view(name)
            found += [[name, each, *view.entries(each)] for each in self.copies]
        said = self.log.view(Said.name)
        return [*found, *(said.find(f"word {n % 10}") for n in range(10))]

    def check_all(self) -> None:
        live = self.read_models()
        assert verify(self.log.store).faults == []
        for name in self.copies:
            self.check(name)
            shown = {m["text"] for m in messages(self.log.view("transcript"), name)}
            assert set(self.copies[name].said()) <= shown
        for name in self.random.sample(sorted(PROJECTIONS), 1):
            rebuild_one(self.log.store, PROJECTIONS[name])
        assert self.read_models() == live


class Said(KeyedProjection):
    """Users' messages by the last digit of their word."""

    name = "said"

    def keys(self, recorded: RecordedEvent) -> Iterator[tuple[str, Any]]:
        if isinstance(recorded.event, UserUttered) and recorded.event.text:
            yield f"word {recorded.event.text[-1]}", recorded.event.text


def erased_in_sqlite(log: Turnlog, name: str, number: int) -> Turnlog:
    """The same log, opened again, without an event's words; what is derived from it is rebuilt."""
    row, url = log.history(name).holding(number), log.store.url
    place = number - row.commit().first_event
    commitments, parts = dropped(row.commitments, row.parts, lambda each: each == place)
    log.close()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///").partition("?")[0])) as sql, sql:
        statement = "UPDATE rows_t1 SET commitments = ?, parts = ? WHERE position = ?"
        sql.execute(statement, (commitments, parts, row.position))
    log = turnlog.open(url)
    rebuild(log.store)
    log.close()
    return turnlog.open(url)


@pytest.mark.parametrize("where", ["memory", "sqlite", "postgres"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_log_agrees_with_a_model_that_copies(
    where: str,
    seed: int,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_head, "SNAPSHOT_EVERY", 8)
    monkeypatch.setattr(tail, "BEHIND_ROWS", 20)
    monkeypatch.setattr(branches, "NEAR", 3)
    monkeypatch.setitem(PROJECTIONS, Said.name, Said())
    steps = STEPS if where == "sqlite" else max(STEPS // 10, 60)
    url = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/log.db?synchronous=OFF"}.get(where)
    url = url or request.getfixturevalue("postgres_url")
    model = Model(turnlog.open(url), Random(seed), erased_in_sqlite if where == "sqlite" else None)
    for number in range(steps):
        model.step()
        if number % 400 == 199:
            model.check_all()
    model.check_all()
    rebuild(model.log.store)
    model.check_all()
    model.log.close()
    done = ", ".join(f"{count:,} × {way}" for way, count in sorted(model.done.items()))
    print(f"{where}: {steps:,} steps, {len(model.copies)} conversations at the end; {done}")
