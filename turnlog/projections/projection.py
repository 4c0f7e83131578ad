"""The protocol of projections, and how they follow the log.

A projection folds commits, in order of position, into entries (conversation, key, value). Its
checkpoint, position and digest of the last row, is written in the same transaction as the entries.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Protocol, get_args, runtime_checkable

from turnlog.domain.commit import Commit
from turnlog.domain.events import ContentErased, ConversationDeleted, Event
from turnlog.domain.redactions import Redactions
from turnlog.domain.streams import is_conversation
from turnlog.domain.traits import Hiding
from turnlog.encoding.rows import is_commit
from turnlog.errors import AnotherPast, Corrupt, NewerFormat, OutOfRange, Unavailable
from turnlog.projections.history import StoredHistory
from turnlog.projections.stream_rows import StreamRows
from turnlog.projections.view import Buffer, View, drop
from turnlog.storage.checkpoints import close_over
from turnlog.storage.contents import StoredContents
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Recorder, Transaction
from turnlog.storage.rows import Checkpoint, Row
from turnlog.storage.subscription import BATCH_COMMITS, Subscription, check_past

_ROWS_AT_ONCE = 32

TRIES = 3
"""The number of attempts before a conversation is set aside."""

_ASIDE = ("", "set aside")
"""Conversation and key of the entry that names the conversations set aside; no id is empty."""

_REDACTED = ("", "redacted ")
"""Conversation and key prefix of the entries that name conversations with a redaction."""

_HIDING = frozenset((*get_args(Hiding), ContentErased))
"""Events after which a conversation is projected again from the beginning."""

_NOT_THE_COMMITS_FAULT = (Unavailable, NewerFormat)

logger = logging.getLogger(__name__)


class Projection(Protocol):
    """A read model of commits.

    all_streams: whether it sees the log's own streams, too. inherits: false if it contains nothing
    of the past that a fork shares, and need not see it.
    """

    name: ClassVar[str]

    def apply(self, commits: Sequence[Commit], view: View) -> None:
        """Folds commits, oldest first, into the view. Equal events must give equal entries, however
        they are grouped.
        """
        ...


@runtime_checkable
class RowProjection(Protocol):
    """A projection that sees every row of every stream as stored."""

    name: ClassVar[str]

    def take(self, rows: Sequence[Row], view: View) -> None:
        """Folds rows, in order of position, into the view."""
        ...


AnyProjection = Projection | RowProjection


def commits(rows: Iterable[Row], projection: Projection, log: Reader) -> list[Commit]:
    """The commits that a projection sees. Rows of other applications are skipped."""
    every, contents = getattr(projection, "all_streams", False), StoredContents(log)
    return [
        row.commit(contents)
        for row in rows
        if row.name is not None  # without its id, nothing is derived from it
        and is_commit(row.topic)
        and (every or is_conversation(row.conversation))
    ]


def catch_up(
    recorder: Recorder, projections: Iterable[AnyProjection], batch: int = BATCH_COMMITS
) -> int:
    """Projects new rows, and returns the number of positions passed."""
    return sum(_catch_up(recorder, projection, batch) for projection in projections)


def _catch_up(recorder: Recorder, projection: AnyProjection, batch: int) -> int:
    subscription = Subscription(recorder, projected_upto(recorder.reader, projection), size=batch)
    done = 0
    while subscription.position < recorder.reader.last_position():
        with recorder.transaction() as transaction:
            done += _project(transaction, projection, subscription)
            close_over(transaction)
    return done


def rebuild(recorder: Recorder, projection: AnyProjection, batch: int = BATCH_COMMITS) -> int:
    """Makes a projection again from all rows. Readers see the old or the new one."""
    subscription = Subscription(recorder, size=batch)
    done = 0
    with recorder.transaction() as transaction:
        transaction.clear(projection.name)
        while projected := _project(transaction, projection, subscription):
            done += projected
        close_over(transaction)
    return done


def projected_upto(reader: Reader, projection: AnyProjection) -> int:
    """The position of a projection. Raises Corrupt if it was made from another log."""
    checkpoint = reader.checkpoint(projection.name)
    if checkpoint is None:
        return 0
    rows = reader.tail(checkpoint.position - 1, 1)
    try:
        check_past(reader, rows, checkpoint.position, checkpoint.digest)
    except (OutOfRange, AnotherPast) as error:
        raise Corrupt(
            f"projection {projection.name!r} has seen another row at position"
            f" {checkpoint.position}: rows of the log were lost or changed;"
            " `turnlog verify` says more, `turnlog rebuild`"
            " makes the projection again"
        ) from error
    return checkpoint.position


def _project(
    transaction: Transaction, projection: AnyProjection, subscription: Subscription
) -> int:
    """Projects the next rows, writes the checkpoint, and returns the number of rows."""
    subscription.seek(
        projected_upto(transaction, projection)
    )  # another process may have projected some
    rows = subscription.read(transaction)
    if rows:
        buffer = projected(rows, projection, transaction, transaction)
        transaction.put(projection.name, buffer.encoded())
        transaction.put_checkpoint(
            Checkpoint(projection.name, rows[-1].position, rows[-1].digest())
        )
    return len(rows)


def projected(
    rows: Iterable[Row], projection: AnyProjection, reader: Reader, log: Reader
) -> Buffer:
    """The entries after the next rows of a log, given the stored ones.

    If the projection fails on a commit, it sets the conversation aside from that commit on, until a
    rebuild. Other conversations continue.
    """
    buffer = Buffer(reader, projection.name, log)
    if isinstance(projection, RowProjection):
        projection.take([*rows], buffer)
        return buffer
    aside = set_aside(buffer)
    continuing = [row for row in rows if row.conversation not in aside]
    try:
        _fold(continuing, projection, buffer)
    except _NOT_THE_COMMITS_FAULT:
        raise
    except Exception:
        return _one_by_one(continuing, projection, reader, log)
    return buffer


def newest_first(reader: Reader, conversation: str, life: int | None = None) -> Iterator[Row]:
    """The rows of a life (None: the newest) of a conversation, newest first."""
    before, stream = 2**62, reader.stream(conversation, life)
    while stream and (rows := reader.rows_newest_first(stream.stream, before, _ROWS_AT_ONCE)):
        yield from rows
        if len(rows) < _ROWS_AT_ONCE:
            return
        before = rows[-1].version


def set_aside(view: View) -> dict[str, dict[str, Any]]:
    """The conversations that a projection set aside, each with `position` and `why`."""
    found: dict[str, dict[str, Any]] = view.get(*_ASIDE) or {}
    return found


def take_back(conversation: str, view: View) -> None:
    """Lets a projection continue with a conversation that it set aside."""
    aside = set_aside(view)
    if conversation in aside:
        view.put(*_ASIDE, {name: why for name, why in aside.items() if name != conversation})


def _fold(rows: Iterable[Row], projection: Projection, buffer: Buffer) -> None:
    seen = _of_newest_lives(commits(rows, projection, buffer.log), buffer)
    kinds = {type(event) for commit in seen for event in commit.events}
    if not _HIDING.isdisjoint(kinds):
        _note_redacted((c.conversation for c in seen if redacts(c)), buffer)
    projection.apply(_shown(seen, projection, buffer), buffer)
    if ConversationDeleted in kinds:
        _forget_deleted(seen, buffer)


def _of_newest_lives(seen: Sequence[Commit], buffer: Buffer) -> Sequence[Commit]:
    """Without the commits of earlier lives, which were deleted."""
    newest = {commit.conversation: commit.life for commit in seen}
    past = {c.conversation for c in seen if c.life < newest[c.conversation]}
    for conversation in past:
        forget(conversation, buffer)
    return [c for c in seen if c.life == newest[c.conversation]] if past else seen


def _note_redacted(conversations: Iterable[str], buffer: Buffer) -> None:
    place, prefix = _REDACTED
    for conversation in conversations:
        buffer.put(place, prefix + conversation, True)


def _shown(seen: Sequence[Commit], projection: Projection, buffer: Buffer) -> Sequence[Commit]:
    """The commits as views may show them, without redacted content.

    A conversation with a redaction is projected again from its beginning. A fork that begins is
    projected with the past that it shares, if the projection inherits.
    """
    place, prefix = _REDACTED
    redacted = {key.removeprefix(prefix) for key, _ in buffer.entries(place, prefix)}
    inherits = getattr(projection, "inherits", True)
    whole = redacted | {c.conversation for c in seen if inherits and begins_fork(c)}
    if not whole:
        return seen
    last = {c.conversation: c for c in seen if c.conversation in whole}
    again = [_from_the_beginning(commit, buffer) for commit in last.values()]
    _note_redacted((one[0].conversation for one in again if any(map(redacts, one))), buffer)
    return [c for c in seen if c.conversation not in whole] + [c for one in again for c in one]


def _has(commit: Commit, kind: type[Event]) -> bool:
    return any(type(event) is kind for event in commit.events)


def redacts(commit: Commit) -> bool:
    """Whether the commit hides or erases earlier events."""
    return any(type(event) in _HIDING for event in commit.events)


def begins_fork(commit: Commit) -> bool:
    """Whether the commit is the first of a fork, which shares events before it."""
    return commit.version == 1 and commit.first_event > 1


def was_redacted(reader: Reader, model: str, conversation: str) -> bool:
    """Whether a read model has noted a redaction in the conversation."""
    place, prefix = _REDACTED
    return reader.get(model, place, prefix + conversation) is not None


def _from_the_beginning(last: Commit, buffer: Buffer) -> list[Commit]:
    """All commits of a life up to one of them, to be projected from the beginning."""
    drop(buffer, last.conversation)
    return shown_whole(buffer.log, last.conversation, last.version, last.life)


def shown_whole(
    log: Reader, conversation: str, version: int | None = None, life: int | None = None
) -> list[Commit]:
    """All commits of a life (None: the newest), up to a version, as views may show them."""
    if (stream := log.stream(conversation, life)) is None:
        return []
    rows = StreamRows(log, None, conversation, stream.stream, stream.life)
    whole = [*StoredHistory(rows).commits(upto=version)]
    redactions = Redactions(numbered for commit in whole for numbered in commit.numbered())
    return [commit.shown(redactions) for commit in whole]


def _one_by_one(rows: Iterable[Row], projection: Projection, reader: Reader, log: Reader) -> Buffer:
    """Projects each conversation separately, failing ones up to the commit that fails."""
    result = Buffer(reader, projection.name, log)
    aside = set_aside(result)
    of: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of[row.conversation].append(row)
    for conversation, mine in of.items():
        made = _tried(mine, projection, result)
        if isinstance(made, Exception):
            logger.error("projection %s stops at %r: %s", projection.name, conversation, made)
            good = _good(mine, projection, result)
            aside[conversation] = {"position": mine[good].position, "why": str(made)}
            made = _tried(mine[:good], projection, result)
        if isinstance(made, Buffer):
            result.take_over(made)
    result.put(*_ASIDE, aside)
    return result


def _tried(rows: Sequence[Row], projection: Projection, over: Buffer) -> Buffer | Exception:
    """The entries of one conversation's rows, or the error of the last attempt."""
    failure = Exception("was not tried")
    for _ in range(TRIES):
        buffer = over.beside()
        try:
            _fold(rows, projection, buffer)
        except _NOT_THE_COMMITS_FAULT:
            raise
        except Exception as error:
            failure = error
        else:
            return buffer
    return failure


def _good(rows: Sequence[Row], projection: Projection, over: Buffer) -> int:
    """How many of a conversation's rows can be projected before one fails."""

    def fails(last: int) -> bool:
        return isinstance(_tried(rows[: last + 1], projection, over), Exception)

    return bisect_left(range(len(rows) - 1), True, key=fails)


def _forget_deleted(seen: Iterable[Commit], view: View) -> None:
    """Removes deleted conversations from the read model."""
    for commit in seen:
        if _has(commit, ConversationDeleted):
            forget(commit.conversation, view)


def forget(conversation: str, view: View) -> None:
    """Removes a conversation from a read model."""
    drop(view, conversation)
    view.remove(_REDACTED[0], _REDACTED[1] + conversation)
