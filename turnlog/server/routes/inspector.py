"""The inspector: authorised readers see any conversation at any moment, and live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.enums import RequestEncodingType
from litestar.params import Body, Parameter
from litestar.response import Redirect, Stream

from turnlog import AsyncTurnlog
from turnlog.domain.fold import Fold
from turnlog.domain.recorded import RecordedEvent, trace
from turnlog.serializers.shared import plain
from turnlog.server import contents, event_stream
from turnlog.server.auth import COOKIE, Principal, credential, holder
from turnlog.server.errors import RequestRefused
from turnlog.server.files import files, page
from turnlog.server.requests import MAX_EVENT, last_event_id
from turnlog.server.services import Services
from turnlog.server.timeline import item

Web = Request[Any, Any, Any]

MODULES = ", ".join(
    f"</static/{name}>; rel=modulepreload"
    for name in sorted(files())
    if name.startswith("inspect/")
)
"""Makes the browser fetch the page's modules in parallel, not as each one imports the next."""


@get("/inspect", opt={"access": "open", "uncompressed": True}, include_in_schema=False)
async def inspect(request: Web, services: Services) -> Response[Any] | Redirect:
    """The page. A token in the address moves into a cookie."""
    if "token" in request.query_params:
        return _let_in(services, services.auth.principal(credential(request)), request)
    try:
        holder(request, services.auth)
    except RequestRefused:
        return page(request, "login.html", 401)
    shown = page(request, "inspect.html", banner=services.settings.banner)
    shown.headers["Link"] = MODULES
    return shown


@post("/inspect/login", opt={"access": "open"}, include_in_schema=False)
async def login(
    request: Web,
    services: Services,
    data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> Redirect:
    """Turns the token of the login form into a cookie."""
    return _let_in(services, services.auth.principal(data.get("token")), request)


def _let_in(services: Services, principal: Principal, request: Web) -> Redirect:
    cookie = Cookie(
        COOKIE,
        value=services.auth.cookie(principal),
        path="/inspect",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return Redirect("/inspect", status_code=303, cookies=[cookie])


@get(
    "/inspect/api/content",
    responses=contents.RESPONSES,
    opt={"access": "handler", "uncompressed": True},
)
async def content(
    conversation: str, event: int, log: AsyncTurnlog, services: Services, principal: Principal
) -> Stream:
    """The bytes of an event, as a download."""
    principal.require(conversation, services.clock())
    return await contents.download(log, conversation, event)


@get("/inspect/api/live", opt={"access": "handler", "uncompressed": True})
async def live(
    request: Web,
    conversation: str,
    services: Services,
    principal: Principal,
    after: Annotated[int, Parameter(ge=0, le=MAX_EVENT)] = 0,
) -> Stream:
    """Items recorded after an event, as they come: lists of them, as in the timeline."""
    principal.require(conversation, services.clock())
    start = last_event_id(request, after)
    past = await services.log.conversation(conversation, event=start)
    read = services.log.sync
    folded = Fold(
        lambda: read.read_events(conversation, start),
        past.state.copy(),
        lambda number: read.conversation(conversation, event=number).state.context,
    )

    async def render(events: Sequence[RecordedEvent]) -> bytes:
        items = await services.log.read(lambda _: [item(each) for each in trace(events, folded)])
        return event_stream.message(plain.dumps(items), id=items[-1]["event"])

    return event_stream.response(services.streams.follow(conversation, start, render))


handlers = (inspect, login, content, live)
