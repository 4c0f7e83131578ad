"""Laws of skeletons: filled they are the document again, and they contain no word of an event."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import turnlog
from tests.property.message_shapes import messages
from turnlog import BotUttered, Event, ForeignRecorded, MediaAdded, MessageRedacted, ToolCalled
from turnlog.domain.message_recording import recorded_as
from turnlog.domain.plain import dumps
from turnlog.domain.redactions import Redactions
from turnlog.domain.skeletons import FIELDS, HOLE, NAMES, filled, skeleton
from turnlog.testing.strategies import texts, values

said = st.lists(messages(), max_size=4).map(recorded_as).map(list)


def words(events: Sequence[Event]) -> list[Any]:
    found = [getattr(event, field, None) for event in events for field in FIELDS]
    return [word for word in found if word not in (None, "", b"", [], {})]


@st.composite
def written(draw: st.DrawFn) -> tuple[list[Event], Any]:
    """Events, and a document that repeats some of their words, in any of their forms."""
    events = draw(said)
    known: list[Any] = []
    for word in words(events):
        if isinstance(word, bytes):
            known.append(b64encode(word).decode())
        elif isinstance(word, str | dict | list):
            known += [word] if isinstance(word, str) else [word, dumps(word).decode()]
    leaves = st.sampled_from(known) | values if known else values
    keys = texts | st.sampled_from([HOLE, "content", *sorted(NAMES)])
    document = st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
    )
    return events, draw(document)


@settings(max_examples=300)
@given(written())
def test_a_filled_skeleton_is_the_document(case: tuple[list[Event], Any]) -> None:
    events, document = case
    cut = json.loads(dumps(skeleton(document, enumerate(events, 1))))
    back = filled(cut, lambda number: events[number - 1])
    assert dumps(back) == dumps(document)


@given(written())
def test_a_skeleton_contains_no_text_of_an_event(case: tuple[list[Event], Any]) -> None:
    events, document = case
    cut = skeleton(document, enumerate(events, 1))
    known = {word for word in words(events) if isinstance(word, str)}
    assert not known & set(strings(cut))


def strings(value: Any) -> list[str]:
    """The texts in a skeleton that are not names."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    if not isinstance(value, dict) or isinstance(value.get(HOLE), str):
        return []
    held = value[HOLE] if isinstance(value.get(HOLE), dict) else value
    return [
        text
        for key, item in held.items()
        if not (key in NAMES and isinstance(item, str))
        for text in strings(item)
    ]


def test_redacted_words_are_gone_from_the_frameworks_view_and_the_rest_stays() -> None:
    document = {
        "messages": [
            {"role": "user", "content": "my pin is 471193"},
            {"role": "assistant", "content": "noted", "args": '{"pin":471193}', "image": "aGk="},
        ]
    }
    events = [
        turnlog.UserUttered("my pin is 471193"), BotUttered("noted"),
        ToolCalled("keep", {"pin": 471193}, "c", cause=2), MediaAdded("image", content=b"hi"),
    ]  # fmt: skip
    body = dumps(skeleton(document, enumerate(events, 1)))
    assert b"471193" not in body
    assert b"aGk=" not in body
    with turnlog.open("memory:") as log:
        log.record("a", *events, ForeignRecorded("x", "state", body))
        log.record("a", MessageRedacted(1))
        *shown, foreign, _ = log.conversation("a").events()
    assert isinstance(foreign, ForeignRecorded)
    seen = filled(json.loads(foreign.body), lambda number: shown[number - 1])
    assert seen["messages"][0] == {"role": "user", "content": ""}
    assert seen["messages"][1] == {
        "role": "assistant", "content": "noted", "args": '{"pin":null}', "image": "aGk=",
    }  # fmt: skip


@pytest.mark.parametrize("word", ["text", "1000", "event", "1000_text"])
def test_a_redaction_of_any_word_leaves_the_holes_as_they_are(word: str) -> None:
    events = [turnlog.UserUttered(word), turnlog.SlotSet("a", word, cause=1), BotUttered("noted")]
    body = dumps(skeleton(["noted"], enumerate(events, 998)))
    shown = Redactions([*enumerate([*events, MessageRedacted(1)], 1)]).shown(
        3, ForeignRecorded("x", "state", body)
    )
    assert isinstance(shown, ForeignRecorded)
    assert shown.body == body == b'[{"$e":"1000_text_text"}]'


def test_equal_words_belong_to_the_events_in_order() -> None:
    events = [turnlog.UserUttered("yes"), BotUttered("yes")]
    cut = skeleton(["yes", "yes", "yes"], enumerate(events, 1))
    assert [hole[HOLE] for hole in cut] == ["1_text_text", "2_text_text", "2_text_text"]
    assert filled(cut, {2: events[1]}.get) == ["", "yes", "yes"]
