"""The inspector's timeline: windows on a conversation, all of it at a glance, and single events."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, get
from litestar.params import Parameter

from turnlog import AsyncTurnlog
from turnlog.audit import why as reasons
from turnlog.domain.conversation import Conversation
from turnlog.engine.log import Turnlog
from turnlog.errors import OutOfRange
from turnlog.server.auth import Principal
from turnlog.server.comparison import comparison
from turnlog.server.errors import RequestRefused
from turnlog.server.match import fails, match, says
from turnlog.server.overview import overview
from turnlog.server.replies import answered
from turnlog.server.requests import MAX_EVENT
from turnlog.server.services import Services
from turnlog.server.timeline import item
from turnlog.server.window import EVENTS, MOST, between, window

Number = Annotated[int, Parameter(ge=0, le=MAX_EVENT)]
Count = Annotated[int, Parameter(ge=0, le=MOST)]


@get("/inspect/api/timeline", opt={"access": "handler"})
async def timeline(
    conversation: str,
    log: AsyncTurnlog,
    services: Services,
    principal: Principal,
    event: Number | None = None,
    turn: Number | None = None,
    before: Count = EVENTS,
    after: Count = 0,
) -> Response[bytes]:
    """The events around one: those numbered above `event - before` up to `event + after`.

    `{"conversation", "event", "first", "slots", "items", "last", "turns", …}`; slots: those before
    the first. Without an event, it is the end of the turn or of the conversation.
    """
    principal.require(conversation, services.clock())

    def read(log: Turnlog) -> Any:
        seen = log.conversation(conversation)
        moment = seen.state.event if event is None else event
        if turn is not None:
            moment = _end_of(log, seen, turn)
        found = window(seen, moment, before, after)
        if "origin" in found and principal.everything:
            found["origin"]["conversation"] = _origin(log, seen)
        return found

    return await answered(log, read)


def _origin(log: Turnlog, seen: Conversation) -> str | None:
    """The id of a fork's origin; None if that may not be shown."""
    rows = log.store.reader.rows_newest_first(seen.state.lineage.origin or 0, MAX_EVENT, 1)
    named = [row.conversation for row in rows if row.name is not None]
    return next((id for id in named if id in log), None)


def _end_of(log: Turnlog, seen: Conversation, turn: int) -> int:
    """The last event of a turn, or of the conversation if it has fewer turns."""
    if turn >= seen.turn:
        return seen.state.event
    try:
        return log.conversation(seen.id, turn=turn).state.event
    except OutOfRange:  # turn 0 may have no events
        return 0


@get("/inspect/api/event", opt={"access": "handler"})
async def event(
    conversation: str,
    event: Number,
    log: AsyncTurnlog,
    services: Services,
    principal: Principal,
) -> Response[bytes]:
    """One event, whole."""
    principal.require(conversation, services.clock())

    def read(log: Turnlog) -> Any:
        seen = log.conversation(conversation)
        last = seen.state.event
        if not 1 <= event <= last:
            why = f"event {event} does not exist; the last is {last}"
            raise RequestRefused(404, "NotFound", why)
        [traced] = between(seen, event, event)
        return item(traced, whole=True)

    return await answered(log, read)


@get("/inspect/api/overview", opt={"access": "handler"})
async def whole(
    conversation: str, log: AsyncTurnlog, services: Services, principal: Principal
) -> Response[bytes]:
    """The spans of the slots' values: `{"last", "slots", "more", "rewinds"}`."""
    principal.require(conversation, services.clock())

    def read(log: Turnlog) -> Any:
        head, _ = log.head(conversation)
        return overview(log.conversation(conversation), log.past(head))

    return await answered(log, read)


@get("/inspect/api/match", opt={"access": "handler"})
async def matched(
    conversation: str,
    log: AsyncTurnlog,
    services: Services,
    principal: Principal,
    event: Number = 0,
    text: str = "",
    back: bool = False,
) -> Response[bytes]:
    """The next event that contains a text, or without one the next failure: `{"event", "seen"}`.

    event is null if none was found up to `seen`, and `seen` is null at the end.
    """
    principal.require(conversation, services.clock())

    def read(log: Turnlog) -> Any:
        seen = log.conversation(conversation)
        return match(seen, event, says(text) if text else fails, back=back)

    return await answered(log, read)


@get("/inspect/api/comparison", opt={"access": "handler"})
async def compared(
    conversation: str,
    log: AsyncTurnlog,
    services: Services,
    principal: Principal,
    event: Number | None = None,
    other: str = "",
    at: Number | None = None,
) -> Response[bytes]:
    """A conversation after an event, compared with another one after an event (`at`), or with
    itself.

    `{"shared", "slots", "rows", "more"}`: how many events both begin with, the slots that differ,
    and from the first difference on pairs of items, null where one side has no such event.
    """
    principal.require(conversation, services.clock())
    principal.require(other or conversation, services.clock())

    def read(log: Turnlog) -> Any:
        one, two = _at(log, conversation, event), _at(log, other or conversation, at)
        return comparison(one, two)

    return await answered(log, read)


def _at(log: Turnlog, id: str, event: int | None) -> Conversation:
    seen = log.conversation(id)
    return seen if event is None else seen.at(min(event, seen.state.event))


@get("/inspect/api/why", opt={"access": "handler"})
async def why(
    conversation: str,
    log: AsyncTurnlog,
    services: Services,
    principal: Principal,
    slot: str = "",
    event: Number | None = None,
) -> Response[bytes]:
    """What led to the value of a slot after an event, or without a slot to the event: items.

    They are as in the timeline, each with its `role`: said, understood, called, returned, declared,
    set, restored, cleared or done.
    """
    principal.require(conversation, services.clock())

    def read(log: Turnlog) -> Any:
        seen = log.conversation(conversation)
        moment = seen if event is None else seen.at(min(event, seen.state.event))
        chain = _chain(moment, slot) if slot else reasons.why_event(moment, moment.state.event)
        found = ((link.role, between(seen, link.event, link.event)) for link in chain)
        return [{**item(one), "role": role} for role, [one] in found]

    return await answered(log, read)


def _chain(moment: Conversation, slot: str) -> list[reasons.CauseLink]:
    """Nothing for an unknown slot: an error would contain its name, which may be redacted."""
    state = moment.state
    is_known = slot in state.touched or slot in state.declared
    return reasons.why(moment, slot) if is_known else []


handlers = (timeline, event, whole, matched, compared, why)
