"""The inspector's buttons record and ask the bot, only for users who may write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import jwt
import pytest

import turnlog
from tests.parts import turnlog as turnlog_part
from tests.parts.server import Server
from turnlog.engine.access import accesses, set_recording

ADMIN, KEY = "the-token", "a key of at least thirty-two bytes, ok"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    with turnlog_part.running("--auth-token", ADMIN, "--jwt-key", KEY) as server:
        with httpx.Client(base_url=server.url, headers=bearer(ADMIN)) as http:
            for message in ("a table for two", "tomorrow"):
                said = {"sender": "B", "message": message}
                http.post("/webhooks/rest/webhook", json=said).raise_for_status()
        yield server


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def token(**claims: Any) -> str:
    return jwt.encode({"exp": time.time() + 600, **claims}, KEY, "HS256")


@contextmanager
def entered(server: Server, token: str) -> Iterator[httpx.Client]:
    """A user of the inspector, with its cookie."""
    with httpx.Client(base_url=server.url, timeout=60) as http:
        assert http.get("/inspect", params={"token": token}).status_code == 303
        yield http


TRIAL = {"conversation": "B", "turn": 1, "say": "for six"}


def test_tokens_that_only_read_or_are_for_one_conversation_write_nothing(guarded: Server) -> None:
    for given in (token(sub="Eva", roles=["read"]), token(sub="B")):
        with entered(guarded, given) as http:
            assert http.get("/inspect/api/abilities").json().get("write", False) is False
            fork = {"conversation": "B", "event": 2, "as": "stolen"}
            assert http.post("/inspect/api/fork", json=fork).status_code == 403
            assert http.post("/inspect/api/trial", json=TRIAL).status_code == 403
    listed = httpx.get(f"{guarded.url}/inspect/api/conversations", headers=bearer(ADMIN)).json()
    assert [line["conversation"] for line in listed["conversations"]] == ["B"]


def test_a_trial_shows_the_bots_answers_and_is_kept_on_request(guarded: Server) -> None:
    with entered(guarded, ADMIN) as http:
        may = http.get("/inspect/api/abilities").json()
        assert may == {"write": True, "bot": "turnlog.bots.booking:bot"}
        [tried] = http.post("/inspect/api/trial", json=TRIAL).json()["turns"]
        assert (tried["message"], tried["slots"]["people"]) == ("for six", 6)
        assert tried["expected_slots"]["people"] == 2
        assert tried["divergence"]["turn"] == 1
        kept = http.post("/inspect/api/trial", json={**TRIAL, "as": "kept trial"})
        assert [each["message"] for each in kept.json()["turns"]] == ["for six"]
        shown = http.get("/inspect/api/timeline", params={"conversation": "kept trial"}).json()
        assert "for six" in [each["fields"].get("text") for each in shown["items"]]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"conversation": "missing", "turn": 1}, "missing"),
        ({"conversation": "B", "turn": 99}, "99"),
        ({"conversation": "--db=x", "turn": 1}, "--db=x"),
        ({"conversation": "B", "turn": 1, "as": "B"}, "'B'"),
    ],
)
def test_an_impossible_trial_says_why(guarded: Server, asked: Any, why: str) -> None:
    with entered(guarded, ADMIN) as http:
        refused = http.post("/inspect/api/trial", json=asked)
        assert refused.status_code == 422
        assert why in refused.json()["message"]


def test_a_fork_is_recorded_and_names_its_origin(guarded: Server) -> None:
    with entered(guarded, token(sub="Ann", roles=["administer"])) as http:
        body = {"conversation": "B", "event": 3, "as": "forked"}
        assert http.post("/inspect/api/fork", json=body).json() == {
            "conversation": "forked",
            "event": 4,
        }
        shown = http.get("/inspect/api/timeline", params={"conversation": "forked"}).json()
        assert shown["origin"] == {"conversation": "B", "event": 3, "turn": 1, "trial": False}
        assert shown["items"][-1]["fields"]["reason"] == "inspector, by Ann"
        assert http.post("/inspect/api/fork", json=body).status_code >= 400


def test_another_site_writes_nothing_with_the_cookie(guarded: Server) -> None:
    with entered(guarded, ADMIN) as http:
        body = {"conversation": "B", "event": 3, "as": "foreign"}
        refused = http.post(
            "/inspect/api/fork", json=body, headers={"Origin": "http://evil.example"}
        )
        assert refused.status_code == 403
        assert (
            http.get("/inspect/api/timeline", params={"conversation": "foreign"}).status_code == 404
        )


def test_a_user_who_tries_a_message_is_recorded_as_a_reader(guarded: Server) -> None:
    db = f"sqlite:///{guarded.folder}/chat.db"
    with turnlog.open(db) as log:
        set_recording(log, on=True, actor="the DPO")
    with entered(guarded, token(sub="Ann", roles=["administer"])) as http:
        assert http.post("/inspect/api/trial", json=TRIAL).status_code == 200
    with turnlog.open(db) as log:
        found = [each for each in accesses(log) if "replay" in each["way"]]
        set_recording(log, on=False, actor="the DPO")
    assert [(each["actor"], each["conversations"]) for each in found] == [("Ann", ["B"])]
