"""JSON Patch as in RFC 6902, and the stack of flows that it changes."""

from __future__ import annotations

import json

import pytest

import turnlog
from turnlog.domain import events as e
from turnlog.domain.fold import fold
from turnlog.domain.patches import BadPatch, patched
from turnlog.domain.state import State

# document, operations, result: the RFC's appendix A, shortened
GOOD = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"foo": "bar", "baz": "qux"}),
    ([1, 3], [{"op": "add", "path": "/1", "value": 2}], [1, 2, 3]),
    ([1], [{"op": "add", "path": "/-", "value": 2}], [1, 2]),
    ([1], [{"op": "add", "path": "/1", "value": 2}], [1, 2]),
    ({"a": 1, "b": 2}, [{"op": "remove", "path": "/a"}], {"b": 2}),
    ([1, 2, 3], [{"op": "remove", "path": "/1"}], [1, 3]),
    ([{"a": 1}], [{"op": "remove", "path": "/0/a"}], [{}]),
    ({"a": 1}, [{"op": "replace", "path": "/a", "value": [2]}], {"a": [2]}),
    ([{"a": 1}, 5], [{"op": "replace", "path": "/0/a", "value": 2}], [{"a": 2}, 5]),
    ({"a": {"b": 1}, "c": {}}, [{"op": "move", "from": "/a/b", "path": "/c/b"}],
     {"a": {}, "c": {"b": 1}}),
    ([1, 2, 3], [{"op": "move", "from": "/0", "path": "/2"}], [2, 3, 1]),
    ({"a": [1]}, [{"op": "copy", "from": "/a/0", "path": "/b"}], {"a": [1], "b": 1}),
    ({"a/b": 1, "m~n": 2}, [{"op": "test", "path": "/a~1b", "value": 1},
                            {"op": "replace", "path": "/m~0n", "value": 3}],
     {"a/b": 1, "m~n": 3}),
    ([], [{"op": "replace", "path": "", "value": {"all": 1}}], {"all": 1}),
    ([1], [], [1]),
]  # fmt: skip

BAD = [
    "no json", "7", '{"op": "add"}', '[{"op": "add", "path": "/0"}]',
    '[{"op": "nonsense", "path": "/0"}]', '[{"op": "remove", "path": "/9"}]',
    '[{"op": "remove", "path": "/-1"}]', '[{"op": "replace", "path": "/a", "value": 1}]',
    '[{"op": "test", "path": "/0", "value": 2}]', '[{"op": "add", "path": "0", "value": 1}]',
    '[{"op": "remove", "path": ""}]', "[" * 5000,
]  # fmt: skip


@pytest.mark.parametrize(("document", "operations", "result"), GOOD)
def test_a_patch_makes_a_new_document(document, operations, result):
    before = json.dumps(document)
    assert patched(document, json.dumps(operations)) == result
    assert json.dumps(document) == before


@pytest.mark.parametrize("patch", BAD)
def test_a_patch_that_is_malformed_or_does_not_fit_is_refused(patch):
    with pytest.raises(BadPatch):
        patched([1], patch)


FRAME = {"type": "flow", "flow_id": "pay", "step_id": "START", "frame_id": "f1"}


def updated(*operations: dict) -> e.StackUpdated:
    return e.StackUpdated(json.dumps(operations))


def stack(*asked: e.Event) -> list | None:
    with turnlog.open("memory:") as log:
        log.record("a", e.SlotSet("begun", True), *asked)
        return log.conversation("a").state.context.stack


PUSHED = updated({"op": "add", "path": "/0", "value": FRAME})


def test_the_stack_is_folded():
    assert stack() is None
    assert stack(PUSHED) == [FRAME]
    moved = updated({"op": "replace", "path": "/0/step_id", "value": "ask"})
    assert stack(PUSHED, moved) == [{**FRAME, "step_id": "ask"}]
    assert stack(PUSHED, updated({"op": "remove", "path": "/0"})) == []


@pytest.mark.parametrize(
    "update",
    [
        *BAD,
        '[{"op": "replace", "path": "", "value": {"no": "list"}}]',
        '[{"op": "add", "path": "/-", "value": "\\ud800"}]',
        '[{"op": "add", "path": "/-", "value": NaN}]',
    ],
)
def test_a_patch_that_does_not_fit_leaves_the_stack_unchanged(update):
    assert fold(State(), [PUSHED, e.StackUpdated(update)]).context.stack == [FRAME]


def test_a_rewind_restores_the_stack_and_a_restart_empties_it():
    said = e.UserUttered("no")
    popped = updated({"op": "remove", "path": "/0"})
    assert stack(PUSHED, said, popped, e.UserUtteranceReverted()) == [FRAME]
    assert stack(PUSHED, e.ConversationRestarted()) == []
    assert stack(PUSHED, e.SessionStarted()) == []
