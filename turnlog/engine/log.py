"""Turnlog, the application: records into a log and reads from it."""

from __future__ import annotations

import sys
import time as clocks
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, Self

from msgspec.structs import replace

from turnlog.domain.attachment import Attachment
from turnlog.domain.commit import Commit, message_ids
from turnlog.domain.conversation import Conversation
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import ConversationDeleted, Event
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.state import State
from turnlog.domain.streams import check_id, check_key, check_message_id, is_conversation
from turnlog.domain.values import is_text
from turnlog.engine.arguments import (
    check_command,
    check_numbers,
    check_seconds,
    check_wait,
    check_whole,
    is_id,
)
from turnlog.engine.command import (
    Checkout,
    check_complete,
    check_fork,
    going_on,
    importing,
    recording,
)
from turnlog.engine.eventsourcing import ConversationApplication
from turnlog.engine.forking import Fork
from turnlog.engine.lost_tail import check_tail
from turnlog.engine.placing import attach
from turnlog.engine.request import Command, Recorded, Request
from turnlog.engine.sealed import name_key_store
from turnlog.errors import InvalidEvent, OutOfRange, Unavailable, UnknownConversation
from turnlog.projections import PROJECTIONS, catch_up_kept
from turnlog.projections.history import StoredHistory
from turnlog.projections.lagging import LaggingView
from turnlog.projections.live_head import LiveHead
from turnlog.projections.projection import catch_up
from turnlog.projections.shown_commits import shown_commits
from turnlog.projections.stream_rows import LivingRows, StreamRows
from turnlog.projections.view import StoredView
from turnlog.storage.contents import opened
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import key_lookup
from turnlog.storage.subscription import WAIT_SECONDS, Subscription, digest_at

if TYPE_CHECKING:  # which needs an extra
    from turnlog.keys.store import KeyStore

IMPORT_SPLIT = 256
"""Events a commit of an import holds at most."""


class Turnlog(ConversationApplication):
    """A log of conversations. A context manager; safe to use from several threads.

    clock: gives UTC seconds; what it says becomes the timestamp of events that have none.
    """

    def __init__(self, recorder: Recorder, clock: Callable[[], float] = clocks.time) -> None:
        super().__init__(recorder)
        self.clock = clock
        name_key_store(self)
        check_tail(self)

    def __repr__(self) -> str:
        return f"Turnlog({self.store.url!r})"

    @property
    def keys(self) -> KeyStore | None:
        """The key store of a log that is sealed."""
        return self.store.keys

    def __enter__(self) -> Self:
        return self

    def close(self) -> None:
        if sys.is_finalizing():  # nothing can be opened any more, and what counts is stored
            return
        if self.store.inherited:  # it is the parent's to close
            return
        self.closing.set()  # first, so that those who follow know why they cannot read
        self.store.signal.send()
        self.writer.close()
        self.store.close()
        super().close()

    # --- writing --------------------------------------------------------------------------------

    def record(
        self,
        conversation: str,
        *events: Event,
        key: str | None = None,
        expected_version: int | None = None,
    ) -> Recorded:
        """Record events in one commit; durable on return.

        key: recorded once however often it is given. A user's message is recorded once by its
        `message_id`: a known one is left out and named in `repeated`, while what came with it is
        recorded, once too. expected_version: 0 for a conversation that is not there yet, which a
        deleted one is not either. Raises InvalidEvent, VersionConflict or Unavailable, and records
        nothing.
        """
        return self.writer.perform(
            self.request(conversation, events, key=key, expected_version=expected_version)
        )

    def perform(
        self,
        conversation: str,
        command: Command,
        *,
        key: str | None = None,
        expected_version: int | None = None,
    ) -> Recorded:
        """Record what a command asks for, given the state it finds when its turn has come.

        The command runs inside the write transaction, so it is quick and does no I/O; it can be
        called more than once. Raises as `record` does.
        """
        return self.writer.perform(
            self.request(conversation, command, key=key, expected_version=expected_version)
        )

    def checkout(
        self,
        id: str,
        branch: str | None = None,
        *,
        event: int | None = None,
        turn: int | None = None,
        reason: str | None = None,
        key: str | None = None,
    ) -> Recorded:
        """Go on from an event, from the end of a turn, or on a branch where it ended.

        branch: one that there is not yet begins at the event or turn, or here. Without it, what
        came after on this branch is taken back; it stays readable. Nothing is recorded where the
        conversation is on the branch. Raises as `record` does, and UnknownConversation.
        """
        asked = Checkout(branch, event, turn, reason)
        return self.writer.perform(self.checkout_request(id, asked, key))

    def fork(
        self,
        id: str,
        *,
        as_: str,
        turn: int | None = None,
        event: int | None = None,
        trial: bool = False,
        reason: str | None = None,
        key: str | None = None,
    ) -> Recorded:
        """Begin a conversation that shares the past of another one; durable on return.

        turn, event: the last of it that is shared, by default the newest. Nothing is copied. The
        origin's later events do not show in the fork, and its timers and keys are not inherited;
        what is redacted or deleted there is hidden here. as_: an id that was never used. trial: it
        is left out of `--all`, training and counts. Raises UnknownConversation, OutOfRange or
        InvalidEvent, and records nothing.
        """
        return self.writer.perform(
            self.fork_request(as_, Fork(id, turn, event, trial, reason), key=key)
        )

    def attach(self, conversation: str, file: BinaryIO, *, type: str | None = None) -> Attachment:
        """Store a binary file, of any length, for an event that is recorded after it.

        Takes some MB of memory. What no event ever names is swept by a rebuild. type: the media
        type. Raises InvalidEvent or Unavailable.
        """
        check_id(conversation)
        head = self.current.head(self.store.reader, conversation)
        life = 1 if head is None else head.life + head.state.deleted
        user = None if head is None else head.state.user
        return attach(self.store, conversation, life, user, file, type)

    def open_attachment(self, attachment: Attachment) -> BinaryIO:
        """A binary file that reads what an event names, of whatever conversation.

        Raises Corrupt where it is not there whole.
        """
        bound = attachment.is_bound
        return attachment.open() if bound else opened(self.store.reader, attachment)

    def import_dialogue(self, dialogue: Dialogue) -> Recorded:
        """Record a whole dialogue; durable on return.

        Nothing new where the same events are there, the rest where what is stored is a prefix
        of what comes, else a FormatError. Times are never invented.
        """
        return self.writer.perform(self.import_request(dialogue))

    def delete(
        self, conversation: str, reason: str | None = None, *, actor: str | None = None
    ) -> None:
        """Record a tombstone: hidden everywhere, while the chain still verifies.

        What is derived from its rows goes with it.
        """
        self.check_deletable(conversation)
        self.record(conversation, ConversationDeleted(reason, actor=actor))
        catch_up_kept(self.store)

    def check_deletable(self, conversation: str) -> None:
        """Raise UnknownConversation where there is none.

        Of one that is deleted already, what a crash left in derived tables goes now.
        """
        try:
            self._head(conversation)
        except UnknownConversation:
            self._head(conversation, deleted=True)
            self.current.catch_up()
            catch_up_kept(self.store)
            raise

    # --- requests, for those who have many ------------------------------------------------------

    def request(
        self,
        conversation: str,
        asked: Sequence[Event] | Command,
        *,
        key: str | None = None,
        expected_version: int | None = None,
    ) -> Request:
        """A request for the writer: events, or a command that asks for them when it is its turn."""
        check_id(conversation)
        check_command(conversation, asked)
        check_whole(conversation, "expected_version", expected_version)
        now = self.clock()
        if key is not None:
            check_key(conversation, key)
        if callable(asked):
            return Request(conversation, asked, now, now, key, expected_version)
        messages = message_ids(asked)
        for id in messages:
            check_message_id(conversation, id)
        return Request(
            conversation, recording(asked), now, now, key, expected_version, given=asked,
            messages=messages,
        )  # fmt: skip

    def import_request(self, dialogue: Dialogue) -> Request:
        """A request for the writer that does what `import_dialogue` does."""
        if not isinstance(dialogue, Dialogue):
            raise InvalidEvent("?", "dialogue", f"{dialogue!r:.80} is no Dialogue")
        check_id(dialogue.name)
        request = Request(
            dialogue.name, importing(dialogue), self.clock(), split=IMPORT_SPLIT, revives=False
        )
        if dialogue.origin is None:
            return request
        check_fork(dialogue)
        check_complete(dialogue)
        fork = Fork(dialogue.origin, event=dialogue.first_event - 1, events=dialogue.events)
        return replace(request, fork=fork)

    def checkout_request(self, id: str, asked: Checkout, key: str | None = None) -> Request:
        """A request for the writer that does what `checkout` does."""
        self._head(id)
        return self.request(id, going_on(id, asked), key=key)

    def fork_request(self, name: str, fork: Fork, *, key: str | None = None) -> Request:
        """A request for the writer that does what `fork` does."""
        if not is_id(fork.origin):
            raise UnknownConversation(fork.origin)
        check_numbers(fork.origin, turn=fork.turn, event=fork.event)
        if fork.turn is not None and fork.event is not None:
            raise OutOfRange(fork.origin, "give one of turn and event")
        return replace(self.request(name, (), key=key), fork=fork)

    # --- reading --------------------------------------------------------------------------------

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
        """A conversation now, or as it was after a turn, an event, at a time or a version.

        time: UTC seconds, held against the events' own timestamps. deleted: whether a deleted one
        is wanted too, whose state is then that of its deletion. life: an earlier one of a
        conversation that began anew after a deletion, counting from 1; None for the newest.

        What it reads later, it reads of the same life. Unless a deleted one is wanted, reading
        raises UnknownConversation from the moment on when that life is deleted.
        """
        if sum(moment is not None for moment in (turn, event, time, version)) > 1:
            raise OutOfRange(id, "give one of turn, event, time and version")
        check_numbers(id, turn=turn, event=event, version=version, life=life)
        check_seconds(id, "time", time)
        head, newest = self._head(id, deleted=deleted)
        if life not in (None, head.life):
            head, newest = self._past_life(id, life, deleted=deleted)
        history = self._history(head) if deleted else self.past(head)
        if turn is not None:
            state = history.state_after_turn(turn)
        elif event is not None:
            state = history.state(event)
        elif time is not None:
            state = history.state_at_time(time)
        elif version is not None and version != head.version:
            state = history.state_at_version(version)
        else:
            state = newest
        redactions = history.redactions() if newest.redacted else None
        is_newest = state.event == newest.event and not newest.deleted
        return Conversation(
            id, state, history, version or head.version, redactions, is_newest=is_newest
        )

    def read_events(self, id: str, after: int = 0) -> list[Event]:
        """The events of a conversation numbered above `after`, oldest first."""
        check_numbers(id, event=after)
        return list(self.conversation(id).events(after))

    def read_recorded(self, id: str, after: int = 0) -> list[RecordedEvent]:
        """The same in their envelopes."""
        check_numbers(id, event=after)
        return list(self.conversation(id).recorded(after))

    def history(self, id: str, life: int | None = None) -> StoredHistory:
        """What was recorded in one life, deleted or not, as it was recorded; None: the newest."""
        head = self.current.head(self.store.reader, id)
        if head is not None and life in (None, head.life):
            return self._history(head)
        stream = None if life is None else self.store.reader.stream(id, life)
        number = stream.stream if stream else 0
        return StoredHistory(StreamRows(self.store.reader, self.current, id, number, life or 1))

    def past(self, head: LiveHead) -> StoredHistory:
        """That of the life that a head belongs to.

        Reading it raises UnknownConversation once that life is deleted.
        """
        return StoredHistory(LivingRows.of(self.store.reader, self.current, head))

    def _history(self, head: LiveHead) -> StoredHistory:
        """The same, deleted or not."""
        return StoredHistory(StreamRows.of(self.store.reader, self.current, head))

    def ids(self, *, trials: bool = True) -> Iterator[str]:
        """Every conversation that is not deleted, in order of id; without forks made on trial."""
        found = self.heads()
        return (head.conversation for head, state in found if trials or not state.lineage.trial)

    def heads(self) -> Iterator[tuple[LiveHead, State]]:
        """Where every conversation stands that is not deleted, in order of id."""
        for head, state in self._every_head():
            if not state.deleted:
                yield head, self._shown(head, state)

    def _every_head(self) -> Iterator[tuple[LiveHead, State]]:
        for head in self.current.every(self.store.reader):
            if is_conversation(head.conversation):
                yield head, head.state

    def keyed(self, id: str, key: str) -> Commit | None:
        """The commit of an idempotency key that was given in the newest life."""
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
        """A read model's entries, with everything recorded so far folded in.

        Raises OutOfRange where there is none of that name.
        """
        if (projection := PROJECTIONS.get(name)) is None:
            known = ", ".join(sorted(PROJECTIONS))
            raise OutOfRange(None, f"there is no view {name!r:.80}, but {known}")
        if self.store.readonly:
            return LaggingView(self.store.reader, projection)
        catch_up(self.store, [projection])
        return StoredView(self.store.reader, name)

    # --- following ------------------------------------------------------------------------------

    def follow(
        self, after: int | None = None, digest: bytes | None = None
    ) -> Iterator[tuple[int, Commit]]:
        """Positions and commits above `after` (None: from now on), in order, whoever wrote them.

        Waits for more until the log is closed. digest: what `log.digest(after)` was when the
        follower was there. Raises OutOfRange where the log ends before `after`, AnotherPast where
        another row is there, at once and whenever it is found so later.
        """
        return self._followed(Subscription.after(self.store, after, digest))

    def digest(self, position: int) -> bytes:
        """Of the row at a position, which `follow` compares; at 0 it names the log itself.

        Raises OutOfRange where there is no such position.
        """
        return digest_at(self.store, position)

    def _followed(self, subscription: Subscription) -> Iterator[tuple[int, Commit]]:
        with self._until_closed():
            while not self.closing.is_set():
                commits = self.next_commits(subscription)
                yield from commits
                if not commits:
                    subscription.wait()

    @contextmanager
    def _until_closed(self) -> Iterator[None]:
        """Ends without an error where the log is closed meanwhile."""
        try:
            yield
        except Unavailable:
            if not self.closing.is_set():
                raise

    def next_commits(self, subscription: Subscription) -> list[tuple[int, Commit]]:
        """What a subscription reads next as followers see it; none where there is none yet."""
        commits = shown_commits(self.store.reader, self.current, subscription.read())
        return [(commit.position or 0, commit) for commit in commits]

    def wait(self, id: str, after: int, timeout: float | None = None) -> bool:
        """Whether the conversation has events numbered above `after`, or got some in time.

        timeout: seconds; None waits for ever.
        """
        check_wait(id, after, timeout)
        until = monotonic() + (inf if timeout is None else timeout)
        with self._until_closed():
            while True:
                position, event = self.end(id)
                left = until - monotonic()
                if event > after or left <= 0 or self.closing.is_set():
                    return event > after
                self.store.wait_above(position, min(left, WAIT_SECONDS))
        return False

    def end(self, id: str) -> tuple[int, int]:
        """The log's last position, then the number of the conversation's last event."""
        position = self.store.reader.last_position()
        head = self.current.head(self.store.reader, id)
        return position, head.event if head else 0

    def __contains__(self, id: str) -> bool:
        try:
            self._head(id)
        except UnknownConversation:
            return False
        return True

    def deletions(self) -> Iterator[RecordedEvent]:
        """How each deleted conversation was deleted, in order of id."""
        for head, state in self._every_head():
            for life in range(1, head.life + state.deleted):
                newest = self.history(head.conversation, life).recorded_newest_first()
                yield next(each for each in newest if isinstance(each.event, ConversationDeleted))

    def head(self, id: str, *, deleted: bool = False) -> tuple[LiveHead, State]:
        """Where a conversation stands. Raises UnknownConversation where there is none.

        deleted: whether a deleted one is wanted too.
        """
        head, state = self._head(id, deleted=deleted)
        return head, self._shown(head, state)

    def _shown(self, head: LiveHead, state: State) -> State:
        """The state without what was redacted."""
        if not state.redacted:
            return state
        return self._history(head).redactions().state(head.event)

    def _past_life(self, id: str, life: int, *, deleted: bool) -> tuple[LiveHead, State]:
        """Where a life ended that was followed by another: with its deletion."""
        stream = self.store.reader.stream(id, life)
        if stream is None or not deleted:
            raise UnknownConversation(id)
        [last] = self.store.reader.rows_newest_first(stream.stream, 2**62, 1)
        state = self.history(id, life).replay()
        return LiveHead(
            id, stream.stream, stream.owner, life, last.version, last.position, last.digest(), 0,
            state,
        ), state  # fmt: skip

    def _head(self, id: str, *, deleted: bool = False) -> tuple[LiveHead, State]:
        """The same as the fold has it."""
        head = self.current.head(self.store.reader, id) if is_id(id) else None
        if head is not None and (deleted or not head.state.deleted):
            return head, head.state
        raise UnknownConversation(id)
