"""Rows, streams and keys."""

from __future__ import annotations

import pytest
from eventsourcing.persistence import IntegrityError

from turnlog.storage.lookups import key_lookup
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import (
    Checkpoint,
    Key,
    Row,
    Stream,
)
from turnlog.testing.recorders.back_end import BackEnd
from turnlog.testing.recorders.samples import (
    append,
    head,
    keyed,
    place,
    put_keys,
    row,
    stream,
)

TEXTS = ["", "a", "A", "é", "e\u0301", "ß", "\u200f\u05e9\u05dc\u05d5\u05dd", "😀", "\U0010ffff"]
TEXTS += ["nul\0in the middle", "\0", "' OR 1=1 --", "%_\\", "a\nb", "x" * 2000]
"""Texts that some store has changed, refused or confused."""


class RowsContract(BackEnd):
    """Tests of rows, streams and keys."""

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
        if recorder.gives_positions:  # and so has to check what they follow
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
