"""Every event, whatever its fields hold, comes back from both of our encodings."""

from __future__ import annotations

import json

from hypothesis import given

from turnlog.domain import events as e
from turnlog.encoding.checking import checked
from turnlog.serializers.shared import plain
from turnlog.testing import strategies


@given(strategies.events())
def test_an_event_comes_back_from_the_log_and_from_plain_json(event: e.Event) -> None:
    assert checked("c", [event]) == (event,)
    assert plain.from_plain(json.loads(plain.dumps(plain.to_plain(event)))) == event
