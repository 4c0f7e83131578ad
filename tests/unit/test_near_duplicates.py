"""Near-duplicates: what counts as one, and which part it goes into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from io import BytesIO
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnlog import BotUttered, UserUttered
from turnlog.domain import events as e
from turnlog.training.parts.near import NearIndex, Rarity, are_near
from turnlog.training.parts.placement import Placement, Placer
from turnlog.training.parts.words import Words, WordStore
from turnlog.training.plan import ExportPlan

SPLIT = {"train": 0.5, "dev": 0.25, "test": 0.25}
NAMES = ["Anna", "Boris", "Chloe", "Dmitri", "Esra", "Farid"]
VOCABULARY = [f"{a}{b}" for a in ("ka", "lo", "mi", "su", "te", "ro") for b in "abcdefghijklmnopqr"]

Turns = list[str]


def talk(chance: Random, turns: int = 8) -> Turns:
    """Alternating messages of the two, some of which name a person."""
    name = chance.choice(NAMES)
    said = [" ".join(chance.choices(VOCABULARY, k=chance.randint(5, 11))) for _ in range(turns)]
    said[1] += f" {name}"
    said[4] = f"Well, {name}: {said[4]}"
    return said


def a_word_changed(said: Turns, chance: Random) -> Turns:
    place = chance.randrange(len(said))
    words = said[place].split()
    words[chance.randrange(len(words))] = "otherwise"
    return [*said[:place], " ".join(words), *said[place + 1 :]]


def case(said: Turns, chance: Random) -> Turns:
    return [text.upper() if chance.random() < 0.5 else text.title() for text in said]


def punctuation(said: Turns, chance: Random) -> Turns:
    return [f"«{text.replace(' ', ', ', 2)}» …!" for text in said]


def order(said: Turns, chance: Random) -> Turns:
    pairs = [said[at : at + 2] for at in range(0, len(said), 2)]
    chance.shuffle(pairs)
    return [text for pair in pairs for text in pair]


def renamed(said: Turns, chance: Random) -> Turns:
    other = "Gwendolyn"
    return [" ".join(other if w.strip(":") in NAMES else w for w in text.split()) for text in said]


def cut(said: Turns, chance: Random) -> Turns:
    return said[: chance.randint(len(said) // 2, len(said) - 1)]


KINDS: list[Callable[[Turns, Random], Turns]] = [
    a_word_changed, case, punctuation, order, renamed, cut,
]  # fmt: skip


def events(said: Iterable[str]) -> list[e.Event]:
    kinds = (UserUttered, BotUttered)
    return [kinds[number % 2](text) for number, text in enumerate(said)]


def words(*said: str) -> Words:
    return Words.of(events(said))


def placed(talks: Iterable[tuple[str, Turns] | tuple[str, Turns, str]], **plan: Any) -> Placement:
    """In the order they are in the log."""
    wanted = ExportPlan(format="jsonl", position=0, split=SPLIT, together=True, **plan)
    placer = Placer(wanted, WordStore(BytesIO()))
    for position, (id, said, *user) in enumerate(talks):
        placer.take(id, position, user[0] if user else None, events(said))
    return placer.placed()


@pytest.mark.parametrize("kind", KINDS)
def test_six_kinds_of_near_duplicates_are_in_one_part(kind):
    chance = Random(17)
    talks = [(f"original {number}", talk(chance)) for number in range(84)]
    planted = [(f"planted {number}", kind(said, chance)) for number, (_, said) in enumerate(talks)]
    placement = placed([*talks, *planted])
    assert (placement.together, placement.between) == (84, [])
    for number in range(84):
        parts = placement.parts
        assert parts[f"original {number}"] == parts[f"planted {number}"]
    assert len(set(placement.parts.values())) == 3


def test_nothing_moves_when_the_log_grows():
    chance = Random(5)
    talks = [(f"c{number}", talk(chance)) for number in range(120)]
    talks += [
        (f"d{number}", chance.choice(KINDS)(said, chance))
        for number, (_, said) in enumerate(chance.choices(talks, k=120))
    ]
    chance.shuffle(talks)
    before, after = placed(talks[:160]), placed(talks)
    assert len(before.parts) == 160
    assert before.parts.items() <= after.parts.items()
    assert before.together < after.together


def test_a_near_duplicate_of_different_parts_is_omitted():
    chance = Random(3)
    one, other = talk(chance, 6), talk(chance, 6)
    ids = [f"c{number}" for number in range(20)]
    alone = placed([(id, talk(chance)) for id in ids]).parts
    first = ids[0]
    second = next(id for id in ids if alone[id] != alone[first])
    both = ("both", [*one, *other])
    placement = placed([(first, one), (second, other), both, ("later", one)])
    assert placement.parts == {**{x: alone[x] for x in (first, second)}, "later": alone[first]}
    (left,) = placement.between
    assert left.conversation == "both"
    assert sorted(left.near) == sorted([first, second])
    assert left.parts == sorted([alone[first], alone[second]])


def test_a_bots_templates_do_not_make_conversations_near():
    chance = Random(1)
    talks = []
    for number in range(400):
        city, food, people = (
            f"city{chance.random()}",
            chance.choice(VOCABULARY),
            chance.randint(1, 9),
        )
        asks = [f"I want {food} food in {city}", f"find me a table for {people} in {city}"]
        said = [
            chance.choice(asks), f"For how many people would you like to book the table in {city}?",
            f"for {people}", f"I have booked a table for {people} in {city}. Anything else?",
            "no thanks", "You are welcome. Have a nice day and see you soon!",
        ]  # fmt: skip
        talks.append((f"c{number}", said))
    placement = placed(talks)
    counts = Counter(placement.parts.values())
    assert len(placement.parts) + len(placement.between) == 400
    assert len(placement.between) < 8
    assert all(abs(counts[part] - 400 * share) < 60 for part, share in SPLIT.items())


def test_a_user_stays_in_one_part_and_conflicting_conversations_are_omitted():
    chance = Random(9)
    users = [f"user {number}" for number in range(30)]
    talks = [(f"{user}, {n}", talk(chance), user) for n in range(3) for user in users]
    parts = placed(talks, by="user").parts
    assert all(len({parts[f"{user}, {n}"] for n in range(3)}) == 1 for user in users)
    other = next(user for user in users if parts[f"{user}, 0"] != parts["user 0, 0"])
    repeat = ("repeat", case(talks[0][1], chance), other)
    placement = placed([*talks, repeat, ("by somebody new", talks[0][1], "new")], by="user")
    assert [left.conversation for left in placement.between] == ["repeat"]
    assert placement.parts["by somebody new"] == parts["user 0, 0"]


def test_the_shares_hold_within_sampling_error():
    parts = placed([(f"conversation {n}", [f"number {n}"]) for n in range(5000)]).parts
    count = {part: list(parts.values()).count(part) for part in SPLIT}
    assert abs(count["train"] - 2500) < 120
    assert abs(count["dev"] - 1250) < 110


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Hello! I am the assistant of the bank, how can I help you today?", "help"), None),
        (("the weather in Rome", "It is dry."), ("the weather in Oslo", "It is dry.")),
        (("to city 0, says c00", "fine, city 0 for c00"), ("to city 0, says c01", "fine, city 0")),
        (("yes",), ("no",)),
        ((), ()),
        (("",), ("",)),
    ],
)
def test_a_bots_standard_phrases_make_no_duplicates(one, other):
    greeting = "Hello! I am the assistant of the bank, how can I help you today?"
    other = other if other is not None else (greeting, "a transfer of ten euros to my landlord")
    flip = [*map(events, (one, other))]
    if one and one[0] == greeting:
        flip = [[BotUttered(s[0]), UserUttered(s[1])] for s in (one, other)]
    assert not are_near(Words.of(flip[0]), Words.of(flip[1]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "我想预订一家便宜的餐厅在市中心，靠近火车站",
            "我想预订一家昂贵的餐厅在市中心，靠近火车站",
        ),
        ("ฉันต้องการจองโต๊ะสำหรับสองคน", "ฉันต้องการจองโต๊ะสำหรับสามคน"),
        ("👍👍", "👍👍"),
        ("Ｆｕｌｌ width", "full Width!"),
        ("STRASSE", "Straße"),
    ],
)
def test_words_are_found_in_every_script(one, other):
    assert are_near(words(one), words(other))


def test_calls_count_as_words():
    calls = [[e.ToolCalled("find", {"city": city}, "c")] for city in ("Rome", "Rome", "Oslo")]
    one, same, other = map(Words.of, calls)
    assert are_near(one, same)
    assert not are_near(one, other)


SAID = st.lists(st.sampled_from("abcdefghijkl"), max_size=30)


@given(st.lists(st.tuples(SAID, SAID), max_size=12))
def test_the_index_finds_all_near_duplicates(talks: list[tuple[list[str], list[str]]]):
    """Also if the user says nothing, or too little for a run of words."""
    found = [words(*map(" ".join, said)) for said in talks]
    rarity = Rarity(found)
    index = NearIndex()
    for number, each in enumerate(found):
        near = {other for other in range(number) if are_near(each, found[other])}
        assert near <= set(index.candidates(rarity.probe(each)))
        index.add(number, rarity.probe(each))


def test_a_store_returns_the_stored_words():
    store = WordStore(BytesIO())
    kept = [words("a b c d", "e"), words(), words("f")]
    assert [store.add(each) for each in kept] == [0, 1, 2]
    assert list(store) == kept
    assert store[0] == kept[0]
