"""Reading a log: states of conversations, their events, read models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from turnlog.domain.arguments import check_number, check_numbers, check_seconds
from turnlog.domain.attachment import Attachment
from turnlog.domain.commit import Commit
from turnlog.domain.conversation import Conversation
from turnlog.domain.events import ConversationDeleted, Event
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.state import State
from turnlog.domain.streams import is_conversation
from turnlog.domain.values import is_text
from turnlog.engine.arguments import check_known, is_id
from turnlog.engine.eventsourcing import ConversationApplication
from turnlog.errors import OutOfRange, Restricted, UnknownConversation
from turnlog.projections import PROJECTIONS
from turnlog.projections.heads import Heads
from turnlog.projections.history import StoredHistory
from turnlog.projections.lagging import LaggingView
from turnlog.projections.live_head import LiveHead
from turnlog.projections.projection import catch_up
from turnlog.projections.shown_commits import shown_commits
from turnlog.projections.stream_rows import StreamRows
from turnlog.projections.view import StoredView
from turnlog.storage.contents import opened
from turnlog.storage.lookups import key_lookup
from turnlog.storage.reader import Reader

Choice = Callable[[Iterator[LiveHead]], Iterator[LiveHead]]
"""Selects some of the heads, in the same order."""


class ReadableLog(ConversationApplication):
    """The readable part of a log: conversations now or earlier, and the read models."""

    def conversation(
        self,
        id: str,
        *,
        turn: int | None = None,
        event: int | None = None,
        time: float | None = None,
        version: int | None = None,
        deleted: bool = False,
        life: int | None = None,
    ) -> Conversation:
        """A conversation now, or after a turn, an event, at a time or after a version.

        time: UTC seconds, compared with the events' own timestamps. deleted: include a deleted one,
        in the state of its deletion. life: an earlier life, counting from 1; None for the newest.

        Later reads stay in the same life. Unless `deleted` is set, they raise UnknownConversation
        once that life is deleted.
        """
        if sum(moment is not None for moment in (turn, event, time, version)) > 1:
            raise OutOfRange(id, "pass only one of turn, event, time and version")
        check_numbers(id, turn=turn, event=event, version=version, life=life)
        check_seconds(id, "time", time)
        head, newest = self._head(id, deleted=deleted)
        if life not in (None, head.life):
            head, newest = self._past_life(id, life, deleted=deleted)
        history = self._history(head) if deleted else self.past(head)
        earlier = None if version == head.version else version
        state = _state_at(history, turn, event, time, earlier) or newest
        redactions = history.redactions() if newest.redacted else None
        is_newest = state.event == newest.event and not newest.deleted
        return Conversation(
            id, state, history, version or head.version, redactions, is_newest=is_newest
        )

    def read_events(self, id: str, after: int = 0) -> list[Event]:
        """The events of a conversation numbered above `after`, oldest first."""
        check_number(id, "event", after)
        return list(self.conversation(id).events(after))

    def read_recorded(self, id: str, after: int = 0) -> list[RecordedEvent]:
        """The same in their envelopes."""
        check_number(id, "event", after)
        return list(self.conversation(id).recorded(after))

    def history(self, id: str, life: int | None = None) -> StoredHistory:
        """The unredacted events of one life, deleted or not; None: the newest life."""
        check_known(id)
        check_numbers(id, life=life)
        head = self.current.head(self.store.reader, id)
        if head is not None and life in (None, head.life):
            return self._history(head)
        stream = None if life is None else self.store.reader.stream(id, life)
        number = stream.stream if stream else 0
        return StoredHistory(StreamRows(self.store.reader, self.current, id, number, life or 1))

    def past(self, head: LiveHead) -> StoredHistory:
        """The history of the life that a head belongs to.

        Reading it raises UnknownConversation once that life is deleted.
        """
        return StoredHistory(_LivingRows(self.store.reader, self.current, head))

    def _history(self, head: LiveHead) -> StoredHistory:
        """The same, deleted or not."""
        return StoredHistory(StreamRows.of(self.store.reader, self.current, head))

    def ids(self, *, trials: bool = True) -> Iterator[str]:
        """Every conversation that is neither deleted nor restricted, in order of id; trials:
        include trial forks.
        """
        found = self.heads()
        return (head.conversation for head, state in found if trials or not state.lineage.trial)

    def heads(
        self, *, newest: bool = False, before: int | None = None, among: Choice = iter
    ) -> Iterator[tuple[LiveHead, State]]:
        """The head of each conversation that is neither deleted nor restricted, in order of id.

        newest: the most recently recorded first, of those whose newest row is below the position
        `before`. among: selects some of them.
        """
        for head in among(self._open_heads(newest=newest, before=before)):
            yield head, self._shown(head)

    def _open_heads(self, *, newest: bool, before: int | None) -> Iterator[LiveHead]:
        for head in self._every_head(newest=newest, before=before):
            if not head.state.deleted and not head.state.restricted:
                yield head

    def _every_head(self, *, newest: bool = False, before: int | None = None) -> Iterator[LiveHead]:
        current, reader = self.current, self.store.reader
        found = current.newest_first(reader, before) if newest else current.every(reader)
        return (head for head in found if is_conversation(head.conversation))

    def keyed(self, id: str, key: str) -> Commit | None:
        """The commit with an idempotency key in the newest life."""
        reader = self.store.reader
        possible = is_id(id) and is_text(key)
        if not possible or (head := self.current.head(reader, id)) is None:
            return None
        lookup = key_lookup(self.store.genesis.secret, id, key, head.life)
        if (position := self.current.key(lookup)) is not None:
            rows = reader.tail(position - 1, 1)
        else:
            rows = reader.keyed_rows([lookup])
        return next(iter(shown_commits(reader, self.current, rows)), None)

    def view(self, name: str) -> StoredView:
        """A read model's entries, up to date with the log.

        Raises OutOfRange for an unknown name.
        """
        if not isinstance(name, str) or (projection := PROJECTIONS.get(name)) is None:
            known = ", ".join(sorted(PROJECTIONS))
            raise OutOfRange(None, f"unknown view {name!r:.80}; known: {known}")
        if self.store.readonly:
            return LaggingView(self.store.reader, projection)
        catch_up(self.store, [projection])
        return StoredView(self.store.reader, name)

    def head(
        self, id: str, *, deleted: bool = False, restricted: bool = False
    ) -> tuple[LiveHead, State]:
        """The newest head of a conversation. Raises UnknownConversation.

        deleted, restricted: include a deleted or a restricted one.
        """
        head, _ = self._head(id, deleted=deleted, restricted=restricted)
        return head, self._shown(head)

    def _head(
        self, id: str, *, deleted: bool = False, restricted: bool = False
    ) -> tuple[LiveHead, State]:
        """The same as the fold computes it."""
        head = self.current.head(self.store.reader, id) if is_id(id) else None
        if head is None or (head.state.deleted and not deleted):
            raise UnknownConversation(id)
        if head.state.restricted and not restricted:
            raise Restricted(id)
        return head, head.state

    def _shown(self, head: LiveHead) -> State:
        """A head's state without redacted values."""
        if not head.state.redacted:
            return head.state
        return self._history(head).redactions().state(head.event)

    def _past_life(self, id: str, life: int, *, deleted: bool) -> tuple[LiveHead, State]:
        """The end of a life that was followed by another: its deletion."""
        stream = self.store.reader.stream(id, life)
        if stream is None or not deleted:
            raise UnknownConversation(id)
        [last] = self.store.reader.rows_newest_first(stream.stream, 2**62, 1)
        state = self.history(id, life).replay()
        return LiveHead(
            id, stream.stream, stream.owner, life, last.version, last.position, last.digest(), 0,
            state,
        ), state  # fmt: skip

    def deletions(self) -> Iterator[RecordedEvent]:
        """How each deleted conversation was deleted, in order of id."""
        for head in self._every_head():
            for life in range(1, head.life + head.state.deleted):
                newest = self.history(head.conversation, life).recorded_newest_first()
                yield next(each for each in newest if isinstance(each.event, ConversationDeleted))

    def end(self, id: str) -> tuple[int, int]:
        """The log's last position, and the number of the conversation's last event."""
        check_known(id)
        position = self.store.reader.last_position()
        head = self.current.head(self.store.reader, id)
        return position, head.event if head else 0

    def __contains__(self, id: str) -> bool:
        try:
            self._head(id)
        except UnknownConversation:
            return False
        return True

    def open_attachment(self, attachment: Attachment) -> BinaryIO:
        """A binary file with an attachment's content, for any conversation.

        Raises Corrupt if it is incomplete.
        """
        bound = attachment.is_bound
        return attachment.open() if bound else opened(self.store.reader, attachment)


def _state_at(
    history: StoredHistory,
    turn: int | None,
    event: int | None,
    time: float | None,
    version: int | None,
) -> State | None:
    """At the one given moment; None if none is given."""
    if turn is not None:
        return history.state_after_turn(turn)
    if event is not None:
        return history.state(event)
    if time is not None:
        return history.state_at_time(time)
    return None if version is None else history.state_at_version(version)


class _LivingRows(StreamRows):
    """Rows of a life, as long as it is neither deleted nor restricted.

    Afterwards reading raises UnknownConversation, even if the id has begun again.
    """

    def __init__(self, reader: Reader, heads: Heads, head: LiveHead) -> None:
        super().__init__(
            reader, heads, head.conversation, head.stream, head.life, is_fork=head.is_fork
        )
        self._heads = heads

    @property
    def _reader(self) -> Reader:
        self._heads.check_living(self._given, self.conversation, self.stream)
        return self._given
