"""Requests to a turnlog server, retried while it is unreachable."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
import uuid
from collections import deque
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional
from urllib.parse import quote, urlencode, urlsplit

from turnlog_rasa.answers import Away, NotFound, NotTaken, content_of, events_in


class History(NamedTuple):
    """A conversation as the server shows it.

    event: the number of its events in the log, 0 for an unknown conversation. after: all events
    shown come after that one; 0 if all are shown. first: number of the first event shown.
    """

    events: List[Dict[str, Any]]
    event: int
    after: int
    first: int


class Effort(NamedTuple):
    """How often a request is retried.

    patience: seconds. probing: also while the server is known to be unreachable. failed: called
    when the first attempt fails.
    """

    patience: float
    probing: bool = False
    failed: Optional[Callable[[], None]] = None


PROBE = Effort(0.0, probing=True)


class Client:
    """Speaks to one server, from any thread.

    timeout: seconds for one request. patience: seconds for which a failed request is retried. After
    that, `away` says why, and requests fail immediately until one that probes succeeds. took:
    called when a request was carried out.
    """

    def __init__(
        self,
        url: str,
        auth_token: Optional[str] = None,
        timeout: float = 10.0,
        patience: float = 10.0,
    ) -> None:
        parts = urlsplit(url if "//" in (url or "") else f"http://{url or ''}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url: {url!r} is not the URL of a turnlog server; see endpoints.yml")
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
        self.log = self.url
        self.writer = f"rasa-{uuid.uuid4().hex[:12]}"
        self.away: Optional[str] = None
        self.took: Callable[[], None] = lambda: None
        self._parts = parts
        self.configure(auth_token, timeout, patience)
        self._idle: Deque[http.client.HTTPConnection] = deque()

    def configure(self, auth_token: Optional[str], timeout: float, patience: float) -> None:
        """Continues with another token and other times."""
        self._headers = {"Content-Type": "application/json"}
        if auth_token:
            self._headers["Authorization"] = f"Bearer {auth_token}"
        self._timeout = float(timeout)
        self.usual = Effort(float(patience))

    def check(self) -> None:
        """Raises ConnectionError unless a turnlog server answers and accepts the token."""
        try:
            self.probe()
        except (ConnectionError, ValueError) as error:
            raise ConnectionError(
                f"the turnlog server {self.url} cannot be used: {error}; start it with"
                " `turnlog serve`, or name another one in endpoints.yml"
            ) from error

    def probe(self) -> None:
        """Sends one small request, once. Raises ConnectionError."""
        self.read(f"{self.writer}-check", "NONE", effort=PROBE)

    def read(
        self, sender: str, show: str, after: int = 0, effort: Optional[Effort] = None
    ) -> History:
        """The conversation's events. `show` is ALL, SESSION or NONE."""
        target = _target(sender, "tracker", include_events=show, after=after)
        headers, body = self._request("GET", target, effort=effort)
        self.log = headers.get("Turnlog-Log") or self.url
        first = int(headers.get("Turnlog-First") or 0)
        after = int(headers.get("Turnlog-After") or 0)
        return History(body.get("events") or [], events_in(headers), after, first)

    def write(
        self,
        method: str,
        sender: str,
        events: List[Dict[str, Any]],
        key: str,
        effort: Optional[Effort] = None,
        **query: Any,
    ) -> int:
        """POSTs or PUTs events, once for each key, and returns the conversation's number of
        events.
        """
        given = {name: value for name, value in query.items() if value is not None}
        target = _target(
            sender, "tracker/events", include_events="NONE", keep_unknown="true", **given
        )
        extra = {"Idempotency-Key": key}
        return events_in(self._request(method, target, events, extra, effort)[0])

    def delete(self, sender: str, effort: Optional[Effort] = None) -> None:
        """Deletes a conversation, if it exists."""
        with contextlib.suppress(NotFound):
            self._request("DELETE", _target(sender, "tracker"), effort=effort)

    def names(self) -> List[str]:
        """The ids of all conversations."""
        _, names = self._request("GET", "/conversations")
        return list(names)

    def _request(
        self,
        method: str,
        target: str,
        content: Any = None,
        headers: Optional[Dict[str, str]] = None,
        effort: Optional[Effort] = None,
    ) -> Any:
        """Headers and content of the answer. Raises Refused, NotTaken or Away."""
        body = None if content is None else json.dumps(content).encode()
        given = {**self._headers, **(headers or {})}
        answer = self._patiently(
            lambda: self._once(method, target, body, given), effort or self.usual
        )
        self.took()
        return answer

    def _patiently(self, ask: Callable[[], Any], effort: Effort) -> Any:
        """Sends a request, with growing pauses in between, until it is answered or patience
        ends.
        """
        if self.away and not effort.probing:
            raise Away(self.away)
        end = time.monotonic() + effort.patience
        pause = 0.05
        while True:
            try:
                answer = self._answered(ask)
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, NotTaken):
                    raise
                if effort.failed is not None and pause == 0.05:
                    effort.failed()
                if time.monotonic() + pause > end or (self.away and not effort.probing):
                    self.away = f"{self.url} does not answer: {error!r}"
                    raise Away(self.away) from error
            else:
                return answer
            time.sleep(pause)
            pause = min(pause * 2, 1.0)

    def _answered(self, ask: Callable[[], Any]) -> Any:
        """The answer. Any answer shows that the server is reachable."""
        try:
            answer = ask()
        except (NotTaken, ValueError):
            self.away = None
            raise
        self.away = None
        return answer

    def _once(self, method: str, target: str, body: Any, headers: Dict[str, str]) -> Any:
        path = self._parts.path.rstrip("/") + target
        response, content = self._exchange(method, path, body, headers)
        return response.headers, content_of(response.status, content)

    def _exchange(self, method: str, path: str, body: Any, headers: Dict[str, str]) -> Any:
        """One request; on a new connection if the server has closed the kept one."""
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._spoken(self._connection(), method, path, body, headers)
        try:
            return self._spoken(connection, method, path, body, headers)
        except (ConnectionError, http.client.BadStatusLine):
            self.close()
            return self._spoken(self._connection(), method, path, body, headers)

    def _spoken(
        self, connection: Any, method: str, path: str, body: Any, headers: Dict[str, str]
    ) -> Any:
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return response, content

    def _connection(self) -> http.client.HTTPConnection:
        https = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=self._timeout)

    def close(self) -> None:
        """Closes the connections. The next request opens a new one."""
        while self._idle:
            self._idle.pop().close()


def _target(sender: str, path: str, **query: Any) -> str:
    """The id as one path segment, encoded once."""
    asked = f"?{urlencode(query)}" if query else ""
    return f"/conversations/{quote(sender, safe='', errors='surrogatepass')}/{path}{asked}"
