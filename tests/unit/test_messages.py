"""Messages: which events make one up, what is hidden with it, and what a model reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import (
    AgentUttered,
    AnswerBrokenOff,
    AnswerMeasured,
    BotUttered,
    Event,
    ForeignRecorded,
    HistoryCompacted,
    MediaAdded,
    MessageEdited,
    MessageRedacted,
    OpaqueAdded,
    ReasoningAdded,
    RefusalAdded,
    SystemInstructed,
    TextAdded,
    ToolCalled,
    ToolReturned,
    Turnlog,
    Usage,
    UserUtteranceReverted,
    UserUttered,
    Versions,
)
from turnlog.domain.message import BROKEN_OFF, Message
from turnlog.domain.message_context import UNANSWERED
from turnlog.domain.message_equality import alike, identical
from turnlog.domain.message_parts import (
    Media,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from turnlog.domain.message_recording import recorded_as
from turnlog.domain.recorded import traced
from turnlog.engine.query import matching
from turnlog.errors import InvalidEvent, InvalidMessage
from turnlog.projections import transcript
from turnlog.server.timeline import item

IMAGE = MediaAdded("image", "image/png", uri="https://example.org/a.png", actor="user")
PICTURE = Media("image", "image/png", uri="https://example.org/a.png")


@pytest.fixture
def log() -> Iterator[Turnlog]:
    with turnlog.open("memory:") as log:
        yield log


def said(log: Turnlog, *events: Event, **how: Any) -> list[Message]:
    log.record("a", *events)
    return list(log.conversation("a").messages(**how))


def roles_and_parts(messages: list[Message]) -> list[tuple[str, tuple[Part, ...]]]:
    return [(message.role, message.parts) for message in messages]


# --- which events make one up -------------------------------------------------------------------


def test_the_thoughts_texts_and_media_of_a_live_bot_are_one_message(log: Turnlog) -> None:
    found = said(
        log, UserUttered("hi"), ReasoningAdded("hm", "s", cause=1), BotUttered("yes", cause=1),
        MediaAdded("image", cause=1), BotUttered("and more", cause=1),
    )  # fmt: skip
    assert roles_and_parts(found) == [
        ("user", (Text("hi"),)),
        ("assistant", (Reasoning("hm", "s"), Text("yes"), Media("image"))),
        ("assistant", (Text("and more"),)),
    ]


def test_reasoning_before_a_call_belongs_to_it_and_begins_again_after_the_result(
    log: Turnlog,
) -> None:
    found = said(
        log, UserUttered("hi"), ReasoningAdded("look", cause=1), ToolCalled("f", {}, "c", cause=1),
        ToolReturned(1, "c", "f", cause=3), ReasoningAdded("so", cause=1), BotUttered("1", cause=1),
    )  # fmt: skip
    assert [message.role for message in found] == ["user", "assistant", "tool", "assistant"]
    assert found[1].parts == (Reasoning("look"), ToolCall("c", "f", {}))
    assert found[3].parts == (Reasoning("so"), Text("1"))


def test_text_before_a_call_of_a_live_bot_stays_a_separate_message(log: Turnlog) -> None:
    found = said(
        log, UserUttered("hi"), BotUttered("a moment", cause=1), ToolCalled("f", {}, "c", cause=1)
    )
    assert [message.role for message in found] == ["user", "assistant", "assistant"]


def test_a_text_next_to_media_is_the_users_and_media_before_it_keep_their_place(
    log: Turnlog,
) -> None:
    message = Message("user", (PICTURE, Text("what is it?"), Text("quickly")))
    log.record("a", *recorded_as([message]))
    assert log.conversation("a").state.context.latest_message.text == "what is it?"  # type: ignore[union-attr]
    assert list(log.conversation("a").messages())[0].parts == message.parts  # noqa: RUF015
    assert log.conversation("a").turn == 1


def test_a_call_that_the_provider_runs_is_a_part_of_the_answer(log: Turnlog) -> None:
    found = said(
        log, UserUttered("hi"), ToolCalled("web", {}, "c", server=True, cause=1),
        ToolReturned(["a page"], "c", "web", server=True, cause=2), BotUttered("found", cause=2),
    )  # fmt: skip
    assert roles_and_parts(found)[1:] == [
        ("assistant", (ToolCall("c", "web", {}, server=True), ToolResult("c", "web", ["a page"]),
                       Text("found"))),
    ]  # fmt: skip
    assert found[1].as_openai() == {"role": "assistant", "content": "found"}


def test_usage_model_finish_and_a_break_are_the_messages(log: Turnlog) -> None:
    usage = Usage(input=5, output=7, cost=0.01, currency="EUR", latency=1.5)
    found = said(
        log, UserUttered("hi", name="Bob"), BotUttered("yes", versions=Versions(model="m-1")),
        AnswerMeasured(2, usage, finish="length"), BotUttered("and", actor="critic"),
        AnswerMeasured(None, None, "m-2", "stop"), AnswerBrokenOff(reason="the server went away"),
        AgentUttered("a person"),
    )  # fmt: skip
    shown = [(m.name, m.author, m.model, m.usage, m.finish) for m in found]
    assert shown == [
        ("Bob", None, None, None, None), (None, None, "m-1", usage, "length"),
        (None, "critic", "m-2", None, BROKEN_OFF), (None, "agent", None, None, None),
    ]  # fmt: skip


def test_developer_is_a_role_like_system(log: Turnlog) -> None:
    imported = SystemInstructed("c", extra={"role": "developer", "name": "ops"})
    found = said(log, SystemInstructed("a"), SystemInstructed("b", role="developer"), imported)
    assert [m.role for m in found] == ["system", "developer", "developer"]
    assert (found[2].name, found[2].metadata) == ("ops", {})


# --- as OpenAI has them -------------------------------------------------------------------------


def test_a_content_of_parts_round_trips_part_by_part(log: Turnlog) -> None:
    content = [
        {"type": "text", "text": "what"}, {"type": "image_url", "image_url": {"url": "http://x/y"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:a/b;base64,aGk="}},
        {"type": "input_audio", "input_audio": {"data": "no base64!", "format": "wav"}},
        {"type": "novelty"}, 5,
    ]  # fmt: skip
    (found,) = said(log, UserUttered("what", {"content": content}))
    assert found.parts == (
        Text("what"), Media("image", uri="http://x/y"), Media("image", "image/png", content=b"hi"),
        Media("audio", "audio/wav", content=b"hi"),
        Media("file", "a/b", name="a.pdf", content=b"hi"),
        Opaque("openai", "input_audio", content[5]),
        Opaque("openai", "novelty", content[6]), Opaque("openai", "", 5),
    )  # fmt: skip
    assert found.as_openai() == {"role": "user", "content": content}
    assert list(recorded_as([found])) == [UserUttered("what", {"content": content})]


def test_typed_parts_are_written_in_their_places_of_the_chat_api() -> None:
    media = (
        Media("image", "image/png", content=b"hi"), Media("audio", "audio/wav", content=b"hi"),
        Media("file", "a/b", name="a.pdf", content=b"hi"), Media("image", sha256="00"),
    )  # fmt: skip
    assert Message("user", (Text("see"), *media)).as_openai()["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:a/b;base64,aGk="}},
    ]
    refused = Message("assistant", (Reasoning("hm"), Refusal("I "), Refusal("won't")))
    assert refused.as_openai() == {"role": "assistant", "content": None, "refusal": "I won't"}


def test_arguments_are_exported_as_the_model_wrote_them(log: Turnlog) -> None:
    raw = '{"city":  "Rome"}'
    found = said(log, UserUttered("hi"), ToolCalled("f", {"city": "Rome"}, "c", raw=raw))
    assert found[1].parts == (ToolCall("c", "f", {"city": "Rome"}, raw),)
    assert found[1].as_openai()["tool_calls"][0]["function"]["arguments"] == raw


# --- hidden and edited --------------------------------------------------------------------------


@pytest.mark.parametrize("redacted", [3, 4, 5])
def test_a_redaction_hides_the_whole_message_whichever_part_it_names(
    log: Turnlog, redacted: int
) -> None:
    answer = Message("assistant", (Reasoning("zebra", "zebra"), Text("zebra"), Refusal("zebra"),
                     Media("file", name="zebra"), Opaque("x", "y", "zebra")))  # fmt: skip
    log.record("a", UserUttered("hi"), BotUttered("so"), *recorded_as([answer], 3))
    log.record("a", UserUttered("next"), MessageRedacted(redacted))
    shown = list(log.conversation("a").events())
    assert "zebra" not in repr(shown)
    assert isinstance(shown[4], RefusalAdded)
    assert [getattr(event, "text", "") for event in (shown[1], shown[-2])] == ["so", "next"]
    assert [m.text for m in log.conversation("a").messages()] == ["next"]


def test_redacting_a_users_message_hides_its_further_texts_and_media(log: Turnlog) -> None:
    message = Message("user", (Media("image", name="me.png"), Text("that"), Text("is me")))
    log.record("a", *recorded_as([message]), BotUttered("fine"), MessageRedacted(1))
    shown = list(log.conversation("a").events())
    assert "me" not in repr([vars_of(event) for event in shown[:3]])


def test_a_redacted_message_before_the_first_turn_appears_in_no_message(log: Turnlog) -> None:
    greeting = Message("assistant", (Reasoning("zebra"), Text("zebra"), Media("image")))
    log.record("a", *recorded_as([greeting]), UserUttered("hi"), MessageRedacted(2))
    assert [m.text for m in log.conversation("a").messages()] == ["hi"]


def vars_of(event: Event) -> list[Any]:
    return [getattr(event, name, None) for name in ("text", "filename", "content", "data")]


def test_an_edit_replaces_all_texts_of_a_message(log: Turnlog) -> None:
    message = Message("user", (Text("to Bonn"), PICTURE, Text("by train")))
    log.record("a", *recorded_as([message]), MessageEdited(1, "to Rome"))
    (found,) = log.conversation("a").messages()
    assert found.parts == (Text("to Rome"), PICTURE)


def test_an_edit_of_a_content_of_parts_replaces_its_texts(log: Turnlog) -> None:
    image = {"type": "image_url", "image_url": {"url": "http://x/y"}}
    content = [{"type": "text", "text": "to"}, image, {"type": "text", "text": "Bonn"}]
    log.record("a", UserUttered("to\nBonn", {"content": content}), MessageEdited(1, "to Rome"))
    (found,) = log.conversation("a").messages()
    edited = [{"type": "text", "text": "to Rome"}, image]
    assert found.as_openai() == {"role": "user", "content": edited}


# --- for a model --------------------------------------------------------------------------------


def test_a_call_that_a_crash_left_open_is_closed_for_a_model_only(log: Turnlog) -> None:
    events = UserUttered("book"), ToolCalled("book", {}, "c"), UserUttered("well?")
    assert [m.role for m in said(log, *events)] == ["user", "assistant", "user"]
    closed = list(log.conversation("a").messages(for_model=True))
    assert [m.role for m in closed] == ["user", "assistant", "tool", "user"]
    assert closed[2].parts == (ToolResult("c", "book", UNANSWERED, True),)
    assert closed[2].event is None
    assert len(list(log.conversation("a").events())) == 3


def test_a_late_result_comes_with_its_call_and_a_result_without_a_call_is_omitted(
    log: Turnlog,
) -> None:
    found = said(
        log, ToolReturned("whose?", "x"), UserUttered("book"), ToolCalled("book", {}, "c"),
        ToolCalled("pay", {}, "d"), UserUttered("well?"), ToolReturned("done", "c", "book"),
        for_model=True,
    )  # fmt: skip
    results = [part.content for m in found for part in m.parts if isinstance(part, ToolResult)]
    assert [m.role for m in found] == ["user", "assistant", "tool", "tool", "user"]
    assert results == ["done", UNANSWERED]


def test_a_compaction_replaces_the_events_it_sums_up_and_retracted_ones_do_not_count(
    log: Turnlog,
) -> None:
    found = said(
        log, SystemInstructed("be brief"), UserUttered("oops"), UserUtteranceReverted(),
        UserUttered("a"), BotUttered("b"), HistoryCompacted(4, 5, "they said a and b"),
        UserUttered("c"), for_model=True,
    )  # fmt: skip
    shown = [(m.role, m.text, m.event) for m in found]
    assert shown == [
        ("system", "be brief", 1),
        ("system", "they said a and b", 6),
        ("user", "c", 7),
    ]
    kept = [m.text for m in log.conversation("a").messages()]
    assert kept == ["be brief", "a", "b", "c"]


def test_a_compaction_replaces_an_earlier_summary(log: Turnlog) -> None:
    found = said(
        log, UserUttered("a"), BotUttered("b"), UserUttered("c"), HistoryCompacted(1, 1, "a"),
        HistoryCompacted(1, 2, "a and b"), for_model=True,
    )  # fmt: skip
    assert [(m.role, m.text) for m in found] == [("system", "a and b"), ("user", "c")]


# --- equal --------------------------------------------------------------------------------------


def test_messages_of_two_frameworks_are_equal_whatever_their_cuts_and_names() -> None:
    one = [
        Message("developer", (Text("be brief"),)), Message("user", (Text("a"), Text("b"))),
        Message("assistant", (Text(""), Text("see"), ToolCall("c", "f", {"x": 1, "y": 2})), id="7"),
        Message("tool", (ToolResult("c", None, "ok"),)),
    ]  # fmt: skip
    other = [
        Message("system", (Text("be brief"),)), Message("user", (Text("ab"),), name="Bob"),
        Message("assistant", (Text("see"),)),
        Message("assistant", (ToolCall("c", "f", '{"y":2, "x":1}', '{"y":2, "x":1}'),)),
        Message("tool", (ToolResult("c", "f", "ok"),), name="f"),
    ]  # fmt: skip
    assert alike(one, other)
    assert not identical(one, other)
    assert not alike(one, [*other, Message("user", (Text("c"),))])
    assert not alike(one[:3], [*other[:3], Message("assistant", (ToolCall("c", "f", {"x": 1.0}),))])


# --- what events cannot express -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (Message("wizard", (Text("a"),)), "role"),
        (Message("user", (ToolCall("c", "f"),)), "parts"),
        (Message("system", (ToolResult("c"),)), "parts"),
        (Message("tool", (Text("a"),)), "parts"),
        (Message("tool", (ToolResult("c", "f"),), name="g"), "name"),
        (Message("assistant", (ToolCall("c", "f"),), author="user"), "author"),
        (Message("tool", (ToolResult("c"),), author="user"), "author"),
        (Message("user", metadata={"name": "Bob"}), "metadata.name"),
        (Message("user", (Text("a"),), metadata={"content": [{"text": "b"}]}), "metadata.content"),
    ],
    ids=str,
)
def test_a_message_that_events_cannot_express_is_refused_by_name(
    message: Message, field: str
) -> None:
    with pytest.raises(InvalidMessage) as caught:
        list(recorded_as([message]))
    assert caught.value.field == field
    assert field in str(caught.value)


def test_a_further_text_of_the_user_is_recorded_as_the_users_text(log: Turnlog) -> None:
    found = said(log, UserUttered("a"), IMAGE, TextAdded("b", actor="user"), OpaqueAdded("x", "y"))
    assert roles_and_parts(found) == [
        ("user", (Text("a"), PICTURE, Text("b"))),
        ("assistant", (Opaque("x", "y"),)),
    ]


# --- where people read them ---------------------------------------------------------------------

SHOWN = [
    Message("user", (PICTURE, Text("what is it?"), Text("quickly"))),
    Message("assistant", (Reasoning("a cat?"), Text("a cat"), Opaque("x", "y", "z")),
            finish="broken_off"),
    Message("assistant", (Refusal("no more"),)),
]  # fmt: skip


def test_the_transcript_has_further_texts_media_and_refusals(log: Turnlog) -> None:
    log.record("a", *recorded_as(SHOWN))
    found = list(transcript.messages(log.view("transcript"), "a"))
    media = [{"kind": "image", "mime": "image/png", "uri": "https://example.org/a.png"}]
    assert [(entry["event"], entry["actor"], entry["text"], entry["data"]) for entry in found] == [
        (1, "user", "what is it?\nquickly", {"media": media}), (5, "bot", "a cat", None),
        (8, "bot", "no more", None),
    ]  # fmt: skip
    assert [head.conversation for head, _ in matching(log, search="quickly")] == ["a"]


def test_a_dialogue_shows_every_part(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    with turnlog.open(url) as log:
        log.record("a", *recorded_as(SHOWN))
    assert run("show", "a", "--dialogue", "--db", url).out.splitlines() == [
        "turn 1", "  user: what is it?", "  user: (image) https://example.org/a.png",
        "  user: quickly", "  bot: (thinks) a cat?", "  bot: a cat", "  bot: (x y)",
        "  bot: (broken off)", "  bot: no more",
    ]  # fmt: skip


def test_the_inspector_counts_bytes_and_does_not_send_them(log: Turnlog) -> None:
    log.record("a", MediaAdded("image", content=b"x" * 2000), ForeignRecorded("x", "y", b"12"))
    items = [item(each) for each in traced(log.conversation("a").recorded())]
    assert [one["fields"].get("content") for one in items] == ["2,000 bytes", None]
    assert items[1]["fields"]["body"] == "2 bytes"


@pytest.mark.parametrize(("first", "last"), [(0, 1), (1, 3), (2, 1)])
def test_a_compaction_of_unknown_events_is_refused(log: Turnlog, first: int, last: int) -> None:
    log.record("a", UserUttered("a"), BotUttered("b"))
    with pytest.raises(InvalidEvent, match=r"HistoryCompacted\.(first|last)"):
        log.record("a", HistoryCompacted(first, last, "c"))
    with pytest.raises(InvalidEvent, match=r"AnswerMeasured\.message"):
        log.record("a", AnswerMeasured(7))
