"""Authorisation: every request and every socket event needs rights for its conversation."""

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
EVERYTHING, ADMINISTERING = "everything", "administering"
"""What the inspector's cookie says of a reader of everything, and of one who may also write."""

READ, EXPORT, ERASE, ADMINISTER = "read", "export", "erase", "administer"
"""Roles that the claim `roles` of a token may list. `administer` includes all others."""

_ROLE_OF = {"GET": READ, "HEAD": READ, "OPTIONS": READ, "DELETE": ERASE}


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """The sender of a request, who showed a credential or needed none.

    conversation: the only one that this principal may use, None for none. expires: UTC seconds.
    name: recorded for accountability. roles: None for all.
    """

    everything: bool = False
    conversation: str | None = None
    expires: float | None = None
    name: str | None = None
    roles: frozenset[str] | None = None

    def in_time(self, now: float) -> None:
        """Raises RequestRefused (401) if the token has expired."""
        if self.expires is not None and now >= self.expires:
            raise RequestRefused(401, "Expired", "the token has expired")

    def require(self, conversation: str | None, now: float) -> None:
        """Raises RequestRefused unless the principal may use the conversation (None: all)."""
        self.in_time(now)
        if not self.everything and (conversation is None or conversation != self.conversation):
            raise RequestRefused(403, "Forbidden", "the token does not grant this conversation")

    def plays(self, role: str) -> bool:
        """Whether the principal has the role."""
        return self.roles is None or bool(self.roles & {role, ADMINISTER})

    def play(self, role: str) -> None:
        """Raises RequestRefused unless the principal has the role."""
        if not self.plays(role):
            raise RequestRefused(403, "Forbidden", f"the token does not grant the role {role!r}")


class Auth:
    """Turns credentials into principals. clock: gives UTC seconds."""

    def __init__(self, settings: Settings, tokens: Tokens, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._tokens = tokens
        self.clock = clock

    def principal(self, credential: str | None) -> Principal:
        """The principal for an auth token or a JWT. Raises RequestRefused (401)."""
        settings = self._settings
        if not settings.protected:
            return Principal(everything=True)
        if credential is None:
            raise RequestRefused(401, "NotAuthenticated", "this server requires a token")
        if settings.auth_token is not None and _same(credential, settings.auth_token):
            return Principal(everything=True, name="the auth token")
        if settings.jwt_key is None:
            raise RequestRefused(401, "NotAuthenticated", "invalid token")
        return _of_claims(
            decoded(credential, settings.jwt_key, settings.jwt_method, clock=self.clock)
        )

    def visitor(self, credential: str | None) -> Principal:
        """The principal for a new socket. No token is needed unless the server has a JWT key."""
        if credential is None and self._settings.jwt_key is None:
            return Principal()
        principal = self.principal(credential) if self._settings.protected else Principal()
        principal.play(ADMINISTER)
        return principal

    def reader(self, cookie: str) -> Principal:
        """The principal for the inspector's cookie."""
        subject = self._tokens.conversation(cookie, "inspect")
        if subject.startswith("/"):
            return _only(subject[1:])
        may, _, name = subject.partition(" ")
        roles = frozenset({READ, ADMINISTER} if may == ADMINISTERING else {READ})
        return Principal(everything=True, name=name or None, roles=roles)

    def cookie(self, principal: Principal) -> str:
        """The value of the inspector's cookie for a principal."""
        principal.play(READ)
        may = ADMINISTERING if principal.plays(ADMINISTER) else EVERYTHING
        everything = f"{may} {principal.name or ''}".rstrip()
        subject = everything if principal.everything else f"/{principal.conversation}"
        return self._tokens.token(subject, "inspect")


def _of_claims(claims: dict[str, Any]) -> Principal:
    """Rasa's `user: {username, role}`, else `conversation`, else `sub`.

    A token with `roles` belongs to someone who looks after the log; `sub` names them.
    """
    user = claims.get("user")
    user = user if isinstance(user, dict) else {}
    expires: Any = claims.get("exp")
    name = next((n for n in (user.get("username"), claims.get("sub")) if _is_name(n)), None)
    if "roles" in claims:
        return Principal(everything=True, expires=expires, name=name, roles=_roles(claims))
    if user.get("role") == "admin":
        return Principal(everything=True, expires=expires, name=name)
    names = (user.get("username"), claims.get("conversation"), claims.get("sub"))
    return _only(next(filter(_is_name, names), None), expires)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _roles(claims: dict[str, Any]) -> frozenset[str]:
    """The roles in the claim `roles`. Raises RequestRefused (401) for unknown roles."""
    roles = claims["roles"]
    known = (READ, EXPORT, ERASE, ADMINISTER)
    if not isinstance(roles, list) or not all(role in known for role in roles):
        why = f"the token's roles must be a list of {READ}, {EXPORT}, {ERASE}, {ADMINISTER}"
        raise RequestRefused(401, "NotAuthenticated", why)
    return frozenset(roles)


def _only(conversation: str | None, expires: float | None = None) -> Principal:
    return Principal(conversation=conversation, expires=expires)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())


def credential(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """The token in the header `Authorization: Bearer …`, or in `?token=`."""
    scheme, _, value = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        return value.strip()
    return connection.query_params.get("token")


def authorised(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The guard of every route: the request needs the conversation of its path, or everything.

    A route changes this in `opt`: access="open" needs nothing, access="handler" needs a principal
    whose rights the handler checks itself, and role="export" needs another role than the method's.
    """
    access = handler.opt.get("access")
    if access == "open":
        return
    auth: Auth = connection.app.state.auth
    principal = holder(connection, auth)
    connection.state.principal = principal
    principal.play(handler.opt.get("role") or _role_of(connection))
    if access != "handler":
        principal.require(connection.path_params.get("conversation"), auth.clock())


def _role_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The role that a request's method needs."""
    return _ROLE_OF.get(str(connection.scope.get("method")), ADMINISTER)


def holder(connection: ASGIConnection[Any, Any, Any, Any], auth: Auth) -> Principal:
    """The principal of a request. The inspector's cookie counts only on the inspector's paths."""
    token = credential(connection)
    cookie = connection.cookies.get(COOKIE)
    if token is None and cookie is not None and connection.url.path.startswith("/inspect"):
        return auth.reader(cookie)
    return auth.principal(token)
