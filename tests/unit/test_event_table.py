"""The event table is permanent: tags and the order of fields, as first stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from turnlog.domain.events import EVENTS

GOLDEN = Path(__file__).parents[1] / "golden" / "event_fields.json"
PINNED: dict[str, list[str]] = json.loads(GOLDEN.read_text())
"""A stored tag: the name of its type, then its fields in the order in which they are stored."""

NOW = {
    str(event.__struct_config__.tag): [event.__name__, *event.__struct_fields__] for event in EVENTS
}


@pytest.mark.parametrize("tag", PINNED)
def test_a_stored_tag_keeps_its_type_and_the_order_of_its_fields(tag: str) -> None:
    assert NOW[tag][: len(PINNED[tag])] == PINNED[tag]


def test_every_type_is_pinned_with_all_its_fields() -> None:
    assert NOW == PINNED, "a new type or field: add it to the golden file, after the others"


def test_no_tag_is_given_out_twice() -> None:
    assert len(NOW) == len(EVENTS)
