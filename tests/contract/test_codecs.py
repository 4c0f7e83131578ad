"""The built-in formats keep the contract of codecs."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st

from turnlog.domain.dialogue import Dialogue
from turnlog.errors import FormatError
from turnlog.serializers.formats import codec
from turnlog.serializers.shared.codec import Codec
from turnlog.serializers.shared.document import DocumentCodec
from turnlog.serializers.shared.json_stream import Element
from turnlog.testing.codecs import CodecContract
from turnlog.testing.strategies import (
    conversation_ids,
    dialogues,
    names,
    raw_values,
    scraps,
    slots_set,
    texts,
    values,
)


class TestJsonl(CodecContract):
    holds = (
        dialogues() | scraps() | dialogues(st.lists(slots_set | raw_values.map(lambda v: kept(v))))
    )

    def create(self) -> Codec:
        return codec("jsonl")


def kept(value: Any) -> Any:
    from turnlog.domain.events import SlotSet

    return SlotSet("raw", value)


def objects(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these members, and now and then one unknown to the format."""
    return st.fixed_dictionaries({}, optional={**members, "stray": values})


def with_members(
    more: st.SearchStrategy[dict[str, Any]], **members: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda a, b: {**b, **a}, st.fixed_dictionaries(members), more)


ID = {"openai": "id", "atif": "trajectory_id", "sgd": "dialogue_id"}


def read_by(name: str, source: st.SearchStrategy[Any]) -> st.SearchStrategy[Dialogue]:
    """What a format's reader makes of a source."""
    reader = codec(name)
    assert isinstance(reader, DocumentCodec)

    def is_written(dialogue: Dialogue) -> bool:
        try:
            return bool(list(reader.examples(dialogue)))
        except FormatError:
            return False

    def read(key: str, value: Any) -> Dialogue:
        named = {ID[name]: key, **value} if name in ID else value
        return reader.dialogue(named, Element(b"", 1, key), Path("x"))

    return st.builds(read, conversation_ids, source).filter(is_written)


# --- OpenAI ---------------------------------------------------------------------------------------

said = st.text(st.characters(codec="utf-8"), max_size=20).map(lambda text: f"so {text}")
called = with_members(
    st.just({"type": "function"}),
    id=texts,
    function=st.fixed_dictionaries(
        {"name": names, "arguments": st.dictionaries(texts, values, max_size=2).map(json.dumps)}
    ),
)
answered = st.lists(called, min_size=1, max_size=3, unique_by=lambda call: call["id"]).flatmap(
    lambda calls: st.builds(
        lambda content, results: [
            {"role": "assistant", "content": content, "tool_calls": calls},
            *(
                {"role": "tool", "tool_call_id": call["id"], "content": result}
                for call, result in zip(calls, results, strict=True)
            ),
        ],
        st.none() | texts,
        st.lists(texts, min_size=len(calls), max_size=len(calls)),
    )
)
message = st.one_of(
    st.builds(lambda text: [{"role": "user", "content": text}], said),
    st.builds(lambda text: [{"role": "system", "content": text}], texts),
    st.builds(lambda text: [{"role": "developer", "content": text}], texts),
    st.builds(lambda text: [{"role": "assistant", "content": text, "weight": 0}], said),
    st.builds(lambda text: [{"role": "user", "content": [{"type": "text", "text": text}]}], said),
    answered,
)
chats = with_members(
    st.fixed_dictionaries(
        {},
        optional={
            "tools": st.lists(st.dictionaries(texts, values, max_size=2), max_size=2),
            "parallel_tool_calls": st.booleans(),
        },
    ),
    messages=st.lists(message, max_size=5).map(
        lambda parts: [*chain(*parts), {"role": "assistant", "content": "bye"}]
    ),
)


class TestOpenai(CodecContract):
    holds = read_by("openai", chats)

    def create(self) -> Codec:
        return codec("openai")


# --- ATIF -----------------------------------------------------------------------------------------

VALUES = [None, True, 0, 1.5, "", "é", [], [{"a": None}], {"": {}}, "\u2028", -7]
WORDS = ["", " ", "one", "two\nlines", "é", "{}"]


def trajectory(chance: Random) -> dict[str, Any]:
    """Made without Hypothesis, which takes ten times as long to draw one."""
    agent = {"name": "a", "version": "1", **some(chance, model_name="m", extra={"x": 1})}
    optional = some(
        chance, notes="n", extra={"": chance.choice(VALUES)}, continued_trajectory_ref="t"
    )
    steps = [step(chance, number) for number in range(1, chance.randint(2, 5))]
    return {"schema_version": "ATIF-v1.8", "agent": agent, **optional, "steps": steps}


def some(chance: Random, **members: Any) -> dict[str, Any]:
    """Some of the members, and now and then one unknown to the format."""
    members["stray"] = chance.choice(VALUES[1:])
    return {name: held for name, held in members.items() if chance.random() < 0.4}


def step(chance: Random, number: int) -> dict[str, Any]:
    source = chance.choice(["system", "user", "agent", "agent"])
    shown = [{"type": "text", "text": text} for text in chance.choices(WORDS, k=2)]
    said = {"source": source, "message": chance.choice([*WORDS, shown, shown[:1], []])}
    said |= some(chance, timestamp="2026-01-02T03:04:05Z", extra={"k": chance.choice(VALUES)})
    return {"step_id": number, **said, **(acted(chance) if source == "agent" else {})}


def acted(chance: Random) -> dict[str, Any]:
    ids = chance.sample(["", "a", "b"], chance.randint(0, 3))
    calls = [
        {"tool_call_id": id, "function_name": "f", "arguments": {"": chance.choice(VALUES)}}
        | some(chance, extra={"e": chance.choice(VALUES)})
        for id in ids
    ]
    results = [
        some(chance, content=chance.choice(WORDS), extra={"r": 1}) | {"source_call_id": id}
        for id in chance.sample(ids, chance.randint(0, len(ids)))
    ]
    metrics = some(chance, prompt_tokens=3, cost_usd=0.5, logprobs=[-0.5], extra={"kv": "x"})
    done = some(chance, reasoning_content=chance.choice(WORDS), model_name="m", metrics=metrics)
    done |= {"tool_calls": calls} if calls else {}
    return done | ({"observation": {"results": results}} if results else {})


class TestAtif(CodecContract):
    holds = read_by("atif", st.integers(0, 10**9).map(lambda seed: trajectory(Random(seed))))

    def create(self) -> Codec:
        return codec("atif")


# --- Schema-Guided Dialogue -----------------------------------------------------------------------

services = st.sampled_from(["Hotels_1", "Trains_2", "é"])
listed = st.lists(texts, max_size=2)
act = with_members(objects(slot=texts, values=listed, canonical_values=listed), act=texts)
span = with_members(objects(), start=st.integers(0, 2), exclusive_end=st.integers(3, 5), slot=names)
utterances = st.builds("hello {}".format, texts)
described = objects(
    actions=st.lists(act, max_size=2),
    slots=st.lists(span, max_size=2),
    service_call=st.dictionaries(texts, values, max_size=2),
    service_results=st.lists(values, max_size=2),
)
state = with_members(
    objects(active_intent=texts, requested_slots=listed),
    slot_values=st.dictionaries(names, listed, max_size=3),
)


def framed(*, user: bool) -> st.SearchStrategy[list[dict[str, Any]]]:
    optional = objects(state=state) if user else st.just({})
    frame = st.builds(
        lambda service, a, b: {**a, **b, "service": service}, services, described, optional
    )
    return st.lists(frame, max_size=3, unique_by=lambda frame: frame["service"])


def sgd_turn(speaker: str) -> st.SearchStrategy[dict[str, Any]]:
    return with_members(
        objects(),
        speaker=st.just(speaker),
        utterance=utterances,
        frames=framed(user=speaker == "USER"),
    )


guided = with_members(
    objects(),
    services=st.permutations(["Hotels_1", "Trains_2", "é"]),
    turns=st.builds(
        lambda first, rest: [first, *rest],
        sgd_turn("USER"),
        st.lists(sgd_turn("USER") | sgd_turn("SYSTEM"), max_size=4),
    ),
)


class TestSgd(CodecContract):
    holds = read_by("sgd", guided)

    def create(self) -> Codec:
        return codec("sgd")


# --- MultiWOZ -------------------------------------------------------------------------------------

domains = st.sampled_from(["hotel", "train", "出租车"])
acts = st.dictionaries(
    st.builds(
        "{}-{}".format, st.sampled_from(["Hotel", "Train"]), st.sampled_from(["Inform", "Bye"])
    ),
    st.lists(st.tuples(texts, texts).map(list), max_size=2),
    max_size=3,
)
spans = st.lists(
    st.tuples(
        st.sampled_from(["Hotel-Inform", "Train-Bye", "odd"]),
        texts,
        texts,
        st.integers(0, 1),
        st.integers(1, 2),
    ).map(list),
    max_size=3,
)
slot_values = st.sampled_from(["", "not mentioned", "east", "dontcare", ["a", "b"], "未提及"])
metadata = st.dictionaries(
    domains,
    st.fixed_dictionaries(
        {"semi": st.dictionaries(names, slot_values, max_size=3)},
        optional={
            "book": st.fixed_dictionaries(
                {"booked": st.lists(st.dictionaries(names, texts, max_size=1), max_size=1)},
                optional={"people": slot_values, "day": slot_values},
            )
        },
    ),
    max_size=3,
)


def woz_turn(*, user: bool) -> st.SearchStrategy[dict[str, Any]]:
    return with_members(
        objects(dialog_act=acts, span_info=spans),
        text=st.builds("one two three {}".format, texts),
        metadata=st.just({}) if user else metadata,
    )


wizard = with_members(
    objects(goal=st.dictionaries(names, values, max_size=2)),
    log=st.lists(st.tuples(woz_turn(user=True), woz_turn(user=False)), min_size=1, max_size=3).map(
        lambda pairs: [turn for pair in pairs for turn in pair]
    ),
)


class TestMultiwoz(CodecContract):
    holds = read_by("multiwoz", wizard)

    def create(self) -> Codec:
        return codec("multiwoz")
