"""Rasa's tracker API: its paths, parameters, bodies and error objects (docs/rasa.md).

Additions to Rasa's: DELETE; the header ETag with the conversation's number of events; and for
clients that keep a tracker `include_events=SESSION`, `after`, `base`, `writer`, `fresh`,
`keep_unknown`, `to` and the headers Idempotency-Key, Turnlog-After, Turnlog-First and Turnlog-Log.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from litestar import Response, delete, get, post, put
from litestar.params import Parameter

from turnlog import AsyncTurnlog
from turnlog.domain import events as e
from turnlog.domain.history import History
from turnlog.domain.state import State
from turnlog.domain.values import MAX_DEPTH
from turnlog.errors import UnknownConversation
from turnlog.projections import catch_up_kept
from turnlog.rasa import view
from turnlog.serializers.rasa.incoming import NOT_KEPT, completed, incoming
from turnlog.serializers.rasa.kinds import PRO
from turnlog.serializers.rasa.reader import from_rasa
from turnlog.serializers.rasa.source import ENVELOPE_DEPTH
from turnlog.serializers.rasa.story import sessions, story
from turnlog.serializers.shared import plain
from turnlog.serializers.shared.codec import Limits
from turnlog.serializers.shared.json_value import parse
from turnlog.server.errors import RequestRefused
from turnlog.server.requests import Json, body_of
from turnlog.server.services import Services

VERBOSITIES = ("NONE", "APPLIED", "AFTER_RESTART", "ALL", "SESSION")

MAX_BODY_DEPTH = MAX_DEPTH + ENVELOPE_DEPTH

KEPT_BYTES = "its bytes remain in the log until `turnlog erase`"


@get("/conversations/{conversation:str}/tracker")
async def read(
    conversation: str,
    services: Services,
    include_events: str = "AFTER_RESTART",
    until: float | None = None,
    after: int = Parameter(default=0, ge=0),
) -> Response[bytes]:
    """The tracker; one without events for an unknown conversation."""
    if until is not None and math.isnan(until):
        raise RequestRefused(400, "BadRequest", "until: not a time")
    verbosity = _verbosity(include_events)
    return await _tracker(services, conversation, verbosity, until=until, after=after)


@post("/conversations/{conversation:str}/tracker/events", request_max_body_size=None)
async def append(
    request: Json,
    conversation: str,
    services: Services,
    include_events: str = "AFTER_RESTART",
    base: int | None = Parameter(default=None, ge=0),
    writer: str | None = None,
    fresh: bool = False,
    keep_unknown: bool = False,
) -> Response[bytes]:
    """Appends one event or a list of them.

    base: how many events the writer knew; events of other writers since then stay, and a conflict
    is recorded. fresh: the writer knew nothing; existing events are an earlier session.
    """
    verbosity = _verbosity(include_events)
    objects = await _objects(request, services, keep_unknown=keep_unknown)

    def command(state: State, _: History) -> Sequence[e.Event]:
        _takes_events(conversation, state)
        before: list[e.Event] = []
        if base is not None and base < state.event and not fresh:
            before.append(e.ConcurrentWriteRecorded(base, writer))
        if fresh and state.event:
            before.append(e.SessionStarted("the tracker could not be read"))
        return [*before, *from_rasa(objects, state.event + len(before) + 1)]

    key = request.headers.get("idempotency-key")
    await services.runner.perform(conversation, command, key=key)
    return await _tracker(services, conversation, verbosity)


@put("/conversations/{conversation:str}/tracker/events", request_max_body_size=None)
async def replace(
    request: Json,
    conversation: str,
    services: Services,
    include_events: str = "AFTER_RESTART",
    to: int = Parameter(default=0, ge=0),
    keep_unknown: bool = False,
) -> Response[bytes]:
    """Replaces the history after event `to`; what was replaced stays readable in the log."""
    verbosity = _verbosity(include_events)
    objects = await _objects(request, services, keep_unknown=keep_unknown, empty=True)

    def command(state: State, _: History) -> Sequence[e.Event]:
        _takes_events(conversation, state)
        if to >= state.event:
            return list(from_rasa(objects, state.event + 1))
        return [e.HistoryReplaced(to, reason="PUT"), *from_rasa(objects, state.event + 2)]

    key = request.headers.get("idempotency-key")
    await services.runner.perform(conversation, command, key=key)
    return await _tracker(services, conversation, verbosity)


@delete("/conversations/{conversation:str}/tracker", status_code=200)
async def remove(conversation: str, log: AsyncTurnlog, services: Services) -> dict[str, str]:
    """Records a tombstone, which hides the conversation everywhere."""
    await log.read(lambda log: log.check_deletable(conversation))
    await services.runner.record(conversation, e.ConversationDeleted("DELETE"))
    await log.read(lambda log: catch_up_kept(log.store))
    return {"conversation": conversation, "status": "deleted", "message": KEPT_BYTES}


@get("/conversations/{conversation:str}/story", media_type="text/plain", opt={"role": "export"})
async def as_story(
    conversation: str,
    log: AsyncTurnlog,
    until: float | None = None,
    all_sessions: bool = False,
) -> Response[str]:
    """The conversation's last session, or all of them, as an end-to-end story in YAML."""
    tracker = await log.read(
        lambda log: (
            view.tracker(log, conversation, "ALL", until=until) if conversation in log else None
        )
    )
    if tracker is None:
        raise UnknownConversation(conversation)
    every = sessions(tracker.content["events"])
    return Response(story(conversation, every if all_sessions else every[-1:]))


@post("/conversations/{conversation:str}/messages")
async def add_message(
    request: Json,
    conversation: str,
    services: Services,
    include_events: str = "AFTER_RESTART",
) -> Response[bytes]:
    """Records a user's message, `{"text", "sender": "user", "parse_data"}`."""
    verbosity = _verbosity(include_events)
    body = _body(await request.body())
    if not isinstance(body, dict) or not isinstance(body.get("text"), str):
        raise RequestRefused(
            400, "BadRequest", "No message defined in request body: text is missing."
        )
    if body.get("sender") != "user":
        why = f"only messages of the sender 'user' can be added, not {body.get('sender')!r:.60}"
        raise RequestRefused(400, "BadRequest", why)
    source: dict[str, Any] = {
        "event": "user",
        "metadata": {},
        **dict.fromkeys(("message_id", "input_channel")),
    }
    source["text"] = body["text"]
    if isinstance(parsed := body.get("parse_data"), dict):
        blank = {"intent": {}, "entities": [], "text": body["text"], "message_id": None}
        source["parse_data"] = {**blank, **parsed}

    def command(state: State, _: History) -> Sequence[e.Event]:
        _takes_events(conversation, state)
        return list(from_rasa([source], state.event + 1))

    await services.runner.hear(conversation, e.UserUttered(body["text"]), command)
    return await _tracker(services, conversation, verbosity)


@get("/conversations")
async def names(log: AsyncTurnlog) -> list[str]:
    """The ids of all conversations."""
    return await log.read(lambda log: list(log.ids()))


async def _tracker(
    services: Services, conversation: str, verbosity: str, **options: Any
) -> Response[bytes]:
    def question(log: Any) -> tuple[bytes, view.Tracker]:
        tracker = view.tracker(log, conversation, verbosity, **options)
        return plain.dumps(tracker.content), tracker

    content, tracker = await services.log.read(question)
    headers = {
        "ETag": f'"{tracker.event}"',
        "Turnlog-After": str(tracker.after),
        "Turnlog-First": str(tracker.first),
        "Turnlog-Log": services.tokens.log,
    }
    return Response(content, status_code=200, headers=headers, media_type="application/json")


def _verbosity(asked: str) -> str:
    if asked.upper() in VERBOSITIES:
        return asked.upper()
    names = ", ".join(VERBOSITIES)
    why = f"Invalid parameter value for 'include_events': {asked!r:.60}. Should be one of {names}."
    raise RequestRefused(400, "BadRequest", why)


def _takes_events(conversation: str, state: State) -> None:
    """Raises RequestRefused (410) for a deleted conversation: the client may keep what it sent."""
    if state.deleted:
        why = f"conversation {conversation!r} was deleted; it accepts no more events"
        raise RequestRefused(410, "Gone", why)


def _body(body: bytes) -> Any:
    if not body.strip():
        raise RequestRefused(400, "BadRequest", "the request has no body")
    return parse(body, depth=MAX_BODY_DEPTH, twins=[])


async def _objects(
    request: Json, services: Services, *, keep_unknown: bool, empty: bool = False
) -> list[Any]:
    """The events of a body, each of a type that Rasa has, reduced to what the log can store."""
    limits = services.settings.limits
    body = await body_of(request, limits.tracker_body)
    if not body.strip():
        raise RequestRefused(400, "BadRequest", "the request has no body")
    objects = incoming(body, Limits(event_bytes=limits.event, depth=limits.depth))
    if not objects and not empty:
        raise RequestRefused(
            400, "BadRequest", "Couldn't extract a proper event from the request body."
        )
    for number, source in enumerate(objects):
        _check_event(number, source, keep_unknown=keep_unknown)
    return [completed(source) for source in objects]


def _check_event(number: int, source: Any, *, keep_unknown: bool) -> None:
    if isinstance(source, dict) and source.get("timestamp", 0) is None:
        del source["timestamp"]
    event = next(from_rasa([source]))
    typed = isinstance(source, dict) and isinstance(source.get("event"), str)
    kept = typed and (keep_unknown or NOT_KEPT in source or source["event"] in PRO)
    if isinstance(event, e.Unknown) and not kept:
        why = f"event {number} is not an event of Rasa's: {source!r:.120}"
        raise RequestRefused(400, "BadRequest", why)


handlers = (read, append, replace, remove, as_story, add_message, names)
