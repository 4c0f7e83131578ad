"""Given values of more than 64 kB, when recorded, then they are stored next to the rows."""

from __future__ import annotations

import hmac
import os
import random
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

import turnlog
from tests.unit.tables import Tables
from turnlog import (
    Attachment,
    BotUttered,
    ForeignRecorded,
    MediaAdded,
    MessageRedacted,
    OpaqueAdded,
    SlotSet,
    TextAdded,
    ToolReturned,
    Turnlog,
    UserUttered,
)
from turnlog.audit.proving import ProvableTurn
from turnlog.audit.rebuilding import rebuild
from turnlog.audit.verify import verify
from turnlog.domain.attachment import LARGE
from turnlog.domain.events import EVENTS
from turnlog.encoding import apart, binary
from turnlog.encoding.dropping import dropped
from turnlog.engine.command import recording
from turnlog.engine.importing import import_files
from turnlog.engine.request import Request
from turnlog.errors import Corrupt, InvalidEvent, UnknownConversation
from turnlog.serializers.formats import codec
from turnlog.storage.copying import backup, copy
from turnlog.storage.rows import AHEAD, EVERY_CHUNK, BlobChunk

IMAGE = os.urandom(900_000)
LONG = "ö " + "".join(random.Random(1).choices("abcdefgh ", k=120_000))
TABLE = {"rows": [["cell", n % 9, None] for n in range(10_000)]}
EVENTS_OF_MANY_BYTES = [
    UserUttered("see", data={"scan": LONG}, extra={"x": LONG}),
    MediaAdded("image", mime="image/png", content=IMAGE),
    ToolReturned(TABLE, "c1", "search"),
    ToolReturned([LONG], "c2", "search"),
    TextAdded(LONG),
    ForeignRecorded("langgraph", "checkpoint", IMAGE[::-1]),
    OpaqueAdded("some", "kind", LONG),
    BotUttered("there", {"attachment": LONG}),
    SlotSet("doc", LONG),
]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Turnlog]:
    url = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path / 'log.db'}"}.get(request.param)
    with turnlog.open(url or request.getfixturevalue("postgres_url")) as log:
        yield log


def chunks(log: Turnlog) -> list[BlobChunk]:
    reader = log.store.reader
    names = sorted(reader.attachment_names())
    return [chunk for name in names for chunk in reader.chunks(name, AHEAD, 10_000)]


def said(log: Turnlog, id: str = "alice") -> list[Any]:
    return [replace(event, timestamp=None) for event in log.read_events(id)]


def faults(log: Turnlog) -> list[tuple[int | None, str]]:
    return [(fault.event, fault.what) for fault in verify(log.store).faults]


# --- what is recorded is what is read -----------------------------------------------------------


def test_events_read_equal_the_events_recorded(log: Turnlog) -> None:
    log.record("alice", *EVENTS_OF_MANY_BYTES)
    again = Turnlog(log.store)
    for reading in (log, again):
        assert said(reading) == EVENTS_OF_MANY_BYTES
        newest_first = [r.event for r in reading.conversation("alice").newest_first()]
        assert [replace(each, timestamp=None) for each in newest_first[::-1]] == said(reading)
    assert faults(log) == []


def test_rows_heads_and_snapshots_stay_small(log: Turnlog) -> None:
    log.record("alice", *EVENTS_OF_MANY_BYTES[:-1])
    for _ in range(300):
        log.record("alice", SlotSet("n", 1))
    log.current.catch_up()
    [head] = log.store.reader.heads()
    snapshots = log.store.reader.snapshots(head.stream)
    assert len(log.store.reader.tail(0, 1)[0].parts) < 1500
    assert snapshots
    assert max(len(each.state) for each in (head, *snapshots)) < 500


def test_a_fold_does_not_read_attachments(log: Turnlog) -> None:
    log.record("alice", *EVENTS_OF_MANY_BYTES)
    state = log.conversation("alice").state
    with log.store.transaction() as transaction:
        for name in transaction.attachment_names():
            transaction.drop_chunks(name, EVERY_CHUNK)
    again = Turnlog(log.store)
    assert again.conversation("alice").state == state
    assert again.history("alice").replay() == state
    assert again.conversation("alice", event=3).turn == 1
    assert again.record("alice", SlotSet("n", 1)).new
    with pytest.raises(Corrupt, match="missing"):
        again.read_events("alice")


def test_an_image_is_read_on_first_use(log: Turnlog, monkeypatch: Any) -> None:
    log.record("alice", UserUttered("look"), MediaAdded("image", "image/png", content=IMAGE))
    asked: list[int] = []
    reader = type(log.store.reader)
    read = reader.chunks
    monkeypatch.setattr(
        reader, "chunks", lambda *given: asked.append(given[2]) or read(*given), raising=True
    )
    line = [recorded.as_dict() for recorded in log.conversation("alice").recorded()][1]
    assert len([*log.conversation("alice").messages()]) == 2
    assert line["content"]["length"] == len(IMAGE)
    assert line["content"]["type"] == "image/png"
    assert asked == []
    media = log.read_events("alice")[1]
    assert isinstance(media, MediaAdded)
    assert isinstance(media.content, Attachment)
    with media.content.open() as file:
        assert file.seek(70_000) == 70_000
        assert file.read(9) == IMAGE[70_000:70_009]
        assert file.seek(-4, os.SEEK_END) == len(IMAGE) - 4
        assert file.read() == IMAGE[-4:]
    assert 0 not in asked
    assert max(asked) <= 5


def test_each_content_is_stored_once_in_a_conversation(log: Turnlog) -> None:
    image = MediaAdded("image", content=IMAGE)
    for id in ("alice", "alice", "bob"):
        log.record(id, UserUttered("look"), image, image)
    assert {chunk.name for chunk in chunks(log)} == {
        _name_of(log, id, IMAGE) for id in ("alice", "bob")
    }
    assert sum(len(chunk.content) for chunk in chunks(log)) == 2 * len(IMAGE)
    assert max(len(chunk.content) for chunk in chunks(log)) == LARGE


def _name_of(log: Turnlog, id: str, content: bytes) -> bytes:
    """The name that anyone with the log's secret can compute; it does not depend on the id."""
    owner = log.head(id)[0].owner
    key = hmac.digest(log.store.genesis.secret, binary.encode((owner, "attachments")), "sha256")
    return hmac.digest(key, sha256(content).digest(), "sha256")


@pytest.mark.parametrize("size", [0, 1, LARGE - 1, LARGE, LARGE + 1, 2 * LARGE, 17 * LARGE + 5])
def test_content_of_any_length_round_trips(log: Turnlog, size: int) -> None:
    content = os.urandom(size)
    log.record("alice", UserUttered("look"), ForeignRecorded("f", "inline", content))
    attached = log.attach("alice", BytesIO(b"before" + content), type="a/b")
    file = BytesIO(b"before" + content)
    file.seek(6)
    attached = log.attach("alice", file, type="a/b")
    log.record("alice", ForeignRecorded("f", "attached", attached))
    for event in log.read_events("alice")[1:]:
        assert isinstance(event, ForeignRecorded)
        assert event.body == content
        assert bytes(event.body) == content
    with log.open_attachment(Attachment(attached.name, size)) as read:
        assert read.read() == content
    assert Turnlog(log.store).history("alice").replay() == log.conversation("alice").state


def _every_field_of_many_bytes(length: int) -> Iterator[Any]:
    for kind in EVENTS:
        required = [field.name for field in msgspec.structs.fields(kind) if field.required]
        for field in msgspec.structs.fields(kind):
            if required in ([], [field.name]) and (
                large := _of_many_bytes(kind, field.name, length)
            ):
                yield kind(**{field.name: large})


@pytest.mark.parametrize("length", [LARGE - 2, LARGE - 1, LARGE, 2 * LARGE])
def test_every_field_has_a_placeholder_in_a_fold(length: int) -> None:
    apart_from_row = 0
    for event in _every_field_of_many_bytes(length):
        encoded = apart.split(binary.encode(event), lambda _, type: Attachment("0" * 64, 9, type))
        if len(encoded) < LARGE:
            apart_from_row += 1
            assert type(apart.decoded(msgspec.Raw(encoded), apart.BARE)) is type(event)
    assert apart_from_row > 150


def _of_many_bytes(kind: Any, field: str, length: int) -> Any:
    """A value that the field takes; length: of the text or bytes in it."""
    for value in ("x" * length, {"x": "x" * length}, ["x" * length], b"x" * length):
        try:
            binary.decode_events(binary.encode([kind(**{field: value})]))
        except (TypeError, ValueError, msgspec.MsgspecError):
            continue
        return value
    return None


# --- stored ahead -------------------------------------------------------------------------------


def test_content_stored_ahead_is_named_by_an_event_or_swept(log: Turnlog) -> None:
    log.record("alice", UserUttered("look"))
    kept = log.attach("alice", BytesIO(IMAGE), type="image/png")
    lost = log.attach("alice", BytesIO(IMAGE[1:]))
    assert {chunk.number for chunk in chunks(log)} >= {AHEAD}
    assert faults(log) == []
    log.record("alice", MediaAdded("image", content=kept))
    rebuild(log.store)
    assert {chunk.name.hex() for chunk in chunks(log)} == {kept.name}
    assert AHEAD not in {chunk.number for chunk in chunks(log)}
    with pytest.raises(InvalidEvent, match="attach it first"):
        log.record("alice", MediaAdded("image", content=lost))
    assert said(log)[1:] == [MediaAdded("image", content=IMAGE)]
    assert faults(log) == []


def test_an_attachment_copied_from_elsewhere_gets_its_own_name(
    log: Turnlog, tmp_path: Path
) -> None:
    attached = log.attach("alice", BytesIO(IMAGE))
    log.record("alice", UserUttered("look"), MediaAdded("image", content=attached))
    log.record("bob", UserUttered("look"), log.read_events("alice")[1])
    by_hand = Attachment(log.attach("alice", BytesIO(IMAGE)).name, len(IMAGE))
    log.record("bob", MediaAdded("image", content=by_hand))
    log.record("carol", UserUttered("look"), MediaAdded("image", content=by_hand))
    with turnlog.open(f"sqlite:///{tmp_path / 'other.db'}") as other:
        other.record("alice", *log.read_events("alice"))
        assert said(other) == said(log)
        assert faults(other) == []
    assert len({chunk.name for chunk in chunks(log)}) == 3
    assert faults(log) == []


def test_a_conversation_that_begins_with_an_attachment(log: Turnlog) -> None:
    attached = log.attach("alice", BytesIO(IMAGE))
    log.record("alice", UserUttered("look"), MediaAdded("image", content=attached))
    log.delete("alice")
    with pytest.raises(InvalidEvent):
        log.record("alice", MediaAdded("image", content=attached))
    again = log.attach("alice", BytesIO(IMAGE))
    log.record("alice", UserUttered("once more"), MediaAdded("image", content=again))
    assert again.name != attached.name
    assert faults(log) == []


@pytest.mark.parametrize("given", [("0" * 63, 1), ("0" * 64, -1), ("G" * 64, 1)])
def test_an_attachment_has_a_name_and_a_length(given: Any) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        Attachment(*given)


def test_a_missing_attachment_stores_nothing(log: Turnlog) -> None:
    log.record("alice", UserUttered("look"))
    with pytest.raises(InvalidEvent, match="missing or incomplete in this log"):
        log.record("alice", SlotSet("n", 1), MediaAdded("image", content=Attachment("0" * 64, 5)))
    assert said(log) == [UserUttered("look")]


@pytest.mark.parametrize("split", [None, 1])
def test_a_conversation_that_begins_with_a_missing_attachment_leaves_nothing_among_others(
    log: Turnlog, split: int | None
) -> None:
    log.record("carol", UserUttered("hello"))
    missing = [UserUttered("look"), MediaAdded("image", content=Attachment("0" * 64, 5))]
    refused = Request("alice", recording(missing), 5.0, split=split)
    others = [Request(id, recording([UserUttered("hi")]), 5.0) for id in ("bob", "dave")]
    for request in (others[0], refused, others[1]):
        log.writer.submit(request)
    log.writer.flush()
    assert isinstance(refused.outcome, InvalidEvent)
    assert [said(log, id) for id in ("bob", "dave")] == [[UserUttered("hi")]] * 2
    assert log.store.reader.stream("alice") is None
    assert faults(log) == []


@pytest.mark.parametrize("given", [b"bytes", "/a/path", None, StringIO("text")])
def test_an_object_that_is_not_a_binary_file_is_named(log: Turnlog, given: Any) -> None:
    with pytest.raises(InvalidEvent, match=r"file: .* is not a binary file"):
        log.attach("alice", given)
    assert list(log.store.reader.attachment_names()) == []


class Changing(BytesIO):
    """A file whose beginning is changed once it was read."""

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        if piece:
            self.getbuffer()[9] ^= 1
        return piece


def test_a_file_that_changes_during_attaching_is_stored_as_read(log: Turnlog) -> None:
    log.record("alice", UserUttered("look"))
    log.record("alice", MediaAdded("image", content=log.attach("alice", Changing(IMAGE))))
    assert said(log)[1:] == [MediaAdded("image", content=IMAGE)]
    assert faults(log) == []


def test_an_attachment_made_before_a_conversation_does_not_reveal_its_id(log: Turnlog) -> None:
    ahead = [log.attach("alice", BytesIO(IMAGE)) for _ in range(2)]
    assert len({each.name for each in ahead}) == 2
    log.record("alice", UserUttered("a"), *[MediaAdded("image", content=each) for each in ahead])
    log.record("alice", MediaAdded("image", content=ahead[0]))
    assert {chunk.name for chunk in chunks(log)} == {_name_of(log, "alice", IMAGE)}
    assert {bytes(each) == IMAGE for each in ahead} == {True}
    with log.open_attachment(ahead[1]) as file:
        assert file.read() == IMAGE
    with pytest.raises(InvalidEvent, match="attach it first"):
        log.record("alice", MediaAdded("image", content=Attachment(ahead[0].name, len(IMAGE))))
    assert faults(log) == []


def test_a_commit_copies_content_that_another_of_its_batch_replaces(log: Turnlog) -> None:
    ahead = log.attach("alice", BytesIO(IMAGE))
    events = [UserUttered("look"), MediaAdded("image", content=ahead)]
    for id in ("alice", "bob"):
        log.writer.submit(Request(id, recording(events), 5.0))
    log.writer.flush()
    assert said(log) == said(log, "bob") == [UserUttered("look"), replace(events[1], content=IMAGE)]
    assert len({chunk.name for chunk in chunks(log)}) == 2
    assert faults(log) == []


def test_an_attachment_that_lost_a_chunk_is_refused_and_repaired(log: Turnlog) -> None:
    log.record("alice", UserUttered("look"))
    attached = log.attach("alice", BytesIO(IMAGE))
    with log.store.transaction() as transaction:
        transaction.drop_chunks(bytes.fromhex(attached.name), 3)
    with pytest.raises(InvalidEvent, match="attach it first"):
        log.record("alice", MediaAdded("image", content=attached))
    log.record("alice", MediaAdded("image", content=log.attach("alice", BytesIO(IMAGE))))
    assert said(log)[1:] == [MediaAdded("image", content=IMAGE)]
    assert faults(log) == []


class Raw(BytesIO):
    """Returns less than it is asked for, as an unbuffered file may."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 1000))


def test_a_file_with_short_reads_is_attached_whole(log: Turnlog) -> None:
    attached = log.attach("alice", Raw(IMAGE))
    log.record("alice", UserUttered("look"), MediaAdded("image", content=attached))
    assert attached == IMAGE
    assert faults(log) == []


class Pipe(BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *where: Any) -> int:
        raise OSError("a pipe")


def test_a_pipe_is_attached(log: Turnlog) -> None:
    attached = log.attach("alice", Pipe(IMAGE))
    assert attached == IMAGE


# --- copies, redaction, erasure -----------------------------------------------------------------


def test_a_copy_has_the_attachment(log: Turnlog, tmp_path: Path) -> None:
    log.record("alice", *EVENTS_OF_MANY_BYTES)
    backup(log.store, tmp_path / "copy.db")
    with turnlog.open(f"sqlite:///{tmp_path / 'copy.db'}") as restored:
        assert said(restored) == EVENTS_OF_MANY_BYTES
        assert faults(restored) == []
        with turnlog.open("memory:") as memory:
            copy(restored.store, memory.store)
            again = Turnlog(memory.store)
            assert said(again) == EVENTS_OF_MANY_BYTES


def test_a_turn_with_large_values_can_be_proven_next_to_a_redaction(log: Turnlog) -> None:
    log.record("alice", UserUttered("4711 is secret"))
    body = b'{"k": "' + b"k" * 90_000 + b' 4711"}'
    log.record("alice", UserUttered("look"), ForeignRecorded("f", "k", body), TextAdded(LONG))
    log.record("alice", TextAdded(LONG + " 4711"), MessageRedacted(1))
    proven = ProvableTurn(log, "alice", 2).sidecar("log").events
    assert [event.withheld for event in proven] == ["", "redacted", "", "redacted", ""]


def test_a_fork_shares_an_attachment_until_its_origin_hides_it(log: Turnlog) -> None:
    image = MediaAdded("image", content=IMAGE, actor="user")
    log.record("alice", UserUttered("look"), image)
    log.fork("alice", as_="fork")
    assert said(log, "fork")[1:2] == [image]
    assert sum(len(chunk.content) for chunk in chunks(log)) == len(IMAGE)
    assert faults(log) == []
    log.record("alice", MessageRedacted(1))
    assert [event.content for event in said(log, "fork") if isinstance(event, MediaAdded)] == [None]


def test_a_deleted_conversation_has_no_attachments(log: Turnlog) -> None:
    image = MediaAdded("image", content=IMAGE, actor="user")
    log.record("alice", UserUttered("look"), image)
    log.fork("alice", as_="fork")
    log.delete("alice")
    with pytest.raises(UnknownConversation):
        log.read_events("alice")
    assert not [event for event in said(log, "fork") if isinstance(event, MediaAdded)]
    assert faults(log) == []


def test_a_redaction_hides_an_attachment(log: Turnlog) -> None:
    log.record("alice", *EVENTS_OF_MANY_BYTES)
    log.record("alice", MessageRedacted(1, events=(2, 3, 4, 5, 6, 7)))
    shown = said(log)
    assert shown[0] == UserUttered()
    assert shown[1] == MediaAdded("image", mime="image/png")
    assert shown[5] == ForeignRecorded("langgraph", "checkpoint")


def test_no_byte_is_left_when_an_attachment_is_dropped_with_its_event(
    log: Turnlog, tmp_path: Path
) -> None:
    log.record("alice", *EVENTS_OF_MANY_BYTES)
    log.record("bob", UserUttered("look"), MediaAdded("image", content=IMAGE))
    [row] = log.store.reader.rows(log.head("alice")[0].stream)
    commitments, parts = dropped(row.commitments, row.parts, lambda place: True)
    _set_parts(log, row._replace(commitments=commitments, parts=parts))
    names = {attachment.name for attachment in row.attachments()}
    with log.store.transaction() as transaction:
        for name in names:
            transaction.drop_chunks(bytes.fromhex(name), EVERY_CHUNK)
    assert len(names) == 8
    assert not names & {chunk.name.hex() for chunk in chunks(log)}
    assert sum(len(chunk.content) for chunk in chunks(log)) == len(IMAGE)
    backup(log.store, tmp_path / "copy.db")
    left = (tmp_path / "copy.db").read_bytes()
    assert LONG[:40].encode() not in left
    assert IMAGE[::-1][:40] not in left


def test_an_event_keeps_its_attachment_when_another_event_is_dropped(log: Turnlog) -> None:
    log.record("alice", *EVENTS_OF_MANY_BYTES[:3])
    [row] = log.store.reader.rows(log.head("alice")[0].stream)
    commitments, parts = dropped(row.commitments, row.parts, lambda place: place == 0)
    left = row._replace(commitments=commitments, parts=parts)
    _set_parts(log, left)
    assert len([*left.attachments()]) == 2
    again = Turnlog(log.store)
    assert said(again)[1:] == EVENTS_OF_MANY_BYTES[1:3]
    assert any("no event names it" in what for _, what in faults(log))
    rebuild(log.store)
    assert {chunk.name.hex() for chunk in chunks(log)} == {a.name for a in left.attachments()}
    assert said(again)[1:] == EVENTS_OF_MANY_BYTES[1:3]


def _set_parts(log: Turnlog, row: Any) -> None:
    """Put another content into a row, as an erasure does."""
    store: Any = log.store
    kind, position = type(store).__name__, row.position
    with store.transaction() as transaction:
        if kind == "MemoryRecorder":
            for table in (transaction._log, transaction._rows[row.stream]):
                table[[each.position for each in table].index(position)] = row
        elif kind == "SqliteRecorder":
            transaction._many(
                "UPDATE rows_t1 SET commitments = ?, parts = ? WHERE position = ?",
                [(row.commitments, row.parts, position)],
            )
        else:
            transaction._connection.ask(
                "UPDATE turnlog_rows_t1 SET commitments = %b, parts = %b WHERE position = %b",
                (row.commitments, row.parts, position),
            )


# --- verify -------------------------------------------------------------------------------------


def _changed(log: Turnlog, number: int, content: bytes | None) -> None:
    """Put another content into a chunk of the image, or remove it."""
    name = next(chunk.name for chunk in chunks(log))
    kept = [chunk for chunk in chunks(log) if chunk.number != number]
    if content is not None:
        kept.append(BlobChunk(name, number, content))
    with log.store.transaction() as transaction:
        transaction.drop_chunks(name, EVERY_CHUNK)
        transaction.put_chunks(kept)


@pytest.mark.parametrize(
    ("number", "content", "what"),
    [
        (3, None, "has chunk 4 instead of 3"),
        (13, None, "is cut off after 851,968 of 900,000 bytes"),
        (3, bytes(LARGE), "is not what was recorded"),
        (3, b"short", "chunk 3 has the wrong length"),
        (14, b"more", "chunk 14, beyond its length"),
    ],
)
def test_verify_finds_a_changed_chunk(
    log: Turnlog, number: int, content: bytes | None, what: str
) -> None:
    log.record("alice", UserUttered("look"), MediaAdded("image", content=IMAGE))
    assert faults(log) == []
    _changed(log, number, content)
    [(event, found)] = faults(log)
    assert event == 1
    assert what in found
    assert [fault.what for fault in verify(log.store, ["alice"]).faults] == [found]


def test_verify_finds_replaced_content_where_the_id_was_dropped(log: Turnlog) -> None:
    log.record("alice", UserUttered("look"), MediaAdded("image", content=IMAGE))
    log.current.catch_up()
    tables = Tables(log.store)
    tables.drop_id("alice", 1)
    tables.remove_head("alice")
    assert faults(log) == []
    _changed(log, 3, bytes(LARGE))
    [(event, what)] = faults(log)
    assert event == 1
    assert "is not what was recorded" in what


def test_verify_finds_missing_and_unnamed_attachments(log: Turnlog) -> None:
    log.record("alice", UserUttered("look"), MediaAdded("image", content=IMAGE))
    [name] = log.store.reader.attachment_names()
    with log.store.transaction() as transaction:
        transaction.drop_chunks(name, EVERY_CHUNK)
        transaction.put_chunks([BlobChunk(b"n" * 32, 0, b"put in")])
    assert {what.partition("… ")[2] for _, what in faults(log)} == {
        "is missing",
        "is stored, but no event names it",
    }


# --- export and import --------------------------------------------------------------------------


def test_an_export_has_the_content_and_an_import_stores_it_apart_again(
    log: Turnlog, tmp_path: Path
) -> None:
    log.record("alice", *EVENTS_OF_MANY_BYTES)
    out = tmp_path / "out.jsonl"
    with out.open("wb") as file:
        codec("jsonl").write(codec("jsonl").examples(log.conversation("alice").dialogue()), file)
    with turnlog.open(f"sqlite:///{tmp_path / 'other.db'}") as other:
        assert import_files(other, [out]).events == len(EVENTS_OF_MANY_BYTES)
        assert said(other) == EVENTS_OF_MANY_BYTES
        assert len(other.store.reader.attachment_names()) == 8
    again = import_files(log, [out])
    assert (again.unchanged, again.events, again.refused) == (1, 0, [])


# --- erased -------------------------------------------------------------------------------------


def test_an_erasure_removes_content_that_no_event_names(log: Turnlog) -> None:
    kept = log.attach("bob", BytesIO(IMAGE[1:]))
    log.attach("alice", BytesIO(IMAGE))
    log.record("alice", UserUttered("look"), MediaAdded("image", content=IMAGE))
    log.attach("alice", BytesIO(IMAGE[2:]))
    log.erase("alice", reason="asked", actor="officer")
    assert {chunk.name.hex() for chunk in chunks(log)} == {kept.name}
    assert faults(log) == []
