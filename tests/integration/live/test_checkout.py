"""A checkout over HTTP: where the conversation continues, in order with other work."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.parts.server import Server

SAID = [{"type": "UserUttered", "text": text} for text in ("one", "two")]


@pytest.fixture
def http(server: Server) -> Any:
    with httpx.Client(base_url=f"{server.url}/v1/conversations", timeout=20) as client:
        yield client


def test_a_checkout_happens_once_for_a_key(http: httpx.Client) -> None:
    http.post("/checkout-1/events", json=SAID).raise_for_status()
    asked, key = {"branch": "retry", "turn": 1}, {"Idempotency-Key": "k"}
    first = http.post("/checkout-1/checkout", json=asked, headers=key)
    assert (first.status_code, first.json()) == (200, {
        "conversation": "checkout-1", "branch": "retry", "event": 3, "turn": 2, "branch_turn": 1,
        "to": 1,
    })  # fmt: skip
    assert http.post("/checkout-1/checkout", json=asked, headers=key).json() == first.json()
    back = http.post("/checkout-1/checkout", json={"branch": "main"}).json()
    assert (back["event"], back["to"], back["branch_turn"]) == (4, 2, 2)
    assert http.post("/checkout-1/checkout", json={"branch": "main"}).json()["to"] is None


@pytest.mark.parametrize(
    ("id", "asked", "status"),
    [
        ("missing", {"branch": "x"}, 404),
        ("checkout-2", {}, 400),
        ("checkout-2", {"turn": 1, "event": 1}, 400),
        ("checkout-2", {"turn": 9}, 400),
        ("checkout-2", {"event": 10**30}, 400),
        ("checkout-2", {"branch": 7}, 400),
        ("checkout-2", {"branch": ""}, 400),
    ],
)
def test_an_impossible_checkout_is_refused(
    http: httpx.Client, id: str, asked: dict[str, Any], status: int
) -> None:
    if http.get("/checkout-2/events").status_code == 404:
        http.post("/checkout-2/events", json=SAID).raise_for_status()
    answer = http.post(f"/{id}/checkout", json=asked)
    assert answer.status_code == status, answer.text
    assert "unexpected" not in answer.text
    assert len(http.get("/checkout-2/events").json()["events"]) == 2
