"""The REST channel: Rasa's webhook, and the log's events as plain JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Self

import msgspec
from litestar import Response, get, post
from litestar.params import Parameter
from litestar.response import Stream

from turnlog import AsyncTurnlog
from turnlog.domain.events import Event, UserUttered
from turnlog.engine.command import Checkout, going_on
from turnlog.engine.log import Turnlog
from turnlog.engine.query import standing
from turnlog.engine.request import Recorded
from turnlog.errors import FormatError
from turnlog.serializers.shared import plain
from turnlog.server import contents, event_stream, wire
from turnlog.server.answer_stream import AnswerStream
from turnlog.server.auth import Principal
from turnlog.server.errors import RequestRefused
from turnlog.server.past_messages import last_event
from turnlog.server.requests import MAX_EVENT, Json, check_empty, read
from turnlog.server.services import Services

MAX_BODY_BYTES = 8_000_000
"""Bytes of a request that records events; a single event has its own limit."""


class WebhookMessage(msgspec.Struct):
    """The body of Rasa's REST webhook. With message_id, repeats are recorded once."""

    message: str
    sender: str | None = None
    metadata: Any = None
    input_channel: str | None = None
    message_id: str | None = None


@post("/webhooks/rest/webhook", opt={"access": "handler", "uncompressed": True}, status_code=200)
async def webhook(
    request: Json, services: Services, principal: Principal, stream: bool = False
) -> Response[Any] | Stream:
    """Sends a message to the bot. Responds with its messages, with `?stream=true` one a line.

    With `Accept: text/event-stream`, responds with server-sent events: `chunk` with `{text,
    first}`, a piece of a message; `message`, a whole one that replaces its chunks; `end`, last.
    """
    body = await read(request, WebhookMessage)
    sender = body.sender or principal.conversation or services.tokens.new_id()
    principal.require(sender, services.clock())
    answer = AnswerStream(sender)
    receipt = await services.runner.receive(sender, _message(body), answer)
    receipt.answer.add_done_callback(answer.end)
    if event_stream.MEDIA_TYPE in request.headers.get("accept", ""):
        return event_stream.response(answer.events())
    if stream:
        return Stream(answer.lines(), media_type="application/x-ndjson")
    events = await asyncio.shield(receipt.answer)  # the bot continues if the client disconnects
    return Response(list(_messages(sender, events)))


@get("/webhooks/rest", opt={"access": "open"})
async def alive() -> dict[str, str]:
    """A message as Rasa's channel sends it."""
    return {"status": "ok"}


class EventPage(msgspec.Struct):
    """Events of a conversation, oldest first; `event` numbers the first, `last` the last one."""

    conversation: str
    event: int
    last: int
    events: list[Any]


class RecordedCommit(msgspec.Struct):
    """The recorded events: recorded now or, if not `new`, earlier. 0 for deleted events.

    repeated: ids of the user's messages that were known, and are not recorded again.
    """

    conversation: str
    version: int
    event: int
    events: int
    new: bool
    repeated: Sequence[str] = ()

    @classmethod
    def of(cls, conversation: str, done: Recorded) -> Self:
        """The response for what a call recorded."""
        first = done.commits[0].first_event if done.commits else 0
        last = done.commits[-1].version if done.commits else 0
        return cls(conversation, last, first, len(done.events), done.new, done.repeated)


@get("/v1/conversations/{conversation:str}/events")
async def events(
    conversation: str,
    log: AsyncTurnlog,
    after: int = Parameter(default=0, ge=0, le=MAX_EVENT),
    limit: int = Parameter(default=1000, ge=1, le=10_000),
) -> Response[bytes]:
    """The events after the one numbered `after`. Refused if that event does not exist."""

    def page(log: Turnlog) -> bytes:
        past = log.conversation(conversation)
        last_event(log, conversation, after)
        kept = [e for e, _ in zip(past.events(after), range(limit), strict=False)]
        shown = EventPage(
            conversation, after + 1, past.state.event, [plain.to_plain(e) for e in kept]
        )
        return plain.dumps(shown)

    return Response(await log.read(page), media_type="application/json")


@get(
    "/v1/conversations/{conversation:str}/events/{event:int}/content",
    opt={"uncompressed": True},
    responses=contents.RESPONSES,
)
async def content(conversation: str, event: int, log: AsyncTurnlog) -> Stream:
    """The bytes of an event: of a medium, or of a framework's own record.

    They are a download, of the type that the event names unless a browser would run it.
    """
    return await contents.download(log, conversation, event)


@post("/v1/conversations/{conversation:str}/events", request_max_body_size=MAX_BODY_BYTES)
async def record(request: Json, conversation: str, services: Services) -> RecordedCommit:
    """Records events in one commit. With the header Idempotency-Key, repeats record nothing."""
    body = await read(request, object)
    batch = [_event(item) for item in (body if isinstance(body, list) else [body])]
    if not batch:
        raise RequestRefused(400, "BadRequest", "the body has no events")
    key = request.headers.get("idempotency-key")
    done = await services.runner.record(conversation, *batch, key=key)
    return RecordedCommit.of(conversation, done)


class ForkAsked(msgspec.Struct, rename={"as_": "as"}):
    """The event or turn to fork a conversation at, by default the end, and the fork's id."""

    as_: str
    turn: int | None = None
    event: int | None = None
    trial: bool = False
    reason: str | None = None


@post("/v1/conversations/{conversation:str}/fork")
async def fork(
    request: Json, conversation: str, services: Services, principal: Principal
) -> RecordedCommit:
    """Begins a conversation that shares this one's past, once for each header Idempotency-Key."""
    asked = await read(request, ForkAsked)
    principal.require(asked.as_, services.clock())
    key = request.headers.get("idempotency-key")
    done = await services.log.fork(
        conversation, as_=asked.as_, turn=asked.turn, event=asked.event, trial=asked.trial,
        reason=asked.reason, key=key,
    )  # fmt: skip
    return RecordedCommit.of(asked.as_, done)


class CheckoutAsked(msgspec.Struct):
    """The branch, event or turn from which a conversation continues."""

    branch: str | None = None
    turn: int | None = None
    event: int | None = None
    reason: str | None = None


@post("/v1/conversations/{conversation:str}/checkout", status_code=200)
async def checkout(request: Json, conversation: str, services: Services) -> dict[str, Any]:
    """Continues from there, in order with other work: `{"conversation", "branch", "event", "turn",
    "branch_turn", "to"}`, `to` null if the conversation is already on the branch.

    Once for each header Idempotency-Key.
    """
    given = await read(request, CheckoutAsked)
    asked = Checkout(given.branch, given.event, given.turn, given.reason)
    await services.log.read(lambda log: log.head(conversation))
    key = request.headers.get("idempotency-key")
    command = going_on(conversation, asked)
    return standing(conversation, await services.runner.perform(conversation, command, key=key))


@post("/v1/conversations/{conversation:str}/stop", status_code=200)
async def stop(request: Json, conversation: str, services: Services) -> dict[str, Any]:
    """Stops the answer in progress: `{"stopped"}`, false if this server works on none.

    The text so far is recorded by then.
    """
    await check_empty(request)
    return {"stopped": await services.runner.stop(conversation)}


def _event(item: Any) -> Event:
    try:
        return plain.from_plain(item)
    except FormatError as error:
        raise RequestRefused(400, "BadRequest", str(error)) from error


def _message(body: WebhookMessage) -> UserUttered:
    extra = {"metadata": body.metadata} if body.metadata else None
    channel = body.input_channel or "rest"
    return UserUttered(body.message, message_id=body.message_id, channel=channel, extra=extra)


def _messages(sender: str, answer: Sequence[Event]) -> Iterator[dict[str, Any]]:
    for event in answer:
        if (spoken := wire.spoken(event)) is not None:
            yield from wire.rest_messages(sender, spoken)


handlers = (webhook, alive, events, content, record, stop, checkout, fork)
