"""`turnlog export --redact`: planted names, mails, phones, cards and addresses in six languages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

import turnlog
from tests.command_line import run
from turnlog import AgentUttered, BotUttered, Event, SlotSet, UserUttered
from turnlog.domain import events as e
from turnlog.domain.annotations import Entity
from turnlog.domain.fold import replay
from turnlog.domain.values import RawJson
from turnlog.training.privacy.redacting import Redactor, known, pseudonym

LANGUAGES: dict[str, tuple[str, str, list[str], str, str]] = {
    "en": (
        "Hello, I am writing about {}, please.", "Noted: {}.",
        ["Ann Lee", "Bob O'Neil", "Zoë Smith"], "{} Baker Street, London", "+44 20 7946 0{}",
    ),
    "de": (
        "Guten Tag, es geht um {}, danke.", "Notiert: {}.",
        ["Jürgen Groß", "Eva Müller", "Max Weiß"], "Hauptstraße {}, 1010 Wien", "+49 30 901820{}",
    ),
    "fr": (
        "Bonjour, je vous écris pour {} s'il vous plaît.", "C'est noté : {}.",
        ["Chloé Lefèvre", "Luc Noël", "Inès Roux"], "{} rue de l'Église, Paris", "+33 1 42 68 5{}",
    ),
    "es": (
        "Hola, escribo por {}, por favor.", "Anotado: {}.",
        ["José Núñez", "Ana Peña", "Íñigo Ruiz"], "Calle Mayor {}, Madrid", "+34 912 345 {}",
    ),
    "ru": (
        "Здравствуйте, я пишу про {}, спасибо.", "Записано: {}.",
        ["Анна Иванова", "Пётр Чехов", "Юлия Ким"], "улица Ленина {}, Москва", "+7 495 123-{}",
    ),
    "zh": (
        "你好,我想问{}的事情。", "记下了{}。",
        ["王小明", "李娜", "欧阳修文"], "北京市朝阳区建国路{}号", "+86 138 0013 8{}",
    ),
}  # fmt: skip
KINDS = ("name", "mail", "phone", "card", "address")
PLANTED = 1000
DOCS = Path(__file__).parents[2] / "docs" / "training.md"


class Planted(NamedTuple):
    language: str
    kind: str
    value: str


def luhn(number: str) -> str:
    digits = [int(digit) for digit in number][::-1]
    total = sum(d if i % 2 else d * 2 - 9 * (d > 4) for i, d in enumerate(digits))
    return number + str(-total % 10)


def value_of(kind: str, language: str, number: int) -> str:
    _, _, people, address, phone = LANGUAGES[language]
    if kind == "name":
        return people[number % len(people)]
    if kind == "mail":
        return f"{'anna.lee' if number % 2 else 'b_o+x'}{number}@{language}-mail.example.com"
    if kind == "phone":
        return phone.format(100 + number)
    if kind == "card":
        card = luhn(f"4{number:014}")
        return " ".join(card[n : n + 4] for n in range(0, 16, 4)) if number % 2 else card
    return address.format(number + 1)


def planted() -> Iterator[Planted]:
    for number in range(PLANTED):
        language = list(LANGUAGES)[number % len(LANGUAGES)]
        kind = KINDS[number // len(LANGUAGES) % len(KINDS)]
        yield Planted(language, kind, value_of(kind, language, number))


def talk(one: Planted) -> list[e.Event]:
    asks, answers = LANGUAGES[one.language][:2]
    return [UserUttered(asks.format(one.value)), BotUttered(answers.format(one.value))]


def as_known(one: Planted, way: str) -> list[e.Event]:
    said, answered = talk(one)
    text = getattr(said, "text", "")
    if way == "slot":
        return [said, SlotSet("contact", one.value), answered]
    if way == "identity":
        return [e.UserIdentified(one.value), said, answered]
    start = text.index(one.value)
    entity = Entity("who", one.value, start, start + len(one.value))
    return [said, e.MessageUnderstood(e.Intent("ask"), (entity,)), answered]


def redacted(events: list[e.Event]) -> tuple[e.Event, ...]:
    return Redactor(b"secret", known(events)).events(events)


def texts(events: tuple[e.Event, ...] | list[e.Event]) -> str:
    said = (event for event in events if isinstance(event, UserUttered | BotUttered))
    return "\n".join(event.text or "" for event in said)


PLURALS = {"name": "names", "mail": "mail addresses", "phone": "phone numbers", "card": "cards",
           "address": "addresses"}  # fmt: skip


def test_the_docs_give_the_recall_without_knowledge_of_the_log() -> None:
    """And all that it knows, which the next test is about."""
    found, every = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for one in planted():
        every[one.kind, one.language] += 1
        found[one.kind, one.language] += one.value not in texts(redacted(talk(one)))
    assert every.total() == PLANTED
    rows = [
        f"| {name} | 100 % | "
        + " | ".join(f"{100 * found[kind, x] / every[kind, x]:.0f} %" for x in LANGUAGES)
        + " |"
        for kind, name in PLURALS.items()
    ]
    assert "\n".join(rows) in DOCS.read_text()


@pytest.mark.parametrize("way", ["slot", "entity", "identity"])
def test_values_known_to_the_log_are_found_everywhere(way: str) -> None:
    for one in planted():
        done = redacted(as_known(one, way))
        instead = pseudonym(b"secret", one.value)
        asks, answers = LANGUAGES[one.language][:2]
        assert texts(done) == texts(
            [UserUttered(asks.format(instead)), BotUttered(answers.format(instead))]
        ), one
        assert one.value not in repr(done)


def test_spans_slice_to_their_values() -> None:
    chance, every = Random(4), list(planted())
    for _ in range(50):
        some = chance.choices(every, k=3)
        parts = [one.value for one in some]
        text = f"x {parts[0]}, then {parts[1]} and {parts[2]}; yes {parts[0]}"
        entities = []
        for value in parts:
            start = text.index(value)
            entities.append(Entity("e", value, start, start + len(value)))
        understood = e.MessageUnderstood(e.Intent("i"), tuple(entities))
        said, known_now = redacted([UserUttered(text), understood])
        assert isinstance(said, UserUttered)
        assert isinstance(known_now, e.MessageUnderstood)
        for entity, value in zip(known_now.entities, parts, strict=True):
            assert said.text is not None
            assert said.text[entity.start : entity.end] == entity.value
            assert value not in said.text


@pytest.mark.parametrize(
    "event",
    [
        e.ReminderScheduled("i", None, [{"entity": "who", "value": "Ann Lee"}]),
        e.ReminderCancelled(None, "i", {"who": "Ann Lee"}),
        e.ReminderScheduled("i", None, ["Ann Lee"]),
        AgentUttered("hello", name="Ann Lee"),
    ],
)
def test_what_reminders_and_operators_are_called_is_known(event: Event) -> None:
    done = redacted([UserUttered("ask Ann Lee who it is"), event])
    assert "Ann Lee" not in repr(done)
    assert "who" in texts(done)


@pytest.mark.parametrize(
    "value",
    [
        {"ann@example.org": {"+49 30 901820": 1}},
        RawJson(b'"ann@example.org \\ud83d"'),
        {"card": 4111111111111111},
    ],
)
def test_keys_cards_as_numbers_and_half_characters_are_redacted(value: Any) -> None:
    (done,) = redacted([UserUttered("hi", data={"x": value, "at": 1700000000000000})])
    assert not any(each in repr(done) for each in ("ann@", "901820", "4111111111111111"))
    assert isinstance(done, UserUttered)
    assert done.data is not None
    assert done.data["at"] == 1700000000000000


def test_one_pseudonym_for_a_value_in_all_conversations_and_formats(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(db) as log:
        for id in ("a", "b"):
            log.record(id, e.UserIdentified("ann@example.com"), UserUttered("I am ANN Lee"))
            log.record(id, SlotSet("name", "Ann Lee"), SlotSet("city", "Rome"), SlotSet("n", 2))
            log.record(
                id, e.ToolCalled("find", {"who": "Ann Lee", "n": 2}, "c", raw='{"who":"Ann Lee"}')
            )
            log.record(id, e.ToolReturned({"mail": "ann@example.com", "rows": 2}, "c"))
            log.record(id, BotUttered("Ann lee in Rome (2), write to Ann@Example.com"))
        secret = log.store.reader.secret
    name, mail = pseudonym(secret, "Ann Lee"), pseudonym(secret, "ann@example.com")
    for format in ("openai", "trl", "jsonl", "rasa-tracker"):
        out = tmp_path / format
        ran = run(
            "export", "--db", db, "--format", format, "--out", out, "--redact", "--leave", "city"
        )
        assert ran.status == 0, ran.err
        text = out.read_text()
        assert "ann" not in text.casefold().replace("channel", "").replace("annot", "")
        assert text.count(name) >= 6
        assert text.count(mail) >= 2
        assert "Rome" in text
        assert run("export", "--db", db, "--verify", f"{out}.manifest.json").status == 0
    lines = [
        json.loads(line)["messages"] for line in (tmp_path / "openai").read_text().splitlines()
    ]
    assert lines[0] == lines[1]
    assert json.loads(lines[0][1]["tool_calls"][0]["function"]["arguments"]) == {
        "who": name,
        "n": 2,
    }
    assert lines[0][-1]["content"] == f"{name} in Rome (2), write to {mail}"


def test_states_contain_the_written_values() -> None:
    done = redacted([SlotSet("people", ["Ann Lee", "Bob"]), SlotSet("n", 2), SlotSet("ok", True)])
    slots = replay(done).slots
    assert slots["people"] == [pseudonym(b"secret", "Ann Lee"), pseudonym(b"secret", "bob")]
    assert (slots["n"], slots["ok"]) == (2, True)


def test_leave_needs_redact(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(db) as log:
        log.record("a", UserUttered("hi"), BotUttered("hello"))
    asked = ("--format", "openai", "--out", tmp_path / "x", "--leave", "city", "--db", db)
    ran = run("export", *asked)
    assert (ran.status, "--leave needs --redact" in ran.err) == (2, True)


def test_a_person_can_be_removed_from_a_redacted_export(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(db) as log:
        for user in ("ann@example.com", "bob@example.com"):
            log.record(user[:3], e.UserIdentified(user), UserUttered(f"I am {user}"))
            log.record(user[:3], BotUttered(f"hello {user}"))
    old, new = tmp_path / "old", tmp_path / "new"
    asked = ("--format", "openai", "--redact", "--db", db)
    assert run("export", *asked, "--out", old).status == 0
    again = ("--without", "ann@example.com", f"{old}.manifest.json", "--db", db)
    assert run("export", *again, "--out", new).status == 0
    lines = old.read_text().splitlines()
    assert new.read_text().splitlines() == lines[1:]
    assert "example.com" not in old.read_text() + new.read_text()
    assert run("export", "--verify", f"{new}.manifest.json", "--db", db).status == 0
