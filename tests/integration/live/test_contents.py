"""Given bytes in a conversation, when a client requests them, then they come as a download."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import turnlog
from tests.integration.live.test_security import ADMIN, KEY, token
from tests.parts import turnlog as turnlog_part
from tests.parts.server import Server
from turnlog import ForeignRecorded, MediaAdded, MessageRedacted, UserUttered

PAGE = b"<script>document.title = 'run'</script>"
FILM = os.urandom(3_000_001)
"""The last piece is not a full one."""


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server with a token and a key; A and B have bytes."""
    with turnlog_part.running("--auth-token", ADMIN, "--jwt-key", KEY) as server:
        with turnlog.open(f"sqlite:///{server.folder}/chat.db") as log:
            for id in ("A", "B/ö"):
                log.record(id, UserUttered("look"), *CONTENTS)
        yield server


CONTENTS = [
    MediaAdded("video", "video/mp4", content=FILM, actor="user", filename='fi"lm\r\nX: 1; ö.mp4'),
    MediaAdded("image", "image/png", content=b"small", actor="user"),
    MediaAdded("image", "image/svg+xml", content=PAGE, actor="user", filename="x.svg"),
    MediaAdded("file", "Text/HTML; charset=utf-8", content=PAGE, actor="user"),
    MediaAdded("file", "text/javascript", content=PAGE, actor="user"),
    MediaAdded("file", "a/b\r\nX-Injected: 1", content=PAGE, actor="user"),
    MediaAdded("file", "text/plain; charset=utf-8", content=PAGE, actor="user"),
    ForeignRecorded("langgraph", "checkpoint", FILM[1:]),
    MediaAdded("image", uri="https://example.org/x.png", actor="user"),
]
TYPES = [
    "video/mp4", "image/png", "application/octet-stream", "application/octet-stream",
    "application/octet-stream", "application/octet-stream", "text/plain",
    "application/octet-stream",
]  # fmt: skip


def asked(server: Server, event: Any, id: str = "A", by: str = ADMIN) -> httpx.Response:
    path = f"/v1/conversations/{id.replace('/', '%2F')}/events/{event}/content"
    return httpx.get(server.url + path, headers={"Authorization": f"Bearer {by}"}, timeout=20)


@pytest.mark.parametrize("id", ["A", "B/ö"])
def test_the_bytes_come_as_a_download_that_no_browser_runs(guarded: Server, id: str) -> None:
    for number, (event, media_type) in enumerate(zip(CONTENTS, TYPES, strict=False), 2):
        answer = asked(guarded, number, id)
        held = event.content if isinstance(event, MediaAdded) else getattr(event, "body", b"")
        assert (answer.status_code, answer.content) == (200, held)
        headers = answer.headers
        assert headers["content-type"].partition(";")[0] == media_type
        assert headers["content-length"] == str(len(held))
        assert headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
        assert headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in headers["content-security-policy"]
        assert "no-store" in headers["cache-control"]
        assert not {"x", "x-injected"} & set(headers)
    named = asked(guarded, 2, id).headers["content-disposition"]
    assert named.endswith("fi%22lm%0D%0AX%3A%201%3B%20%C3%B6.mp4")
    assert asked(guarded, 3, id).headers["content-disposition"].endswith("event-3.png")


@pytest.mark.parametrize("event", [0, 1, 10, 11, 2**63, 10**30, -1, "x"])
def test_an_event_without_bytes_is_not_found(guarded: Server, event: Any) -> None:
    answer = asked(guarded, event)
    assert answer.status_code == 404, answer.text
    assert "unexpected" not in answer.text


def test_a_token_gives_only_the_contents_of_its_conversation(guarded: Server) -> None:
    assert asked(guarded, 2, by=token(sub="A")).status_code == 200
    assert asked(guarded, 2, "B/ö", by=token(sub="A")).status_code == 403
    assert asked(guarded, 2, by="no token").status_code == 401
    assert asked(guarded, 2, "missing").status_code == 404


def test_the_inspector_gives_them_to_authorised_readers(guarded: Server) -> None:
    url = f"{guarded.url}/inspect/api/content"
    query: dict[str, Any] = {"conversation": "A", "event": 2}
    assert httpx.get(url, params=query).status_code == 401
    for by, status in ((token(sub="A"), 200), (token(sub="C"), 403)):
        with httpx.Client() as client:
            client.get(f"{guarded.url}/inspect", params={"token": by})
            answer = client.get(url, params=query)
        assert answer.status_code == status, answer.text
        assert (answer.content == FILM) is (status == 200)


def test_what_was_redacted_or_deleted_is_gone(guarded: Server) -> None:
    with turnlog.open(f"sqlite:///{guarded.folder}/chat.db") as log:
        log.record("C", UserUttered("look"), *CONTENTS[:2])
        assert asked(guarded, 2, "C").status_code == 200
        log.record("C", MessageRedacted(1))
        assert asked(guarded, 2, "C").status_code == 404
        log.delete("C")
    assert asked(guarded, 2, "C").status_code == 404


def test_the_document_of_the_api_describes_it(guarded: Server) -> None:
    paths = httpx.get(f"{guarded.url}/openapi/openapi.json").json()["paths"]
    described = paths["/v1/conversations/{conversation}/events/{event}/content"]["get"]
    assert {"200", "404"} <= described["responses"].keys()
    assert "application/octet-stream" in described["responses"]["200"]["content"]
