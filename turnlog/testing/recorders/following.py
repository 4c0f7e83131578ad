"""Reading a log as a whole, following it, and opening it again."""

from __future__ import annotations

import pytest

from turnlog.errors import AnotherPast, OutOfRange
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import (
    Checkpoint,
    Entry,
    Head,
    Key,
    Row,
    Snapshot,
    Stream,
)
from turnlog.storage.subscription import Subscription, batches
from turnlog.testing.recorders.back_end import BackEnd
from turnlog.testing.recorders.samples import (
    append,
    head,
    row,
    snapshot,
    started,
    stream,
)


class FollowingContract(BackEnd):
    """Tests of scans, subscriptions and reopening."""

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
            with pytest.raises(
                OutOfRange, match=rf"position {position} does not exist; the last is 5"
            ):
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
