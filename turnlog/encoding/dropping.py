"""Drops content from a row without a change of its digest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from turnlog.encoding.binary import encode
from turnlog.encoding.rows import Content, Part, commitments, parts_of


def dropped(stored: bytes, parts: bytes, drops: Callable[[int], bool]) -> tuple[bytes, bytes]:
    """Commitments and parts of a row without the content at the places for which `drops` is true.

    The row's digest does not change, and the remaining content can still be proven.
    """
    left = [_without(part, drops) for part in parts_of(stored, parts)]
    return stored or commitments(parts), encode(left)


def _without(part: Part, drops: Callable[[int], bool]) -> Part:
    places = part.places
    kept = [index for index, place in enumerate(places) if not drops(place)]
    if not isinstance(part.content, Content) or len(kept) == len(places):
        return part
    return places_only(part, kept) if kept else Part(None, part.subjects, places)


def places_only(part: Part, kept: Sequence[int]) -> Part:
    """The content of a part at some of its places, given by index."""
    content, places = part.content, part.places
    assert isinstance(content, Content)
    count = len(content.events)
    remaining = Content(
        tuple(content.salts[index] for index in kept),
        tuple(content.events[index] for index in kept if index < count),
        tuple(content.keys[index - count] for index in kept if index >= count),
    )
    return Part(remaining, part.subjects, tuple(places[index] for index in kept))
