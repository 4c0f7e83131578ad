"""Records the calls of one conversation: each question before it is sent, each answer before the
client sees its end.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from time import monotonic
from types import ModuleType
from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.message import Message
from turnlog.domain.message_openai import OPENAI
from turnlog.domain.message_parts import Opaque
from turnlog.domain.message_recording import recorded_as
from turnlog.engine.log import Turnlog
from turnlog.errors import InvalidMessage, UnknownConversation, VersionConflict
from turnlog.openai import chat, responses
from turnlog.openai.question import Question, news

_APIS = {chat.PATH: chat, responses.PATH: responses}
_PIECES = {chat: chat.ChatPieces, responses: responses.ResponsePieces}

_NOT_UNDERSTOOD = (InvalidMessage, AttributeError, KeyError, TypeError, ValueError)

logger = logging.getLogger(__name__)


class Scribe:
    """Records the calls of one conversation."""

    def __init__(self, log: Turnlog, conversation: str) -> None:
        self._log = log
        self._conversation = conversation

    def asked(self, method: str, path: str, body: bytes) -> Call | None:
        """Records what is new in a request; None for a request that does not ask a model."""
        api = next((api for end, api in _APIS.items() if path.endswith(end)), None)
        if api is None or method != "POST":
            return None
        document = _document(body)
        if document is None:
            return None
        self._record_question(api.question(document))
        return Call(self, api)

    def _record_question(self, question: Question) -> None:
        while True:
            with suppress(VersionConflict):  # another writer appended meanwhile: less may be new
                return self._record_news(question)

    def _record_news(self, question: Question) -> None:
        try:
            conversation = self._log.conversation(self._conversation)
        except UnknownConversation:
            version, number, recorded, tools = 0, 0, [], None
        else:
            version, number = conversation.version, conversation.state.event
            recorded = list(conversation.messages())
            tools = _tools(conversation.events())
        new = news(question, recorded)
        events: list[e.Event] = []
        if new.instead is not None:
            events.append(e.HistoryContinued((new.instead.event or 1) - 1))
        if question.tools is not None and question.tools != tools:
            events.append(e.SystemInstructed(tools=question.tools))
        events += recorded_as(new.messages, number + len(events) + 1)
        if events:
            self._log.perform(
                self._conversation, lambda state, past: events, expected_version=version or None
            )

    def record_answer(self, message: Message) -> None:
        """Records an answer; durable on return."""
        self._log.perform(
            self._conversation,
            lambda state, past: list(recorded_as([message], state.event + 1)),
        )


def _tools(events: Any) -> list[Any] | None:
    """The tools that were last recorded."""
    given = (event.tools for event in events if isinstance(event, e.SystemInstructed))
    return next((tools for tools in reversed([*given]) if tools is not None), None)


def _document(body: bytes) -> dict[str, Any] | None:
    """The JSON object in a text; None for anything else."""
    try:
        document = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return document if isinstance(document, dict) else None


class Call:
    """One call of a model, from its question to the end of its answer."""

    def __init__(self, scribe: Scribe, api: ModuleType) -> None:
        self._scribe = scribe
        self._api = api
        self._began = monotonic()
        self._first: float | None = None
        self._pieces: Any = _PIECES[api]()
        self._done = False

    def answered(self, body: bytes) -> None:
        """Records a whole answer."""
        document = _document(body)
        if document is not None and (message := self._read(document)) is not None:
            self._record(message)

    def _read(self, document: dict[str, Any]) -> Message | None:
        """The message of an answer. One that turnlog does not understand is kept unchanged."""
        try:
            message: Message | None = self._api.answer(document)
        except _NOT_UNDERSTOOD as error:
            logger.warning("recorded an answer in an unknown form: %s", error)
            return Message("assistant", (Opaque(OPENAI, "answer", document),))
        return message

    def came(self, data: bytes) -> None:
        """Adds one server-sent event's data; the one that completes the answer records it."""
        if self._first is None:
            self._first = monotonic() - self._began
        if data.strip() == b"[DONE]":
            self.ended()
            return
        piece = _document(data)
        try:
            self._pieces.take(piece or {})
        except _NOT_UNDERSTOOD as error:
            logger.warning("an answer contains a piece in an unknown form: %s", error)
        if self._pieces.is_last:
            self.ended()

    def ended(self) -> None:
        """Records the answer, which is whole or was broken off."""
        if self._done:
            return
        self._done = True
        try:
            message = self._pieces.message()
        except _NOT_UNDERSTOOD as error:
            logger.warning("recorded an answer in an unknown form: %s", error)
            message = Message("assistant", (Opaque(OPENAI, "answer", self._pieces.kept()),))
        if message is not None:
            self._record(message)

    def _record(self, message: Message) -> None:
        self._done = True
        usage = message.usage or e.Usage()
        latency = monotonic() - self._began
        timed = replace(usage, latency=latency, first_token=self._first)
        self._scribe.record_answer(replace(message, usage=timed))
