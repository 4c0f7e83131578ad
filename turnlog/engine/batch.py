"""The requests of one transaction, decided and made into rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from turnlog.domain.commit import Commit, RepeatKey
from turnlog.domain.conversation import Past
from turnlog.domain.decide import decide
from turnlog.domain.events import Event
from turnlog.domain.fold import Fold
from turnlog.domain.history import NoHistory, past
from turnlog.domain.lives import can_begin
from turnlog.domain.state import State
from turnlog.domain.subjects import about
from turnlog.encoding.checking import checked
from turnlog.encoding.rows import SALT_BYTES, columns, decode_skeleton, digest
from turnlog.engine.command import recording
from turnlog.engine.forking import HIDING, Fork, begun, first_events, hidden_inputs, passed_on
from turnlog.engine.known import KnownCommits
from turnlog.engine.placing import Placed, Placing
from turnlog.engine.recordable import check_recordable
from turnlog.engine.repeats import is_retry, rest_key, without_repeats
from turnlog.engine.request import Answer, CommitPart, Recorded, Request
from turnlog.errors import InvalidEvent, VersionConflict
from turnlog.projections.following import Following
from turnlog.projections.heads import Heads
from turnlog.projections.history import StoredHistory
from turnlog.projections.live_head import LiveHead
from turnlog.projections.stream_rows import StreamRows
from turnlog.storage.contents import StoredContents
from turnlog.storage.lookups import fork_lookup, forks_lookup
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Transaction
from turnlog.storage.rows import Genesis, Key, Random, Row, Stream, WrittenRow

_HIDING = frozenset(HIDING)
"""Events after which no derived table keeps what they hide."""


class Batch:
    """The requests of one commit; nothing outside is touched before it is durable.

    transaction: what was read and is written in; None where what the heads know is believed, and
    the log refuses the rows if that was wrong.
    """

    def __init__(
        self,
        heads: Heads,
        reader: Reader,
        transaction: Transaction | None,
        genesis: Genesis,
        random: Random,
    ) -> None:
        self._heads = heads
        self._encoding = heads.recorder.encoding
        self._reader = reader
        self._transaction = transaction
        self._genesis = genesis
        self._random = random
        self.after = self.position = heads.position or 0
        self.written: dict[str, Following] = {}
        self.lookups: dict[bytes, int] = {}
        self.outcomes: list[Recorded | Exception] = []
        self.rows: list[Row] = []
        self.digests: dict[int, bytes] = {}
        self.streams: list[Stream] = []
        self.keys: list[Key] = []
        self.placed: list[Placed] = []
        self._placing = Placing(genesis, transaction)
        self._contents = StoredContents(reader, heads.recorder)
        self.takes_out = False
        self.found: dict[str, LiveHead] = {}
        looks = transaction is not None
        self._known = KnownCommits(heads.tail, reader, self._contents, genesis.secret, looks)

    @property
    def reader(self) -> Reader:
        """The log with the batch's own rows in it."""
        if self._transaction is None and self.rows:
            raise LookupError("what is not stored yet is asked for")
        self.write()
        return self._reader

    def read(self, requests: Sequence[Request]) -> None:
        """The heads of all requests at once, and the keys that are known."""
        names: set[str] = set()
        for request in requests:
            names.add(request.conversation)
            if request.fork is not None:
                names.add(request.fork.origin)
        self.found = self._heads.known(self._reader, names)
        if self._transaction is not None:
            self._known.read(
                lookup
                for request in requests
                if (head := self.found.get(request.conversation)) is not None
                for key in request.repeat_keys
                for lookup in self._known.lookups(head, key)
            )

    def decide(self, requests: Sequence[Request]) -> None:
        for request in requests:
            try:
                self.outcomes.append(self._decided(request))
            except Exception as error:
                if self._transaction is None:
                    raise
                self.outcomes.append(error)

    def write(self) -> None:
        """Put what was decided so far into the transaction."""
        if self._transaction is not None and self.rows:
            self._transaction.append(self.rows, self.streams, self.keys)
            for placed in self.placed:
                placed.write(self._transaction)
            for placed in self.placed:
                placed.clean(self._transaction)
            self.rows, self.streams, self.keys, self.placed = [], [], [], []

    def put_at(self, first: int) -> None:
        """Move what was decided to the positions that the log gave."""
        if (by := first - 1 - self.after) == 0:
            return
        self.after += by
        self.position += by
        self.lookups = {lookup: position + by for lookup, position in self.lookups.items()}
        self.digests = {position + by: digest for position, digest in self.digests.items()}
        for following in self.written.values():
            following.move(by)
        for outcome in self.outcomes:
            if isinstance(outcome, Recorded):
                commits = outcome.commits
                outcome.commits = [
                    replace(each, position=(each.position or 0) + by) for each in commits
                ]

    def _decided(self, request: Request) -> Recorded:
        head = self._head(request.conversation)
        if head.state.deleted and self._transaction is None:
            raise LookupError("the keys of its lives are looked up")
        if (key := request.key) is not None and (known := self._known.of(head, RepeatKey(key))):
            return self._again(known, head)
        if not (messages := request.messages):
            return self._new(request, head)
        repeats = self._known.messages(head, messages)
        if not repeats and (len(messages) == 1 or len(messages) == len(set(messages))):
            return self._new(request, head)
        return self._left(request, head, repeats)

    def _left(self, request: Request, head: LiveHead, repeats: Mapping[str, Commit]) -> Recorded:
        """Record what is left of a request without the messages that are known.

        Nothing where it is the same request again; else what is left is recorded once.
        """
        given, key = request.given, request.key
        given = checked(head.conversation, without_repeats(given))
        left = without_repeats(given, repeats)
        commits = [*{(each.life, each.version): each for each in repeats.values()}.values()]
        if not left or (key is None and len(commits) == 1 and self._is_retry(commits[0], given)):
            return self._again(commits, head, repeats)
        if key is None and repeats:
            key = rest_key(self._genesis.secret, head.conversation, given, self._contents)
            if (known := self._known.of(head, RepeatKey(key))) is not None:
                return self._again(known, head, repeats)
        recorded = self._new(replace(request, command=recording(left), key=key), head)
        recorded.repeated = [*repeats]
        return recorded

    def _is_retry(self, commit: Commit, given: Sequence[Event]) -> bool:
        reader, conversation = self.reader, commit.conversation
        stream = reader.stream(conversation, commit.life)
        assert stream is not None, "a commit of it was found"
        rows = StreamRows(reader, self._heads, conversation, stream.stream, commit.life)
        return is_retry(commit, given, StoredHistory(rows), self._contents)

    def _again(
        self, known: Iterable[Commit], head: LiveHead, repeats: Iterable[str] = ()
    ) -> Recorded:
        """What was recorded before, as it may be shown now."""
        shown = [each for each in known if each.life == head.life and not head.state.deleted]
        if shown and head.state.redacted:
            redactions = self._history(head).redactions()
            shown = [commit.shown(redactions) for commit in shown]
        return Recorded(shown, head.state, new=False, repeated=[*repeats])

    def _new(self, request: Request, head: LiveHead) -> Recorded:
        conversation = request.conversation
        if request.fork is not None:
            return self._forked(request, request.fork, head)
        anew = head.state.deleted and request.expected_version == 0
        if request.expected_version not in (None, head.version) and not anew:
            assert request.expected_version is not None
            raise VersionConflict(conversation, request.expected_version, head.version)
        if head.state.deleted and request.revives:
            return self._revived(request, head)
        return self._recorded(request, head, self._history(head))

    def _revived(self, request: Request, head: LiveHead) -> Recorded:
        """A new life for a deleted conversation, if what is asked for can begin one."""
        fresh = self._unborn(head.conversation, head.life + 1, head.digest)
        asked, _ = self._asked(request, fresh, NoHistory())
        if not asked or not (request.expected_version == 0 or can_begin(asked[0])):
            return self._recorded(request, head, self._history(head))
        return self._recorded(request, fresh, NoHistory())

    def _recorded(self, request: Request, head: LiveHead, history: Past) -> Recorded:
        asked, result = self._asked(request, head, history)
        if not asked:
            if self._transaction is None:  # no row is written that the tables could refuse
                raise LookupError(f"nothing was asked of {head.conversation!r} as it was known")
            return Recorded([], head.state, result=result)
        check_recordable(head.conversation, head.state, asked)
        recorded = self._recorded_events(request, head, asked, history)
        recorded.result = result
        return recorded

    def _asked(
        self, request: Request, head: LiveHead, history: Past
    ) -> tuple[Sequence[Event], Any]:
        answer = request.command(head.state, history)
        events, result = (
            (answer.events, answer.result) if isinstance(answer, Answer) else (answer, None)
        )
        return checked(head.conversation, events), result

    def _recorded_events(
        self,
        request: Request,
        head: LiveHead,
        asked: Sequence[Event],
        history: Past,
        origin: int | None = None,
    ) -> Recorded:
        conversation = head.conversation
        hides = not _HIDING.isdisjoint(map(type, asked))
        if hides and self._transaction is None:
            raise LookupError("the forks are looked up that it reaches into")
        events, state = decide(
            conversation, head.state, asked, history=history, now=request.now, origin=origin
        )
        if request.split is None and not request.staged:
            commits = [self._commit(head, CommitPart(events, request.recorded, request.key), state)]
        else:
            commits = self._cut(request, head, events, history)
        if hides and head.stream:
            self._hide_in_forks(request, head, events)
        return Recorded(commits, state)

    # --- forks ----------------------------------------------------------------------------------

    def _forked(self, request: Request, fork: Fork, head: LiveHead) -> Recorded:
        """The first commit of a fork; of an id that was never used, so that the chain is one."""
        if self._transaction is None:
            raise LookupError("what was hidden in the origin is looked up")
        if head.version and fork.events:
            return self._recorded(request, head, self._history(head))
        if head.version:
            why = "was deleted" if head.state.deleted else "is there already"
            raise InvalidEvent(request.conversation, "conversation", f"{why}: fork as another one")
        origin = self._head(fork.origin)
        if not origin.version or origin.state.deleted:
            raise fork.unknown(request.conversation)
        check_recordable(request.conversation, origin.state, fork.events)
        history = self._history(origin)
        shared = fork.shared(origin, history)
        begins = begun(request.conversation, origin, history, shared)
        asked = checked(request.conversation, first_events(fork, origin, history, shared.event))
        return self._recorded_events(request, begins, asked, history, origin.stream)

    def _hide_in_forks(self, request: Request, origin: LiveHead, events: Sequence[Event]) -> None:
        """Record in the forks of a stream what its events hide of the past they share."""
        history = self._history(origin)
        for row in self._forks_of(origin.stream):
            head = self._known_head(row.conversation)
            if head.stream != row.stream or head.state.deleted:
                continue
            shared = decode_skeleton(row.skeleton).first_event - 1
            if hidden := [*passed_on(events, shared), *hidden_inputs(history, events, shared)]:
                asking = Request(head.conversation, request.command, request.recorded, request.now)
                self._recorded_events(asking, head, hidden, self._history(head))

    def _forks_of(self, stream: int) -> list[Row]:
        """The first rows of the forks of a stream, those of the batch's own too."""
        prefix, reader = forks_lookup(self._genesis.secret, stream), self.reader
        tail = [
            p
            for keys in (self.lookups, self._heads.tail.keys)
            for k, p in keys.items()
            if k.startswith(prefix)
        ]
        rows = [*reader.keyed_rows_under(prefix)]
        rows += [row for position in tail for row in reader.tail(position - 1, 1)]
        return [*{row.stream: row for row in rows if row.name is not None}.values()]

    def _known_head(self, conversation: str) -> LiveHead:
        """Where a conversation stands that nobody asked for."""
        if conversation not in self.written and conversation not in self.found:
            self.found |= self._heads.known(self._reader, [conversation])
        return self._head(conversation)

    # --- rows -----------------------------------------------------------------------------------

    def _history(self, head: LiveHead) -> StoredHistory:
        return StoredHistory(_Rows(self, head))

    def _head(self, conversation: str) -> LiveHead:
        """Where the conversation stands for the next request."""
        if (written := self.written.get(conversation)) is not None and written.head is not None:
            return written.head
        return self.found.get(conversation) or self._unborn(conversation, 1, self._genesis.digest)

    def _unborn(self, conversation: str, life: int, previous: bytes) -> LiveHead:
        """The head that the first commit of a life goes on from."""
        return LiveHead(conversation, 0, b"", life, 0, 0, previous, 0, State())

    def _cut(
        self, request: Request, head: LiveHead, events: Sequence[Event], history: Past
    ) -> list[Commit]:
        """The commits that a request's events are cut into."""
        commits: list[Commit] = []
        self._check_keys(request, head)
        folded = Fold(lambda: events, head.state.copy(), past(history, head.state))
        for part in request.parts(events):
            after = folded.take(part.events).copy()
            commits.append(self._commit(head, part, after))
            head = self._head(request.conversation)
        return commits

    def _check_keys(self, request: Request, head: LiveHead) -> None:
        """Raise InvalidEvent for one that is known: what it belongs to is in the log already."""
        conversation, keys = request.conversation, request.keys
        for key in keys:
            if self._known.of(head, RepeatKey(key)) or keys.count(key) > 1:
                raise InvalidEvent(conversation, "key", f"{key!r:.80} was recorded already")

    def _commit(self, before: LiveHead, part: CommitPart, state: State) -> Commit:
        conversation, life, position = before.conversation, before.life, self.position + 1
        events, recorded, key = part
        commit = Commit(
            conversation, before.version + 1, before.state.event + 1, before.state.turn, recorded,
            tuple(events), key, position, life,
        )  # fmt: skip
        stream, owner, name = self._stream(before)
        placed: list[Placed] = []
        put = partial(self._placing, conversation, owner, placed, state.user)
        made = columns(commit, self._random(SALT_BYTES), put, self._encoding)
        self.placed += placed
        row = WrittenRow(
            position, stream, commit.version, made.topic, before.digest, made.skeleton, b"",
            made.parts, owner, name, life,
        )  # fmt: skip
        row.known = sealed = digest(
            owner, commit.version, made.topic, before.digest, made.skeleton, made.commitments
        )
        if self._encoding:
            row.made = made.commitments
            row.about = about(conversation, before.state.user, commit.events)
        self.rows.append(row)
        self.digests[position] = sealed
        if not before.version and before.state.event:
            self._note_key(fork_lookup(self._genesis.secret, _origin(state), stream), position)
        for lookup in self._known.take(commit, before):
            self._note_key(lookup, position)
        self.position = position
        self.takes_out = self.takes_out or not _HIDING.isdisjoint(map(type, events))
        snapshot = 0 if state.deleted else before.snapshot
        head = LiveHead(
            conversation, stream, owner, life, commit.version, position, sealed, snapshot, state
        )
        self._follow(head, commit.events)
        return commit

    def _note_key(self, lookup: bytes, position: int) -> None:
        self.lookups[lookup] = position
        self.keys.append(Key(lookup, position))

    def _stream(self, head: LiveHead) -> tuple[int, bytes, bytes | None]:
        """Number and commitment of the conversation's stream, which may begin here."""
        if head.version:
            return head.stream, head.owner, None
        stream = Stream.of(head.conversation, head.life, self._genesis.digest, self._random)
        self.streams.append(stream)
        return stream.stream, stream.owner, stream.name

    def _follow(self, head: LiveHead, events: Sequence[Event]) -> None:
        if (following := self.written.get(head.conversation)) is None:
            following = self.written[head.conversation] = Following(None, [], {})
        following.put(head, head.snapshot, events)


def _origin(state: State) -> int:
    """Of the state after the first commit of a fork."""
    return state.lineage.origin or 0


class _Rows(StreamRows):
    """A past as the transaction sees it, with the batch's own rows written first."""

    is_committed = False

    def __init__(self, batch: Batch, head: LiveHead) -> None:
        super().__init__(
            batch._reader, batch._heads, head.conversation, head.stream, head.life,
            is_fork=head.is_fork,
        )  # fmt: skip
        self._batch = batch

    @property
    def _reader(self) -> Reader:
        return self._batch.reader
