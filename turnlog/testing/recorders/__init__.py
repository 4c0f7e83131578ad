"""The contract of every back end, as tests (needs pytest).

    class TestMyRecorder(RecorderContract):
        def create(self) -> Recorder:
            return MyRecorder(…)

`create` is called once a test and returns an empty log; where the back end outlives its object,
`reopen` opens what the last one stored once more.
"""

from __future__ import annotations

from turnlog.testing.recorders.following import FollowingContract
from turnlog.testing.recorders.rows import RowsContract
from turnlog.testing.recorders.tables import TablesContract
from turnlog.testing.recorders.transactions import TransactionsContract


class RecorderContract(RowsContract, TransactionsContract, TablesContract, FollowingContract):
    """The whole contract."""
