"""The page and the schema of events agree with the event table."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given, settings

from docs import make as event_docs
from tests.parts import ROOT
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import EVENTS
from turnlog.serializers.formats import codec
from turnlog.serializers.shared.plain import dumps
from turnlog.testing import strategies

VALIDATOR = jsonschema.Draft202012Validator(event_docs.line_schema())


@pytest.mark.parametrize(
    ("name", "text"),
    [(event_docs.PAGE, event_docs.page()), (event_docs.SCHEMA, event_docs.schema_text())],
    ids=[event_docs.PAGE, event_docs.SCHEMA],
)
def test_the_generated_docs_are_up_to_date(name: str, text: str) -> None:
    held = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert held == text, "run: python docs/make.py"


def test_every_event_is_on_the_page_and_in_the_schema() -> None:
    page, schema = event_docs.page(), json.loads(event_docs.schema_text())
    assert schema == json.loads(json.dumps(event_docs.line_schema()))
    for event in EVENTS:
        assert f"\n## {event.__name__}\n" in page
        assert event.__name__ in schema["$defs"]
        assert set(event.__struct_fields__) <= set(schema["$defs"][event.__name__]["properties"])


@settings(max_examples=25, deadline=None)
@given(strategies.scraps())
def test_exported_dialogues_conform_to_the_schema(dialogue: Dialogue) -> None:
    for example in codec("jsonl").examples(dialogue):
        VALIDATOR.validate(json.loads(dumps(example.content)))


def test_the_schema_refuses_what_is_not_a_dialogue() -> None:
    good = {"format": "turnlog/1", "conversation": "a", "events": [{"type": "UserUttered"}]}
    VALIDATOR.validate(good)
    for bad in (
        {**good, "format": "turnlog/2"},
        {**good, "conversation": ""},
        {**good, "events": [{"type": "Nonsense"}]},
        {**good, "events": [{"type": "SlotSet", "value": 1}]},
        {**good, "events": [{"type": "UserUttered", "text": 7}]},
    ):
        assert not VALIDATOR.is_valid(bad)
