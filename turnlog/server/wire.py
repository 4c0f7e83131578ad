"""A bot's message as Rasa's channels send it, and as their webhook's answers are read."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import msgspec

from turnlog.domain.events import (
    AgentUttered,
    BotUttered,
    Event,
    MediaAdded,
    MessageEdited,
    MessageRedacted,
    MessageRegenerated,
    RefusalAdded,
    TextAdded,
    UserUttered,
)
from turnlog.domain.message_groups import side
from turnlog.domain.recorded import RecordedEvent
from turnlog.server.settings import Names

Spoken = BotUttered | AgentUttered

INLINE_BYTES = 1_000_000
"""Bytes of a medium that is sent in its message; a larger one would overwhelm a slow reader."""

MAKES_BUTTONS = ("quick_replies", "buttons")
NO_BUTTONS = {"quick_replies": None, "buttons": None, "custom": None}


def spoken(event: Event) -> Spoken | None:
    """What the user sees: an utterance, or a further part of one as an utterance."""
    if isinstance(event, Spoken):
        return event
    make = _SPOKEN.get(type(event)) if side(event) == "assistant" else None
    return None if make is None else make(event)


def _text(event: TextAdded | RefusalAdded) -> Spoken | None:
    return BotUttered(event.text, timestamp=event.timestamp) if event.text else None


def _media(event: MediaAdded) -> Spoken | None:
    """An image or an attachment; a large one by its name only, nothing if there is none."""
    source = event.uri
    if source is None and event.content is not None and len(event.content) > INLINE_BYTES:
        named = f"{event.filename or event.kind} ({len(event.content):,} bytes)"
        return BotUttered(named, timestamp=event.timestamp)
    if source is None and event.content is not None:
        coded = b64encode(bytes(event.content)).decode()
        source = f"data:{event.mime or 'application/octet-stream'};base64,{coded}"
    if source is None:
        return None
    payload = {"src": source, "title": event.filename}
    shown: dict[str, Any] = {"type": event.kind, "payload": {k: v for k, v in payload.items() if v}}
    is_image = event.kind == "image"
    data = {"image": source} if is_image else {"attachment": shown}
    return BotUttered(None, data, timestamp=event.timestamp)


_SPOKEN: dict[type[Event], Callable[[Any], Spoken | None]] = {
    TextAdded: _text,
    RefusalAdded: _text,
    MediaAdded: _media,
}


def parts(text: str) -> list[str]:
    """A text cut at its blank lines."""
    return text.strip().split("\n\n")


def socket_messages(event: Spoken) -> Iterator[Any]:
    """What the Socket.IO channel emits for a message, in order: text, custom, image, others."""
    data = event.data or {}
    text = event.text or ""
    buttons = _buttons(data)
    if buttons:
        replies = [_quick_reply(button) for button in buttons]
        *first, last = [{"text": part, "quick_replies": []} for part in parts(text) or [text]]
        yield from first
        yield {**last, "quick_replies": replies}
    elif text:
        yield from ({"text": part} for part in parts(text))
    if (custom := data.get("custom")) is not None:
        yield custom["data"] if isinstance(custom, dict) and "data" in custom else custom
    if image := data.get("image"):
        yield {"attachment": {"type": "image", "payload": {"src": image}}}
    if attachment := data.get("attachment"):
        yield {"attachment": attachment}
    for element in _list(data.get("elements")):
        template = {"template_type": "generic", "elements": element}
        yield {"attachment": {"type": "template", "payload": template}}


def redacted(events: Sequence[RecordedEvent]) -> frozenset[int]:
    """Numbers of the events that stay hidden, also because of later events in the same batch."""
    hidden = {recorded.number for recorded in events if recorded.redacted}
    for recorded in events:
        if isinstance(recorded.event, MessageRedacted):
            hidden |= {recorded.event.message, *recorded.event.events}
    return frozenset(hidden)


def numbered_messages(
    events: Sequence[RecordedEvent], names: Names, gone: Collection[int]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and payload of an event for a client that counts events: whole messages of both sides.

    gone: numbers of the redacted events, which are not sent.
    """
    for recorded in events:
        number, event = recorded.number, recorded.event
        stamp = {"event": number, "time": event.timestamp}
        if isinstance(event, UserUttered) and number not in gone:
            yield names.user_message, {"message": event.text or "", **stamp, **_sent(event)}
        elif (said := spoken(event)) is not None and number not in gone:
            refusal = {"refusal": True} if isinstance(event, RefusalAdded) else {}
            yield names.bot_message, {**_whole(said), **refusal, **stamp}
        elif isinstance(event, MessageEdited | MessageRegenerated | MessageRedacted):
            text = None if isinstance(event, MessageRedacted) else event.text
            yield "message_changed", {"message": event.message, "text": text, **stamp}


def _sent(event: UserUttered) -> dict[str, Any]:
    """How the client that sent a message knows it: its id, and the title of a button."""
    metadata = (event.extra or {}).get("metadata")
    title = metadata.get("title") if isinstance(metadata, dict) else None
    known = {"message_id": event.message_id, "title": title if isinstance(title, str) else None}
    return {key: value for key, value in known.items() if value}


def _whole(event: Spoken) -> dict[str, Any]:
    """A message in one piece: text, quick_replies, attachments, custom."""
    data = event.data or {}
    silent = msgspec.structs.replace(event, text=None, data={**data, **NO_BUTTONS})
    whole: dict[str, Any] = {"text": event.text or "", "custom": data.get("custom")}
    whole["quick_replies"] = [_quick_reply(button) for button in _buttons(data)]
    whole["attachments"] = [
        message["attachment"]
        for message in socket_messages(silent)
        if isinstance(message, dict) and "attachment" in message
    ]
    if isinstance(event, AgentUttered):
        whole["agent"] = True
    return {key: value for key, value in whole.items() if value or key == "text"}


def rest_messages(recipient: str, event: Spoken) -> Iterator[dict[str, Any]]:
    """What the REST webhook answers for a message."""
    data = event.data or {}
    text = event.text or ""
    buttons = _buttons(data)
    if buttons:
        yield {"recipient_id": recipient, "text": text, "buttons": buttons}
    elif text:
        yield from ({"recipient_id": recipient, "text": part} for part in parts(text))
    for kind in ("custom", "image", "attachment"):
        if data.get(kind):
            yield {"recipient_id": recipient, kind: data[kind]}
    for element in _list(data.get("elements")):
        title = " : ".join(str(element[k]) for k in ("title", "subtitle") if element.get(k))
        yield {"recipient_id": recipient, "text": title, "buttons": element.get("buttons", [])}


def whole_message(recipient: str, event: Spoken) -> dict[str, Any]:
    """A message in one piece, its parts under the webhook's names."""
    text = {} if event.text is None else {"text": event.text}
    return {"recipient_id": recipient, **text, **(event.data or {})}


def _buttons(data: dict[str, Any]) -> list[dict[str, Any]]:
    return next((buttons for key in MAKES_BUTTONS if (buttons := _list(data.get(key)))), [])


def _list(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _quick_reply(button: dict[str, Any]) -> dict[str, Any]:
    title = str(button.get("title", ""))
    return {"content_type": "text", "title": title, "payload": button.get("payload", title)}
