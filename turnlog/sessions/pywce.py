"""The drop-in for pywce 3: its engine runs on the log, which records what was said.

    manager = TurnlogSessionManager(db="sqlite:///chat.db")
    engine = record(Engine(EngineConfig(session_manager=manager, …)))

A message takes three commits: the user's message, before the engine runs; the bot's message with
the session's values, before it is sent; and the outcome of sending it, with everything else.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, TypeVar

from turnlog.domain.events import BotUttered, DeliveryFailed, DeliverySucceeded, Event, UserUttered
from turnlog.domain.values import unholdable
from turnlog.engine.request import Recorded
from turnlog.extras import needed
from turnlog.sessions.manager import SessionManager
from turnlog.sessions.turn import SessionTurn, current

with needed("pywce", "the session manager for pywce"):
    from pywce import ISessionManager

AnEngine = TypeVar("AnEngine")
Send = Callable[[str, str, dict[str, Any]], Any]

CHANNEL = "whatsapp"

NO_MESSAGE = frozenset({"MarkAsRead", "TypingIndicator"})
"""What pywce sends about a message. The recipient is then a message's id, not a user's."""

BEHIND = frozenset({"Reaction"})
"""What accompanies a message. It is recorded with the next commit."""

REFUSAL_CHARACTERS = 500
"""How many characters of a refusal are recorded."""


class TurnlogSessionManager(SessionManager, ISessionManager):  # type: ignore[misc]  # pywce has no types
    """pywce's session manager over a log. Takes the arguments of SessionManager."""


def record(engine: AnEngine) -> AnEngine:
    """Records an engine's webhooks and what its WhatsApp client sends. Returns the engine.

    Each message from a user is then one turn, and the messages of a user wait for each other.
    Raises TypeError if the engine's session manager is not over a log.
    """
    _Recorder(engine)
    return engine


class _Recorder:
    def __init__(self, engine: Any) -> None:
        manager = engine.config.session_manager
        if not isinstance(manager, SessionManager):
            name = type(manager).__name__
            raise TypeError(
                f"the engine's session manager is a {name}, not a TurnlogSessionManager"
            )
        self._store = manager.store
        self._whatsapp = engine.whatsapp
        self._process: Callable[[Any], Any] = engine.process_webhook
        self._send: Send = engine.whatsapp._send_request
        engine.process_webhook = self.process_webhook
        engine.whatsapp._send_request = self.send

    # --- what comes in --------------------------------------------------------------------------

    def process_webhook(self, webhook_data: dict[str, Any]) -> Any:
        """The message is durable before the engine sees it; its saves are durable on return."""
        if not self._whatsapp.util.is_valid_webhook_message(webhook_data):
            return self._process(webhook_data)
        user = self._whatsapp.util.get_wa_user(webhook_data).wa_id
        message = webhook_data["entry"][0]["changes"][0]["value"]["messages"][0]
        with self._store.turns.of(user):
            turn = SessionTurn(self._store, user)
            with turn.opened():
                turn.record(user, inbound(message))
                turn.commit(key=message["id"])
                try:
                    return self._process(webhook_data)
                finally:
                    turn.commit()

    # --- what goes out --------------------------------------------------------------------------

    def send(self, message_type: str, recipient_id: str, data: dict[str, Any]) -> Any:
        """The message is durable before the transport is called."""
        if message_type in NO_MESSAGE:
            return self._send(message_type, recipient_id, data)
        turn = current(self._store)
        if turn is not None:
            return self._sent(turn, message_type, recipient_id, data)
        turn = SessionTurn(self._store, recipient_id)
        answer = self._sent(turn, message_type, recipient_id, data)
        turn.commit()
        return answer

    def _sent(self, turn: SessionTurn, message_type: str, to: str, data: dict[str, Any]) -> Any:
        turn.record(to, outbound(data))
        number = None if message_type in BEHIND else _number(turn.commit()[to])
        transport = _Transport()
        answer = transport.watching(self._send)(message_type, to, data)
        turn.record(to, transport.outcome(answer, number))
        return answer


def _number(recorded: Recorded) -> int:
    """Number of the last message in a commit."""
    commit = recorded.commits[-1]
    last = max(i for i, event in enumerate(commit.events) if isinstance(event, BotUttered))
    return commit.first_event + last


class _Transport:
    """The outcome of a request. pywce swallows status and errors; its HTTP client sees them."""

    def __init__(self) -> None:
        self._status: int | None = None
        self._text: str | None = None
        self._error: str | None = None

    def watching(self, send: Send) -> Send:
        """pywce's own method, with this object between it and its HTTP client."""
        function = getattr(send, "__func__", None)
        if function is None or "Client" not in function.__globals__:
            return send
        outside = function.__globals__

        def client(*arguments: Any, **options: Any) -> _Client:
            return _Client(outside["Client"](*arguments, **options), self)

        inside = {**outside, "Client": client}
        watched = types.FunctionType(
            function.__code__, inside, argdefs=function.__defaults__, closure=function.__closure__
        )
        bound: Send = types.MethodType(watched, send.__self__)  # type: ignore[attr-defined]  # a method
        return bound

    def saw(self, response: Any) -> None:
        self._status, self._text = response.status_code, response.text

    def failed(self, error: Exception) -> None:
        self._error = f"{type(error).__name__}: {error}"

    def outcome(self, answer: Any, message: int | None) -> Event:
        """Whether the message was accepted. receipt: WhatsApp's id of the message."""
        reason = self._error
        answered = answer if isinstance(answer, dict) else {}
        if reason is None and self._status is not None and not 200 <= self._status < 300:
            reason = f"HTTP {self._status}: {self._text}"
        if reason is None and (refusal := answered.get("error")):
            reason = f"refused: {refusal}"
        if reason is None and answer is None and self._status is None:
            reason = "no answer"
        if reason is not None:
            return DeliveryFailed(message=message, reason=cleaned(reason)[:REFUSAL_CHARACTERS])
        accepted = answered.get("messages") or [{}]
        return DeliverySucceeded(message=message, receipt=accepted[0].get("id"))


class _Client:
    """Watches the posts of an httpx client."""

    def __init__(self, client: Any, transport: _Transport) -> None:
        self._client = client
        self._transport = transport

    def __enter__(self) -> _Client:
        self._client = self._client.__enter__()
        return self

    def __exit__(self, *exception: object) -> Any:
        return self._client.__exit__(*exception)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def post(self, *arguments: Any, **options: Any) -> Any:
        try:
            response = self._client.post(*arguments, **options)
        except Exception as error:
            self._transport.failed(error)
            raise
        self._transport.saw(response)
        return response


# --- WhatsApp's messages as events --------------------------------------------------------------


def inbound(message: dict[str, Any]) -> UserUttered:
    """A webhook's message as an event. `data` keeps messages that are not plain text whole."""
    kind = message.get("type")
    text = _said(message.get(str(kind)))
    plain = kind == "text" and "context" not in message
    return UserUttered(
        text=None if text is None else cleaned(text),
        data=None if plain else _holdable(message),
        message_id=message["id"],
        channel=CHANNEL,
    )


def outbound(data: dict[str, Any]) -> BotUttered:
    """A message to WhatsApp as an event, without its envelope."""
    kind = str(data.get("type"))
    text = _said(data.get(kind))
    body = {key: value for key, value in data.items() if key not in ENVELOPE_KEYS}
    plain = kind == "text" and set(body) == {"type", "text"}
    return BotUttered(
        text=None if text is None else cleaned(text),
        data=None if plain else _holdable(body),
        channel=CHANNEL,
    )


ENVELOPE_KEYS = frozenset({"messaging_product", "recipient_type", "to"})
_PLACES = ("body", "text", "caption", "title", "name", "emoji", "button_reply", "list_reply")
"""Keys that lead to a message's words."""


def _said(content: Any) -> str | None:
    """The words of a message's content, whatever its type."""
    if isinstance(content, str):
        return content
    if not isinstance(content, dict):
        return None
    return next((words for place in _PLACES if (words := _said(content.get(place)))), None)


def _holdable(data: dict[str, Any]) -> dict[str, Any]:
    return data if unholdable(data) is None else {"repr": cleaned(repr(data))}


def cleaned(text: str) -> str:
    """The text with lone surrogates, which cannot be stored, replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
