"""Session ids that the server makes, and the signed tokens that come with them.

A visitor's page receives a bare id and a token that expires: the id alone opens nothing. A client
that knows only ids (the plain protocol) receives an id with our tag, which opens the session.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

import jwt
import jwt.types

from turnlog import AsyncTurnlog
from turnlog.domain.events import ValueSet
from turnlog.domain.streams import stream
from turnlog.engine.request import Request
from turnlog.server.errors import RequestRefused

ABSENT = {"", "undefined", "null"}
"""What pages send if they stored nothing under the id's name."""

METHOD = "HS256"
_TAG = 16


class Tokens:
    """Makes and checks ids and tokens under one secret. clock: gives UTC seconds.

    log: names the log that the secret is of, the same on each of its servers.
    """

    def __init__(self, secret: bytes, *, life: float, clock: Callable[[], float]) -> None:
        self._ids = hmac.digest(secret, b"turnlog session id", "sha256")
        self._tokens = hmac.digest(secret, b"turnlog session token", "sha256")
        self.log = hmac.digest(secret, b"turnlog log", "sha256").hex()[:32]
        self._life = life
        self._clock = clock

    def new_id(self) -> str:
        """128 random bits, for a client that receives a token with it."""
        return secrets.token_hex(16)

    def new_tagged_id(self) -> str:
        """128 random bits and our tag, for a client that knows only ids."""
        id = secrets.token_hex(16)
        return id + self._tag(id)

    def is_ours(self, id: str) -> bool:
        """Whether the id is from `new_tagged_id`."""
        return len(id) == 32 + _TAG and hmac.compare_digest(self._tag(id[:32]), id[32:])

    def token(self, conversation: str, kind: str = "session", *, until: float | None = None) -> str:
        """A signed token. until: UTC seconds after which it is invalid, if before its usual end."""
        expiry = self._clock() + self._life
        expiry = expiry if until is None else min(expiry, until)
        return jwt.encode({"aud": kind, "sub": conversation, "exp": expiry}, self._tokens, METHOD)

    def conversation(self, token: str, kind: str = "session") -> str:
        """The subject of a token. Raises RequestRefused for a foreign or expired token."""
        return str(decoded(token, self._tokens, METHOD, clock=self._clock, audience=kind)["sub"])

    def _tag(self, id: str) -> str:
        return hmac.new(self._ids, id.encode(), hashlib.sha256).hexdigest()[:_TAG]


def decoded(
    token: str,
    key: str | bytes,
    method: str,
    *,
    clock: Callable[[], float],
    audience: str | None = None,
) -> dict[str, object]:
    """A token's claims, after its signature and times are checked. Raises RequestRefused (401)."""
    checked: jwt.types.Options = {
        "verify_exp": False,  # checked below, against our own clock
        "verify_nbf": False,
        "verify_iat": False,
        "verify_aud": audience is not None,
    }
    try:
        claims: dict[str, object] = jwt.decode(
            token, key, algorithms=[method], audience=audience, options=checked
        )
    except jwt.PyJWTError as error:
        raise RequestRefused(401, "NotAuthenticated", "invalid token") from error
    now = clock()
    if not _in_time(claims, now):
        raise RequestRefused(401, "Expired", "the token has expired or is not valid yet")
    return claims


def _in_time(claims: dict[str, object], now: float) -> bool:
    expiry, begin = claims.get("exp", now + 1), claims.get("nbf", now)
    if not isinstance(expiry, int | float) or not isinstance(begin, int | float):
        return False
    return begin <= now < expiry


def named(value: object) -> str | None:
    """The session id that a client sent, None if it sent none."""
    return value if isinstance(value, str) and value not in ABSENT else None


async def stored_secret(log: AsyncTurnlog) -> bytes:
    """The log's secret, made on first use: every server on the log has the same."""
    secret = ValueSet("secret", secrets.token_hex(32))
    now = log.sync.clock()
    request = Request(stream("server"), lambda *_: [secret], now, now, secret.key)
    recorded = await log.submit(request)
    [known] = recorded.events
    assert isinstance(known, ValueSet)
    return bytes.fromhex(known.value)
