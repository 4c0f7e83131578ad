"""What the log stores, and what it refuses to read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from turnlog import Commit, SlotSet, UserUttered
from turnlog.domain.events import ErasureRecorded, EventErased
from turnlog.domain.values import RawJson
from turnlog.encoding import binary, rows
from turnlog.encoding.checking import checked, checked_from_json, encodings
from turnlog.encoding.dropping import dropped
from turnlog.errors import Corrupt, InvalidEvent, NewerFormat
from turnlog.storage.rows import Row

COMMIT = Commit("alice", 3, 7, 2, 1.5, (UserUttered("hi", timestamp=1.0), SlotSet("a", 1)), "k")
SECRET = bytes(range(16))
STORED = rows.columns(COMMIT, SECRET)


def skeleton(**changed: Any) -> bytes:
    """The clear part of the row, with some of it replaced."""
    names = ("recorded", "first_event", "first_turn", "tags", "keys")
    columns = dict(zip(names, msgspec.msgpack.decode(STORED.skeleton), strict=True))
    return msgspec.msgpack.encode(list({**columns, **changed}.values()))


def parts(*events: Any) -> bytes:
    """The parts of a row with these events, encoded."""
    return SECRET + msgspec.msgpack.encode([list(events), ["k"]])


def read(
    parts: bytes = STORED.parts,
    skeleton: bytes = STORED.skeleton,
    topic: str = rows.TOPIC,
    commitments: bytes = b"",
) -> Commit:
    return rows.decode_commit("alice", 3, topic, skeleton, commitments, parts, None)


def row(**changed: Any) -> Row:
    stored = Row(
        5,
        77,
        3,
        rows.TOPIC,
        b"\x01" * 32,
        STORED.skeleton,
        b"",
        STORED.parts,
        b"\x02" * 32,
        None,
        1,
    )
    return stored._replace(**changed)


def test_a_commit_is_read_back_as_stored() -> None:
    assert read() == COMMIT


def test_json_values_that_msgpack_lacks_round_trip() -> None:
    events = (SlotSet("a", {"deep": [RawJson(b"NaN"), RawJson(b'"\\ud800"')]}),)
    assert checked("c", events) == events


@pytest.mark.parametrize(
    "asked",
    [
        {"topic": "t2"},
        {"topic": "c1"},
        {"topic": "t10"},
        {"parts": parts([10, "hi"], [32, "a", msgspec.msgpack.Ext(9, b"")])},
    ],
)
def test_a_row_of_a_newer_version_is_refused_and_not_half_read(asked: dict[str, Any]) -> None:
    with pytest.raises(NewerFormat):
        read(**asked)


@pytest.mark.parametrize(
    "asked",
    [
        {"parts": b""},
        {"parts": binary.encode(((b"sealed", (), (0, 1)),)), "commitments": bytes(96)},
        {"parts": STORED.parts[:-1]},
        {"skeleton": STORED.skeleton[:-1]},
        {"skeleton": skeleton(first_event="seven")},
        {"skeleton": skeleton(tags=[10])},
        {"parts": parts([126, "an event of no known tag"], [32, "a", 1])},
        {"parts": parts([32, 5], [32, "a", 1])},
    ],
)
def test_bytes_that_are_not_a_commit_are_corrupt(asked: dict[str, Any]) -> None:
    with pytest.raises(Corrupt, match="'alice', version 3"):
        read(**asked)


def test_the_digest_covers_everything_but_the_position() -> None:
    changed = [
        row(version=4), row(topic="t2"), row(previous=b"\x03" * 32),
        row(skeleton=skeleton(recorded=9.0)), row(owner=b"\x04" * 32),
        row(parts=STORED.parts.replace(b"hi", b"ho")), row(parts=STORED.parts.replace(b"k", b"l")),
        row(commitments=b"\x05" * 96),
    ]  # fmt: skip
    assert len({each.digest() for each in [row(), *changed]}) == len(changed) + 1
    assert row(position=6).digest() == row().digest()
    assert row(commitments=STORED.commitments).digest() == row().digest()


# --- what is dropped ----------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_event_or_key_is_dropped_and_the_rest_is_still_proven(place: int) -> None:
    kept, left = dropped(b"", STORED.parts, lambda each: each == place)
    assert row(commitments=kept, parts=left).digest() == row().digest()
    assert rows.disagreements(kept, left) == []
    found = read(left, commitments=kept)
    was = ["UserUttered", "SlotSet"]
    expected = [EventErased(was[n]) if n == place else e for n, e in enumerate(COMMIT.events)]
    assert list(found.events) == expected
    assert found.key == (None if place == 2 else "k")
    assert (found.first_event, found.recorded) == (7, 1.5)


def test_nothing_is_left_of_a_dropped_event_or_its_salt() -> None:
    kept, left = dropped(b"", STORED.parts, lambda each: each == 0)
    salt = rows._salts(SECRET, 3)[0]
    for gone in (b"hi", salt, SECRET):
        assert gone not in kept + left
    kept, left = dropped(kept, left, lambda each: True)
    assert row(commitments=kept, parts=left).digest() == row().digest()
    assert len(left) < 12


def test_content_that_differs_from_its_commitment_is_reported() -> None:
    kept, left = dropped(b"", STORED.parts, lambda each: each == 1)
    assert rows.disagreements(kept, left.replace(b"hi", b"ho")) == [0]
    assert rows.disagreements(kept, left.replace(b"k", b"l")) == [2]


def test_the_events_of_several_parts_are_joined_in_order() -> None:
    one, other = (msgspec.Raw(binary.encode(event)) for event in COMMIT.events)
    salts = rows._salts(SECRET, 3)
    first = rows.Part(rows.Content((salts[1],), (other,), ()), (), (1,))
    second = rows.Part(rows.Content((salts[0], salts[2]), (one,), ("k",)), (), (0, 2))
    whole = binary.encode((first, second))
    assert read(whole, commitments=STORED.commitments) == COMMIT
    assert rows.disagreements(STORED.commitments, whole) == []


@pytest.mark.parametrize("beginning", [b"", b"\xcb\x7f\xf0", b"\xcb\xff\xff"])
def test_bytes_that_look_like_an_infinite_number_stay_bytes(beginning: bytes) -> None:
    event = ErasureRecorded("asked to", "person", subjects=(beginning + bytes(13),))
    assert checked("c", [event]) == (event,)


def test_an_event_encoded_when_checked_is_stored_as_encoded() -> None:
    events = checked_from_json(COMMIT.events)

    assert checked("alice", events) is events
    commit = msgspec.structs.replace(COMMIT, events=events)
    assert rows.columns(commit, SECRET, encoded=encodings(events)) == STORED
    marked = dict.fromkeys(encodings(events), b"\xc0")
    assert marked
    assert rows.columns(commit, SECRET, encoded=marked) != STORED


@pytest.mark.parametrize("event", [UserUttered(text=7), SlotSet("a", 2**64), SlotSet("a", 1e999)])  # type: ignore[arg-type]
def test_an_unstorable_event_from_json_is_refused_when_checked(event: Any) -> None:
    assert checked_from_json((event,)) == (event,)
    with pytest.raises(InvalidEvent):
        checked("alice", checked_from_json((event,)))
