"""What the log stores, and what it refuses to read."""

from __future__ import annotations

import msgspec
import pytest

from turnlog import Commit, SlotSet, UserUttered
from turnlog.domain.values import RawJson
from turnlog.encoding import binary
from turnlog.errors import Corrupt, NewerFormat
from turnlog.storage.rows import Row

COMMIT = Commit("alice", 3, 7, 2, 1.5, (UserUttered("hi", timestamp=1.0), SlotSet("a", 1)), "k")


def stored(**changed: object) -> bytes:
    """The commit's bytes with columns of its array replaced, by position in the format."""
    names = ("first", "turn", "recorded", "encoding", "key_id", "body")
    columns = dict(zip(names, msgspec.msgpack.decode(binary.encode_commit(COMMIT)), strict=True))
    return msgspec.msgpack.encode(list({**columns, **changed}.values()))


def read(state: bytes, topic: str = binary.TOPIC) -> Commit:
    return binary.decode_commit("alice", 3, topic, "k", state)


def test_a_commit_comes_back_as_it_was_stored() -> None:
    assert read(binary.encode_commit(COMMIT)) == COMMIT


def test_what_json_holds_and_msgpack_does_not_comes_back() -> None:
    events = (SlotSet("a", {"deep": [RawJson(b"NaN"), RawJson(b'"\\ud800"')]}),)
    assert binary.checked("c", events) == events


@pytest.mark.parametrize(
    ("state", "topic"),
    [
        (stored(), "c2"),
        (stored(), "c10"),
        (stored(encoding=1), "c1"),
        (stored(key_id="2041-1"), "c1"),
        (stored(body=msgspec.msgpack.encode([[32, "a", msgspec.msgpack.Ext(9, b"")]])), "c1"),
    ],
)
def test_what_a_newer_version_wrote_is_refused_and_not_half_read(state: bytes, topic: str) -> None:
    with pytest.raises(NewerFormat):
        read(state, topic)


@pytest.mark.parametrize(
    "state",
    [
        b"",
        stored()[:-1],
        stored(first="seven"),
        stored(body=b"\x91"),
        stored(body=msgspec.msgpack.encode([[126, "an event of no known tag"]])),
        stored(body=msgspec.msgpack.encode([[32, 5]])),
    ],
)
def test_bytes_that_are_no_commit_are_corrupt(state: bytes) -> None:
    with pytest.raises(Corrupt, match="'alice', version 3"):
        read(state)


def test_every_column_is_under_the_digest() -> None:
    row = Row(5, "alice", 3, "c1", "k", b"\x01" * 32, b"state")
    changed = [
        row._replace(position=6), row._replace(conversation="bob"), row._replace(version=4),
        row._replace(topic="c2"), row._replace(key=None), row._replace(previous=b""),
        row._replace(state=b"statf"),
    ]  # fmt: skip
    assert len(changed) == len(Row._fields)
    assert len({r.digest() for r in [row, *changed]}) == len(changed) + 1
