"""The clients behind sockets, and their sessions."""

from __future__ import annotations

import asyncio
from typing import Any

from turnlog.domain.streams import check_id
from turnlog.server.auth import Principal
from turnlog.server.errors import RequestRefused
from turnlog.server.feed import Follower
from turnlog.server.services import Services
from turnlog.server.tokens import named

Payload = dict[str, Any]
"""What a client sent with an event."""

MAX_ID_CHARACTERS = 255


class Visitor:
    """A connected socket.

    claimed: the id its client uses, if ours differs; environ: its connection's environment.
    """

    def __init__(self, sid: str, principal: Principal, environ: Payload) -> None:
        self.sid = sid
        self.principal = principal
        self.environ = environ
        self.conversation: str | None = None
        self.claimed: str | None = None
        self.expires: float | None = None
        self.numbered = False
        self.previewing = False
        self.follower: Follower | None = None
        self.entering = asyncio.Lock()

    def follows(self, conversation: str) -> bool:
        """Whether the socket already receives the conversation's events."""
        return self.follower is not None and self.conversation == conversation


class VisitorSessions:
    """Gives visitors the session they ask for, if they may use it, or a new one."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def of(self, visitor: Visitor, data: Payload) -> str:
        """The session for a client, asked for or new. Raises RequestRefused for another user's."""
        wanted = named(data.get("session_id"))
        if wanted is not None:
            check_id(wanted)
            if len(wanted) > MAX_ID_CHARACTERS:
                raise RequestRefused(
                    400, "BadRequest", f"session_id: longer than {MAX_ID_CHARACTERS} characters"
                )
        visitor.principal.in_time(self._services.clock())
        if visitor.principal.conversation is not None:
            own = visitor.principal.conversation
            visitor.principal.require(wanted or own, self._services.clock())
            return own
        if isinstance(token := data.get("token"), str) and token:
            return self._of_token(token, wanted)
        return self._of_id(visitor, wanted, data)

    def _of_token(self, token: str, wanted: str | None) -> str:
        conversation = self._services.tokens.conversation(token)
        if wanted not in (None, conversation):
            raise RequestRefused(403, "Forbidden", "the token is for another session")
        return conversation

    def _of_id(self, visitor: Visitor, wanted: str | None, data: Payload) -> str:
        tokens = self._services.tokens
        if wanted is None and visitor.conversation is not None and not data.get("new"):
            return visitor.conversation
        if wanted is None:
            return tokens.new_id() if visitor.numbered else tokens.new_tagged_id()
        if wanted == visitor.conversation:
            return wanted
        free = visitor.principal.everything or self._services.settings.client_ids
        if free or tokens.is_ours(wanted):
            return wanted
        if visitor.claimed == wanted and visitor.conversation is not None:
            return visitor.conversation
        if visitor.conversation is None:
            visitor.claimed = wanted
            return tokens.new_id() if visitor.numbered else tokens.new_tagged_id()
        raise RequestRefused(
            403,
            "Forbidden",
            "this server makes session ids itself: use the one of session_confirm"
            " (the option --client-ids lets clients name theirs)",
        )
