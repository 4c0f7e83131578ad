"""Hypothesis strategies: values, events of every type, requests, whole dialogues."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from turnlog.domain import events as e
from turnlog.domain.attachment import LARGE, Attachment
from turnlog.domain.conversation import Conversation
from turnlog.domain.decide import decide
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.errors import InvalidEvent
from turnlog.domain.history import NoHistory
from turnlog.domain.slots import Slot
from turnlog.domain.state import LISTEN, State
from turnlog.domain.values import INT_MAX, INT_MIN, RawJson

texts = st.text(st.characters(codec="utf-8"), max_size=20)
"""Any text that UTF-8 can encode, including NUL, quotes, right-to-left marks and emoji."""

names = st.sampled_from(["a", "b", "c"])
"""Few, so that events meet the same slot, action or form again."""

times = st.floats(0, 4e9, allow_nan=False)

scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(INT_MIN, INT_MAX),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)

values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
"""JSON values that a conversation can contain."""

raw_values = st.sampled_from(
    [b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b'"\\ud800"', b'{"\\udfff":[1]}']
).map(RawJson)
"""JSON values that only raw bytes can represent."""

objects = st.dictionaries(texts, values, max_size=3)


def events(*kinds: type[e.Event]) -> st.SearchStrategy[e.Event]:
    """Events of these types, or of any type, with any valid value in each field."""
    return st.sampled_from(kinds or e.EVENTS).flatmap(structs)


@cache
def structs(cls: type[Any]) -> st.SearchStrategy[Any]:
    """Instances of a struct; an optional field mostly keeps its default."""
    hints = get_type_hints(cls)
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for field in msgspec.structs.fields(cls):
        chosen = objects if field.name == "extra" else _of(hints[field.name])
        (required if field.required else optional)[field.name] = chosen
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: cls(**given))


def _of(annotation: Any) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (types.UnionType, Union):
        return st.one_of([_of(argument) for argument in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(_of(arguments[0]), max_size=2).map(tuple)
    if origin is list:
        return st.lists(_of(arguments[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(texts, _of(arguments[1]), max_size=2)
    if annotation is Attachment:  # a log must have the content
        return st.nothing()
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return st.deferred(lambda: structs(annotation))
    return _LEAVES[annotation]


_LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    Any: values,
    str: texts,
    int: st.integers(0, 9) | st.integers(0, 2**31),
    float: times,
    bool: st.booleans(),
    bytes: st.binary(max_size=20),
    type(None): st.none(),
}


# --- large values -------------------------------------------------------------------------------

sizes = st.sampled_from([LARGE - 10, LARGE, LARGE + 1, 2 * LARGE, 2 * LARGE + 7])
"""Sizes of values just below and above 64 kB, with full and partial last chunks."""

large_bytes = st.builds(lambda piece, size: (piece * size)[:size], st.binary(min_size=1), sizes)
large_texts = st.builds(lambda piece, size: (piece * size)[:size], texts.filter(bool), sizes)
_LARGE: dict[Any, st.SearchStrategy[Any]] = {
    bytes: large_bytes,
    str: large_texts,
    Any: large_texts | st.lists(large_texts, min_size=1, max_size=2),
    dict: st.dictionaries(texts, large_texts, min_size=1, max_size=2),
}


def large_events(*kinds: type[e.Event]) -> st.SearchStrategy[e.Event]:
    """Events of these types, or of any type, with a large value in a suitable field."""
    places = [(kind, *place) for kind in kinds or e.EVENTS for place in _large_fields(kind)]
    return st.sampled_from(places).flatmap(lambda place: _with_large(*place))


def _large_fields(kind: type[e.Event]) -> Iterator[tuple[str, Any]]:
    for name, hint in get_type_hints(kind).items():
        is_union = get_origin(hint) in (types.UnionType, Union)
        for held in get_args(hint) if is_union else (hint,):
            if (held := get_origin(held) or held) in _LARGE:
                yield name, held


def _with_large(kind: type[e.Event], name: str, held: Any) -> st.SearchStrategy[e.Event]:
    return st.builds(
        lambda event, large: msgspec.structs.replace(event, **{name: large}),
        structs(kind), _LARGE[held],
    )  # fmt: skip


# --- conversations ------------------------------------------------------------------------------

slots_set = st.builds(e.SlotSet, names, values)

undoings: st.SearchStrategy[e.Event] = st.sampled_from(
    [
        e.ActionReverted(),
        e.UserUtteranceReverted(),
        e.ConversationRestarted(),
        e.SlotsReset(),
        e.SessionStarted(),
        e.HistoryReplaced(to=0),
        e.HistoryContinued(0),
        e.HistoryContinued(0, branch="other"),
        e.HistoryContinued(1, branch="main"),
    ]
)
"""Rewinds, undos, restarts and resets as a caller records them: unresolved."""

asks: st.SearchStrategy[e.Event] = st.one_of(
    st.builds(e.UserUttered, texts),
    st.builds(e.BotUttered, texts, data=st.none() | objects),
    slots_set,
    st.builds(e.ActionExecuted, st.sampled_from([LISTEN, "act", "form"])),
    st.builds(e.MessageUnderstood, st.builds(e.Intent, names)),
    st.builds(e.LoopActivated, st.sampled_from(["form", None])),
    st.builds(e.SlotsDeclared, st.tuples(st.builds(Slot, names, initial=st.integers(6, 9)))),
    st.builds(e.ToolCalled, names, objects, call_id=names),
    st.builds(e.ToolReturned, values, call_id=names),
    st.sampled_from(
        [
            e.ConversationPaused(),
            e.ConversationResumed(),
            e.ActionRejected("form"),
            e.LoopInterrupted(),
            e.FollowupSet("act"),
            e.UserFeaturized(True),
            e.SessionConfigured(60.0),
            e.SessionEnded("done"),
        ]
    ),
    undoings,
)
"""Events that a live conversation may be asked to record."""


def accepted(asked: Iterable[e.Event]) -> list[e.Event]:
    """Those of the events that a new conversation accepts, one after the other."""
    conversation = Conversation("c", State(), NoHistory())
    return [event for event in asked if _takes(conversation, event)]


def _takes(conversation: Conversation, event: e.Event) -> bool:
    try:
        conversation.stage(event, recorded=0.0)
    except InvalidEvent:
        return False
    return True


def decided(asked: Iterable[e.Event]) -> tuple[e.Event, ...]:
    """The events that a new conversation records for those that it accepts."""
    return tuple(decide("c", State(), accepted(asked), history=NoHistory())[0])


histories = st.lists(asks, max_size=30).map(accepted)


conversation_ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


def dialogues(
    asked: st.SearchStrategy[list[e.Event]] = histories,
) -> st.SearchStrategy[Dialogue]:
    """Whole conversations as the log stores them, with rewinds, undos, restarts and resets."""
    return st.builds(Dialogue, conversation_ids, asked.map(decided))


def scraps() -> st.SearchStrategy[Dialogue]:
    """Dialogues of any events in any order, for properties that hold for all of them."""
    return st.builds(Dialogue, conversation_ids, st.lists(events(), max_size=6).map(tuple))
