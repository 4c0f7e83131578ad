"""The inspector's list: the conversations of a log, the newest first, a page at a time."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

from litestar import Response, get
from litestar.params import Parameter

from turnlog import AsyncTurnlog
from turnlog.engine.log import Turnlog
from turnlog.engine.query import matching, summary
from turnlog.serializers.shared import plain
from turnlog.server.auth import Principal
from turnlog.server.replies import json
from turnlog.server.services import Services

PAGE = 200
"""Conversations on a page."""

Cursor = Annotated[int | None, Parameter(ge=1)]


@get("/inspect/api/conversations", opt={"access": "handler"})
async def conversations(
    log: AsyncTurnlog,
    services: Services,
    principal: Principal,
    search: str = "",
    where: str = "",
    after: Cursor = None,
) -> Response[bytes]:
    """A page of the conversations that are meant, the newest first: `{"conversations", "more"}`.

    after: what `more` of the page before says; null on the last page. What goes on meanwhile moves
    to the top of the first page, and the pages behind it stay as they are.
    """
    principal.in_time(services.clock())

    def found(log: Turnlog) -> bytes:
        scan = matching(log, where=where or None, search=search or None)
        mine = [(head, state) for head, state in scan if _readable(principal, head)]
        behind = [each for each in mine if after is None or each[0].position < after]
        behind.sort(key=lambda each: each[0].position, reverse=True)
        page = [*islice(behind, PAGE)]
        more = page[-1][0].position if len(behind) > PAGE else None
        lines = [summary(head, state) for head, state in page]
        return plain.dumps({"conversations": lines, "more": more})

    return json(await log.read(found))


def _readable(principal: Principal, head: Any) -> bool:
    return principal.everything or head.conversation == principal.conversation


handlers = (conversations,)
