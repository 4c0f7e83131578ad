"""The inspector's list: the conversations of a log, the newest first, a page at a time."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

from litestar import Response, get
from litestar.background_tasks import BackgroundTask
from litestar.params import Parameter

from turnlog import AsyncTurnlog
from turnlog.engine.log import Turnlog
from turnlog.engine.query import matching, summary
from turnlog.projections.search import SearchProjection
from turnlog.server.auth import Principal
from turnlog.server.replies import answered
from turnlog.server.requests import MAX_EVENT
from turnlog.server.services import Services

PAGE = 200
"""Conversations on a page."""

Cursor = Annotated[int | None, Parameter(ge=1, le=MAX_EVENT)]


@get("/inspect/api/conversations", opt={"access": "handler"})
async def conversations(
    log: AsyncTurnlog,
    services: Services,
    principal: Principal,
    search: str = "",
    where: str = "",
    after: Cursor = None,
) -> Response[bytes]:
    """A page of the matching conversations, the newest first: `{"conversations", "more"}`.

    search: as in `turnlog list --search`. where: as in `--where`. after: the previous page's
    `more`, which is null on the last page. A conversation that continues meanwhile moves to the top
    of the first page and changes nothing for the others on later pages.
    """
    principal.in_time(services.clock())

    def found(log: Turnlog) -> dict[str, Any]:
        meant = matching(log, where=where or None, search=search or None, newest=True, before=after)
        page = [*islice((one for one in meant if _readable(principal, one[0])), PAGE + 1)]
        more = page[PAGE - 1][0].position if len(page) > PAGE else None
        lines = [summary(head, state) for head, state in page[:PAGE]]
        return {"conversations": lines, "more": more}

    answer = await answered(log, found)
    if not search:
        answer.background = BackgroundTask(
            log.view, SearchProjection.name
        )  # searches are likely next
    return answer


def _readable(principal: Principal, head: Any) -> bool:
    return principal.everything or head.conversation == principal.conversation


handlers = (conversations,)
