"""A stateful machine for hypothesis: a log does step for step what the one in memory does.

    class MyMachine(LogMachine):
        def open(self) -> Turnlog:
            return Turnlog(MyRecorder(…), self.tick)

    run_state_machine_as_test(MyMachine)

`open` is called again and again on the same store; `discard` throws the store away.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from operator import itemgetter
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec.structs import replace

import turnlog
from turnlog.audit.attachments import sweep
from turnlog.domain import events as e
from turnlog.domain.commit import Commit
from turnlog.domain.streams import KEPT_TOGETHER
from turnlog.encoding.rows import is_commit
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Request
from turnlog.errors import TurnlogError
from turnlog.projections import PROJECTIONS
from turnlog.projections.projection import catch_up, rebuild
from turnlog.storage.contents import StoredContents
from turnlog.storage.rows import Entry, Row
from turnlog.testing import strategies

ids = st.sampled_from(["alice", "bob", "nul\0", "😀"])
keys = st.none() | st.sampled_from(["k1", "k2", "k\0"])
numbers = st.integers(-1, 30)

large = strategies.large_events(e.MediaAdded, e.ForeignRecorded, e.TextAdded, e.ToolReturned)
added = st.builds(e.TextAdded, strategies.texts)
asked = st.lists(
    st.one_of(
        st.builds(e.UserUttered, strategies.texts, message_id=keys),
        st.builds(e.SlotSet, strategies.names, strategies.scalars),
        st.builds(e.BotUttered, strategies.texts),
        st.builds(e.ActionExecuted, strategies.names),
        st.sampled_from(
            [
                e.UserUtteranceReverted(), e.ActionReverted(), e.ConversationRestarted(),
                e.SlotsReset(), e.SessionStarted(), e.SessionConfigured(expiry=5.0),
                e.ConversationTagged(("t",)), e.SlotSet("bad", float("nan")),
                e.MessageRedacted(99), e.BotUttered("x" * 300),
            ]
        ),
        st.integers(0, 4).flatmap(lambda n: large if n == 0 else added),
    ),
    max_size=5,
)  # fmt: skip


class LogMachine(RuleBasedStateMachine):
    """Compares a log with the log in memory after each step."""

    steps: ClassVar[int] = 0
    """How many steps all runs of the class have taken."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    @abstractmethod
    def open(self) -> Turnlog:
        """The log, on the same store each time."""

    @abstractmethod
    def discard(self) -> None:
        """Delete the store."""

    def tick(self) -> float:
        """The clock of both logs, UTC seconds."""
        return self.time

    @initialize()
    def start(self) -> None:
        """Open both logs."""
        self.model = turnlog.open("memory:", clock=self.tick)
        self.log = self.open()

    def teardown(self) -> None:
        """Compare both logs as a whole, and close them."""
        if hasattr(self, "log"):
            assert contents(self.log) == contents(self.model)
            self.log.close()
            self.model.close()
            self.discard()

    def both(self, ask: Callable[[Turnlog], Any]) -> None:
        """Both logs give the same answer or the same error."""
        type(self).steps += 1
        assert answered(ask, self.log) == answered(ask, self.model)

    # --- writing --------------------------------------------------------------------------------

    @rule(id=ids, events=asked, key=keys, seconds=st.sampled_from([0.0, 1.0, 10.0, -5.0]))
    def record(self, id: str, events: list[e.Event], key: str | None, seconds: float) -> None:
        """Record events with a key."""
        self.time += seconds
        self.both(lambda log: recorded(log.record(id, *events, key=key)))

    @rule(id=ids, version=numbers)
    def record_at_a_version(self, id: str, version: int) -> None:
        """Record with an expected version."""
        events = [e.SlotSet("version", version)]
        self.both(lambda log: recorded(log.record(id, *events, expected_version=version)))

    @rule(several=st.lists(st.tuples(ids, asked, keys), max_size=6))
    def record_several_in_one_transaction(
        self, several: list[tuple[str, list[e.Event], str | None]]
    ) -> None:
        """Record several conversations in one transaction."""

        def ask(log: Turnlog) -> list[Any]:
            requests = [log.request(id, events, key=key) for id, events, key in several]
            for request in requests:
                log.writer.submit(request)
            log.writer.flush()
            outcomes = [partial(_outcome, request) for request in requests]
            return [answered(outcome, log) for outcome in outcomes]

        self.both(ask)

    @rule(id=ids, content=strategies.large_bytes, key=keys, named=st.booleans())
    def attach(self, id: str, content: bytes, key: str | None, named: bool) -> None:
        """Attach a file, and record an event that names it, or none."""

        def ask(log: Turnlog) -> Any:
            held = log.attach(id, BytesIO(content), type="a/b")
            shown = e.MediaAdded("file", content=held, actor="user")
            return recorded(log.record(id, shown, key=key)) if named else (held.length, held.type)

        self.both(ask)

    @rule(origin=ids, id=ids)
    def record_what_another_has_attached(self, origin: str, id: str) -> None:
        """Record events that name another conversation's attachments."""

        def ask(log: Turnlog) -> Any:
            events = log.read_events(origin)
            return recorded(log.record(id, *(x for x in events if isinstance(x, e.MediaAdded))))

        self.both(ask)

    @rule()
    def sweep(self) -> None:
        """Remove attachments that no event names."""

        def ask(log: Turnlog) -> int:
            with log.store.transaction() as transaction:
                return sweep(transaction)

        self.both(ask)

    @rule(id=ids, chance=st.integers(0, 9))
    def delete(self, id: str, chance: int) -> None:
        """Delete a conversation."""
        if chance == 0:
            self.both(lambda log: log.delete(id))

    # --- reading --------------------------------------------------------------------------------

    @rule(id=ids, turn=numbers)
    def look_at_a_turn(self, id: str, turn: int) -> None:
        """The state after a turn."""
        self.both(lambda log: log.conversation(id, turn=turn).state)

    @rule(id=ids, event=numbers)
    def look_at_an_event(self, id: str, event: int) -> None:
        """The state after an event."""
        self.both(lambda log: log.conversation(id, event=event).state)

    @rule(id=ids, after=numbers)
    def read_events(self, id: str, after: int) -> None:
        """The events after a number."""
        self.both(lambda log: list(log.conversation(id).events(max(0, after))))

    @rule()
    def look_at_all(self) -> None:
        """The states of all conversations."""
        self.both(lambda log: in_order(log, [(h.conversation, s) for h, s in log.heads()]))

    # --- keeping --------------------------------------------------------------------------------

    @rule(batch=st.sampled_from([1, 3, 2000]))
    def project(self, batch: int) -> None:
        """Update the read models in batches."""
        self.both(lambda log: catch_up(log.store, PROJECTIONS.values(), batch))

    @rule(name=st.sampled_from(sorted(PROJECTIONS)))
    def rebuild_a_read_model(self, name: str) -> None:
        """Rebuild a read model."""
        self.both(lambda log: rebuild(log.store, PROJECTIONS[name]))

    @precondition(lambda self: hasattr(self, "log"))
    @rule()
    def close_and_open_again(self) -> None:
        """Close the log and open it again."""
        type(self).steps += 1
        self.log.close()
        self.log = self.open()


def answered(ask: Callable[[Turnlog], Any], log: Turnlog) -> Any:
    """The answer, or the error as text."""
    try:
        return ask(log)
    except TurnlogError as error:
        return f"{type(error).__name__}: {error}"


def _outcome(request: Request, log: Turnlog) -> Any:
    return recorded(request.result())


def recorded(done: Any) -> tuple[Sequence[Any], Any, bool]:
    """The comparable parts of a recording."""
    return [*map(_plain, done.commits)], done.state, done.new


def _plain(commit: Commit) -> Commit:
    """Without keys that are made with the log's own secret."""
    is_own = commit.key is not None and commit.key.startswith(KEPT_TOGETHER)
    plain: Commit = replace(commit, key=KEPT_TOGETHER) if is_own else commit
    return plain


def contents(log: Turnlog) -> list[Any]:
    """The content of every row and every head, and every entry of a read model.

    Ignores salts and stream numbers, which differ between logs, and when tables are updated.
    """
    with log.store.scan() as scan:
        held = StoredContents(scan, log.store)
        every = ((row.position, row.topic, _said(row, held)) for row in scan.every(Row))
        rows = sorted(every, key=itemgetter(0))
        entries = sorted(scan.every(Entry))
    known = log.current.every(log.store.reader)
    heads = in_order(log, [(head.conversation, head.version, head.state) for head in known])
    return [rows, heads, entries]


def in_order(log: Turnlog, heads: list[Any]) -> list[Any]:
    """In order of id; a sealed log yields another order."""
    return heads if log.keys is None else sorted(heads, key=lambda head: str(head[0]))


def _said(row: Row, contents: StoredContents) -> Any:
    return _plain(row.commit(contents)) if is_commit(row.topic) else row.body
