"""Turnlog, the application: records into a log and reads from it."""

from __future__ import annotations

import sys
import time as clocks
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, BinaryIO, Self

from msgspec.structs import replace

from turnlog.domain.arguments import check_numbers, check_whole
from turnlog.domain.attachment import Attachment
from turnlog.domain.commit import message_ids
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import ConversationDeleted, Event
from turnlog.domain.streams import check_id, check_key, check_message_id
from turnlog.engine.arguments import check_command, is_id
from turnlog.engine.command import (
    Checkout,
    check_complete,
    check_fork,
    going_on,
    importing,
    recording,
)
from turnlog.engine.erasure.erased_ids import ErasedIds
from turnlog.engine.erasure.resuming import finish_at_opening
from turnlog.engine.followed_log import FollowedLog
from turnlog.engine.forking import Fork
from turnlog.engine.lost_tail import check_tail
from turnlog.engine.placing import attach
from turnlog.engine.request import Command, Recorded, Request
from turnlog.engine.sealed import name_key_store
from turnlog.errors import InvalidEvent, OutOfRange, UnknownConversation
from turnlog.projections import catch_up_kept
from turnlog.storage.recorder import Recorder

if TYPE_CHECKING:  # imported on demand, or with an extra
    from turnlog.engine.erasure.erasing import Erased
    from turnlog.engine.erasure.holds import Hold
    from turnlog.keys.store import KeyStore

IMPORT_SPLIT = 256
"""The most events in one commit of an import."""


class Turnlog(FollowedLog):
    """A log of conversations. A context manager; safe to use from several threads.

    clock: returns UTC seconds, the timestamp of events without one.
    """

    def __init__(self, recorder: Recorder, clock: Callable[[], float] = clocks.time) -> None:
        super().__init__(recorder)
        self.clock = clock
        self.erased_ids = ErasedIds(recorder)
        name_key_store(self)
        check_tail(self)
        finish_at_opening(self)

    def __repr__(self) -> str:
        return f"Turnlog({self.store.url!r})"

    @property
    def keys(self) -> KeyStore | None:
        """The key store of a sealed log."""
        return self.store.keys

    def __enter__(self) -> Self:
        return self

    def close(self) -> None:
        """Commit what is waiting and close the database; later calls raise Unavailable."""
        if (
            sys.is_finalizing()
        ):  # nothing can be opened any more, and every acknowledged commit is stored
            return
        if self.store.inherited:  # only the parent may close it
            return
        self.closing.set()  # first, so that followers know why they cannot read
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

        key: a commit with a known key is not recorded again. A user's message is recorded once by
        its `message_id`: a known one is skipped and named in `repeated`, and the other events are
        recorded, once too. expected_version: 0 for a conversation that does not exist, or was
        deleted. Raises InvalidEvent, VersionConflict or Unavailable, and records nothing.
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
        """Record what a command asks for, given the state at the time of writing.

        The command runs inside the write transaction, so it must be quick and do no I/O; it can be
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
        """Continue from an event, from the end of a turn, or on a branch where it ended.

        branch: an unknown one begins at the event or turn, or at the end. Without it, later events
        on this branch are retracted; they stay readable. Nothing is recorded if the conversation is
        on the branch already. Raises as `record` does, and UnknownConversation.
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

        turn, event: the last shared one, by default the newest. Nothing is copied. The fork does
        not show later events of the origin and does not inherit its timers and keys; it hides what
        is redacted or deleted there. as_: an id that was never used. trial: `--all`, training and
        counts leave the fork out. Raises UnknownConversation, OutOfRange or InvalidEvent, and
        records nothing.
        """
        return self.writer.perform(
            self.fork_request(as_, Fork(id, turn, event, trial, reason), key=key)
        )

    def attach(self, conversation: str, file: BinaryIO, *, type: str | None = None) -> Attachment:
        """Store a binary file, of any length, for an event that is recorded after it.

        Takes some MB of memory. A rebuild removes files that no event names. type: the media type.
        Raises InvalidEvent or Unavailable.
        """
        check_id(conversation)
        head = self.current.head(self.store.reader, conversation)
        life = 1 if head is None else head.life + head.state.deleted
        user = None if head is None else head.state.user
        return attach(self.store, conversation, life, user, file, type)

    def import_dialogue(self, dialogue: Dialogue) -> Recorded:
        """Record a whole dialogue; durable on return.

        Records nothing if the same events are stored, and only the rest if the stored events are
        its beginning; otherwise raises FormatError. Missing times are not invented.
        """
        return self.writer.perform(self.import_request(dialogue))

    def delete(
        self, conversation: str, reason: str | None = None, *, actor: str | None = None
    ) -> None:
        """Record a tombstone: hidden everywhere, while the chain still verifies.

        Data derived from its rows is deleted with it.
        """
        self.check_deletable(conversation)
        self.record(conversation, ConversationDeleted(reason, actor=actor))
        catch_up_kept(self.store)

    def erase(
        self,
        id: str | None = None,
        *,
        person: str | None = None,
        event: int | None = None,
        reason: str,
        actor: str,
        vacuum: str = "yes",
        progress: Callable[[str], None] | None = None,
    ) -> Erased:
        """Permanently erase a person, a conversation with all its lives, or one event of it.

        The erasure is recorded first, with reason and actor. If this process is killed, the next
        one that opens the log finishes it. vacuum: `yes` clears free space; `full` does so even if
        it locks out everyone else (PostgreSQL); `no` is faster and leaves that to the next erasure.
        Raises UnknownPerson, UnknownConversation, OutOfRange, InvalidEvent or Held, and erases
        nothing.
        """
        from turnlog.engine.erasure.doors import erase

        return erase(
            self, id, person, event, reason, actor, vacuum, progress or (lambda doing: None)
        )

    def hold(
        self, id: str | None = None, *, person: str | None = None, reason: str, actor: str
    ) -> None:
        """Protect a conversation, or a person, from erasure until it is released.

        Raises UnknownConversation or UnknownPerson.
        """
        from turnlog.engine.erasure.holds import place

        place(self, id, person, reason, actor)

    def release(
        self, id: str | None = None, *, person: str | None = None, reason: str, actor: str
    ) -> list[Hold]:
        """End the holds on a conversation, or on a person, and return them.

        Raises Held if there are none.
        """
        from turnlog.engine.erasure.holds import release

        return release(self, id, person, reason, actor)

    def check_deletable(self, conversation: str) -> None:
        """Raise UnknownConversation unless the conversation exists.

        If it is deleted already, this removes what a crash left in derived tables.
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
        """A request for the writer: events, or a command that returns them when its turn comes."""
        check_id(conversation)
        check_command(conversation, asked)
        if expected_version is not None:
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
            raise InvalidEvent("?", "dialogue", f"{dialogue!r:.80} is not a Dialogue")
        check_id(dialogue.name)
        self.erased_ids.check(dialogue)
        request = Request(
            dialogue.name, importing(dialogue), self.clock(), split=IMPORT_SPLIT, revives=False
        )
        if dialogue.origin is None:
            return request
        check_complete(dialogue)
        check_fork(dialogue)
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
            raise OutOfRange(fork.origin, "pass either a turn or an event")
        return replace(self.request(name, (), key=key), fork=fork)
