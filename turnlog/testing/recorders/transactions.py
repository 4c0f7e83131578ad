"""What a transaction keeps together, and hides from others."""

from __future__ import annotations

import pytest

from turnlog.storage.lookups import key_lookup
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import (
    Checkpoint,
    Key,
)
from turnlog.testing.recorders.back_end import BackEnd
from turnlog.testing.recorders.samples import (
    contents,
    head,
    keyed,
    row,
    snapshot,
    started,
    stream,
)


class TransactionsContract(BackEnd):
    """Tests of atomicity, isolation and order."""

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

    def test_others_do_not_see_an_open_transaction(self, recorder: Recorder) -> None:
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
