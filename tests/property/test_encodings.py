"""Every event, with any values in its fields, round-trips through both of our encodings."""

from __future__ import annotations

import json

from hypothesis import given

from turnlog.domain import events as e
from turnlog.encoding.checking import checked
from turnlog.serializers.shared import plain
from turnlog.testing import strategies


@given(strategies.events())
def test_an_event_round_trips_through_the_log_and_plain_json(event: e.Event) -> None:
    assert checked("c", [event]) == (event,)
    assert plain.from_plain(json.loads(plain.dumps(plain.to_plain(event)))) == event
