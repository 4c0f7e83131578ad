"""Given rules, then the differences that they name are allowed, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

import turnlog
from turnlog.bots import LoadedBot
from turnlog.domain import events as e
from turnlog.errors import FormatError, JudgeError
from turnlog.replay import ReplayedConversation, replay
from turnlog.replay.allowing.allowance import Allowance
from turnlog.replay.allowing.numbers import near_texts, tolerance
from turnlog.replay.allowing.rules import Rules, combined, load
from turnlog.replay.comparing.coverage import covered, entries


def said(text: str | None, **data: Any) -> dict[str, Any]:
    return {"type": "BotUttered", "text": text, "data": data}


def slot(name: str, value: Any) -> dict[str, Any]:
    return {"type": "SlotSet", "name": name, "value": value}


def called(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "ToolCalled", "name": name, "arguments": arguments}


def buttons(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"title": title, "payload": payload} for title, payload in pairs]


def allows(
    rule: dict[str, Any], expected: dict[str, Any], actual: dict[str, Any], action: str = "utter_a"
) -> bool:
    rules = msgspec.convert({"allow": [rule]}, Rules)
    return rules.allows(expected, actual, action)


SHORT = ["Hi!", "Hello."]


@pytest.mark.parametrize(
    ("rule", "expected", "actual"),
    [
        ({"text": "fold"}, said("A  Table?"), said("a table?")),
        ({"text": "fold"}, said("ﬁne"), said("FINE")),
        ({"action": "utter_*", "text": "contains"}, said("at 7"), said("Shall I book it at 7 pm?")),
        ({"text": SHORT}, said("Hi!"), said("Hello.")),
        ({"number": 1}, said("Only 3 left"), said("Only 4 left")),
        ({"number": "1%"}, said("It costs 1,000.00"), said("It costs 1,009.99")),
        ({"number": 1, "text": "fold"}, said("Only 3 left"), said("only 4 LEFT")),
        ({"mask": "[0-9]+:[0-9]+"}, said("at 10:30"), said("at 9:15")),
        (
            {"buttons": "payloads", "text": "fold"},
            said("Which?", buttons=buttons(("Yes", "/yes"), ("No", "/no"))),
            said("which?", buttons=buttons(("Sure", "/yes"), ("Never", "/no"))),
        ),
        ({"slot": "total*", "number": 0.01}, slot("total_eur", 0.3), slot("total_eur", 0.29)),
        ({"slot": "day", "text": "fold"}, slot("day", ["Mon"]), slot("day", ["mon"])),
        ({"slot": "day", "text": "fold"}, slot("day", {"d": "Mon"}), slot("day", {"d": "mon"})),
        ({"tool": "find", "text": "fold"}, called("find", q="Tea"), called("find", q="tea")),
        (
            {"tool": "find", "argument": "l*", "number": 5},
            called("find", q="tea", limit=10),
            called("find", q="tea", limit=15),
        ),
    ],
)  # fmt: skip
def test_an_allowed_difference_is_not_reported(
    rule: dict[str, Any], expected: dict[str, Any], actual: dict[str, Any]
):
    assert allows(rule, expected, actual)


@pytest.mark.parametrize(
    ("rule", "expected", "actual"),
    [
        ({"text": "fold"}, said("a table?"), said("a chair?")),
        ({"action": "utter_b*", "text": "fold"}, said("A"), said("a")),
        ({"action": "utter_a", "text": "contains"}, said("at 7 pm"), said("at 7")),
        ({"text": SHORT}, said("Hi!"), said("Bye.")),
        ({"text": SHORT}, said("Bye."), said("Hi!")),
        ({"text": "contains"}, said(None), said("more")),
        ({"number": 1}, said("Only 3 left"), said("Only 5 left")),
        ({"number": 1}, said("Only 3 left"), said("Only 4 there")),
        ({"number": 1}, said("room v1.5.2"), said("room v1.5.3")),
        ({"text": "fold"}, said("A", image="x.png"), said("a", image="y.png")),
        (
            {"buttons": "payloads"},
            said("Which?", buttons=buttons(("Yes", "/yes"))),
            said("Which?", buttons=buttons(("Yes", "/sure"))),
        ),
        (
            {"buttons": "payloads"},
            said("Which?", buttons=buttons(("Yes", "/yes"))),
            said("Which?", buttons=[]),
        ),
        ({"slot": "total", "number": 1}, slot("total", 3), slot("total", 5)),
        ({"slot": "total", "number": 1}, slot("total", 1), slot("total", True)),
        ({"slot": "total", "number": 1}, slot("total", [3]), slot("total", [3, 3])),
        ({"slot": "other", "number": 1}, slot("total", 3), slot("total", 4)),
        (
            {"tool": "find", "argument": "limit", "number": 5},
            called("find", q="tea", limit=10),
            called("find", q="cake", limit=10),
        ),
        ({"tool": "find", "number": 5}, called("find", limit=1), called("find", limit=1, skip=2)),
    ],
)  # fmt: skip
def test_a_difference_that_is_not_allowed_is_reported(
    rule: dict[str, Any], expected: dict[str, Any], actual: dict[str, Any]
):
    assert not allows(rule, expected, actual)


EVERYTHING = [
    {"slot": "*", "text": "fold"},
    {"slot": "*", "number": 9},
    {"slot": "*", "mask": ".*"},
    {"tool": "*", "mask": ".*"},
    {"tool": "*", "number": 9},
    {"tool": "*", "argument": "*", "judge": "tests.unit.test_replay_rules:agree"},
    {"mask": ".*"},
    {"judge": "tests.unit.test_replay_rules:agree"},
]


def agree(expected: Any, actual: Any) -> bool:
    return True


@pytest.mark.parametrize("rule", EVERYTHING, ids=str)
@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (slot("day1", 1), slot("day2", 1)),
        (slot("day", {"day1": 1}), slot("day", {"day2": 1})),
        (called("v1", a=1), called("v2", a=1)),
        (called("v", a1=1), called("v", a2=1)),
        ({"type": "ActionExecuted", "name": "ask_2"}, {"type": "ActionExecuted", "name": "ask_3"}),
        (
            {"type": "MessageUnderstood", "intent": "book_1"},
            {"type": "MessageUnderstood", "intent": "book_2"},
        ),
        (said("a", buttons=buttons(("a", "/1"))), said("a", buttons=buttons(("a", "/2")))),
    ],
)
def test_no_rule_makes_two_names_equal(
    rule: dict[str, Any], expected: dict[str, Any], actual: dict[str, Any]
):
    assert not allows(rule, expected, actual)


def test_a_mask_changes_only_the_texts_of_the_bot():
    rules = Rules(masks=(r"\d+",))
    for event in (
        slot("day1", "day1"),
        called("v1", a="1"),
        {"type": "ActionExecuted", "name": "1"},
    ):
        assert rules.masked(event) == event
    assert rules.masked(said("at 7", id=7)) == said("at …", id=7)


@pytest.mark.parametrize(
    ("one", "other", "within", "near"),
    [
        ("1,234", "1,240", 10, True),
        ("1,234", "5,234", 10, False),
        ("1,234.50", "1234.50", 0.1, False),
        ("1.000,50", "1.000,51", 0.1, True),
        ("1.234", "1234", 10, False),
        ("1.234", "1.235", 0.01, False),  # or is it 1234 and 1235?
        ("3", "3.5", 1, True),
        ("0.3", "0.29", 0.01, True),
        ("12.50 EUR", "12.51 USD", 0.01, False),
        ("192.168.1.1", "192.168.1.2", 5, False),
        ("100", "101", "1%", True),
        ("100", "102", "1 %", False),
    ],
)
def test_numbers_in_texts(one: str, other: str, within: float | str, near: bool):
    assert near_texts(one, other, tolerance(within)) is near


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("slot = 'a'", "nothing that may differ"),
        ("slot = 'a'\ntool = 'b'\ntext = 'fold'", "one of slot, tool and action"),
        ("argument = 'a'\ntext = 'fold'", "argument goes with tool"),
        ("slot = 'a'\nbuttons = 'payloads'", "buttons belong to messages"),
        ("text = 'contains'\nnumber = 1", "takes only one of"),
        ("number = '1 euro'", "1 euro"),
        ("number = -1", "-1"),
        ("number = nan", "nan"),
        ("mask = '('", "not a regular expression"),
        ("text = 'any of'", "or a list of texts that may replace each other"),
        ("text = []", "nothing that may differ"),
        ("txt = 'fold'", "txt"),
        ("buttons = 'titles'", "titles"),
    ],
)
def test_an_unclear_allow_is_refused_by_file(tmp_path: Path, rule: str, says: str):
    path = tmp_path / "rules.toml"
    path.write_text(f"[[allow]]\n{rule}\n")
    with pytest.raises(FormatError, match=r"rules\.toml") as refused:
        load(path)
    assert says in str(refused.value)


def test_options_add_to_a_file(tmp_path: Path):
    path = tmp_path / "rules.toml"
    path.write_text("masks = ['a']\n[[allow]]\naction = 'utter_*'\ntext = ['x', 'y']\n")
    rules = combined(path, ["text"], ["s"], ["b"])
    assert rules == Rules(
        ("text",), ("s",), ("a", "b"), (Allowance(action="utter_*", text=("x", "y")),)
    )


JUDGES = """
def longer(expected, actual): return len(actual) >= len(expected)
def odd(expected, actual): return 1
def broken(expected, actual): raise KeyError("people")
name = "x"
"""


@pytest.fixture
def judges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / f"judges_{tmp_path.name}.py").write_text(JUDGES)
    monkeypatch.syspath_prepend(tmp_path)
    return f"judges_{tmp_path.name}"


def test_a_judge_decides(judges: str):
    rule = {"action": "utter_a", "judge": f"{judges}:longer"}
    assert allows(rule, said("a"), said("bb"))
    assert not allows(rule, said("bb"), said("a"))
    assert not allows({"judge": f"{judges}:broken"}, said("bb"), said(None)), (
        "not a text: not asked"
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("odd", "returned 1"),
        ("broken", "raised KeyError: 'people'"),
        ("name", "cannot be called"),
        ("none", "cannot be loaded"),
    ],
)
def test_a_judge_at_fault_is_named(judges: str, name: str, says: str):
    with pytest.raises(JudgeError, match=f"{judges}:{name}.*{says}"):
        allows({"judge": f"{judges}:{name}"}, said("a"), said("b"))


def test_an_unknown_judge_is_refused():
    with pytest.raises(JudgeError, match="module:function"):
        allows({"judge": "longer"}, said("a"), said("b"))


def test_rules_that_match_nothing_are_not_covered():
    allow = (
        Allowance(action="utter_old", text="fold"), Allowance(action="utter_new", text="fold"),
        Allowance(slot="total", number=1), Allowance(tool="find", number=1),
    )  # fmt: skip
    rules = Rules(("text", "tool_call"), ("session_*", "x"), ("[0-9]+", "Mon"), allow)
    answer: list[e.Event] = [
        e.ActionExecuted("utter_new"), e.BotUttered("at 7"), e.SlotSet("session_id", 1),
        e.SlotSet("total", 2),
    ]  # fmt: skip
    named = set(covered(rules, answer))
    assert named <= set(entries(rules))
    assert [entry for entry in entries(rules) if entry not in named] == [
        "ignore 'tool_call'",
        "slots 'x'",
        "masks 'Mon'",
        "[[allow]] action = 'utter_old', text = 'fold'",
        "[[allow]] tool = 'find', number = 1",
    ]


# --- in a replay ----------------------------------------------------------------------------------


def replayed(recorded: list[e.Event], answer: list[e.Event], rules: Rules) -> ReplayedConversation:
    async def bot(conversation: Any, message: Any) -> list[e.Event]:
        return answer

    with turnlog.open("memory:") as log:
        log.record("c", e.UserUttered("hi"), *recorded)
        [one] = replay(log, ["c"], LoadedBot(bot), rules=rules)
    return one


DIGITS = Rules(masks=(r"\d+",), allow=(Allowance(slot="*", number=9), Allowance(mask=r"\d+")))


@pytest.mark.parametrize(
    ("recorded", "actual"),
    [
        (e.ActionExecuted("utter_ask_2"), e.ActionExecuted("utter_ask_3")),
        (e.ToolCalled("v1"), e.ToolCalled("v2")),
        (e.ToolCalled("v", {"day1": 1}), e.ToolCalled("v", {"day2": 1})),
        (e.SlotSet("day1", 1), e.SlotSet("day2", 1)),
        (e.SlotSet("day", "day1"), e.SlotSet("day", "day2")),
        (e.MessageUnderstood(e.Intent("a1")), e.MessageUnderstood(e.Intent("a2"))),
        (e.LoopActivated("form_1"), e.LoopActivated("form_2")),
        (
            e.MessageUnderstood(None, (e.Entity("day1", 1),)),
            e.MessageUnderstood(None, (e.Entity("day2", 1),)),
        ),
        (
            e.BotUttered("a", {"buttons": buttons(("a", "/1"))}),
            e.BotUttered("a", {"buttons": buttons(("a", "/2"))}),
        ),
    ],
    ids=lambda event: str(event)[:40],
)
def test_names_differ_whatever_the_rules_say(recorded: e.Event, actual: e.Event):
    bye = e.BotUttered("bye")
    assert replayed([recorded, bye], [actual, bye], DIGITS).first is not None
    same = replayed([recorded, bye], [recorded, bye], DIGITS)
    assert (same.turns, same.first) == (1, None)


def test_an_allowance_applies_only_to_its_action_and_place():
    said: list[e.Event] = [
        e.ActionExecuted("utter_offer"), e.BotUttered("a table"), e.BotUttered("at 7"),
        e.ActionExecuted("utter_bye"), e.BotUttered("bye"),
    ]  # fmt: skip
    louder: list[e.Event] = [
        e.BotUttered(event.text.upper())
        if isinstance(event, e.BotUttered) and event.text
        else event
        for event in said
    ]
    every, offer = (
        Rules(allow=(Allowance(action=action, text="fold"),))
        for action in ("utter_*", "utter_offer")
    )
    assert replayed(said, louder, every).first is None
    found = replayed(said, louder, offer).first
    assert found is not None
    assert (found.kind, found.expected["text"], found.actual["text"]) == ("text", "bye", "BYE")
    swapped = [louder[0], louder[2], louder[1], *louder[3:]]
    assert replayed(said, swapped, every).first is not None
    lost = replayed(said, [louder[0], louder[1], *louder[3:]], every).first
    assert lost is not None


def test_a_replay_reports_which_rules_matched():
    rules = Rules(slots=("a", "b"), allow=(Allowance(slot="c", number=1),))
    one = replayed([e.SlotSet("a", 1)], [e.SlotSet("c", 1)], rules)
    assert one.covered == {"slots 'a'", "[[allow]] slot = 'c', number = 1"}
