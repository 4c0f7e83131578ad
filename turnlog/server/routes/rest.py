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
"""Of a request that records events; one event has a limit of its own."""


class WebhookMessage(msgspec.Struct):
    """What Rasa's REST webhook takes; message_id makes sending it again harmless."""

    message: str
    sender: str | None = None
    metadata: Any = None
    input_channel: str | None = None
    message_id: str | None = None


@post("/webhooks/rest/webhook", opt={"access": "handler", "uncompressed": True}, status_code=200)
async def webhook(
    request: Json, services: Services, principal: Principal, stream: bool = False
) -> Response[Any] | Stream:
    """Say something to the bot; its messages come back, with `?stream=true` a line each.

    With `Accept: text/event-stream` as server-sent events: `chunk` with `{text, first}`, a piece
    of a message; `message`, a whole one, which takes the place of its chunks; `end`, last.
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
    events = await asyncio.shield(receipt.answer)  # who hangs up does not stop the bot
    return Response(list(_messages(sender, events)))


@get("/webhooks/rest", opt={"access": "open"})
async def alive() -> dict[str, str]:
    """As Rasa's channel says it."""
    return {"status": "ok"}


class EventPage(msgspec.Struct):
    """Events of a conversation, oldest first; `event` numbers the first, `last` the last one."""

    conversation: str
    event: int
    last: int
    events: list[Any]


class RecordedCommit(msgspec.Struct):
    """What was recorded, now or, where it is not `new`, before; 0 where that was deleted.

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
    """The events after the one numbered `after`. Refused where there is no such event."""

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

    As a download, of the type that the event names where a browser does not run it.
    """
    return await contents.download(log, conversation, event)


@post("/v1/conversations/{conversation:str}/events", request_max_body_size=MAX_BODY_BYTES)
async def record(request: Json, conversation: str, services: Services) -> RecordedCommit:
    """Record events in one commit, with header Idempotency-Key once however often they come."""
    body = await read(request, object)
    batch = [_event(item) for item in (body if isinstance(body, list) else [body])]
    if not batch:
        raise RequestRefused(400, "BadRequest", "no events were given")
    key = request.headers.get("idempotency-key")
    done = await services.runner.record(conversation, *batch, key=key)
    return RecordedCommit.of(conversation, done)


class ForkAsked(msgspec.Struct, rename={"as_": "as"}):
    """Where a conversation is forked, by default now, and what the fork is called."""

    as_: str
    turn: int | None = None
    event: int | None = None
    trial: bool = False
    reason: str | None = None


@post("/v1/conversations/{conversation:str}/fork")
async def fork(
    request: Json, conversation: str, services: Services, principal: Principal
) -> RecordedCommit:
    """Begin a conversation that shares this one's past, once for a header Idempotency-Key."""
    asked = await read(request, ForkAsked)
    principal.require(asked.as_, services.clock())
    key = request.headers.get("idempotency-key")
    done = await services.log.fork(
        conversation, as_=asked.as_, turn=asked.turn, event=asked.event, trial=asked.trial,
        reason=asked.reason, key=key,
    )  # fmt: skip
    return RecordedCommit.of(asked.as_, done)


class CheckoutAsked(msgspec.Struct):
    """The branch, event or turn that a conversation goes on from."""

    branch: str | None = None
    turn: int | None = None
    event: int | None = None
    reason: str | None = None


@post("/v1/conversations/{conversation:str}/checkout", status_code=200)
async def checkout(request: Json, conversation: str, services: Services) -> dict[str, Any]:
    """Go on from there, in order with what else goes on: `{"conversation", "branch", "event",
    "turn", "branch_turn", "to"}`, `to` null where it is on the branch already.

    Once for a header Idempotency-Key.
    """
    given = await read(request, CheckoutAsked)
    asked = Checkout(given.branch, given.event, given.turn, given.reason)
    await services.log.read(lambda log: log.head(conversation))
    key = request.headers.get("idempotency-key")
    command = going_on(conversation, asked)
    return standing(conversation, await services.runner.perform(conversation, command, key=key))


@post("/v1/conversations/{conversation:str}/stop", status_code=200)
async def stop(request: Json, conversation: str, services: Services) -> dict[str, Any]:
    """Break off the answer under way: `{"stopped"}`, false where there is none at this server.

    What was said of it is recorded by then.
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
