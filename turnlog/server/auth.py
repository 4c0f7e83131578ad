"""Who may do what: every request and every event of a socket is authorised for a conversation."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from turnlog.server.errors import RequestRefused
from turnlog.server.settings import Settings
from turnlog.server.tokens import Tokens, decoded

COOKIE = "turnlog_inspect"
EVERYTHING = "everything"


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who showed a credential, or needed none.

    conversation: the only one that is theirs, None for none. expires: UTC seconds.
    """

    everything: bool = False
    conversation: str | None = None
    expires: float | None = None

    def in_time(self, now: float) -> None:
        if self.expires is not None and now >= self.expires:
            raise RequestRefused(401, "Expired", "the token has expired")

    def require(self, conversation: str | None, now: float) -> None:
        """Raise RequestRefused unless the conversation (None: all of them) is theirs."""
        self.in_time(now)
        if not self.everything and (conversation is None or conversation != self.conversation):
            raise RequestRefused(403, "Forbidden", "the token does not grant this conversation")


class Auth:
    """Credentials into principals. clock: gives UTC seconds."""

    def __init__(self, settings: Settings, tokens: Tokens, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._tokens = tokens
        self.clock = clock

    def principal(self, credential: str | None) -> Principal:
        """Whoever holds a credential: the auth token or a JWT. Raises RequestRefused (401)."""
        settings = self._settings
        if not settings.protected:
            return Principal(everything=True)
        if credential is None:
            raise RequestRefused(401, "NotAuthenticated", "this server asks for a token")
        if settings.auth_token is not None and _same(credential, settings.auth_token):
            return Principal(everything=True)
        if settings.jwt_key is None:
            raise RequestRefused(401, "NotAuthenticated", "the token is not valid")
        return _of_claims(
            decoded(credential, settings.jwt_key, settings.jwt_method, clock=self.clock)
        )

    def visitor(self, credential: str | None) -> Principal:
        """Whoever opens a socket: anybody, unless the server has a JWT key."""
        if credential is None and self._settings.jwt_key is None:
            return Principal()
        return self.principal(credential) if self._settings.protected else Principal()

    def reader(self, cookie: str) -> Principal:
        """Whoever holds the inspector's cookie."""
        subject = self._tokens.conversation(cookie, "inspect")
        return Principal(everything=True) if subject == EVERYTHING else _only(subject[1:])

    def cookie(self, principal: Principal) -> str:
        subject = EVERYTHING if principal.everything else f"/{principal.conversation}"
        return self._tokens.token(subject, "inspect")


def _of_claims(claims: dict[str, Any]) -> Principal:
    """Rasa's `user: {username, role}`, else `conversation`, else `sub`."""
    user = claims.get("user")
    user = user if isinstance(user, dict) else {}
    if user.get("role") == "admin":
        return Principal(everything=True, expires=claims.get("exp"))
    names = (user.get("username"), claims.get("conversation"), claims.get("sub"))
    name = next((n for n in names if isinstance(n, str) and n), None)
    return _only(name, claims.get("exp"))


def _only(conversation: str | None, expires: float | None = None) -> Principal:
    return Principal(conversation=conversation, expires=expires)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())


def credential(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """The header `Authorization: Bearer …`, or `?token=`."""
    scheme, _, value = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        return value.strip()
    return connection.query_params.get("token")


def authorised(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The guard of every route: it serves the conversation of its path, or needs everything.

    A route says otherwise in `opt`: access="open" asks for nothing, access="handler" for a
    principal whose rights the handler checks itself.
    """
    access = handler.opt.get("access")
    if access == "open":
        return
    auth: Auth = connection.app.state.auth
    principal = holder(connection, auth)
    connection.state.principal = principal
    if access != "handler":
        principal.require(connection.path_params.get("conversation"), auth.clock())


def holder(connection: ASGIConnection[Any, Any, Any, Any], auth: Auth) -> Principal:
    """Whoever a request comes from; the inspector's cookie counts on its paths alone."""
    token = credential(connection)
    cookie = connection.cookies.get(COOKIE)
    if token is None and cookie is not None and connection.url.path.startswith("/inspect"):
        return auth.reader(cookie)
    return auth.principal(token)
