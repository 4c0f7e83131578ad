"""The meaning of a server's answer: accepted, rejected as bad, or to be retried later."""

from __future__ import annotations

import http.client
import json
from typing import Any, Optional

TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


class Refused(ValueError):
    """The server rejects the content as bad. The same content will never be accepted."""


class NotTaken(ConnectionError):
    """A server answered but did not carry out the request: a wrong token, a proxy's limit, a
    conversation that accepts no more events. What was to be sent waits.
    """


class NotFound(NotTaken):
    """The server does not know the conversation."""


class Away(ConnectionError):
    """The server does not answer, or not yet."""


def content_of(status: int, body: bytes) -> Any:
    """The answer's JSON. Raises Refused or NotTaken; HTTPException for what may pass soon."""
    if status in TRANSIENT:
        raise http.client.HTTPException(f"{status} {body[:200]!r}")
    content = _parsed(body)
    if status == 400 and _is_failure(content, 400, "BadRequest"):
        raise Refused(f"{status}: {content['message']}")
    if status == 404 and _is_failure(content, 404, "NotFound"):
        raise NotFound(f"{status}: {content['message']}")
    if not 200 <= status < 300:
        raise NotTaken(f"{status}: {_message(content, body)}")
    if content is None:
        raise NotTaken(f"the answer is not a turnlog server's: {body[:100]!r}")
    return content


def events_in(headers: Any) -> int:
    """The number of events in the conversation, which every tracker answer contains."""
    try:
        return int(headers["ETag"].strip('"'))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise NotTaken("the answer is not a turnlog server's: it counts no events") from None


def _is_failure(content: Any, code: int, reason: str) -> bool:
    """Whether the answer comes from the server itself, not from a proxy in between."""
    if not isinstance(content, dict):
        return False
    said = (content.get("status"), content.get("code"), content.get("reason"))
    return said == ("failure", code, reason)


def _parsed(body: bytes) -> Optional[Any]:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _message(content: Any, body: bytes) -> str:
    if isinstance(content, dict) and content.get("message"):
        return str(content["message"])
    return repr(body[:200])
