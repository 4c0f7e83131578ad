"""The requests of one transaction, decided one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from turnlog.encoding.checking import checked, encodings
from turnlog.encoding.rows import decode_skeleton
from turnlog.engine.appending import Appending
from turnlog.engine.command import recording
from turnlog.engine.forking import Fork, begun, first_events, hidden_inputs, hide, passed_on
from turnlog.engine.known import KnownCommits
from turnlog.engine.recordable import check_recordable
from turnlog.engine.repeats import is_retry, rest_key, without_repeats
from turnlog.engine.request import Answer, CommitPart, Recorded, Request
from turnlog.errors import InvalidEvent, VersionConflict
from turnlog.projections.heads import Heads
from turnlog.projections.history import StoredHistory
from turnlog.projections.live_head import LiveHead
from turnlog.projections.stream_rows import StreamRows
from turnlog.storage.contents import StoredContents
from turnlog.storage.lookups import forks_lookup
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Transaction
from turnlog.storage.rows import Random, Row


class Batch:
    """The requests of one transaction; their outcomes, in the same order, and the rows to append.

    transaction: for reading and writing; None if the heads are trusted, and the log refuses the
    rows if they were wrong.
    """

    def __init__(self, heads: Heads, transaction: Transaction | None, random: Random) -> None:
        recorder = heads.recorder
        reader: Reader = recorder.reader if transaction is None else transaction
        self._heads = heads
        self._reader = reader
        self._transaction = transaction
        self._genesis = recorder.genesis
        self.appending = Appending(heads, transaction, random)
        self.outcomes: list[Recorded | Exception] = []
        self.found: dict[str, LiveHead] = {}
        self._contents = StoredContents(reader, recorder)
        looks = transaction is not None
        self._known = KnownCommits(
            heads.tail, reader, self._contents, recorder.genesis.secret, looks
        )

    def read(self, requests: Sequence[Request]) -> None:
        """Read the heads of all requests, and the known keys, together."""
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
        """Raises the error that stops a request after a part of it was made; the part is dropped
        too.
        """
        for request in requests:
            begun = self.appending.position
            try:
                self.outcomes.append(self._decided(request))
            except Exception as error:
                if self._transaction is None or self.appending.position > begun:
                    raise
                self.outcomes.append(error)

    def put_at(self, first: int) -> None:
        """Move the decided rows to the positions that the log assigned."""
        if (by := first - 1 - self.appending.after) == 0:
            return
        self.appending.move(by)
        for outcome in self.outcomes:
            if isinstance(outcome, Recorded):
                commits = outcome.commits
                outcome.commits = [
                    replace(each, position=(each.position or 0) + by) for each in commits
                ]

    def _decided(self, request: Request) -> Recorded:
        head = self._head(request.conversation)
        if head.state.deleted and self._transaction is None:
            raise LookupError("the keys of its lives must be read")
        if (key := request.key) is not None and (known := self._known.of(head, RepeatKey(key))):
            return self._again(known, head)
        if not (messages := request.messages):
            return self._new(request, head)
        repeats = self._known.messages(head, messages)
        if not repeats and (len(messages) == 1 or len(messages) == len(set(messages))):
            return self._new(request, head)
        return self._left(request, head, repeats)

    def _left(self, request: Request, head: LiveHead, repeats: Mapping[str, Commit]) -> Recorded:
        """Record the rest of a request without its known messages.

        Nothing for an identical request; otherwise the rest is recorded once.
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
        reader, conversation = self.appending.reader, commit.conversation
        stream = reader.stream(conversation, commit.life)
        assert stream is not None, "one of its commits was found"
        rows = StreamRows(reader, self._heads, conversation, stream.stream, commit.life)
        return is_retry(commit, given, StoredHistory(rows), self._contents)

    def _again(
        self, known: Iterable[Commit], head: LiveHead, repeats: Iterable[str] = ()
    ) -> Recorded:
        """The earlier commits, as they may be shown now."""
        shown = [each for each in known if each.life == head.life and not head.state.deleted]
        if shown and head.state.redacted:
            redactions = self.appending.history(head).redactions()
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
        return self._recorded(request, head, self.appending.history(head))

    def _revived(self, request: Request, head: LiveHead) -> Recorded:
        """A new life for a deleted conversation, if the request can begin one."""
        fresh = self._unborn(head.conversation, head.life + 1, head.digest)
        asked, _ = self._asked(request, fresh, NoHistory())
        if not asked or not (request.expected_version == 0 or can_begin(asked[0])):
            return self._recorded(request, head, self.appending.history(head))
        return self._recorded(request, fresh, NoHistory())

    def _recorded(self, request: Request, head: LiveHead, history: Past) -> Recorded:
        asked, result = self._asked(request, head, history)
        if not asked:
            if self._transaction is None:  # no row is written that the tables could refuse
                raise LookupError(f"the head of {head.conversation!r} may be outdated")
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
        hides = hide(asked)
        if hides and self._transaction is None:
            raise LookupError("the forks that it affects must be read")
        self.appending.encoded = encodings(asked)
        events, state = decide(
            conversation, head.state, asked, history=history, now=request.now, origin=origin
        )
        if not request.is_cut(events):
            commits = [self._commit(head, CommitPart(events, request.recorded, request.key), state)]
        else:
            commits = self._cut(request, head, events, history)
        if hides and head.stream:
            self._hide_in_forks(request, head, events)
        return Recorded(commits, state)

    # --- forks ----------------------------------------------------------------------------------

    def _forked(self, request: Request, fork: Fork, head: LiveHead) -> Recorded:
        """The first commit of a fork; its id was never used, so that its rows are one chain."""
        if self._transaction is None:
            raise LookupError("what the origin hides must be read")
        if head.version and fork.events:
            return self._recorded(request, head, self.appending.history(head))
        if head.version:
            why = "was deleted" if head.state.deleted else "exists already"
            raise InvalidEvent(
                request.conversation, "conversation", f"{why}; choose another id for the fork"
            )
        origin = self._head(fork.origin)
        if not origin.version or origin.state.deleted:
            raise fork.unknown(request.conversation)
        check_recordable(request.conversation, origin.state, fork.events)
        history = self.appending.history(origin)
        shared = fork.shared(origin, history)
        begins = begun(request.conversation, origin, history, shared)
        asked = checked(request.conversation, first_events(fork, origin, history, shared.event))
        return self._recorded_events(request, begins, asked, history, origin.stream)

    def _hide_in_forks(self, request: Request, origin: LiveHead, events: Sequence[Event]) -> None:
        """Record, in the forks of a stream, what its events hide of the shared past."""
        history = self.appending.history(origin)
        for row in self._forks_of(origin.stream):
            head = self._known_head(row.conversation)
            if head.stream != row.stream or head.state.deleted:
                continue
            shared = decode_skeleton(row.skeleton).first_event - 1
            if hidden := [*passed_on(events, shared), *hidden_inputs(history, events, shared)]:
                asking = Request(head.conversation, request.command, request.recorded, request.now)
                self._recorded_events(asking, head, hidden, self.appending.history(head))

    def _forks_of(self, stream: int) -> list[Row]:
        """The first rows of the forks of a stream, including those in this batch."""
        prefix, reader = forks_lookup(self._genesis.secret, stream), self.appending.reader
        tail = [
            p
            for keys in (self.appending.lookups, self._heads.tail.keys)
            for k, p in keys.items()
            if k.startswith(prefix)
        ]
        rows = [*reader.keyed_rows_under(prefix)]
        rows += [row for position in tail for row in reader.tail(position - 1, 1)]
        return [*{row.stream: row for row in rows if row.name is not None}.values()]

    def _known_head(self, conversation: str) -> LiveHead:
        """The head of a conversation for which there is no request."""
        if conversation not in self.appending.written and conversation not in self.found:
            self.found |= self._heads.known(self._reader, [conversation])
        return self._head(conversation)

    # --- rows -----------------------------------------------------------------------------------

    def _head(self, conversation: str) -> LiveHead:
        """The head of the conversation for the next request."""
        if (written := self.appending.head(conversation)) is not None:
            return written
        return self.found.get(conversation) or self._unborn(conversation, 1, self._genesis.digest)

    def _unborn(self, conversation: str, life: int, previous: bytes) -> LiveHead:
        """The head that the first commit of a life continues from."""
        return LiveHead(conversation, 0, b"", life, 0, 0, previous, 0, State())

    def _cut(
        self, request: Request, head: LiveHead, events: Sequence[Event], history: Past
    ) -> list[Commit]:
        """The commits into which a request's events are split."""
        commits: list[Commit] = []
        self._check_keys(request, head)
        folded = Fold(lambda: events, head.state.copy(), past(history, head.state))
        for part in request.parts(events):
            after = folded.take(part.events).copy()
            commits.append(self._commit(head, part, after))
            head = self._head(request.conversation)
        return commits

    def _check_keys(self, request: Request, head: LiveHead) -> None:
        """Raise InvalidEvent for a known key: its events are in the log already."""
        conversation, keys = request.conversation, request.keys
        for key in keys:
            if self._known.of(head, RepeatKey(key)) or keys.count(key) > 1:
                raise InvalidEvent(conversation, "key", f"{key!r:.80} was recorded already")

    def _commit(self, before: LiveHead, part: CommitPart, state: State) -> Commit:
        commit = self.appending.add(before, part, state)
        for lookup in self._known.take(commit, before):
            self.appending.note_key(lookup, commit.position or 0)
        return commit
