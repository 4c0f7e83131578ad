"""Redacted conversations of each kind, and the bot that repeats everything it sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import turnlog
from turnlog import Turnlog
from turnlog.bots.keys import answer_key
from turnlog.domain import events as e
from turnlog.domain.conversation import Dialogue
from turnlog.domain.message import Message
from turnlog.domain.message_parts import Media, Opaque, Reasoning, Refusal, Text, ToolCall
from turnlog.domain.message_recording import recorded_as
from turnlog.domain.plain import dumps, to_plain
from turnlog.engine.importing import import_files
from turnlog.serializers.rasa.reader import from_rasa
from turnlog.sessions.manager import SessionManager

NAME, PIN = "Xanthippe", "471193"
WORDS = (NAME.casefold(), PIN)
"""What no view may show."""

SAID = f"my name is {NAME} and my pin is {PIN}"
MESSAGE_ID = "the-first"
"""Of the first message of each conversation."""

UNDERSTOOD = e.MessageUnderstood(
    e.Intent("inform", 0.9, {"alternative": NAME}),
    (e.Entity("name", NAME, 11, 20, {"raw": NAME}), e.Entity("pin", PIN)),
)
FRAME = e.Frame("bank", [e.Act("INFORM", "name", [NAME], [NAME])], [e.Span("name", 11, 20)])
BUTTONS = {"buttons": [{"title": f"I am {NAME}", "payload": f'/inform{{"pin": {PIN}}}'}]}
REPEAT = e.BotUttered(f"Thank you, {NAME}! Your pin is {PIN}.", BUTTONS)


def _said(**more: Any) -> e.UserUttered:
    extra = {"metadata": {"title": NAME, "pin": int(PIN)}}
    return e.UserUttered(SAID, {"typed": SAID}, message_id=MESSAGE_ID, extra=extra, **more)


def _answer(message: int) -> list[e.Event]:
    """The bot's answer to the message of that number."""
    arguments = {"name": NAME, "pin": int(PIN)}
    return [
        UNDERSTOOD,
        e.MessageAnnotated((FRAME,), message),
        e.EntitiesAdded((e.Entity("pin", PIN),)),
        e.SlotSet("name", NAME, cause=message),
        e.SlotSet("pin", PIN, cause=message),
        e.SlotSet("people", 2, cause=message),
        e.SlotSet("names", [NAME], cause=message),
        e.ToolCalled("check", arguments, "c1", cause=message),
        e.ToolReturned({"found": NAME}, "c1", "check"),
        e.LoopActivated("form"),
        e.ActionExecuted("utter_thanks", action_text=f"thanks {NAME}"),
    ]


def _later(log: Turnlog, id: str) -> None:
    """Two more turns, in which the bot repeats it."""
    log.record(id, e.UserUttered("what do you know of me?"))
    log.record(
        id, e.MessageUnderstood(e.Intent("ask"), (e.Entity("who", "me"),)),
        e.SlotSet("note", f"{NAME}, pin {PIN}"), e.SlotSet("copy", NAME), REPEAT,
        e.ConversationTagged((NAME,)), e.UserIdentified("user-1", {"name": NAME}),
    )  # fmt: skip
    log.record(id, e.UserUttered(f"I am {NAME}"))
    log.record(
        id, e.MessageUnderstood(e.Intent("inform"), (e.Entity("name", NAME, 5, 14),)), REPEAT
    )


def user(log: Turnlog, id: str) -> None:
    log.record(id, _said())
    log.record(id, *_answer(1))
    log.record(id, REPEAT, key=answer_key(1))
    _later(log, id)
    log.record(id, e.MessageRedacted(1, "asked for"))


def with_later_repeats(log: Turnlog, id: str) -> None:
    user(log, id)
    _later(log, id)


def answered_after(log: Turnlog, id: str) -> None:
    """Redacted before the bot had answered."""
    log.record(id, _said())
    log.record(id, e.MessageRedacted(1))
    log.record(id, *_answer(1))
    log.record(id, REPEAT, key=answer_key(1))
    log.record(id, e.MessageEdited(1, SAID), e.MessageRated(1, 5, f"said {NAME}"))
    _later(log, id)


def bot(log: Turnlog, id: str) -> None:
    log.record(id, e.UserUttered("who am I?", message_id=MESSAGE_ID))
    log.record(id, REPEAT, e.SlotSet("name", NAME), e.SlotSet("pin", PIN))
    log.record(id, e.DeliverySucceeded(2, {"sent": NAME}))
    _later(log, id)
    log.record(id, e.MessageRedacted(2))


def agent(log: Turnlog, id: str) -> None:
    log.record(id, e.UserUttered("who am I?", message_id=MESSAGE_ID), e.HandoverStarted("Olga"))
    log.record(id, e.AgentUttered(REPEAT.text, BUTTONS), e.MessageAnnotated((FRAME,), 3))
    _later(log, id)
    log.record(id, e.MessageRedacted(3))


def tool_result(log: Turnlog, id: str) -> None:
    log.record(id, e.UserUttered("who am I?", message_id=MESSAGE_ID))
    log.record(id, e.ToolCalled("look_up", {"of": "me"}, "c1", cause=1))
    log.record(
        id, e.ToolReturned({"name": NAME, "pin": int(PIN), "of": [NAME]}, "c1", "look_up", cause=2),
        e.SlotSet("name", NAME, cause=3), e.SlotSet("pin", int(PIN), cause=3), REPEAT,
    )  # fmt: skip
    _later(log, id)
    log.record(id, e.MessageRedacted(3))


def before_snapshots(log: Turnlog, id: str) -> None:
    with_later_repeats(log, id)
    log.record(id, *(e.ActionExecuted(f"step {n}") for n in range(300)))


def after_snapshots(log: Turnlog, id: str) -> None:
    log.record(id, _said(), *_answer(1), REPEAT)
    log.record(id, *(e.ActionExecuted(f"step {n}") for n in range(300)))
    _later(log, id)
    log.record(id, e.MessageRedacted(1))


def rewound(log: Turnlog, id: str) -> None:
    log.record(id, _said(), *_answer(1), REPEAT)
    _later(log, id)
    log.record(id, e.UserUtteranceReverted())
    log.record(id, e.HistoryReplaced(to=10))
    log.record(id, e.UserUttered("again"), e.SlotsReset(), e.ActionExecuted("act"))
    log.record(id, e.ActionReverted())
    log.record(id, e.MessageRedacted(1))
    log.record(id, e.UserUttered("more"), e.UserUtteranceReverted(), e.HistoryReplaced(to=12))


def restarted(log: Turnlog, id: str) -> None:
    log.record(id, _said(), *_answer(1), REPEAT, e.SessionConfigured(60.0, True))
    log.record(id, e.SessionStarted())
    _later(log, id)
    log.record(id, e.ConversationRestarted())
    log.record(id, e.MessageRedacted(1))
    _later(log, id)


def edited(log: Turnlog, id: str) -> None:
    log.record(id, e.UserUttered("hello", message_id=MESSAGE_ID), e.BotUttered("Hello!"))
    log.record(id, e.MessageEdited(1, SAID), e.MessageRegenerated(2, REPEAT.text, BUTTONS))
    log.record(id, e.MessageRedacted(1), e.MessageRedacted(2))


def preferred(log: Turnlog, id: str) -> None:
    """An answer that repeats it, and a better one."""
    log.record(id, _said(), UNDERSTOOD, REPEAT)
    log.record(id, e.UserUttered("what now?"), e.BotUttered(f"As {NAME} likes, with {PIN}."))
    log.record(id, e.MessageRegenerated(5, "As you like."), e.MessageRedacted(1))


def session(log: Turnlog, id: str) -> None:
    with SessionManager(log=log) as manager:
        log.record(id, e.ThreadStarted("bank", "ask"), _said())
        with manager.turn(id):
            manager.save(id, "name", NAME)
            manager.save_prop(id, "pin", int(PIN))
            manager.record(
                id, e.VariableSet("bank", "name", NAME), e.ValueAppended("seen", [NAME, PIN]),
                REPEAT, e.PromptArmed("t1", None, 1, f"Is it {NAME}?", 9e9),
                e.StackUpdated(json.dumps([{"op": "add", "path": "/0", "value": {"of": NAME}}])),
            )  # fmt: skip
        manager.save(id, "note", f"this is {NAME}")
        log.record(id, e.MessageRedacted(2))
        manager.save(id, "again", {NAME: [PIN]})


def failed(log: Turnlog, id: str) -> None:
    log.record(id, _said(), UNDERSTOOD)
    log.record(id, e.BotFailed("error", f"ValueError: no account for {NAME}"))
    log.record(id, e.ReminderScheduled("ask", "2030-01-01", [{"value": NAME}], "later"))
    log.record(id, e.Unknown("note", {"of": [NAME, int(PIN)]}), e.TopicSet(NAME))
    log.record(id, e.ConversationAnnotated({"book": {"name": NAME}}), e.DeliveryFailed(1, SAID))
    log.record(id, e.SystemInstructed(f"You talk to {NAME}", [{"default": PIN}]))
    log.record(id, e.MessageRedacted(1))


def of_an_agent(log: Turnlog, id: str) -> None:
    """An answer with every kind of part and every optional event."""
    parts = (
        Reasoning(f"is it {NAME}?", opaque={"of": NAME}), Text(f"Thank you, {NAME}!"),
        ToolCall("c1", "check", {"pin": int(PIN)}, raw=f'{{"pin":  {PIN}}}'),
        Media("file", uri=f"https://example.org/{NAME}", name=f"{NAME}.pdf"),
        Opaque("elsewhere", "note", {"of": [NAME, int(PIN)]}), Refusal(f"not {PIN}"),
    )  # fmt: skip
    usage = e.Usage(input=7, details={"of": NAME})
    log.record(id, _said())
    log.record(id, *recorded_as([Message("assistant", parts, usage=usage, finish="stop")], 2))
    log.record(
        id, e.ApprovalAsked(f"tell {NAME}?", "c1", {"pin": int(PIN)}),
        e.ApprovalGiven(True, "c1", f"as {NAME} says"), e.RunInterrupted("r", {"of": NAME}),
        e.RunResumed("r", PIN), e.ForeignStateChanged("adk", {"user:name": NAME}, "user"),
        e.ForeignRecorded("adk", "event", json.dumps({"of": [SAID, NAME]}).encode()),
        e.ForeignRecorded("graph", "checkpoint", b"\x80" + SAID.encode()),
        e.AiDisclosed(f"{NAME}, I am no person"), e.IncidentReported("leak", detail=f"pin {PIN}"),
        e.OutcomeRecorded("resolved", comment=f"for {NAME}"), e.AnswerBrokenOff(2, f"at {PIN}"),
        e.HistoryCompacted(1, 2, f"this is {NAME}"),
    )  # fmt: skip
    _later(log, id)
    log.record(id, e.MessageRedacted(1))


KINDS: dict[str, Callable[[Turnlog, str], None]] = {
    kind.__name__: kind
    for kind in (
        user, with_later_repeats, answered_after, bot, agent, tool_result, before_snapshots,
        after_snapshots, rewound, restarted, edited, preferred, session, failed,
        of_an_agent,
    )
}  # fmt: skip
"""Each records a conversation with a redaction under an id."""

NAIF = {
    "unit": "bank", "state": "ask", "time": 1602775249799, "active": True,
    "variables": {"bank": {"name": NAME, "pin": int(PIN), "known": [f"as {NAME}"]}},
    "request": {"text": SAID, "speech": False, "time": 1602775251565},
    "response": {"text": REPEAT.text, "speech": False, "time": 1602775251566},
}  # fmt: skip

_PARSED = {
    "intent": {"name": "inform", "confidence": 0.9}, "text": SAID, "message_id": MESSAGE_ID,
    "entities": [{"entity": "name", "value": NAME, "start": 11, "end": 20, "raw": NAME}],
    "intent_ranking": [{"name": NAME}], "metadata": {"of": NAME},
}  # fmt: skip
RASA = [
    {"event": "action", "timestamp": 1.0, "name": "action_listen"},
    {"event": "user", "timestamp": 2.0, "text": SAID, "parse_data": _PARSED, "input_channel": "x",
     "message_id": MESSAGE_ID, "metadata": {"of": PIN}},
    {"event": "entities", "timestamp": 2.5, "entities": [{"entity": "pin", "value": PIN}]},
    {"event": "slot", "timestamp": 3.0, "name": "name", "value": NAME},
    {"event": "action", "timestamp": 4.0, "name": "utter_hello", "policy": "rules"},
    {"event": "bot", "timestamp": 5.0, "text": REPEAT.text, "data": BUTTONS, "metadata": BUTTONS},
    {"event": "action", "timestamp": 6.0, "name": "action_listen"},
    {"event": "user", "timestamp": 7.0, "text": "bye", "metadata": {"of": PIN},
     "parse_data": {"intent": {"name": "bye"}, "entities": [], "text": "bye"}},
    {"event": "bot", "timestamp": 8.0, "text": f"Bye {NAME}"},
]  # fmt: skip


def record_all(log: Turnlog, folder: Path) -> list[str]:
    """All of them in a log, those from elsewhere too; their ids."""
    for name, kind in KINDS.items():
        kind(log, name)
    file = folder / "sessions.json"
    file.write_text(json.dumps({"naif": NAIF}))
    assert import_files(log, [file], format="naif").conversations == 1
    log.import_dialogue(Dialogue("rasa", tuple(from_rasa(RASA))))
    for id in ("naif", "rasa"):
        message = next(
            recorded.number
            for recorded in log.conversation(id).recorded()
            if isinstance(recorded.event, e.UserUttered)
        )
        log.record(id, e.MessageRedacted(message))
    return [*KINDS, "naif", "rasa"]


def recorded_log(folder: Path) -> tuple[str, list[str]]:
    """The URL of a new log with all of them, and their ids."""
    url = f"sqlite:///{folder}/redacted.db"
    with turnlog.open(url, clock=iter(range(1_000_000)).__next__) as log:
        return url, record_all(log, folder)


def seen(conversation: Any) -> bytes:
    """Everything that a conversation shows."""
    events = [*conversation.events()]
    return b"\n".join(
        [
            dumps(to_plain(conversation.state)),
            dumps(conversation.slots),
            *(dumps(event.as_dict()) for event in events),
            *(dumps(recorded.as_dict()) for recorded in conversation.recorded()),
            *(dumps(message.as_openai()) for message in conversation.messages()),
            *(dumps(message) for message in conversation.messages(for_model=True)),
            *(
                bytes(one.body)
                for one in conversation.events()
                if isinstance(one, e.ForeignRecorded)
            ),
        ]
    )


async def parrot(conversation: Any, message: Any) -> list[str]:
    """A bot that answers with all it sees."""
    return [seen(conversation).decode(), repr(message)]


def leaks(content: bytes | str) -> list[str]:
    """The words that are in it."""
    text = content if isinstance(content, str) else content.decode(errors="replace")
    return [word for word in WORDS if word in text.casefold()]
