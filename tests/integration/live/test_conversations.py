"""The inspector's list, page by page, while the log grows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import turnlog
from tests.parts import turnlog as turnlog_part
from tests.parts.server import Server
from turnlog import SlotSet, UserUttered
from turnlog.engine.log import Turnlog
from turnlog.server.routes.conversations import PAGE

MANY = 2 * PAGE + 50


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Conversations recorded in another order than that of their ids."""
    with turnlog_part.running(bot=None) as server:
        with opened(server) as log:
            for number in range(MANY):
                id = f"c{number * 7 % MANY:04}"
                log.record(id, UserUttered(f"hello {number}"), SlotSet("people", number % 9))
        yield server


def opened(server: Server) -> Turnlog:
    return turnlog.open(f"sqlite:///{server.folder}/chat.db")


def page(server: Server, **query: Any) -> tuple[list[str], Any]:
    answer = httpx.get(f"{server.url}/inspect/api/conversations", params=query, timeout=20)
    found = answer.raise_for_status().json()
    return [line["conversation"] for line in found["conversations"]], found["more"]


def test_pages_follow_each_other_without_repeats_while_the_log_grows(server: Server) -> None:
    with opened(server) as log:
        order = [head.conversation for head, _ in log.heads(newest=True)]
    first, more = page(server)
    assert (first, len(first)) == (order[:PAGE], PAGE)
    with opened(server) as log:
        log.record(order[3], UserUttered("again"))
        log.record("a new one", UserUttered("hello"))
    second, more = page(server, after=more)
    assert second == order[PAGE : 2 * PAGE]
    third, more = page(server, after=more)
    assert (third, more) == (order[2 * PAGE :], None)
    assert page(server)[0][:2] == ["a new one", order[3]]


def test_a_search_is_paged_too(server: Server) -> None:
    wanted = [f"c{n * 7 % MANY:04}" for n in range(MANY) if n % 9 == 4][::-1]
    found, more = page(server, search="slot:people=4")
    assert (found, more) == (wanted, None)
    assert page(server, where="slot.people=4") == (wanted, None)
    assert len(page(server, search="people")[0]) == PAGE
    assert page(server, search="hello 449", where="slot.people=8")[0] == [f"c{449 * 7 % MANY:04}"]


@pytest.mark.parametrize(
    "query", [{"after": "0"}, {"after": "x"}, {"after": str(2**63)}, {"search": "kind:nothing"}]
)
def test_meaningless_requests_are_refused(server: Server, query: dict[str, str]) -> None:
    answer = httpx.get(f"{server.url}/inspect/api/conversations", params=query, timeout=20)
    assert answer.status_code == 400
    assert next(iter(query)) in answer.text or "'nothing'" in answer.text


def test_the_inspector_says_why_as_the_command_does(server: Server) -> None:
    def asked(**query: Any) -> httpx.Response:
        params = {"conversation": "c0007", **query}
        return httpx.get(f"{server.url}/inspect/api/why", params=params, timeout=20)

    def chain(**query: Any) -> list[tuple[str, int]]:
        return [(item["role"], item["event"]) for item in asked(**query).json()]

    assert chain(slot="people") == chain(slot="people", event=2) == [("said", 1), ("set", 2)]
    assert chain(event=2) == [("said", 1), ("set", 2)]
    assert chain(event=1) == [("said", 1)]
    assert asked(slot="people").json()[0]["fields"]["text"] == "hello 1"
    assert chain(slot="peopel") == []
