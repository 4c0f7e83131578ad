"""Drops content, ids and everything derived from them, within one transaction."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from msgspec.structs import replace

from turnlog.domain.commit import Commit
from turnlog.domain.events import ContentErased, HistoryContinued, UserUttered
from turnlog.domain.streams import is_conversation
from turnlog.domain.subjects import NO_ONE, About
from turnlog.encoding.apart import BARE
from turnlog.encoding.dropping import dropped
from turnlog.encoding.rows import SALT_BYTES, TAGS, columns, decode_skeleton, is_commit
from turnlog.engine.erasure.plan import forks_of
from turnlog.projections.following import Following
from turnlog.projections.heads import newest_erasure
from turnlog.projections.history import StoredHistory
from turnlog.projections.projection import forget, take_back
from turnlog.projections.stream_rows import StreamRows
from turnlog.projections.view import Buffer
from turnlog.storage.lookups import lookup_of, repeat_lookups
from turnlog.storage.recorder import Transaction
from turnlog.storage.rows import AHEAD, EVERY_CHUNK, Key, Row, Stream, WrittenRow

_ROWS_AT_ONCE = 500
_MESSAGE = TAGS[UserUttered]


class Dropping:
    """What one erasure drops, in a transaction. recorded: the log's clock, UTC seconds."""

    def __init__(self, transaction: Transaction, said: ContentErased, recorded: float) -> None:
        self._transaction = transaction
        self._said = said
        self._recorded = recorded

    def whole(self, conversation: str) -> None:
        """A conversation with all its lives."""
        if not (streams := self._lives(conversation)):
            return
        for stream in streams:
            self._drop(stream.stream, lambda number: True)
        self._close(streams[-1], (), whole=True)
        self._anew_in_forks([stream.stream for stream in streams])
        self._unname(conversation)

    def events(
        self,
        conversation: str,
        numbers: Mapping[int, Collection[int]],
        recorded: int,
        *,
        unname: bool = False,
    ) -> None:
        """Drops events in the lives of one conversation, by stream.

        recorded: the position of the erasure's record. unname: drop the conversation's id too.
        """
        newest = self._transaction.stream(conversation)  # none if its id was dropped
        if newest is not None and self._is_closed(newest, recorded):
            return
        for number, theirs in numbers.items():
            self._drop(number, theirs.__contains__)
            self._transaction.drop_snapshots(number)
        if newest is not None:
            if is_conversation(conversation):
                self._close(newest, tuple(sorted(numbers.get(newest.stream, ()))))
            self._keys_anew(conversation)
            self._anew(newest)
        self._anew_in_forks([*numbers])
        if unname:
            self._unname(conversation)

    def _is_closed(self, stream: Stream, recorded: int) -> bool:
        """Whether this was done before a process was killed."""
        before = 2**62
        while rows := self._transaction.rows_newest_first(stream.stream, before, 16):
            for row in rows:
                if row.position < recorded:
                    return False
                if newest_erasure([row]) and self._said.erasure in _erasures(row):
                    return True
            before = rows[-1].version
        return False

    # --- rows -----------------------------------------------------------------------------------

    def _lives(self, conversation: str) -> list[Stream]:
        newest = self._transaction.stream(conversation)
        numbers = range(1, newest.life + 1) if newest else ()
        found = (self._transaction.stream(conversation, life) for life in numbers)
        return [stream for stream in found if stream is not None]

    def _rows(self, stream: int) -> Iterator[Row]:
        after = -1
        while rows := self._transaction.rows(stream, after, None, _ROWS_AT_ONCE):
            yield from rows
            after = rows[-1].version

    def _drop(self, stream: int, goes: Callable[[int], bool]) -> None:
        gone, kept, left = set[str](), set[str](), list[tuple[int, bytes, bytes]]()
        for row in self._rows(stream):
            before = {attachment.name for attachment in row.attachments()}
            if (rest := _rest(row, goes)) is None:
                kept |= before
                continue
            left.append((row.position, *rest))
            after = row._replace(commitments=rest[0], parts=rest[1])
            kept |= {attachment.name for attachment in after.attachments()}
            gone |= before
        self._transaction.put_parts(left)
        for name in gone - kept:
            self._transaction.drop_chunks(bytes.fromhex(name), EVERY_CHUNK)

    def _keys_anew(self, conversation: str) -> None:
        """The keys and message ids of a conversation's remaining events."""
        transaction = self._transaction
        transaction.drop_keys(lookup_of(transaction.secret, conversation))
        found: dict[bytes, Key] = {}
        for stream in self._lives(conversation):
            for row in self._rows(stream.stream):
                if is_commit(row.topic):
                    for lookup in repeat_lookups(transaction.secret, row.commit(BARE)):
                        found.setdefault(lookup, Key(lookup, row.position))
        transaction.put_keys([*found.values()])

    def _close(self, stream: Stream, numbers: tuple[int, ...], *, whole: bool = False) -> None:
        """Append a record of the erasure to the stream, so that every process reads it again."""
        [last] = self._transaction.rows_newest_first(stream.stream, 2**62, 1)
        if not is_commit(last.topic):
            return
        said = decode_skeleton(last.skeleton)
        event = replace(self._said, events=numbers, whole=whole)
        turn = said.first_turn + sum(tag == _MESSAGE for tag in said.tags)
        position = self._transaction.last_position() + 1
        first = said.first_event + len(said.tags)
        commit = Commit(
            stream.conversation, last.version + 1, first, turn, self._recorded, (event,)
        )
        made = columns(commit, os.urandom(SALT_BYTES))
        row = WrittenRow(
            position, stream.stream, commit.version, made.topic, last.digest(), made.skeleton, b"",
            made.parts, stream.owner, stream.name, stream.life,
        )  # fmt: skip
        row.about = About(stream.conversation, [NO_ONE], NO_ONE)
        self._transaction.append([row])

    def _is_newest(self, stream: Stream) -> bool:
        newest = self._transaction.stream(stream.conversation)
        return newest is not None and newest.stream == stream.stream

    # --- what is derived ------------------------------------------------------------------------

    def _unname(self, conversation: str) -> None:
        """Drop the id, and everything that is found through it."""
        transaction = self._transaction
        self._forget(conversation)
        for stream in self._lives(conversation):
            transaction.drop_snapshots(stream.stream)
            transaction.drop_name(stream.stream)
        transaction.drop_head(conversation)
        transaction.drop_keys(lookup_of(transaction.secret, conversation))
        self._drop_ahead(lookup_of(transaction.secret, conversation))

    def _drop_ahead(self, lookup: bytes) -> None:
        """Attachments of a conversation that no event names."""
        for name in self._transaction.attachment_names():
            first = self._transaction.chunks(name, AHEAD, 1)
            if [chunk.content for chunk in first if chunk.number == AHEAD] == [lookup]:
                self._transaction.drop_chunks(name, EVERY_CHUNK)

    def _forget(self, conversation: str) -> None:
        for checkpoint in self._transaction.checkpoints():
            buffer = Buffer(self._transaction, checkpoint.model, self._transaction)
            forget(conversation, buffer)
            take_back(conversation, buffer)
            self._transaction.put(checkpoint.model, buffer.encoded())

    def _anew_in_forks(self, streams: Sequence[int]) -> None:
        """Rebuild what is derived from forks of streams, because their past has changed."""
        forks = [fork for stream in streams for fork in forks_of(self._transaction, stream)]
        for fork in forks:
            self._transaction.drop_snapshots(fork)
        for number in dict.fromkeys(forks):
            found = self._transaction.stream_of(number)
            if found is not None and found.name is not None and self._is_newest(found):
                [first] = self._transaction.rows(number, 0, 1, 1)
                shared = decode_skeleton(first.skeleton).first_event - 1
                self._close(found, tuple(range(1, shared + 1)))
                self._anew(found)

    def _anew(self, stream: Stream) -> None:
        """Rebuild head and snapshots of a stream; its read models are rebuilt when they
        catch up.
        """
        name, transaction = stream.conversation, self._transaction
        rows = [*self._rows(stream.stream)]
        following = Following(None, [], {})
        history = StreamRows(transaction, None, name, stream.stream, stream.life)
        following.take(rows, StoredHistory(history))
        if following.head is None:
            return
        transaction.put_heads([following.head.stored()])
        if not following.head.state.deleted:
            transaction.put_snapshots([snapshot for _, snapshot in following.snapshots])
        if is_conversation(name):
            self._forget(name)


def _erasures(row: Row) -> list[int]:
    events = row.commit(BARE).events
    return [event.erasure for event in events if isinstance(event, ContentErased)]


def _rest(row: Row, goes: Callable[[int], bool]) -> tuple[bytes, bytes] | None:
    """The remaining commitments and parts of a row; None if it loses nothing.

    Its key is dropped with any of its events.
    """
    if not is_commit(row.topic):
        return dropped(row.commitments, row.parts, lambda place: goes(0))
    said = decode_skeleton(row.skeleton)
    places = {
        place
        for place in range(len(said.tags))
        if goes(said.first_event + place) and not (place == 0 and _begins_fork(row))
    }
    if not places:
        return None
    places.update(range(len(said.tags), len(said.tags) + said.keys))
    rest = dropped(row.commitments, row.parts, places.__contains__)
    return None if rest == (row.commitments, row.parts) else rest


def _begins_fork(row: Row) -> bool:
    """Whether its first event links the rows of a fork to the origin."""
    if row.version != 1 or decode_skeleton(row.skeleton).first_event == 1:
        return False
    first = row.commit(BARE).events[0]
    return isinstance(first, HistoryContinued) and first.conversation is not None
