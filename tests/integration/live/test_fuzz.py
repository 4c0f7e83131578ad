"""Every route of the OpenAPI document, with requests that no client should send: never a 5xx."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.parts import turnlog as turnlog_part

BODIES = [
    b"", b"\xff", b'{"message":"\xff"}', b'{"sender":"\xff","message":"hi"}', b"[" * 5_000,
    b'{"a":' * 5_000, b'"' + b"\xc3" + b'"', b'"\\ud800"', b"nul", b"null", b"[]", b"{}", b'""',
    b"0",
    b"1e999", b"-0.0", b"9" * 5_000, b"NaN", b"Infinity", b"[null]", b"[[]]", b'{"":""}', b"\x00",
    b'{"a":1}}', b"\xef\xbb\xbf{}", b'{"type":"UserUttered","text":"\xff"}', b'[{"type":[]}]',
    b'{"type":"UserUttered","text":"\\u0000"}', b'{"type":"SlotSet","name":"a","value":1e400}',
    b'{"text":"x","sender":"user","parse_data":"\xff"}', b'[{"event":"user","timestamp":1e400}]',
    b'{"unit":"a","state":{}}', b'{"text":"x","wait":1e308}', b'{"wait":-1}', b'{"wait":1e18}',
    b'{"attempts":9223372036854775808,"wait":1}', b'{"save":{"a":NaN}}', b'{"evict":[1]}',
    b'{"message":"hi","sender":"\\u001fserver"}',
    b'{"message":"hi","sender":"' + b"a" * 2_000 + b'"}',
    b'{"token":"\\ud800"}', b'{"token":"a.b.c"}', b'{"message":"hi","metadata":{"a":1e999}}',
    b'{"message":"hi","message_id":"\\n"}', b'{"turn":-1,"as":"x"}', b'{"event":1e30,"as":""}',
]  # fmt: skip
PARTS = [
    "x", "there", "%FF", "%00", "%1Fserver", "a" * 3_000, "%2F", "..", "%ED%A0%80", "%F0%9F%98%80",
    ".",
    "%252F", "+", "%0A", "a%00b", "%5B", "-1", "null", "{x}", "~", ";", "%F4%90%80%80",
]  # fmt: skip
VALUES = [
    "", "0", "-1", "1", "x", "1e999", "nan", "inf", "-inf", "9" * 30, "%FF", "%00", "true",
    "%F0%9F", str(2**63), str(2**63 - 1), str(-(2**63)), str(2**53), "1.5", "ALL", "a=b,c",
    "slot.a=1", "after=x", "[" * 100, "%C3", "a" * 5_000, "*", "slot.=", "tag=,", "0x1",
]  # fmt: skip
HEADERS = [
    {}, {"Last-Event-ID": "9" * 40}, {"Last-Event-ID": "-1"}, {"Last-Event-ID": "²"},
    {"Idempotency-Key": ""}, {"Idempotency-Key": "\x7f"}, {"Idempotency-Key": "k" * 5_000},
    {"If-None-Match": "x"}, {"Authorization": "Bearer"}, {"Authorization": "Bearer a.b.c"},
    {"Cookie": "turnlog_inspect=x"}, {"Accept": "x"}, {"Accept-Encoding": "gzip;q=0"},
    {"Range": "bytes=0-0"},
]  # fmt: skip
TYPES = ["application/json", "application/json", "application/json", "text/plain", "", "a/b+json",
         "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]  # fmt: skip


class Route(NamedTuple):
    method: str
    path: str
    query: tuple[str, ...]


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """A client of a separate server that may be filled with nonsense; the page's session."""
    with (
        turnlog_part.running("--client-ids") as server,
        httpx.Client(base_url=server.url, timeout=20) as client,
    ):
        client.post("/webhooks/rest/webhook", json={"sender": "there", "message": "hi"})
        begun = client.post("/chat/session", json={"conversation": "page"}).json()
        client.headers["Authorization"] = f"Bearer {begun['token']}"
        yield client


@pytest.fixture(scope="module")
def routes(http: httpx.Client) -> list[Route]:
    """The routes, with those that delete last."""
    found = []
    for path, methods in http.get("/openapi/openapi.json").json()["paths"].items():
        for method, described in methods.items():
            query = [p["name"] for p in described.get("parameters", ()) if p["in"] == "query"]
            found.append(Route(method.upper(), path, tuple(query)))
    assert len(found) > 40
    return sorted(found, key=lambda route: route.method == "DELETE")


def asked(
    http: httpx.Client, route: Route, parts: list[str], query: dict[str, str], body: bytes,
    headers: dict[str, str],
) -> int:  # fmt: skip
    """The status of an answer; an endless one is not read to its end."""
    path = "/".join(
        parts.pop() if "{" in step and parts else "x" if "{" in step else step
        for step in route.path.split("/")
    )
    query = {"conversation": "there"} | query if "conversation" in route.query else query
    given = "&".join(f"{name}={value}" for name, value in query.items())
    url = http.base_url.copy_with(raw_path=f"{path}?{given}".encode())
    encoded = {name: value.encode() for name, value in headers.items() if value}
    content = body if route.method in ("POST", "PUT", "PATCH") else None
    with http.stream(route.method, url, content=content, headers=encoded) as answer:
        return answer.status_code


def tries(route: Route) -> Iterator[tuple[list[str], dict[str, str], bytes, dict[str, str]]]:
    """Path, query, body and headers, one of them nonsense."""
    plain = {"Content-Type": "application/json"}
    if route.method in ("POST", "PUT", "PATCH"):
        yield from ((["x", "there"], {}, body, plain) for body in BODIES)
    yield from ((["x", part], {}, b"{}", plain) for part in PARTS)
    if route.path.count("{") > 1:
        yield from (([part, "there"], {}, b"1", plain) for part in PARTS)
    for name in route.query:
        yield from ((["x", "there"], {name: value}, b"{}", plain) for value in VALUES)
    yield from ((["x", "there"], {}, b"{}", {**plain, **more}) for more in HEADERS)
    yield from ((["x", "there"], {}, b"a=%FF", {"Content-Type": kind}) for kind in TYPES)


def test_no_known_nonsense_makes_a_route_fail(http: httpx.Client, routes: list[Route]) -> None:
    failed = []
    for route in routes:
        for parts, query, body, headers in tries(route):
            status = asked(http, route, list(parts), query, body, headers)
            if status >= 500:
                failed.append((status, route, parts, query, body[:60], headers))
    assert failed == []


def test_a_body_that_is_not_utf8_or_too_deep_is_the_clients_fault(
    http: httpx.Client, routes: list[Route]
) -> None:
    kind = {"Content-Type": "application/json"}
    for route in routes:
        if route.method in ("POST", "PUT", "PATCH"):
            for body in (b'{"message":"\xff"}', b'{"a":"\xff"}', b"[" * 5_000):
                status = asked(http, route, ["x", "there"], {}, body, kind)
                assert status == 400, (route, body[:20])


BYTES = st.binary(max_size=40) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["message", "sender", "type", "text", "event", "unit", "save", "name"])
        | st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())  # fmt: skip
WORDS = st.text(max_size=8).map(lambda text: quote(text.encode("utf-8", "surrogatepass"), safe=""))


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_random_nonsense_makes_a_route_fail(
    http: httpx.Client, routes: list[Route], data: st.DataObject
) -> None:
    route = data.draw(st.sampled_from(routes))
    parts = [data.draw(WORDS | st.sampled_from(PARTS)) for _ in range(2)]
    names = [name for name in route.query if data.draw(st.booleans())]
    query = {name: data.draw(WORDS | st.sampled_from(VALUES)) for name in names}
    body = data.draw(BYTES | st.sampled_from(BODIES))
    kind = {"Content-Type": data.draw(st.sampled_from(TYPES))}
    headers = kind | data.draw(st.sampled_from(HEADERS))
    assert asked(http, route, parts, query, body, headers) < 500
