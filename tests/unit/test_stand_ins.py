"""Given words and numbers, then they are replaced consistently and without a trace."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from turnlog import BotUttered, Entity, MessageUnderstood, SlotSet, ToolCalled, UserUttered
from turnlog.replay.trying.personal import personal_words
from turnlog.replay.trying.stand_ins import WORD, StandIns, said_words, words

TEXTS = st.lists(st.text(max_size=20), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=12)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner,
                                                                max_size=3),
    max_leaves=8,
)  # fmt: skip


def known(*values: Any) -> list[str]:
    return list(dict.fromkeys(word for value in values for word in words(value)))


@given(TEXTS)
def test_each_word_has_one_stand_in_and_no_two_share_one(texts: list[str]):
    every = known(*texts)
    stand_ins = StandIns(every, ())
    replaced = [stand_ins.text(word) for word in every]
    assert len({word.casefold() for word in replaced}) == len(every)
    assert not {word.casefold() for word in replaced} & set(every)


@given(TEXTS, st.data())
def test_kept_words_and_the_characters_between_words_stay(texts: list[str], data: Any):
    every = known(*texts)
    kept = data.draw(st.sets(st.sampled_from(every))) if every else set()
    stand_ins = StandIns(every, kept)
    for text in texts:
        replaced = stand_ins.text(text)
        assert WORD.sub("", replaced) == WORD.sub("", text)
        pairs = zip(WORD.findall(text), WORD.findall(replaced), strict=True)
        assert all((now == was) == (was.casefold() in kept) for was, now in pairs)


@given(VALUES)
def test_values_keep_their_form(value: Any):
    replaced = StandIns(known(value), ()).value(value)
    assert form(replaced) == form(value)


def form(value: Any) -> Any:
    if isinstance(value, dict):
        return [form(item) for item in value.values()]
    return [form(item) for item in value] if isinstance(value, list) else type(value)


@given(st.integers(1, 400))
def test_only_the_order_of_words_decides_their_stand_ins(count: int):
    first = [f"a{'b' * (n % 5)}{'cdefghij'[n % 8]}{n:03}x"[:9] for n in range(count)]
    other = [word.translate(str.maketrans("abcdefghijx", "qrstuvwxyzk")) for word in first]
    one, two = StandIns(first, ()), StandIns(other, ())
    assert [one.text(word) for word in first] == [two.text(word) for word in other]


def test_case_length_and_shape_stay():
    stand_ins = StandIns(known("anna LEE anna@lee.example +49 170 7"), ())
    text = stand_ins.text("Anna LEE <anna@lee.example> +49 170 7")
    first, second, *_ = text.split()
    assert first.istitle()
    assert second.isupper()
    assert [len(word) for word in WORD.findall(text)] == [4, 3, 4, 3, 7, 2, 3, 1]
    assert f"<{first.lower()}@{second.lower()}." in text


def test_an_event_keeps_the_names_of_a_bots_parts():
    events = [
        UserUttered("I am Zoe", message_id="m1", extra={"from": "zoe"}, channel="sms", name="Zoe"),
        SlotSet("name", "Zoe"),
        ToolCalled("find", {"name": "Zoe"}, "c1"),
        BotUttered("Zoe?", {"buttons": [{"payload": "/zoe"}]}),
    ]
    stand_ins = StandIns([word for event in events for word in said_words(event)], ())
    said, slot, call, asked = map(stand_ins.event, events)
    assert (said.message_id, said.extra, said.channel) == (None, None, None)
    assert isinstance(slot, SlotSet)
    assert (slot.name, slot.value) == ("name", said.name)  # type: ignore[attr-defined]
    assert isinstance(call, ToolCalled)
    assert (call.name, call.arguments, call.call_id) == ("find", {"name": slot.value}, "c1")
    assert "zoe" not in repr([said, slot, call, asked]).casefold()


def test_fields_that_may_identify_a_person_are_replaced():
    events = [
        SlotSet("name", {"first": "Ann"}),
        MessageUnderstood(entities=(Entity("city", "Ulm"),)),
        ToolCalled("find", {"street": ["Xylo", 17]}),
        UserUttered("Hello, I am from Rome. Mail bo@x.example at 7 on friday, code ab12"),
    ]
    found = personal_words("conversation-993", events)
    assert found == {
        "ann", "ulm", "xylo", "rome", "bo", "example", "ab12", "conversation", "993",
    }  # fmt: skip
