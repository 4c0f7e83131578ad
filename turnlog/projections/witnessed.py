"""A log whose rows pass a gate in every reading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from turnlog.encoding.apart import BARE
from turnlog.encoding.rows import is_commit
from turnlog.errors import Rewritten
from turnlog.projections.gate import Gate, name_of
from turnlog.storage.lookups import ID_BYTES, lookup_of, repeat_lookups
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Recorder, Transaction
from turnlog.storage.rows import HEADS, Body, Head, Row, Stream

ROWS_AT_ONCE = 500


class WitnessedReader:
    """A reader or transaction whose rows and heads pass the gate, which else raises Rewritten."""

    def __init__(self, reader: Any, gate: Gate, secret: bytes) -> None:
        self._reader = reader
        self._gate = gate
        self._secret = secret

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def rows(self, *asked: Any, **more: Any) -> Sequence[Row]:
        """See `Reader.rows`; through the gate."""
        return self._gate.rows(self._reader.rows(*asked, **more))

    def rows_newest_first(self, *asked: Any, **more: Any) -> Sequence[Row]:
        """See `Reader.rows_newest_first`; through the gate."""
        return self._gate.rows(self._reader.rows_newest_first(*asked, **more))

    def tail(self, *asked: Any, **more: Any) -> Sequence[Row]:
        """See `Reader.tail`; through the gate."""
        return self._gate.rows(self._reader.tail(*asked, **more))

    def keyed_rows_under(self, *asked: Any, **more: Any) -> Sequence[Row]:
        """See `Reader.keyed_rows_under`; through the gate."""
        return self._gate.rows(self._reader.keyed_rows_under(*asked, **more))

    def keyed_rows(self, lookups: Sequence[bytes]) -> Sequence[Row]:
        """See `Reader.keyed_rows`. Also raises Rewritten if the table of keys disagrees with the
        rows.
        """
        rows = self._gate.rows(self._reader.keyed_rows(lookups))
        missing = {*lookups}
        for row in rows:
            here = missing.intersection(repeat_lookups(self._secret, row.commit(BARE)))
            if not here:
                where = f"conversation {name_of(row)!r}, position {row.position}"
                what = "does not have the key under which the table of keys lists it"
                raise Rewritten(f"{where} {what}", row.position, name_of(row))
            missing -= here
        for lookup in missing:
            self._check_unknown(lookup)
        return rows

    def _check_unknown(self, lookup: bytes) -> None:
        """Raises Rewritten if a key that was used is missing in the table."""
        name = self._gate.names.get(lookup[:ID_BYTES])
        if name is None:
            return
        if (used := self._gate.keys.get(name)) is None:
            used = self._gate.keys[name] = {*self._used(name)}
        if lookup in used:
            what = "a key that was used is missing in the table of keys: it was removed"
            raise Rewritten(f"conversation {name!r}: {what}", None, name)

    def _used(self, name: str) -> Iterator[bytes]:
        """The keys that the table must contain for all rows of a conversation."""
        heads = self._reader.checkpoint(HEADS)
        upto, life = heads.position if heads else 0, 1
        while (stream := self._reader.stream(name, life)) is not None:
            after = 0
            while rows := self.rows(stream.stream, after, None, ROWS_AT_ONCE):
                for row in rows:
                    if row.position <= upto and is_commit(row.topic):
                        yield from repeat_lookups(self._secret, row.commit(BARE))
                after = rows[-1].version
            life += 1

    def bodies(self, stream: int, *asked: Any, **more: Any) -> Sequence[Body]:
        """See `Reader.bodies`; through the gate."""
        rows = self._reader.bodies(stream, *asked, **more)
        return self._gate.bodies(rows, lambda: self._reader.stream_of(stream))

    def stream(self, conversation: str, life: int | None = None) -> Stream | None:
        """See `Reader.stream`; notes the conversation for checks of keys."""
        self._note(conversation)
        found: Stream | None = self._reader.stream(conversation, life)
        return found

    def _note(self, *names: str) -> None:
        """Notes conversations whose keys may be asked for."""
        self._gate.names.update({lookup_of(self._secret, name): name for name in names})

    def head(self, conversation: str) -> Head | None:
        """See `Reader.head`; through the gate."""
        self._note(conversation)
        found = self._reader.head(conversation)
        return None if found is None else self._gate.heads([found])[0]

    def heads(self, *asked: Any, **more: Any) -> Sequence[Head]:
        """See `Reader.heads`; through the gate."""
        return self._gate.heads(self._reader.heads(*asked, **more))

    def heads_of(self, conversations: Sequence[str]) -> Sequence[Head]:
        """See `Reader.heads_of`; through the gate."""
        self._note(*conversations)
        return self._gate.heads(self._reader.heads_of(conversations))


class WitnessedRecorder:
    """A recorder whose readers and transactions pass the gate."""

    def __init__(self, recorder: Recorder, gate: Gate) -> None:
        self._recorder = recorder
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._recorder, name)

    @property
    def reader(self) -> Reader:
        """See `Recorder.reader`; through the gate."""
        found: Reader = self._witnessed(self._recorder.reader)
        return found

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """See `Recorder.transaction`; through the gate."""
        with self._recorder.transaction() as transaction:
            yield self._witnessed(transaction)

    def _witnessed(self, reader: Any) -> Any:
        return WitnessedReader(reader, self._gate, self._recorder.genesis.secret)
