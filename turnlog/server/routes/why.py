"""Why, for the inspector: the chain that led to a slot's value or to an event."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, get
from litestar.params import Parameter

from turnlog import AsyncTurnlog
from turnlog.audit import why as reasons
from turnlog.engine.log import Turnlog
from turnlog.serializers.shared import plain
from turnlog.server.auth import Principal
from turnlog.server.replies import json
from turnlog.server.requests import MAX_EVENT
from turnlog.server.services import Services


@get("/inspect/api/why", opt={"access": "handler"})
async def why(
    conversation: str,
    event: Annotated[int, Parameter(ge=1, le=MAX_EVENT)],
    log: AsyncTurnlog,
    services: Services,
    principal: Principal,
    slot: str | None = None,
) -> Response[bytes]:
    """What led to an event, or to the value that a slot had after it: `{"conversation", "chain"}`.

    Links as `turnlog why --json` has them, each with its `role`: said, understood, called,
    returned, declared, set, restored, cleared or done.
    """
    principal.require(conversation, services.clock())

    def told(log: Turnlog) -> bytes:
        at = log.conversation(conversation, event=event)
        chain = reasons.why_event(at, event) if slot is None else reasons.why(at, slot)
        links = [{"role": link.role, **link.as_dict()} for link in chain]
        return plain.dumps({"conversation": conversation, "chain": links})

    return json(await log.read(told))


handlers = (why,)
