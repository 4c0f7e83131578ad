"""The contract of every back end, as tests (needs pytest).

    class TestMyRecorder(RecorderContract):
        def create(self) -> Recorder:
            return MyRecorder(…)

`create` is called once a test and returns an empty log; where the back end outlives its object,
`reopen` opens what the last one stored once more.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from hashlib import sha256
from typing import Any

import pytest
from eventsourcing.persistence import IntegrityError

from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.encoding.names import encode_name
from turnlog.encoding.rows import foreign_columns
from turnlog.errors import AnotherPast, OutOfRange
from turnlog.storage.lookups import key_lookup
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import (
    HEADS,
    BlobChunk,
    Checkpoint,
    Entry,
    Head,
    Key,
    Row,
    Snapshot,
    Stream,
)
from turnlog.storage.subscription import Subscription, batches

TEXTS = ["", "a", "A", "é", "e\u0301", "ß", "\u200f\u05e9\u05dc\u05d5\u05dd", "😀", "\U0010ffff"]
TEXTS += ["nul\0in the middle", "\0", "' OR 1=1 --", "%_\\", "a\nb", "x" * 2000]
"""Texts that a store has been known to change, refuse or confuse."""


NAME = b"\0" * 32
OTHER = b"n" * 32
"""Of attachments."""


class RecorderContract(ABC):
    outlives = True
    """Whether what was stored can be opened again."""

    @abstractmethod
    def create(self) -> Recorder: ...

    def reopen(self) -> Recorder:
        raise NotImplementedError

    @pytest.fixture
    def recorder(self) -> Iterator[Recorder]:
        recorder = self.create()
        yield recorder
        recorder.close()

    # --- rows -----------------------------------------------------------------------------------

    def test_an_empty_log_has_nothing(self, recorder: Recorder) -> None:
        reader = recorder.reader
        assert reader.last_position() == 0
        assert (reader.head("a"), keyed(recorder, "a", "k"), reader.stream("a")) == (
            None,
            None,
            None,
        )
        assert (reader.snapshot(place("a")), reader.checkpoint("m")) == (None, None)
        assert reader.get("m", "a", "k") is None
        for nothing in (
            reader.heads(),
            reader.rows(place("a")),
            reader.tail(0, 9),
            reader.snapshots(place("a")),
        ):
            assert list(nothing) == []
        assert [*reader.checkpoints(), *reader.entries("m")] == []

    def test_rows_come_back_as_they_were(self, recorder: Recorder) -> None:
        rows = [row(1, "a"), row(2, "b"), row(3, "a", 2), row(4, "a", 3)]
        append(recorder, *rows)
        put_keys(recorder, ("a", "k", 1), ("b", "k", 2))
        reader = recorder.reader
        assert list(reader.tail(0, 9)) == rows
        assert list(reader.tail(1, 2)) == rows[1:3]
        assert list(reader.rows(place("a"))) == [rows[0], rows[2], rows[3]]
        assert list(reader.rows(place("a"), 1, 2)) == [rows[2]]
        assert list(reader.rows(place("a"), 0, None, 2)) == [rows[0], rows[2]]
        assert list(reader.bodies(place("a"), 1)) == [(r.position, *r[2:8]) for r in rows[2:4]]
        assert len(reader.bodies(place("a"), 0, 2)) == 2
        assert list(reader.rows_newest_first(place("a"), 3, 9)) == [rows[2], rows[0]]
        assert list(reader.rows_newest_first(place("a"), 9, 1)) == [rows[3]]
        asked = [key_lookup(recorder.genesis.secret, *each) for each in ("ak", "ax", "ck")]
        assert list(reader.keyed_rows(asked)) == [rows[0]]
        assert reader.last_position() == 4

    def test_a_row_read_back_has_the_digest_it_had(self, recorder: Recorder) -> None:
        rows = [row(n, text) for n, text in enumerate(TEXTS, 1)]
        append(recorder, *rows)
        assert [r.digest() for r in recorder.reader.tail(0, 99)] == [r.digest() for r in rows]

    def test_texts_stay_what_they_are_and_apart(self, recorder: Recorder) -> None:
        append(recorder, *(row(n, text) for n, text in enumerate(TEXTS, 1)))
        put_keys(recorder, *((text, text, n) for n, text in enumerate(TEXTS, 1)))
        with recorder.transaction() as transaction:
            transaction.put_heads([head(text) for text in TEXTS])
            transaction.put("m", [(text, text, text.encode()) for text in TEXTS])
            transaction.put_checkpoint(Checkpoint("nul\0", 1, None))
        reader = recorder.reader
        for number, text in enumerate(TEXTS, 1):
            assert [r.position for r in reader.rows(place(text))] == [number]
            assert (found := keyed(recorder, text, text)) is not None
            assert (found.conversation, found.position) == (text, number)
            assert reader.get("m", text, text) == text.encode()
        texts = sorted(filter(None, TEXTS), key=recorder.order)
        assert [h.conversation for h in reader.heads("", 99) if h.conversation] == texts
        assert [entry[0] for entry in reader.entries("m")] == sorted(TEXTS)
        assert reader.checkpoint("nul\0") == Checkpoint("nul\0", 1, None)

    def test_a_position_is_there_once(self, recorder: Recorder) -> None:
        append(recorder, row(1, "a"), row(2, "a", 2))
        with pytest.raises(IntegrityError):
            append(recorder, row(2, "b"))
        assert list(recorder.reader.rows(place("b"))) == []

    def test_a_version_is_there_once(self, recorder: Recorder) -> None:
        append(recorder, row(1, "a"))
        with pytest.raises(IntegrityError):
            append(recorder, row(2, "b"), row(3, "a"))
        assert recorder.reader.last_position() == 1

    def test_a_stream_is_there_once(self, recorder: Recorder) -> None:
        append(recorder, row(1, "a"))
        with pytest.raises(IntegrityError), recorder.transaction() as transaction:
            transaction.append([row(2, "b")], [stream("a")])
        assert recorder.reader.last_position() == 1

    def test_the_newest_life_of_a_conversation_is_read(self, recorder: Recorder) -> None:
        append(recorder, row(1, "a"), row(2, "a", 2))
        again = stream("a", life=2)
        with recorder.transaction() as transaction:
            transaction.append([row(3, "a")._replace(stream=again.stream)], [again])
        assert recorder.reader.stream("a") == again
        assert [r.position for r in recorder.reader.rows(again.stream)] == [3]

    def test_a_key_stays_where_it_was_first(self, recorder: Recorder) -> None:
        append(recorder, row(1, "a"), row(2, "a", 2))
        put_keys(recorder, ("a", "k", 1))
        put_keys(recorder, ("a", "k", 2))
        found = keyed(recorder, "a", "k")
        assert found is not None
        assert found.position == 1

    def test_what_was_believed_wrongly_is_refused_whole(self, recorder: Recorder) -> None:
        lookup = key_lookup(recorder.genesis.secret, "a", "k")
        recorder.append([row(1, "a")], [stream("a")], [])
        put_keys(recorder, ("a", "k", 1))
        recorder.append([row(2, "a", 2)], [], [Key(b"another", 2)])
        wrong: list[tuple[list[Row], list[Stream], list[Key]]] = [
            ([row(3, "a", 2)], [], []),
            ([row(3, "a", 3)], [], [Key(lookup, 3)]),
            ([row(3, "b"), row(4, "a", 3)], [stream("b")], [Key(lookup, 4)]),
            ([row(3, "b")], [stream("a")], []),
        ]
        if recorder.gives_positions:  # and so has to look itself what they follow
            wrong.append(([row(3, "a", 3)._replace(previous=b"another")], [], []))
            wrong.append(([row(3, "a", 4)], [], []))
        else:
            wrong += [([row(position, "a", 3)], [], []) for position in (2, 4)]
        for asked in wrong:
            with pytest.raises(IntegrityError):
                recorder.append(*asked)
        assert [r.position for r in recorder.reader.tail(0, 9)] == [1, 2]
        assert recorder.reader.stream("b") is None
        more = [row(3, "b"), row(4, "a", 3)]
        assert recorder.append(more, [stream("b")], [Key(b"one more", 4)]) == 3
        assert recorder.reader.last_position() == 4

    def test_rows_follow_those_that_others_wrote_where_positions_are_given(
        self, recorder: Recorder
    ) -> None:
        append(recorder, row(1, "a"), row(2, "b"))
        if not recorder.gives_positions:
            with pytest.raises(IntegrityError):
                recorder.append([row(2, "a", 2)], [], [])
            return
        lookup = key_lookup(recorder.genesis.secret, "a", "k")
        believed = [row(2, "a", 2), row(3, "a", 3)]
        assert recorder.append(believed, [], [Key(lookup, 3)]) == 3
        found = [(r.position, r.conversation, r.version) for r in recorder.reader.tail(0, 9)]
        assert found == [(1, "a", 1), (2, "b", 1), (3, "a", 2), (4, "a", 3)]
        [keyed_row] = recorder.reader.keyed_rows([lookup])
        assert keyed_row.position == 4

    # --- transactions ---------------------------------------------------------------------------

    def test_an_exception_undoes_all_that_the_transaction_wrote(self, recorder: Recorder) -> None:
        def write(turn: int) -> None:
            with recorder.transaction() as transaction:
                transaction.append([row(turn, "a", turn)], [stream("a")] if turn == 1 else [])
                transaction.put_heads([head("a", turn)])
                transaction.put_snapshots([snapshot("a", turn)])
                transaction.put_checkpoint(Checkpoint("m", turn, b"d"))
                transaction.put("m", [("a", "kept", b"%d" % turn), ("a", "gone", None)])
                if turn == 2:
                    transaction.clear("n")
                    raise ZeroDivisionError

        with recorder.transaction() as transaction:
            transaction.put("m", [("a", "gone", b"0")])
            transaction.put("n", [("a", "k", b"0")])
        write(1)
        before = contents(recorder)
        with pytest.raises(ZeroDivisionError):
            write(2)
        assert contents(recorder) == before
        write(3)

    def test_a_transaction_sees_what_it_wrote(self, recorder: Recorder) -> None:
        with recorder.transaction() as transaction:
            transaction.append([row(1, "a")], [stream("a")])
            transaction.put_keys([Key(key_lookup(recorder.genesis.secret, "a", "k"), 1)])
            transaction.put_heads([head("a")])
            transaction.put("m", [("a", "k", b"v")])
            assert transaction.last_position() == 1
            assert keyed(recorder, "a", "k", transaction) == row(1, "a")
            assert transaction.head("a") == head("a")
            assert transaction.get("m", "a", "k") == b"v"

    def test_nobody_else_sees_what_is_not_committed(self, recorder: Recorder) -> None:
        with recorder.transaction() as transaction:
            transaction.append([row(1, "a")], [stream("a")])
            asking, seen = started(lambda: recorder.reader.last_position())
            asking.join(0.2)
            assert seen in ([], [0])
        asking.join()
        assert recorder.reader.last_position() == 1

    def test_transactions_come_one_after_the_other(self, recorder: Recorder) -> None:
        def append_some() -> None:
            for _ in range(20):
                with recorder.transaction() as transaction:
                    last = transaction.last_position()
                    begun = [] if last else [stream("a")]
                    transaction.append([row(last + 1, "a", last + 1)], begun)

        threads = [started(append_some)[0] for _ in range(4)]
        for thread in threads:
            thread.join()
        assert [r.position for r in recorder.reader.tail(0, 99)] == list(range(1, 81))

    # --- what is derived ------------------------------------------------------------------------

    def test_a_head_is_replaced(self, recorder: Recorder) -> None:
        with recorder.transaction() as transaction:
            transaction.put_heads([head("b"), head("a")])
        with recorder.transaction() as transaction:
            transaction.put_heads([head("a", 2)])
        reader = recorder.reader
        assert reader.head("a") == head("a", 2)
        first, second = sorted("ab", key=recorder.order)
        assert [h.conversation for h in reader.heads()] == [first, second]
        assert {h.conversation for h in reader.heads_of(["a", "b", "c"])} == {"a", "b"}
        assert [h.conversation for h in reader.heads(first)] == [second]
        assert [h.conversation for h in reader.heads("", 1)] == [first]

    def test_heads_come_newest_first_below_a_position(self, recorder: Recorder) -> None:
        with recorder.transaction() as transaction:
            transaction.put_heads([head("a", 3), head("b", 9), head("c", 5), head("d", 7)])
        with recorder.transaction() as transaction:
            transaction.put_heads([head("a", 11)])
        reader = recorder.reader
        found = [h.conversation for h in reader.heads_newest_first(2**62, 9)]
        assert found == ["a", "b", "d", "c"]
        assert [h.conversation for h in reader.heads_newest_first(11, 2)] == ["b", "d"]
        assert reader.heads_newest_first(5, 9) == []

    def test_the_newest_snapshot_that_is_not_too_new(self, recorder: Recorder) -> None:
        append(recorder, row(1, "a"), row(2, "b"))
        stored = [snapshot("a", version) for version in (2, 4, 6)]
        with recorder.transaction() as transaction:
            transaction.put_snapshots([*stored, snapshot("b", 1)])
        reader = recorder.reader
        assert list(reader.snapshots(place("a"))) == stored
        assert reader.snapshot(place("a")) == stored[2]
        assert reader.snapshot(place("a"), event=50) == stored[1]
        assert reader.snapshot(place("a"), turn=4) == stored[1]
        assert reader.snapshot(place("a"), event=39, turn=4) == stored[0]
        assert reader.snapshot(place("a"), turn=1) is None

    def test_entries_are_put_found_by_prefix_and_removed(self, recorder: Recorder) -> None:
        keys = ["", "p", "p%", "p_", "p\0", "pq", "q", "P"]
        with recorder.transaction() as transaction:
            transaction.put("m", [("a", key, key.encode()) for key in keys])
            transaction.put("m", [("b", "p", b"b"), ("b", "r", b"r")])
            transaction.put("other", [("a", "p", b"o")])
        reader = recorder.reader
        with_p = [key for key in sorted(keys) if key.startswith("p")]
        assert [key for _, key, _ in reader.entries("m", "a", "p")] == with_p
        assert [key for _, key, _ in reader.entries("m", "a", "p%")] == ["p%"]
        assert [key for _, key, _ in reader.entries("m", "a", "p\0")] == ["p\0"]
        assert [name for name, _, _ in reader.entries("m", prefix="p")] == ["a"] * 5 + ["b"]
        with recorder.transaction() as transaction:
            transaction.put("m", [("b", "p", None), ("b", "absent", None), ("b", "r", b"R")])
        assert list(recorder.reader.entries("m", "b")) == [("b", "r", b"R")]
        assert recorder.reader.get("other", "a", "p") == b"o"

    def test_the_entries_of_several_conversations_come_together(self, recorder: Recorder) -> None:
        with recorder.transaction() as transaction:
            transaction.put("m", [("a", "1", b"a1"), ("a", "2", b"a2"), ("b", "1", b"b1")])
            transaction.put("m", [("c", "1", b"c1")])
            transaction.put("other", [("a", "1", b"o")])
        found = recorder.reader.entries_of("m", ["c", "a", "absent"])
        assert sorted(found) == [
            ("m", "a", "1", b"a1"), ("m", "a", "2", b"a2"), ("m", "c", "1", b"c1"),
        ]  # fmt: skip
        assert recorder.reader.entries_of("m", []) == []

    def test_a_stream_is_found_by_its_number(self, recorder: Recorder) -> None:
        append(recorder, row(1, "a"), row(2, "b"))
        assert recorder.reader.stream_of(place("b")) == stream("b")
        assert recorder.reader.stream_of(place("c")) is None

    def test_keys_that_begin_alike_are_found_together(self, recorder: Recorder) -> None:
        append(recorder, row(1, "a"), row(2, "b"), row(3, "c"))
        with recorder.transaction() as transaction:
            transaction.put_keys(
                [Key(b"8 bytes ", 3), Key(b"8 bytes " + b"\xff" * 12, 1), Key(b"8 bytes!", 2)]
            )
        found = recorder.reader.keyed_rows_under(b"8 bytes ")
        assert [each.position for each in found] == [1, 3]
        assert not recorder.reader.keyed_rows_under(b"8 bytes\xff")

    def test_a_model_is_cleared_with_its_checkpoint(self, recorder: Recorder) -> None:
        with recorder.transaction() as transaction:
            for model in ("m", "n"):
                transaction.put(model, [("a", "k", b"v")])
                transaction.put_checkpoint(Checkpoint(model, 7, b"d"))
        with recorder.transaction() as transaction:
            transaction.clear("m")
        reader = recorder.reader
        assert (list(reader.entries("m")), reader.checkpoint("m")) == ([], None)
        assert list(reader.checkpoints()) == [Checkpoint("n", 7, b"d")]
        assert reader.get("n", "a", "k") == b"v"

    def test_heads_keys_and_snapshots_are_cleared_together(self, recorder: Recorder) -> None:
        append(recorder, row(1, "a"))
        put_keys(recorder, ("a", "k", 1))
        with recorder.transaction() as transaction:
            transaction.put_heads([head("a")])
            transaction.put_snapshots([snapshot("a", 1)])
            transaction.put_checkpoint(Checkpoint(HEADS, 1, b"d"))
        with recorder.transaction() as transaction:
            transaction.clear(HEADS)
        reader = recorder.reader
        assert (reader.head("a"), keyed(recorder, "a", "k"), reader.snapshot(place("a"))) == (
            None,
        ) * 3
        assert (list(reader.checkpoints()), reader.last_position()) == ([], 1)

    # --- scanning -------------------------------------------------------------------------------

    def test_chunks_stay_as_they_were_put_first_and_are_dropped_by_number(
        self, recorder: Recorder
    ) -> None:
        chunks = [BlobChunk(name, n, b"%d" % n) for name in (NAME, OTHER) for n in (-1, 0, 1, 2)]
        with recorder.transaction() as transaction:
            transaction.put_chunks(chunks[::-1])
            assert list(transaction.chunks(NAME, 1, 9)) == chunks[2:4]
        with recorder.transaction() as transaction:
            transaction.put_chunks([BlobChunk(NAME, 0, b"another")])
            transaction.drop_chunks(NAME, 0)
        reader = recorder.reader
        assert list(reader.chunks(NAME, -1, 2)) == chunks[1:3]
        assert list(reader.chunks(b"m" * 32, -1, 9)) == []
        stored = [reader.stored(name) for name in (NAME, b"m" * 32, None)]
        assert stored == [(3, 3), (0, 0), (6, 6)]
        assert sorted(reader.attachment_names()) == [NAME, OTHER]
        with recorder.scan() as scan:
            assert list(scan.chunks(NAME, 0, 9)) == chunks[1:4]
            assert sorted(scan.attachment_names()) == [NAME, OTHER]
        with suppress(ZeroDivisionError), recorder.transaction() as transaction:
            transaction.drop_chunks(NAME, 9)
            transaction.put_chunks([BlobChunk(b"m" * 32, 0, b"")])
            raise ZeroDivisionError
        with recorder.transaction() as transaction:
            transaction.drop_chunks(OTHER, 9)
        assert list(reader.attachment_names()) == [NAME]
        assert list(reader.chunks(NAME, -1, 9)) == chunks[1:4]

    def test_a_scan_reads_every_table_as_a_stream(self, recorder: Recorder) -> None:
        with recorder.transaction() as transaction:
            transaction.append(
                [row(1, "b"), row(2, "a"), row(3, "b", 2)], [stream("a"), stream("b")]
            )
            transaction.put_keys([Key(b"k" * 16, 1)])
            transaction.put_heads([head("b", 2), head("a")])
            transaction.put_snapshots([snapshot("b", 2), snapshot("b", 1)])
            transaction.put("m", [("a", "k", b"v")])
            transaction.put_checkpoint(Checkpoint("m", 7, b"d"))
        with recorder.scan() as scan:
            rows, heads = scan.every(Row), scan.every(Head)
            first = [(next(rows), next(heads)), (next(rows), next(heads))]
            by_stream = sorted([row(2, "a"), row(1, "b"), row(3, "b", 2)], key=lambda r: r[1:3])
            assert [*(each for each, _ in first), *rows] == by_stream
            by_id = sorted([head("a"), head("b", 2)], key=lambda h: recorder.order(h.conversation))
            assert [*(each for _, each in first), *heads] == by_id
            assert list(scan.every(Stream)) == sorted([stream("a"), stream("b")])
            assert list(scan.every(Key)) == [Key(b"k" * 16, 1)]
            assert list(scan.every(Snapshot)) == [snapshot("b", 1), snapshot("b", 2)]
            assert list(scan.every(Checkpoint)) == [Checkpoint("m", 7, b"d")]
            assert list(scan.every(Entry)) == [Entry("m", "a", "k", b"v")]
            assert scan.head("a") == head("a")
            assert list(scan.complaints()) == []

    # --- following and opening ------------------------------------------------------------------

    def test_waiting_ends_when_something_is_appended(self, recorder: Recorder) -> None:
        append(recorder, row(1, "a"))
        assert recorder.wait_above(0, 0)
        assert not recorder.wait_above(1, 0.05)
        waiting, seen = started(lambda: recorder.wait_above(1, 20))
        append(recorder, row(2, "b"))
        waiting.join(5)
        assert seen == [True]

    def test_a_subscription_goes_through_old_and_new(self, recorder: Recorder) -> None:
        append(recorder, row(1, "a"), row(2, "b"))
        following = iter(subscription := Subscription(recorder, 1))
        assert next(following) == [row(2, "b")]
        waiting, seen = started(lambda: next(following))
        append(recorder, row(3, "a", 2))
        waiting.join(5)
        assert seen == [[row(3, "a", 2)]]
        assert (subscription.position, list(subscription.read())) == (3, [])

    def test_a_subscription_reads_in_batches(self, recorder: Recorder) -> None:
        rows = [row(n, "a", n) for n in range(1, 8)]
        append(recorder, *rows)
        subscription = Subscription(recorder, size=3)
        assert [len(subscription.read()) for _ in range(4)] == [3, 3, 1, 0]
        assert [list(b) for b in batches(recorder.reader, 1, 6, 3)] == [rows[1:4], rows[4:6]]

    def test_a_subscription_beyond_the_end_is_out_of_range(self, recorder: Recorder) -> None:
        append(recorder, *(row(n, "a", n) for n in range(1, 6)))
        for position in (-1, 6, 10):
            with pytest.raises(OutOfRange, match=rf"no position {position}, the last is 5"):
                Subscription(recorder, position).read()
        assert not Subscription(recorder, 5).read()

    def test_a_subscription_tells_of_another_past(self, recorder: Recorder) -> None:
        rows = [row(n, "a", n) for n in range(1, 6)]
        append(recorder, *rows)
        assert len(Subscription(recorder, 3, rows[2].digest()).read()) == 2
        assert len(Subscription(recorder, 0, recorder.genesis.digest).read()) == 5
        for position, digest in ((3, rows[1].digest()), (0, b"another log"), (5, b"")):
            with pytest.raises(AnotherPast, match=f"at position {position}"):
                Subscription(recorder, position, digest).read()

    def test_a_stopped_subscription_ends(self, recorder: Recorder) -> None:
        subscription = Subscription(recorder)
        waiting, seen = started(lambda: list(subscription))
        subscription.stop()
        waiting.join(5)
        assert seen == [[]]

    def test_what_was_stored_is_there_when_opened_again(self, recorder: Recorder) -> None:
        if not self.outlives:
            pytest.skip("this back end ends with its object")
        append(recorder, row(1, "a"))
        genesis = recorder.genesis
        recorder.close()
        again = self.reopen()
        try:
            assert list(again.reader.tail(0, 9)) == [row(1, "a")]
            assert again.genesis == genesis
        finally:
            again.close()


def stream(conversation: str, life: int = 1) -> Stream:
    number = int.from_bytes(sha256(f"{conversation} {life}".encode()).digest()[:8]) >> 1
    return Stream(number, life, b"owner\0" * 5, encode_name(conversation, b"salt\xff"))


def place(conversation: str) -> int:
    """The number of its stream."""
    return stream(conversation).stream


def row(position: int, conversation: str, version: int = 1) -> Row:
    number, _, owner, name = stream(conversation)
    made = foreign_columns("topic", b"state\xff", bytes(range(240, 256)))
    previous = _digest(conversation, version - 1) if version > 1 else b"previous\0"
    return Row(
        position, number, version, made.topic, previous, made.skeleton, b"", made.parts, owner,
        name, 1,
    )  # fmt: skip


@cache
def _digest(conversation: str, version: int) -> bytes:
    return row(0, conversation, version).digest()


def head(conversation: str, version: int = 1) -> Head:
    number, _, owner, _ = stream(conversation)
    state = binary.encode_state(State(event=version))
    return Head(conversation, number, owner, 1, version, version, b"digest", version, 0, 0, state)


def snapshot(conversation: str, version: int) -> Snapshot:
    """After event 10 × version, in turn `version`."""
    number = stream(conversation).stream
    return Snapshot(number, version, 10 * version, version, b"digest", b"state", 0)


def append(recorder: Recorder, *rows: Row) -> None:
    """Rows, and the streams that are not there yet."""
    names = dict.fromkeys(row.conversation for row in rows)
    begun = [stream(name) for name in names if recorder.reader.stream(name) is None]
    with recorder.transaction() as transaction:
        transaction.append(rows, begun)


def keyed(
    recorder: Recorder, conversation: str, key: str, reader: Reader | None = None
) -> Row | None:
    lookup = key_lookup(recorder.genesis.secret, conversation, key)
    return next(iter((reader or recorder.reader).keyed_rows([lookup])), None)


def put_keys(recorder: Recorder, *keys: tuple[str, str, int]) -> None:
    """Conversations, keys and positions."""
    secret = recorder.genesis.secret
    with recorder.transaction() as transaction:
        transaction.put_keys([Key(key_lookup(secret, name, key), p) for name, key, p in keys])


def contents(recorder: Recorder) -> list[Any]:
    """All that a log holds."""
    reader = recorder.reader
    heads = list(reader.heads())
    snapshots = [s for h in heads for s in reader.snapshots(h.stream)]
    entries = [(m, list(reader.entries(m))) for m in ("m", "n")]
    return [list(reader.tail(0, 9999)), heads, snapshots, list(reader.checkpoints()), entries]


def started(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """A thread that does the work, and the list that its answer will be in."""
    answers: list[Any] = []

    def run() -> None:
        with suppress(StopIteration):
            answers.append(work())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, answers
