"""Requests to a turnlog server, tried again while it is away."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from collections import deque
from typing import Any, Deque, Dict, List, NamedTuple, Optional
from urllib.parse import quote, urlencode, urlsplit

TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


class Refused(ValueError):
    """The server understood and said no; trying again would not help."""


class History(NamedTuple):
    """What the server shows of a conversation.

    event: how many events it has in the log, 0 where there is none. after: all events shown come
    after that one; 0 where it is the whole. first: number of the first event shown.
    """

    events: List[Dict[str, Any]]
    event: int
    after: int
    first: int


class Client:
    """Speaks to one server, from any thread.

    timeout: seconds a request may take. patience: seconds for which a request that did not come
    through is tried again.
    """

    def __init__(
        self,
        url: str,
        auth_token: Optional[str] = None,
        timeout: float = 10.0,
        patience: float = 10.0,
    ) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no URL of a turnlog server")
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
        self.writer = f"rasa-{uuid.uuid4().hex[:12]}"
        self._parts = parts
        self._headers = {"Content-Type": "application/json"}
        if auth_token:
            self._headers["Authorization"] = f"Bearer {auth_token}"
        self._timeout = float(timeout)
        self._patience = float(patience)
        self._idle: Deque[http.client.HTTPConnection] = deque()

    def check(self) -> None:
        """Raise ConnectionError unless a turnlog server answers that lets us in."""
        try:
            self.read(f"{self.writer}-check", "NONE", patience=0.0)
        except (ConnectionError, ValueError) as error:
            raise ConnectionError(
                f"the turnlog server {self.url} cannot be used: {error}; start it with"
                " `turnlog serve`, or name another one in endpoints.yml"
            ) from error

    def read(
        self, sender: str, show: str, after: int = 0, patience: Optional[float] = None
    ) -> History:
        """The conversation's events: `show` is ALL, SESSION or NONE."""
        query = {"include_events": show, "after": after}
        headers, body = self.request("GET", sender, "tracker", query, patience=patience)
        events = body.get("events") or []
        first = int(headers.get("Turnlog-First") or 0)
        return History(events, _event(headers), int(headers.get("Turnlog-After") or 0), first)

    def append(self, sender: str, events: List[Dict[str, Any]], key: str, **query: Any) -> int:
        """Append events, once for each key; how many events the conversation has then."""
        return self._write("POST", sender, events, key, query)

    def replace(self, sender: str, events: List[Dict[str, Any]], key: str, **query: Any) -> int:
        """Replace the history after event `to`; how many events the conversation has then."""
        return self._write("PUT", sender, events, key, query)

    def names(self) -> List[str]:
        """The ids of all conversations."""
        _, body = self._patiently("GET", "/conversations", None, {}, None)
        return [_given(name) for name in body]

    def _write(
        self, method: str, sender: str, events: List[Dict[str, Any]], key: str, query: Dict
    ) -> int:
        query = {"include_events": "NONE", "keep_unknown": "true", **query}
        given = {name: value for name, value in query.items() if value is not None}
        extra = {"Idempotency-Key": key}
        headers, _ = self.request(method, sender, "tracker/events", given, events, extra)
        return _event(headers)

    def request(
        self,
        method: str,
        sender: str,
        path: str,
        query: Dict[str, Any],
        content: Any = None,
        headers: Optional[Dict[str, str]] = None,
        patience: Optional[float] = None,
    ):
        target = f"/conversations/{quote(_named(sender), safe='')}/{path}?{urlencode(query)}"
        body = None if content is None else json.dumps(content).encode()
        return self._patiently(method, target, body, headers or {}, patience)

    def _patiently(self, method, target, body, headers, patience):
        """Try, and try again with growing pauses, until it is answered or patience is over."""
        end = time.monotonic() + (self._patience if patience is None else patience)
        pause = 0.05
        while True:
            try:
                return self._once(method, target, body, headers)
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() + pause > end:
                    raise ConnectionError(f"{self.url} does not answer: {error!r}") from error
            time.sleep(pause)
            pause = min(pause * 2, 1.0)

    def _once(self, method, target, body, headers):
        connection = self._idle.pop() if self._idle else self._connection()
        path = self._parts.path.rstrip("/") + target
        try:
            connection.request(method, path, body, {**self._headers, **headers})
            response = connection.getresponse()
            content = response.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        if response.status in TRANSIENT:
            raise http.client.HTTPException(f"{response.status} {content[:200]!r}")
        if response.status >= 400:
            raise Refused(f"{response.status}: {_message(content)}")
        return response.headers, json.loads(content)

    def _connection(self):
        https = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
        return kind(self._parts.hostname, self._parts.port, timeout=self._timeout)

    def close(self) -> None:
        """Let go of the connections; the next request opens a new one."""
        while self._idle:
            self._idle.pop().close()


def _named(sender: str) -> str:
    """The id as a segment of a path can hold it: a slash as %2F."""
    if "/" not in sender and "%2F" not in sender and "%25" not in sender:
        return sender
    return sender.replace("%", "%25").replace("/", "%2F")


def _given(name: str) -> str:
    if "%2F" not in name and "%25" not in name:
        return name
    return name.replace("%2F", "/").replace("%25", "%")


def _event(headers) -> int:
    return int((headers.get("ETag") or "0").strip('"') or 0)


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return repr(content[:200])
