"""Faults planted in real dialogues stop the export, which names them.

Each kind is planted in several dialogues; nothing is written, and the message names the
conversation and the turn of the fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

import turnlog
from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.message_groups import NEW_MESSAGE
from turnlog.domain.slots import Slot
from turnlog.domain.values import RawJson
from turnlog.serializers.formats import codec
from turnlog.training.plan import ExportPlan
from turnlog.training.write import export

DIALOGUES = 10
"""In how many dialogues a kind is planted."""

Events = list[tuple[int | None, Any]]
"""Events with the numbers they had; None for a planted one."""


class Planted(NamedTuple):
    events: Events
    turn: int


class Kind(NamedTuple):
    corpus: str
    format: str
    plant: Callable[[Events], Planted]
    settings: dict[str, Any] | None = None

    @property
    def is_of_pairs(self) -> bool:
        """Whether nothing can be written before the planting."""
        return self.format == "openai-dpo" or bool(self.settings)


def nth(events: Events, kind: Any, number: int = 1, *, of: Any = None) -> int:
    """Index of the number-th event of a kind, or of the last there is."""
    found = [i for i, (_, event) in enumerate(events) if isinstance(event, kind)]
    if of is not None:
        found = [i for i in found if of(events[i][1])]
    return found[min(number, len(found) - 1)]


def turn_at(events: Events, index: int) -> int:
    return sum(isinstance(event, e.UserUttered) for _, event in events[: index + 1])


def changed(events: Events, index: int, **fields: Any) -> Planted:
    number, event = events[index]
    events = [*events[:index], (number, replace(event, **fields)), *events[index + 1 :]]
    return Planted(events, turn_at(events, index))


def inserted(events: Events, index: int, *new: e.Event) -> Planted:
    events = [*events[:index], *((None, event) for event in new), *events[index:]]
    return Planted(events, turn_at(events, index))


def removed(events: Events, index: int, *, turn: int | None = None) -> Planted:
    where = turn_at(events, index) if turn is None else turn
    return Planted([*events[:index], *events[index + 1 :]], where)


def orphan_result(events: Events) -> Planted:
    at = nth(events, e.BotUttered)
    return inserted(events, at + 1, e.ToolReturned("ok", call_id="unknown"))


def unanswered_call(events: Events) -> Planted:
    return removed(events, nth(events, e.ToolReturned))


def result_before_its_call(events: Events) -> Planted:
    at = nth(events, e.ToolCalled, of=lambda event: event.cause is None)
    events = list(events)
    events[at], events[at + 1] = events[at + 1], events[at]
    return Planted(events, turn_at(events, at))


def duplicate_call_ids(events: Events) -> Planted:
    at = nth(events, e.ToolCalled)
    number, call = events[at]
    twin = replace(call, cause=call.cause or number, name="another")
    return inserted(events, at + 1, twin)


def no_assistant(events: Events) -> Planted:
    gone = (e.BotUttered, e.ToolCalled, e.ToolReturned)
    return Planted([pair for pair in events if not isinstance(pair[1], gone)], 0)


def broken_alternation(events: Events) -> Planted:
    """A message of the user without an answer before the next one."""
    users = [i for i, (_, event) in enumerate(events) if isinstance(event, e.UserUttered)]
    before, after = users[1], users[2]
    said = (e.BotUttered, e.ToolCalled, e.ToolReturned)
    kept = [p for i, p in enumerate(events) if not (before < i < after and isinstance(p[1], said))]
    return Planted(kept, 2)


def a_span(events: Events, move: Callable[[e.Span], e.Span]) -> Planted:
    def spans(event: Any) -> bool:
        return any(frame.spans for frame in event.frames)

    at = nth(events, e.MessageAnnotated, of=spans)
    frames = [
        replace(frame, spans=[move(frame.spans[0]), *frame.spans[1:]]) if frame.spans else frame
        for frame in events[at][1].frames
    ]
    return changed(events, at, frames=tuple(frames))


def an_entity(events: Events, move: Callable[[e.Entity], e.Entity]) -> Planted:
    at = nth(events, e.MessageUnderstood, of=lambda event: event.entities)
    first, *others = events[at][1].entities
    return changed(events, at, entities=(move(first), *others))


def shifted(part: Any) -> Any:
    return replace(part, start=part.start - 2, end=part.end - 2)


def outside(part: Any) -> Any:
    return replace(part, start=part.start + 5000, end=part.end + 5000)


def of_kind(kind: Any, number: int = 1, **fields: Any) -> Callable[[Events], Planted]:
    """An event of that kind, with other fields."""
    return lambda events: changed(events, nth(events, kind, number), **fields)


def new(where: Any, *events: e.Event) -> Callable[[Events], Planted]:
    """Planted right after an event of that kind, in the same turn."""
    return lambda found: inserted(found, nth(found, where) + 1, *events)


def tools_given(*tools: Any) -> Callable[[Events], Planted]:
    def plant(events: Events) -> Planted:
        is_function = isinstance(tools[0].get("function"), dict)
        turn = turn_at(events, nth(events, e.ToolCalled, 0)) if is_function else 0
        return Planted([(None, e.SystemInstructed(tools=list(tools))), *events], turn)

    return plant


def tools_without_a_schema(events: Events) -> Planted:
    names = dict.fromkeys(event.name for _, event in events if isinstance(event, e.ToolCalled))
    tools = [tool(name=name, parameters=[1]) for name in names]
    return Planted([(None, e.SystemInstructed(tools=tools)), *events], 0)


def undeclared_slot(events: Events) -> Planted:
    names = {event.name for _, event in events if isinstance(event, e.SlotSet)}
    declared = e.SlotsDeclared(tuple(Slot(name) for name in sorted(names)), closed=True)
    planted = inserted(events, nth(events, e.SlotSet) + 1, e.SlotSet("planted", "x"))
    return Planted([(None, declared), *planted.events], planted.turn)


def parts(kind: Any, *content: Any) -> Callable[[Events], Planted]:
    """A message of that kind with these parts as its content."""
    return of_kind(kind, text=None, data={"content": list(content)})


def result_after_the_next_message(events: Events) -> Planted:
    at = nth(events, e.ToolReturned, 0)
    turn = turn_at(events, at)
    after = next(i for i in range(at + 1, len(events)) if isinstance(events[i][1], e.BotUttered))
    events = list(events)
    events.insert(after, events.pop(at))
    return Planted(events, turn)


def second_result(events: Events) -> Planted:
    at = nth(events, e.ToolReturned)
    return inserted(events, at + 1, replace(events[at][1]))


def rewritten_to(text: str, *kinds: Any) -> Callable[[Events], Planted]:
    """A message edited at the end of the conversation."""

    def plant(events: Events) -> Planted:
        at = nth(events, kinds)
        edit = e.MessageEdited(at + 1, text)
        return Planted([*events, (None, edit)], turn_at(events, at))

    return plant


def alternating_at_the_end(events: Events) -> Planted:
    """An empty answer after the last one."""
    turn = turn_at(events, len(events) - 1)
    return Planted([*events, (None, e.BotUttered("\t"))], turn)


NAN = RawJson(b"NaN")
LONG_NUMBER = RawJson(b"1" * 40)
HALF = RawJson(b'"\\ud83d"')
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}


def first_form(**called: Any) -> Callable[[Events], Planted]:
    """A call in the API's first form after an answer, without a result."""
    return new(e.BotUttered, e.BotUttered(None, extra={"function_call": called}))


def tool(**function: Any) -> dict[str, Any]:
    return {"type": "function", "function": function}


OTHER_TOOL = {"type": "function", "function": {"name": "another", "parameters": {}}}

KINDS: dict[str, Kind] = {
    "orphan tool result": Kind("tau", "openai", orphan_result),
    "unanswered call": Kind("tau", "openai", unanswered_call),
    "result before its call": Kind("tau", "trl", result_before_its_call),
    "two calls of one id": Kind("tau", "openai", duplicate_call_ids),
    "arguments not JSON": Kind("tau", "openai", of_kind(e.ToolCalled, arguments="{city: Rome")),
    "arguments a list": Kind("tau", "sharegpt", of_kind(e.ToolCalled, arguments=[1, 2])),
    "arguments a number": Kind("tau", "parquet", of_kind(e.ToolCalled, arguments=5)),
    "arguments beyond JSON": Kind("tau", "openai", of_kind(e.ToolCalled, arguments={"n": NAN})),
    "function without a name": Kind("tau", "openai", of_kind(e.ToolCalled, name="")),
    "tool that is not given": Kind("tau", "openai", tools_given(OTHER_TOOL)),
    "tool without a name": Kind("tau", "openai", tools_given({"type": "function"})),
    "no assistant": Kind("tau", "openai", no_assistant),
    "broken alternation": Kind("tau", "sharegpt", broken_alternation),
    "broken alternation of pairs": Kind("sgd", "alpaca", broken_alternation),
    "empty message": Kind("sgd", "openai", of_kind(e.UserUttered, text="")),
    "blank answer": Kind("sgd", "alpaca", of_kind(e.BotUttered, text=" \n")),
    "invalid text": Kind("sgd", "trl", of_kind(e.UserUttered, text=None, extra={"text": NAN})),
    "content that is not a text": Kind(
        "tau", "openai", new(e.UserUttered, e.SystemInstructed(extra={"content": 5}))
    ),
    "instruction that is not a text": Kind(
        "tau", "trl", new(e.UserUttered, e.SystemInstructed(extra={"content": 5}))
    ),
    "answer that is not a text": Kind(
        "tau", "parquet", of_kind(e.BotUttered, extra={"content": 5})
    ),
    "parts that are none": Kind("tau", "openai", of_kind(e.BotUttered, data={"content": [5]})),
    "unknown role": Kind(
        "tau", "openai", new(e.UserUttered, e.SystemInstructed("x", extra={"role": "wizard"}))
    ),
    "invalid weight": Kind("tau", "openai", of_kind(e.BotUttered, extra={"weight": 7})),
    "span outside the text": Kind("sgd", "sgd", lambda events: a_span(events, outside)),
    "span around another value": Kind("sgd", "sgd", lambda events: a_span(events, shifted)),
    "span in a story": Kind("sgd", "rasa-stories", lambda events: a_span(events, outside)),
    "slot of no service": Kind("sgd", "sgd", new(e.SlotSet, e.SlotSet("Planted_1.x", ["y"]))),
    "slot value beyond JSON": Kind("sgd", "sgd", of_kind(e.SlotSet, value=[NAN])),
    "slot not in the schema": Kind("understood", "rasa-stories", undeclared_slot),
    "entity outside the text": Kind(
        "understood", "rasa-nlu", lambda events: an_entity(events, outside)
    ),
    "entity around another value": Kind(
        "understood", "rasa-e2e", lambda events: an_entity(events, shifted)
    ),
    "entity without an end": Kind(
        "understood", "rasa-nlu", lambda events: an_entity(events, lambda x: replace(x, end=None))
    ),
    "call among the parts": Kind(
        "tau", "openai", parts(e.BotUttered, {"type": "tool_use", "id": "c", "name": "f"})
    ),
    "unknown part": Kind("tau", "openai", parts(e.UserUttered, {"type": "nonsense"})),
    "part of no type": Kind("tau", "trl", parts(e.UserUttered, {"type": 5})),
    "text part without a text": Kind("tau", "openai", parts(e.UserUttered, {"type": "text"})),
    "parts that are blank": Kind(
        "tau", "openai", parts(e.BotUttered, {"type": "text", "text": " "})
    ),
    "image without an address": Kind(
        "tau", "openai", parts(e.UserUttered, {"type": "image_url", "image_url": {}})
    ),
    "image in no detail": Kind(
        "tau",
        "openai",
        parts(e.UserUttered, {"type": "image_url", "image_url": {"url": "x", "detail": "huge"}}),
    ),
    "sound of no format": Kind(
        "tau",
        "openai",
        parts(
            e.UserUttered, {"type": "input_audio", "input_audio": {"data": "x", "format": "ogg"}}
        ),
    ),
    "invalid file": Kind("tau", "openai", parts(e.UserUttered, {"type": "file", "file": 5})),
    "refusal of the user": Kind(
        "tau",
        "openai",
        parts(e.UserUttered, {"type": "refusal", "refusal": "no"}),
    ),
    "image of the assistant": Kind("tau", "openai", parts(e.BotUttered, IMAGE)),
    "image without words": Kind("tau", "trl", parts(e.UserUttered, IMAGE)),
    "image without words in a row": Kind("tau", "parquet", parts(e.UserUttered, IMAGE)),
    "question that is an image": Kind("tau", "sharegpt", parts(e.UserUttered, IMAGE)),
    "pair that is an image": Kind("sgd", "alpaca", parts(e.BotUttered, IMAGE)),
    "sound without words": Kind(
        "tau", "trl", of_kind(e.BotUttered, text=None, extra={"audio": {"id": "a"}})
    ),
    "sound without an id": Kind("tau", "openai", of_kind(e.BotUttered, extra={"audio": {}})),
    "blank refusal": Kind(
        "tau", "trl", new(e.BotUttered, e.RefusalAdded(" ", extra={NEW_MESSAGE: True}))
    ),
    "refusal that is not a text": Kind(
        "tau", "openai", of_kind(e.BotUttered, extra={"refusal": 5})
    ),
    "name that is not a text": Kind("tau", "openai", of_kind(e.UserUttered, extra={"name": 5})),
    "weight that is a text": Kind("tau", "trl", of_kind(e.BotUttered, extra={"weight": "0"})),
    "unanswered call in the first form": Kind(
        "tau", "openai", first_form(name="f", arguments="{}")
    ),
    "broken call in the first form": Kind("tau", "openai", first_form(name="f", arguments=5)),
    "call without a name in the first form": Kind("tau", "trl", first_form(arguments="{}")),
    "result of no call in the first form": Kind(
        "tau",
        "openai",
        new(e.BotUttered, e.ToolReturned("1", name="f", extra={"role": "function"})),
    ),
    "second result of a call": Kind("tau", "openai", second_result),
    "result of another call": Kind("tau", "sharegpt", of_kind(e.ToolReturned, call_id="other")),
    "result after the next message": Kind("tau", "trl", result_after_the_next_message),
    "orphan result in a row": Kind("tau", "parquet", orphan_result),
    "tool that is not an object": Kind(
        "tau", "openai", tools_given({"type": "function", "function": 5})
    ),
    "tool without a schema": Kind("tau", "openai", tools_without_a_schema),
    "arguments a text": Kind("tau", "trl", of_kind(e.ToolCalled, arguments="Rome")),
    "arguments of 40 digits": Kind(
        "tau", "trl", of_kind(e.ToolCalled, arguments={"n": LONG_NUMBER})
    ),
    "half a character": Kind(
        "sgd", "parquet", of_kind(e.BotUttered, text=None, data={"content": [HALF]})
    ),
    "blank answer at the end": Kind("sgd", "trl", alternating_at_the_end),
    "question edited to nothing": Kind("sgd", "trl", rewritten_to("", e.UserUttered)),
    "answer edited to nothing": Kind("sgd", "openai", rewritten_to(" ", e.BotUttered)),
    "better answer that is blank": Kind(
        "sgd", "trl", rewritten_to("", e.BotUttered), {"type": "preference"}
    ),
    "pair of OpenAI's that is blank": Kind("sgd", "openai-dpo", rewritten_to("", e.BotUttered)),
    "entity that ends before it begins": Kind(
        "understood",
        "rasa-nlu",
        lambda events: an_entity(events, lambda x: replace(x, start=x.end, end=x.start)),
    ),
    "intent missing": Kind("understood", "rasa-stories", of_kind(e.MessageUnderstood, intent=None)),
}


@pytest.fixture(scope="module")
def corpora(shared_data: Path) -> dict[str, list[Dialogue]]:
    """Real dialogues that have what the kinds are planted in."""
    tau = [d for d in read(shared_data / "tau_bench", "openai") if _calls(d) > 1 and _turns(d) > 3]
    sgd = [d for d in read(shared_data / "sgd/train/dialogues_subset.json", "sgd") if _spans(d) > 1]
    return {
        "tau": tau[:DIALOGUES],
        "sgd": sgd[:DIALOGUES],
        "understood": [understood_by_a_bot(dialogue) for dialogue in sgd[:DIALOGUES]],
    }


def read(path: Path, format: str) -> list[Dialogue]:
    files = [path] if path.is_file() else sorted(path.glob("*.json"))
    found = [dialogue for file in files for dialogue in codec(format).read(file)]
    return [dialogue for dialogue in found if isinstance(dialogue, Dialogue)]


def _calls(dialogue: Dialogue) -> int:
    return sum(isinstance(event, e.ToolReturned) for event in dialogue.events)


def _turns(dialogue: Dialogue) -> int:
    return sum(isinstance(event, e.UserUttered) for event in dialogue.events)


def _spans(dialogue: Dialogue) -> int:
    return sum(
        isinstance(event, e.MessageAnnotated) and any(frame.spans for frame in event.frames)
        for event in dialogue.events
    )


def understood_by_a_bot(dialogue: Dialogue) -> Dialogue:
    """The same with intent and entities where the data set has acts and spans."""
    texts = {n: event.text for n, event in enumerate(dialogue.events, 1) if hasattr(event, "text")}
    users = {n for n, event in enumerate(dialogue.events, 1) if isinstance(event, e.UserUttered)}
    events: Events = [
        (number, _understood(event, texts[event.message]))
        if isinstance(event, e.MessageAnnotated) and event.message in users
        else (number, event)
        for number, event in enumerate(dialogue.events, 1)
        if not isinstance(event, e.ConversationAnnotated)
    ]
    return replace(dialogue, events=renumbered(events))


def _understood(event: e.MessageAnnotated, text: str) -> e.MessageUnderstood:
    spans = [span for frame in event.frames for span in frame.spans or ()]
    return e.MessageUnderstood(
        e.Intent(event.frames[0].acts[0].act.lower()),
        tuple(e.Entity(s.slot, text[s.start : s.end], s.start, s.end) for s in spans),
        event.message,
    )


def renumbered(events: Iterable[tuple[int | None, Any]]) -> tuple[e.Event, ...]:
    """The events, with renumbered references between them."""
    events = list(events)
    new = {old: number for number, (old, _) in enumerate(events, 1) if old is not None}
    made = []
    for _, event in events:
        for field in ("message", "cause"):
            if isinstance(held := getattr(event, field, None), int):
                event = replace(event, **{field: new.get(held)})
        made.append(event)
    return tuple(made)


def plant(kind: Kind, dialogue: Dialogue) -> tuple[Dialogue, int]:
    planted = kind.plant(list(enumerate(dialogue.events, 1)))
    return replace(dialogue, events=renumbered(planted.events)), planted.turn


def written(dialogue: Dialogue, kind: Kind, out: Path) -> Any:
    with turnlog.open("memory:") as log:
        log.import_dialogue(dialogue)
        position = log.store.reader.last_position()
        plan = ExportPlan(format=kind.format, position=position, settings=kind.settings or {})
        return export(log, plan, out)


@pytest.mark.parametrize("name", KINDS)
def test_corruption_is_stopped_before_anything_is_written(name, corpora, tmp_path):
    kind = KINDS[name]
    stopped: Counter[bool] = Counter()
    for number, dialogue in enumerate(corpora[kind.corpus]):
        before = written(dialogue, kind, tmp_path / f"{number}.whole")
        assert before.faulty == []
        assert sum(file.examples for file in before.files.values()) > 0 or kind.is_of_pairs
        corrupted, turn = plant(kind, dialogue)
        out = tmp_path / f"{number}.planted"
        totals = written(corrupted, kind, out)
        named = [(f.conversation, f.turn) for f in (*totals.faulty, *totals.refused)]
        examples = sum(file.examples for file in totals.files.values())
        whole = bool(totals.refused) or not list(tmp_path.glob("*.planted*"))
        stopped[named == [(dialogue.name, turn)] and examples == 0 and whole] += 1
    assert stopped.total() == DIALOGUES
    assert stopped[True] >= 0.95 * DIALOGUES


def test_there_are_at_least_fifty_kinds():
    assert len(KINDS) >= 50
