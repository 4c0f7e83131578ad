"""Given a recorded conversation, when a bot is asked again, then the differences are named."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

import turnlog
from turnlog import (
    ActionExecuted,
    AnswerBrokenOff,
    AnswerEnded,
    BotFailed,
    BotUttered,
    Chunk,
    Entity,
    Event,
    Intent,
    MessageUnderstood,
    SlotSet,
    SlotsReset,
    ToolCalled,
    ToolReturned,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.bots import LoadedBot
from turnlog.domain.calls import answers
from turnlog.errors import BotError, FormatError, ToolFailed
from turnlog.replay import Divergence, Rules, replay
from turnlog.replay.allowing.rules import load
from turnlog.replay.comparing.difference import Difference
from turnlog.replay.comparing.difference import difference as compared
from turnlog.replay.grouping.group_key import key
from turnlog.replay.grouping.groups import grouped
from turnlog.replay.runs.run import RunHead
from turnlog.reports.junit import junit
from turnlog.reports.replay import html

UNDERSTOOD = MessageUnderstood(Intent("book", 0.9), (Entity("people", 2, 4, 5),))
ANSWER: list[Event] = [
    UNDERSTOOD,
    ToolCalled("find", {"a": 1, "b": 2}),
    SlotSet("people", 2),
    ActionExecuted("ask_day"),
    BotUttered("When?"),
]


def difference(expected: list[Event], actual: list[Event], rules: Rules) -> Difference | None:
    return compared(list(enumerate(expected, 2)), actual, rules)


def changed(*positions: int, **put: Event) -> list[Event]:
    """The answer without the events at these positions, with others inserted at `at_N`."""
    events = [put.get(f"at_{i}", event) for i, event in enumerate(ANSWER) if i not in positions]
    return [*events, *[event for name, event in put.items() if name == "more"]]


@pytest.mark.parametrize(
    ("actual", "kind"),
    [
        (changed(at_0=MessageUnderstood(Intent("greet"), UNDERSTOOD.entities)), "intent"),
        (changed(at_0=MessageUnderstood(UNDERSTOOD.intent)), "entity"),
        (changed(at_1=ToolCalled("search", {"a": 1, "b": 2})), "tool_call"),
        (changed(at_1=ToolCalled("find", {"a": 1, "b": 3})), "tool_arguments"),
        (changed(at_2=SlotSet("people", 3)), "slot"),
        (changed(at_2=SlotSet("persons", 2)), "slot"),
        (changed(at_2=SlotsReset()), "slot"),
        (changed(at_2=SlotSet("people", 2.0)), "slot"),
        (changed(at_3=ActionExecuted("ask_time")), "action"),
        (changed(at_4=BotUttered("Where?")), "text"),
        (changed(at_4=BotUttered("When?", {"buttons": []})), "text"),
        (changed(4), "missing"),
        (changed(1), "missing"),
        (changed(0, 1, 2, 3, 4), "missing"),
        (changed(more=BotUttered("When?")), "extra"),
        (changed(more=ToolCalled("find", {})), "extra"),
        (changed(at_3=ANSWER[4], at_4=ANSWER[3]), "order"),
        ([BotFailed("error", "ValueError: no")], "error"),
        ([BotFailed("timeout")], "timeout"),
        ([ToolCalled("find", {"a": 9}), BotFailed("error")], "tool_arguments"),
        ([ToolCalled("find", {"a": 1, "b": 2}), BotFailed("error")], "error"),
    ],
)
def test_a_difference_has_its_kind(actual: list[Event], kind: str):
    found = difference(ANSWER, actual, Rules())
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize(
    "actual",
    [
        ANSWER,
        [ANSWER[1], ANSWER[0], *ANSWER[2:]],
        changed(at_0=MessageUnderstood(Intent("book", 0.1), UNDERSTOOD.entities, 7)),
        changed(at_1=ToolCalled("find", {"b": 2, "a": 1}, "another id")),
        changed(at_4=BotUttered("When?", timestamp=3.0, cause=2)),
        changed(more=turnlog.ConversationTagged(("x",))),
    ],
)
def test_equal_answers_have_no_difference(actual: list[Event]):
    assert difference(ANSWER, actual, Rules()) is None


@pytest.mark.parametrize(
    ("actual", "rules"),
    [
        (changed(at_4=BotUttered("Where?")), Rules(ignore=("text",))),
        (changed(at_2=SlotSet("people", 9)), Rules(slots=("peo*",))),
        (changed(2), Rules(slots=("people",))),
        (changed(2), Rules(ignore=("slot",))),
        (changed(3), Rules(ignore=("action",))),
        (changed(1), Rules(ignore=("tool_call",))),
        (changed(at_1=ToolCalled("find")), Rules(ignore=("tool_arguments",))),
        (changed(0), Rules(ignore=("intent", "entity"))),
        (changed(at_0=MessageUnderstood(Intent("x"), UNDERSTOOD.entities)), Rules(("intent",))),
        (changed(at_0=MessageUnderstood(UNDERSTOOD.intent)), Rules(("entity",))),
        (changed(at_4=BotUttered("Whence?")), Rules(masks=("[Wh]+en(ce)?",))),
        (changed(at_3=ANSWER[4], at_4=ANSWER[3]), Rules(ignore=("order",))),
    ],
)
def test_rules_allow_differences(actual: list[Event], rules: Rules):
    assert difference(ANSWER, actual, Rules()) is not None
    assert difference(ANSWER, actual, rules) is None


def test_a_changed_order_shows_only_the_moved_events():
    said = [BotUttered(text) for text in "abcdef"]
    found = difference([*said], [said[0], said[2], said[1], *said[3:]], Rules())
    assert found is not None
    assert (found.kind, found.event) == ("order", 3)
    assert [event["text"] for event in found.expected] == ["b", "c"]
    assert [event["text"] for event in found.actual] == ["c", "b"]


def test_ignoring_texts_does_not_hide_a_message_that_is_missing():
    found = difference(ANSWER, changed(4), Rules(ignore=("text",)))
    assert found is not None
    assert found.kind == "missing"


def test_a_failure_that_was_recorded_is_expected_again():
    failed: list[Event] = [BotFailed("error", "then")]
    assert difference(failed, [BotFailed("error", "now")], Rules()) is None
    assert difference(failed, [BotFailed("timeout")], Rules()) is not None
    found = difference(failed, ANSWER, Rules())
    assert found is not None
    assert (found.kind, found.expected["type"]) == ("error", "BotFailed")


# --- whole conversations --------------------------------------------------------------------------

RECORDED = [
    UserUttered("one", timestamp=100.0),
    ToolCalled("clock", {}, "c1"),
    ToolReturned("noon", "c1", "clock"),
    SlotSet("a", 1),
    BotUttered("noon"),
    UserUttered("two", timestamp=200.0),
    ToolCalled("clock", {}, "c1"),
    ToolReturned("one o'clock", "c1", "clock"),
    ToolCalled("look", {}, "c2", actor="user"),
    ToolReturned("at the sky", "c2", "look", actor="user"),
    BotUttered("one o'clock 1"),
    UserUttered("three", timestamp=300.0),
    UserUtteranceReverted(),
]


async def follows(conversation: Any, message: UserUttered) -> list[Event | str]:
    if message.text == "three":
        return [UserUtteranceReverted()]
    time = await conversation.call("clock")
    if conversation.turn == 1:
        return [SlotSet("a", 1), time]
    return [f"{time} {conversation.slots['a']}"]


def run(bot: Any, recorded: list[Event] = RECORDED, **options: Any) -> Divergence | None:
    with turnlog.open("memory:") as log:
        log.record("c", *recorded)
        (replayed,) = replay(log, ["c"], LoadedBot(bot), **options)
        assert replayed.conversation == "c"
        return replayed.first


def test_tools_answer_from_the_record_and_turns_build_on_it():
    assert run(follows) is None


def test_the_clock_shows_the_time_of_the_record():
    times = []

    async def looks(conversation: Any, message: UserUttered) -> list[Event | str]:
        times.append((conversation.now, message.timestamp))
        return await follows(conversation, message)

    assert run(looks) is None
    assert times == [(100.0, 100.0), (200.0, 200.0), (300.0, 300.0)]


def test_a_wrong_answer_does_not_affect_later_turns():
    """Each turn is compared separately: after a wrong first turn the second builds on the
    record.
    """
    seen = []

    async def wrong(conversation: Any, message: UserUttered) -> list[Event | str]:
        seen.append(dict(conversation.slots))
        await conversation.call("clock")
        return [SlotSet("a", 5), "noon"] if conversation.turn == 1 else ["?"]

    found = run(wrong, rules=Rules(ignore=("slot",)))
    assert found is not None
    assert (found.turn, found.kind) == (2, "text")
    assert seen == [{}, {"a": 1}, {"a": 1}]


def test_a_call_that_was_not_recorded_fails_and_is_extra():
    async def calls(conversation: Any, message: UserUttered) -> list[Event | str]:
        with pytest.raises(ToolFailed):
            await conversation.call("weather", town="Bonn")
        return await follows(conversation, message)

    found = run(calls)
    assert found == Divergence(
        conversation="c",
        turn=1,
        event=1,
        message="one",
        kind="extra",
        actual={"type": "ToolCalled", "name": "weather", "arguments": {"town": "Bonn"}},
        group="extra ToolCalled weather",
        link="/inspect#conversation=c&event=1",
    )


def test_the_bot_sees_its_calls_among_the_events():
    seen = []

    async def looks(conversation: Any, message: UserUttered) -> list[Event | str]:
        answer = await follows(conversation, message)
        seen.append([type(event).__name__ for event in conversation.events()])
        return answer

    assert run(looks, RECORDED[:5]) is None
    assert seen == [["UserUttered", "ToolCalled", "ToolReturned"]]


def test_events_are_numbered_as_they_are_live():
    """The bot's events about its own message name the message by its number."""

    async def annotates(conversation: Any, message: UserUttered) -> list[Event | str]:
        time = await conversation.call("clock")
        number = len(list(conversation.events())) + 2
        return [SlotSet("a", 1), time, turnlog.MessageRated(number, 1.0)]

    assert run(annotates, RECORDED[:5]) is None


@pytest.mark.parametrize("cause", [None, 1])
def test_every_part_of_an_answer_is_compared(cause: int | None):
    """A text after reasoning, and a call next to a text, name the message they are a part of."""

    async def silent(conversation: Any, message: UserUttered) -> list[Event | str]:
        return ["let me see"]

    recorded = [
        UserUttered("x"), turnlog.ReasoningAdded("hm", cause=cause),
        BotUttered("let me see", cause=2), ToolCalled("clock", {}, "1", cause=2),
    ]  # fmt: skip
    found = run(silent, recorded)
    assert found is not None
    assert (found.kind, found.expected["name"]) == ("missing", "clock")


def test_a_tool_that_failed_fails_again():
    async def bot(conversation: Any, message: UserUttered) -> list[Event | str]:
        try:
            await conversation.call("clock")
        except ToolFailed as error:
            return [f"sorry: {error.result}"]
        return []

    recorded = [
        UserUttered("x"),
        ToolCalled("clock", {}, "1"),
        ToolReturned("broken", "1", "clock", True),
        BotUttered("sorry: broken"),
    ]
    assert run(bot, recorded) is None


def test_a_bot_that_hangs_or_blocks_is_a_timeout():
    async def hangs(conversation: Any, message: UserUttered) -> list[Event | str]:
        await asyncio.sleep(60)
        return []

    async def blocks(conversation: Any, message: UserUttered) -> list[Event | str]:
        with suppress(Exception):
            time.sleep(60)
        return []

    for bot in (hangs, blocks):
        found = run(bot, timeout=0.1)
        assert found is not None
        assert (found.turn, found.kind) == (1, "timeout")


def test_an_alarm_of_the_callers_still_goes_off():
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    mine = signal.setitimer(signal.ITIMER_REAL, 0.4)
    try:
        assert run(follows, timeout=5) is None
        time.sleep(0.6)
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *mine)
    assert rung == [1]


def test_the_prints_of_a_bot_do_not_go_to_stdout(capsys: pytest.CaptureFixture[str]):
    async def prints(conversation: Any, message: UserUttered) -> list[Event | str]:
        print("debug")
        return await follows(conversation, message)

    assert run(prints) is None
    assert capsys.readouterr() == ("", "debug\n" * 3)


def test_an_answer_that_cannot_be_recorded_is_an_error():
    async def bot(conversation: Any, message: UserUttered) -> list[Event | str]:
        return [SlotSet("a", float("nan"))]

    found = run(bot)
    assert found is not None
    assert found.kind == "error"


def test_only_events_that_name_the_message_as_their_cause_are_the_bots():
    recorded = [UserUttered("x"), SlotSet("by_the_shop", 1), BotUttered("y", cause=1)]

    async def bot(conversation: Any, message: UserUttered) -> list[str]:
        return ["y"]

    assert run(bot, recorded) is None


def test_a_call_is_answered_by_the_nearest_later_result_of_its_id():
    events = [ToolCalled("a", call_id="1"), ToolReturned(1, "1"), ToolCalled("b", call_id="1"),
              ToolCalled("c", call_id="1"), ToolReturned(3, "1"), ToolReturned(2, "1")]  # fmt: skip
    found = answers(enumerate(events, 1))
    assert {number: returned.result for number, returned in found.items()} == {1: 1, 3: 2, 4: 3}


def test_a_bot_that_ends_its_process_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "deadly.py").write_text("import os\nasync def bot(c, m): os._exit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with turnlog.open(f"sqlite:///{tmp_path / 'log.db'}") as log:
        log.record("c", *RECORDED)
        bot = turnlog.bots.load("deadly:bot")
        with pytest.raises(BotError, match="ended its process"):
            list(replay(log, ["c"], bot, jobs=2))


# --- rules, reports, the fixture ------------------------------------------------------------------


def test_rules_come_from_a_toml_file(tmp_path: Path):
    path = tmp_path / "rules.toml"
    path.write_text("ignore = ['text']\nslots = ['session_*']\nmasks = ['[0-9]+']\n")
    assert load(path) == Rules(("text",), ("session_*",), ("[0-9]+",))


@pytest.mark.parametrize("text", ["ignore = ['all']", "masks = ['(']", "other = 1", "ignore ="])
def test_rules_without_meaning_are_refused_by_file(tmp_path: Path, text: str):
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"rules\.toml"):
        load(path)


HEAD = RunHead(bot="my:bot")


def diverging(id: str, kind: Any, expected: Any, actual: Any, turn: int = 1) -> Divergence:
    found = Divergence(id, turn, 1, "hi", kind, expected=expected, actual=actual)
    return replace(found, group=key(found))


def test_divergences_are_grouped_over_the_corpus():
    texts = [diverging(str(n), "text", {"type": "BotUttered"}, None, turn=3 - n) for n in range(3)]
    slot = diverging(
        "x", "slot", {"type": "SlotSet", "name": "a"}, {"type": "SlotSet", "name": "b"}
    )
    groups = grouped([*texts, slot])
    assert [(g.group, g.conversations, g.example.conversation) for g in groups] == [
        ("text BotUttered", 3, "2"),
        ("slot SlotSet a → SlotSet b", 1, "x"),
    ]


def streaming(*pieces: Any) -> Any:
    async def bot(conversation: Any, message: UserUttered) -> Any:
        for piece in pieces:
            if piece == "call":
                piece = Chunk(await conversation.call("find"))
            elif callable(piece):
                piece = piece(conversation)
            yield piece

    return bot


SAID: list[Event] = [
    BotUttered("Let me look. ", cause=1), ToolCalled("find", call_id="1.1", cause=1),
    ToolReturned("It is free.", "1.1", "find", cause=3), SlotSet("free", True, cause=1),
    BotUttered("It is free.", cause=1),
    BotUttered("Shall I?", {"buttons": [{"title": "yes"}]}, cause=1),
]  # fmt: skip
ENDED = AnswerEnded(cause=1)
BUTTONS = BotUttered("Shall I?", {"buttons": [{"title": "yes"}]})


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ([Chunk("Let me "), Chunk("look. "), "call", SlotSet("free", True), BUTTONS], None),
        (["Let me look. ", "call", SlotSet("free", True), Chunk("Shall I?"), BUTTONS], None),
        ([lambda here: SlotSet("free", True), "Let me look. ", "call", BUTTONS], None),
        ([Chunk("Let me look. "), SlotSet("free", True), "It is free.", BUTTONS], "missing"),
        ([Chunk("Let me see. "), "call", SlotSet("free", True), BUTTONS], "text"),
        ([Chunk("Let me look. "), "call", SlotSet("free", False), BUTTONS], "slot"),
        ([Chunk("Let me look. "), "call", SlotSet("free", True), "Shall I?"], "missing"),
    ],
)
def test_an_answer_that_streams_is_compared_by_its_joined_text(
    pieces: list[Any], kind: str | None
) -> None:
    with turnlog.open("memory:") as log:
        log.record("a", UserUttered("hi"))
        log.record("a", *SAID, ENDED)
        [replayed] = replay(log, ["a"], LoadedBot(streaming(*pieces), {}, "bot"))
    assert (replayed.first and replayed.first.kind) == kind


def test_a_bot_that_streams_in_replay_sees_what_it_said(tmp_path: Path) -> None:
    seen: list[Any] = []

    def look(here: Any) -> Event:
        seen.append((here.slots, [e.text for e in here.events() if isinstance(e, BotUttered)]))
        return BotUttered("end")

    with turnlog.open("memory:") as log:
        log.record("a", UserUttered("hi"))
        log.record("a", BotUttered("begin", cause=1), SlotSet("x", 1, cause=1))
        log.record("a", BotUttered("end", cause=1), ENDED)
        bot = LoadedBot(streaming(Chunk("be"), Chunk("gin"), SlotSet("x", 1), look), {}, "bot")
        [replayed] = replay(log, ["a"], bot)
        assert (replayed.turns, replayed.divergences) == (1, ())
    assert seen == [({"x": 1}, ["begin"])]


@pytest.mark.parametrize(
    ("text", "kind"), [("Let me look. It is free.", None), ("Let me see", "text"), ("Let", "text")]
)
def test_a_stopped_answer_is_compared_up_to_the_stop(text: str, kind: str | None) -> None:
    with turnlog.open("memory:") as log:
        log.record("a", UserUttered("hi"))
        broken = AnswerBrokenOff(reason="stopped", cause=1)
        log.record("a", BotUttered("Let me lo", cause=1), broken, ENDED)
        bot = LoadedBot(streaming(Chunk(text), SlotSet("later", 1)), {}, "bot")
        [replayed] = replay(log, ["a"], bot)
    assert (replayed.first and replayed.first.kind) == kind


def test_a_list_bot_that_now_streams_is_equal() -> None:
    with turnlog.open("memory:") as log:
        log.record("a", UserUttered("hi"))
        log.record("a", BotUttered("one ", cause=1), BotUttered("two", cause=1))
        bot = LoadedBot(streaming(Chunk("one "), Chunk("two")), {}, "bot")
        [replayed] = replay(log, ["a"], bot)
        assert (replayed.turns, replayed.divergences) == (1, ())


async def looks_up(conversation: Any, message: UserUttered) -> list[Event | str]:
    return [conversation.slots["people"]]


def test_reports_show_the_traceback_of_a_bot_that_raises():
    with turnlog.open("memory:") as log:
        log.record("c", UserUttered("hi"), BotUttered("hello"))
        replayed = list(replay(log, ["c"], LoadedBot(looks_up)))
    [suites] = ElementTree.fromstring(junit(replayed, HEAD)).iter("failure")
    page = html(replayed, HEAD).decode()
    for text in (suites.text or "", page):
        assert 'conversation.slots["people"]' in text.replace("&quot;", '"')
        assert "\\n" not in text  # lines, and no JSON string
        assert text.count("Traceback (most recent call last)") == 1
        assert '{"type": "BotFailed"' in text or '{"type":"BotFailed"' in text


@pytest.mark.parametrize(
    ("recorded", "actual", "path"),
    [
        (BotUttered("a"), BotUttered("b"), "text"),
        (BotUttered("a", {"x": [1, {"y": 2}]}), BotUttered("a", {"x": [1, {"y": 3}]}),
         "data.x.1.y"),
        (BotUttered("a", {"x": 1}), BotUttered("b", {"x": 2}), ""),
        (BotUttered("a", {"x": 1}), BotUttered("a"), "data"),
        (SlotSet("a", [1, 2]), SlotSet("a", [1, 3]), "value.1"),
        (SlotSet("a", [1, 2]), SlotSet("a", [1]), "value"),
        (SlotSet("a", 1), SlotSet("b", 1), "name"),
        (ToolCalled("f", {"a": {"b": 1}}, "1"), ToolCalled("f", {"a": {"b": 2}}), "arguments.a.b"),
        (MessageUnderstood(Intent("a")), MessageUnderstood(Intent("b")), "intent"),
        (MessageUnderstood(None, (Entity("z", 1), Entity("a", 2))),
         MessageUnderstood(None, (Entity("a", 3), Entity("z", 1))), "entities.1.value"),
        (MessageUnderstood(None, (Entity("z", 1), Entity("a", 2))),
         MessageUnderstood(None, (Entity("a", 2),)), "entities.0"),
        (MessageUnderstood(None, (Entity("a", 2),)),
         MessageUnderstood(None, (Entity("b", 2), Entity("a", 2))), "entities"),
    ],
)  # fmt: skip
def test_the_path_names_the_place_in_the_event(recorded: Event, actual: Event, path: str):
    found = difference([recorded], [actual], Rules())
    assert found is not None
    assert (found.path, found.event) == (path, 2)


@pytest.mark.parametrize("id", ["anna", "a b&c=d#e", "ü/?%2F+", "x" * 300, "'\"<>"])
def test_a_link_leads_to_the_moment_in_the_inspector(id: str):
    """The page reads it with URLSearchParams, which decodes it as form data."""
    with turnlog.open("memory:") as log:
        log.record(id, UserUttered("hi"), ActionExecuted("greet"), BotUttered("hello"))
        [replayed] = replay(log, [id], LoadedBot(hello_8))
    assert replayed.first is not None
    path, _, fragment = replayed.first.link.partition("#")
    assert path == "/inspect"
    assert parse_qs(fragment, strict_parsing=True) == {"conversation": [id], "event": ["3"]}
    assert not set(fragment) & set(" <>\"'")


async def hello_8(conversation: Any, message: UserUttered) -> list[Event | str]:
    return [ActionExecuted("greet"), "hello 8"]
