"""Given a server, when a user reads over HTTP, then roles count and readings are recorded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest

import turnlog
from tests.parts import turnlog as turnlog_part
from turnlog.engine.access import accesses, set_recording

if TYPE_CHECKING:
    from tests.parts.server import Server

ADMIN, KEY = "the-token", "a key of at least thirty-two bytes, ok"


def headers(*roles: str, sub: str = "Eva", **more: str) -> dict[str, str]:
    claims = {"sub": sub, "roles": list(roles), "exp": time.time() + 600}
    return {"Authorization": f"Bearer {jwt.encode(claims, KEY, 'HS256')}", **more}


@pytest.fixture
def db(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'chat.db'}"


@pytest.fixture
def guarded(db: str) -> Iterator[Server]:
    with turnlog_part.running("--auth-token", ADMIN, "--jwt-key", KEY, db=db) as server:
        said = {"sender": "B", "message": "hello"}
        admin = {"Authorization": f"Bearer {ADMIN}"}
        httpx.post(f"{server.url}/webhooks/rest/webhook", json=said, headers=admin)
        yield server


def read(db: str) -> list[dict[str, Any]]:
    with turnlog.open(db, readonly=True) as log:
        return list(accesses(log))


EVENTS, TRACKER = "/v1/conversations/B/events", "/conversations/B/tracker"
ASKED = [
    ("GET", EVENTS, {"read"}),
    ("GET", TRACKER, {"read"}),
    ("GET", "/inspect/api/conversations", {"read"}),
    ("GET", "/inspect/api/timeline?conversation=B", {"read"}),
    ("GET", "/inspect/api/why?conversation=B&event=1", {"read"}),
    ("GET", "/conversations/B/story", {"export"}),
    ("POST", EVENTS, {"administer"}),
    ("POST", "/v1/conversations/B/fork", {"administer"}),
    ("DELETE", TRACKER, {"erase"}),
]


def test_a_role_grants_what_it_names_and_no_more(guarded: Server):
    with httpx.Client(base_url=guarded.url) as http:
        for method, path, granted in ASKED:
            for role in ("read", "export", "erase", "administer"):
                body = {"json": {}} if method == "POST" else {}
                answer = http.request(method, path, headers=headers(role), **body)
                refused = answer.status_code == 403
                allowed = role in granted or role == "administer"
                assert refused != allowed, (method, path, role, answer.text)


@pytest.mark.parametrize("roles", ["read", ["read", "rule"], [["read"]], None, {"read": 1}])
def test_unknown_roles_are_refused(guarded: Server, roles: Any):
    claims = {"sub": "Eva", "roles": roles, "exp": time.time() + 600}
    given = {"Authorization": f"Bearer {jwt.encode(claims, KEY, 'HS256')}"}
    assert httpx.get(guarded.url + EVENTS, headers=given).status_code == 401


def test_a_token_without_roles_has_every_role(guarded: Server):
    claims = {"sub": "B", "exp": time.time() + 600}
    given = {"Authorization": f"Bearer {jwt.encode(claims, KEY, 'HS256')}"}
    assert httpx.get(guarded.url + EVENTS, headers=given).status_code == 200


def test_the_inspectors_cookie_reads_and_no_more(guarded: Server):
    with httpx.Client(base_url=guarded.url) as http:
        token = headers("erase")["Authorization"].removeprefix("Bearer ")
        assert http.get("/inspect", params={"token": token}).status_code == 403
        token = headers("read")["Authorization"].removeprefix("Bearer ")
        assert http.get("/inspect", params={"token": token}).status_code == 303
        assert http.get("/inspect/api/timeline", params={"conversation": "B"}).status_code == 200


def test_nothing_is_recorded_unless_the_log_is_set_to_it(guarded: Server, db: str):
    httpx.get(guarded.url + EVENTS, headers=headers("read"))
    assert read(db) == []


def test_who_reads_what_and_why_is_recorded_first(guarded: Server, db: str):
    with turnlog.open(db) as log:
        set_recording(log, on=True, actor="the DPO")
    why = {"Turnlog-Reason": "complaint 7"}
    with httpx.Client(base_url=guarded.url) as http:
        http.get(EVENTS, headers=headers("read", **why))
        http.get("/inspect/api/conversations", headers={"Authorization": f"Bearer {ADMIN}"})
        token = headers("read", sub="Ann")["Authorization"].removeprefix("Bearer ")
        http.get("/inspect", params={"token": token})
        http.get("/inspect/api/timeline", params={"conversation": "B"})
        own = {"sub": "B", "exp": time.time() + 600}
        mine = {"Authorization": f"Bearer {jwt.encode(own, KEY, 'HS256')}"}
        assert http.get(EVENTS, headers=mine).status_code == 200
        http.get("/health")
    found = [(r["actor"], r["way"], r["conversations"], r["reason"]) for r in read(db)]
    assert found == [
        ("Eva", "GET /v1/conversations/{conversation}/events", ["B"], "complaint 7"),
        ("the auth token", "GET /inspect/api/conversations", [], None),
        ("Ann", "GET /inspect/api/timeline", ["B"], None),
    ]
