"""Laws of values stored apart: they round-trip, and nothing else is kept or named."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO
from typing import BinaryIO

from hypothesis import given, settings
from hypothesis import strategies as st

from turnlog.domain import events as e
from turnlog.domain.attachment import LARGE, Attachment
from turnlog.domain.commit import Commit
from turnlog.encoding.checking import checked
from turnlog.encoding.dropping import dropped
from turnlog.encoding.rows import TOPIC, Columns, attachments, columns, decode_commit, digest
from turnlog.testing import strategies

SECRET = bytes(16)
some = st.lists(strategies.large_events() | strategies.events(), min_size=1, max_size=4)


class Kept:
    """Contents by name, in memory."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def put(self, content: bytes | Attachment, type: str | None) -> Attachment:
        whole = bytes(content)
        name = sha256(whole).hexdigest()
        self.held[name] = whole
        return Attachment(name, len(whole), type)

    def value(self, attachment: Attachment) -> bytes:
        return self.held[attachment.name]

    def bound(self, attachment: Attachment) -> Attachment:
        return attachment.opened_by(self._opened)

    def _opened(self, attachment: Attachment) -> BinaryIO:
        return BytesIO(self.held[attachment.name])


def stored(events: Sequence[e.Event], kept: Kept) -> tuple[Commit, Columns]:
    commit = Commit("c", 1, 1, 0, 0.0, checked("c", events), "key", 1)
    return commit, columns(commit, SECRET, kept.put)


def read(made: Columns, kept: Kept, commitments: bytes = b"", parts: bytes = b"") -> Commit:
    stored_parts = parts or made.parts
    return decode_commit("c", 1, TOPIC, made.skeleton, commitments, stored_parts, 1, 1, kept)


@settings(max_examples=100)
@given(some)
def test_a_commit_round_trips_and_its_row_names_all_values_stored_apart(
    events: list[e.Event],
) -> None:
    kept = Kept()
    commit, made = stored(events, kept)
    assert read(made, kept) == commit
    assert {held.name for held in attachments(b"", made.parts)} == kept.held.keys()
    assert {held.length for held in attachments(b"", made.parts)} == {
        len(content) for content in kept.held.values()
    }
    assert min((len(content) for content in kept.held.values()), default=LARGE + 1) > LARGE


@settings(max_examples=100)
@given(some, st.sets(st.integers(0, 4)))
def test_dropping_an_event_drops_exactly_the_names_of_its_values(
    events: list[e.Event], places: set[int]
) -> None:
    kept, of_others = Kept(), Kept()
    commit, made = stored(events, kept)
    commitments, parts = dropped(b"", made.parts, places.__contains__)
    left = read(made, kept, commitments, parts)
    for place, (before, after) in enumerate(zip(commit.events, left.events, strict=True)):
        assert isinstance(after, e.EventErased) if place in places else after == before
    others = [event for place, event in enumerate(commit.events) if place not in places]
    if others:
        stored(others, of_others)
    assert {held.name for held in attachments(commitments, parts)} == of_others.held.keys()
    whole = digest(b"o", 1, TOPIC, b"p", made.skeleton, made.commitments)
    if commitments:
        assert digest(b"o", 1, TOPIC, b"p", made.skeleton, commitments) == whole
