"""The threads that a saver knows: read from the log, then kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from turnlog.agents.checkpoints import ThreadsProjection
from turnlog.agents.langgraph.thread import GraphThread
from turnlog.domain.conversation import Conversation
from turnlog.domain.events import ContentErased, Event
from turnlog.domain.traits import Hiding
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Recorded
from turnlog.errors import UnknownConversation, VersionConflict
from turnlog.projections import register

register(ThreadsProjection())

KEPT = 64
"""The number of idle threads that stay in memory."""


class GraphThreads:
    """The threads of a log; safe for concurrent use. Commits of other processes are read first."""

    def __init__(self, log: Turnlog) -> None:
        self.log = log
        self._lock = Lock()
        self._threads: OrderedDict[str, GraphThread] = OrderedDict()

    @contextmanager
    def at(self, id: str) -> Iterator[GraphThread]:
        """The thread in its current state, locked for the caller."""
        thread = self._thread(id)
        with thread.lock:
            self._refresh(thread)
            yield thread

    def _thread(self, id: str) -> GraphThread:
        with self._lock:
            if (thread := self._threads.get(id)) is None:
                thread = self._threads[id] = GraphThread(id)
                if len(self._threads) > KEPT:
                    self._threads.popitem(last=False)
            self._threads.move_to_end(id)
            return thread

    def conversation(self, id: str) -> Conversation | None:
        """The thread's conversation, or None."""
        try:
            return self.log.conversation(id)
        except UnknownConversation:
            return None

    def _refresh(self, thread: GraphThread) -> None:
        """Reads new events; reads all again after a redaction, an erasure or the start of a new
        life.
        """
        head = self.log.current.head(self.log.store.reader, thread.id)
        if head is None:
            if thread.version:
                thread.reset()
            return
        if (head.version, head.life) == (thread.version, thread.life):
            return
        if head.state.deleted:
            thread.reset(head.version, head.life, deleted=True)
            return
        if head.life != thread.life or head.version < thread.version:
            thread.reset(life=head.life)
        conversation = self.log.conversation(thread.id)
        events = [*conversation.events(thread.event)]
        if thread.event and any(isinstance(event, Hiding | ContentErased) for event in events):
            thread.reset(life=head.life)
            events = [*conversation.events()]
        thread.take(events)
        thread.version = conversation.version
        if head.state.redacted:
            thread.spoken.recorded = self.log.past(head).events

    def record(
        self,
        id: str,
        planned: Callable[[GraphThread], Sequence[Event]],
        key: str | None,
        *,
        begins: bool,
    ) -> None:
        """Records what is planned for the current thread; nothing if the plan is empty.

        begins: whether this may begin a new life of a deleted conversation.
        """
        while True:
            with self.at(id) as thread:
                if not (events := planned(thread)):
                    return
                try:
                    recorded = self._perform(thread, events, key, begins)
                except VersionConflict:
                    continue
                if recorded.new:
                    self._take(thread, recorded)
                    return
                key = None  # known from a former life, or with other content

    def _perform(
        self, thread: GraphThread, events: Sequence[Event], key: str | None, begins: bool
    ) -> Recorded:
        expected = 0 if thread.deleted and begins else thread.version
        request = self.log.request(
            thread.id, lambda state, past: events, key=key, expected_version=expected
        )
        request.revives = begins
        return self.log.writer.perform(request)

    def _take(self, thread: GraphThread, recorded: Recorded) -> None:
        if recorded.state.redacted:  # only a reader decides what may be shown of it
            thread.version = -1
            return
        [commit] = recorded.commits
        if thread.deleted:
            thread.reset(life=commit.life)
        thread.take(commit.events)
        thread.version = commit.version
