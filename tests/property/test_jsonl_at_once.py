"""Lines that turnlog wrote are read in one pass, with the same result as a careful read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from turnlog import Dialogue, SlotSet, UserUttered
from turnlog.domain.values import RawJson
from turnlog.encoding.binary import decode_events, encode_events
from turnlog.serializers.formats import codec
from turnlog.serializers.jsonl import JsonlCodec
from turnlog.serializers.shared.document import as_line
from turnlog.serializers.shared.event_json import events_json
from turnlog.serializers.shared.json_stream import Element
from turnlog.serializers.shared.plain import dumps, to_plain
from turnlog.testing import strategies

JSONL = codec("jsonl")
PATH = Path("a.jsonl")


def at_once(line: bytes) -> Dialogue | None:
    assert isinstance(JSONL, JsonlCodec)
    return JSONL.at_once(Element(line, 1), 108)


def closely(line: bytes) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JsonlCodec, "at_once", lambda *_: None)
        assert isinstance(JSONL, JsonlCodec)
        return JSONL.read_piece(Element(line, 1), PATH)


@settings(max_examples=30)
@given(st.lists(strategies.events(), min_size=1, max_size=4), st.integers(0, 500))
def test_both_readings_agree(events: list[object], cut: int) -> None:
    (example,) = JSONL.examples(Dialogue("c", tuple(events)))  # type: ignore[arg-type]
    line = as_line(example.content).strip()
    broken = line[: cut % len(line)] + line[cut % len(line) + 1 :]
    for each in (line, broken, re.sub(rb"[0-9]+", b"9" * 30, line)):
        if (read := at_once(each)) is not None:
            assert read == closely(each)


@settings(max_examples=60)
@given(st.lists(strategies.events(), min_size=1, max_size=4))
@example([UserUttered("\ufffd", extra={"text": RawJson(rb'"\ud800"')})])
def test_events_are_written_as_their_plain_values_are(events: list[Any]) -> None:
    stored = decode_events(encode_events(events))
    plain = dumps([*map(to_plain, events)])
    assert dumps(events_json(events)) == dumps(events_json(stored)) == plain


def test_half_a_surrogate_pair_is_escaped() -> None:
    events = (UserUttered("\ud800"), SlotSet("n", 1e20))
    assert dumps(events_json(events)) == dumps([*map(to_plain, events)])


EVENTS = b'[{"type":"UserUttered","text":"hi"},{"type":"SlotSet","name":"n","value":1}]'
LINE = b'{"format":"turnlog/1","conversation":"c","events":' + EVENTS + b"}"


def test_a_line_that_turnlog_wrote_is_read_in_one_pass() -> None:
    assert at_once(LINE) == Dialogue("c", (UserUttered("hi"), SlotSet("n", 1)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b":1}", b":123456789012345678901234567890}"),
        (b":1}", b":1.00000000000000000000000000000000000000000}"),
        (b":1}", b":1e999}"),
        (b":1}", b":" + b"[" * 150 + b"]" * 150 + b"}"),
        (b":1}", b':{"a":1,"a":2}}'),
        (b":1}", b':1,"more":2}'),
        (b'"hi"', b'"\\ud800"'),
        (b'"hi"', b"7"),
        (b'"hi"', b'"hi","text":"ho"'),
        (b'"c",', b'"c","first_event":3,"first_turn":1,'),
    ],
)
def test_an_odd_line_is_read_with_care(old: bytes, new: bytes) -> None:
    assert old in LINE
    assert at_once(LINE.replace(old, new, 1)) is None
