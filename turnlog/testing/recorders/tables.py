"""Derived tables and attachments."""

from __future__ import annotations

from contextlib import suppress

from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import (
    HEADS,
    BlobChunk,
    Checkpoint,
)
from turnlog.testing.recorders.back_end import BackEnd
from turnlog.testing.recorders.samples import (
    append,
    head,
    keyed,
    place,
    put_keys,
    row,
    snapshot,
)

NAME = b"\0" * 32
OTHER = b"n" * 32
"""Names of attachments."""


class TablesContract(BackEnd):
    """Tests of derived tables and attachments."""

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
