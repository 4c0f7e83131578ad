"""Sessions and threads over HTTP, as bots in other languages use them."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import httpx
import pytest

import turnlog
from tests.parts import turnlog as turnlog_part
from turnlog import BotUttered, PromptTimedOut, UserUttered

EXAMPLE = Path(__file__).parents[3] / "examples/node/greeting.mjs"


@pytest.fixture(scope="module")
def http():
    with turnlog_part.running(bot=None) as server, httpx.Client(base_url=server.url) as client:
        yield client


def test_values_are_saved_read_and_removed(http):
    assert http.get("/sessions/val/values").status_code == 404
    assert http.put("/sessions/val/values/a", json={"b": [1, None]}).status_code == 204
    null = {"content": b"null", "headers": {"content-type": "application/json"}}
    assert http.put("/sessions/val/values/with/slash é", **null).status_code == 204
    assert http.put("/sessions/val/values/nothing").status_code == 400
    assert http.patch("/sessions/val/values", json={"c": 1, "": 2}).status_code == 204
    assert http.get("/sessions/val/values/a").json() == {"b": [1, None]}
    assert http.get("/sessions/val/values/with/slash é").text == "null"
    assert http.get("/sessions/val/values/none").status_code == 404
    assert http.delete("/sessions/val/values/c").status_code == 204
    assert http.get("/sessions/val/values").json() == {
        "a": {"b": [1, None]}, "with/slash é": None, "": 2,
    }  # fmt: skip
    assert http.delete("/sessions/val/values", params={"retain": ["a"]}).status_code == 204
    assert http.get("/sessions/val/values").json() == {"a": {"b": [1, None]}}


def test_properties_and_globals(http):
    http.put("/sessions/pro/props/size", json="large")
    assert http.get("/sessions/pro/props").json() == {"size": "large"}
    assert http.get("/sessions/pro/props/size").json() == "large"
    assert http.delete("/sessions/pro/props/size").status_code == 204
    assert http.delete("/sessions/pro/props/size").status_code == 404
    http.put("/sessions/pro/globals/open", json=True)
    assert http.get("/sessions/ann/globals").json() == {"open": True}
    assert http.get("/sessions/ann/globals/open").json() is True
    assert http.delete("/sessions/ann/globals/open").status_code == 204
    assert http.get("/sessions/pro/globals/open").status_code == 404


def test_a_turn_is_one_commit(http):
    http.put("/sessions/turn/values/old", json=1)
    changes = {"evict": ["old"], "save": {"a": 1}, "props": {"p": 2}, "globals": {"g": 3}}
    answered = http.post("/sessions/turn/turn", json=changes).json()
    assert answered == {"a": 1, "pywce_prop_key": {"p": 2}}
    events = http.get("/v1/conversations/turn/events").json()["events"]
    assert [event["type"] for event in events] == [
        "ValueSet",
        "ValueRemoved",
        "ValueSet",
        "ValueSet",
    ]
    assert http.get("/sessions/turn/globals/g").json() == 3


def test_bad_requests_name_the_fault_and_store_nothing(http):
    lone = http.put(
        "/sessions/bad/values/a", content=rb'"\ud800"', headers={"content-type": "application/json"}
    )
    assert lone.status_code == 400
    big = http.put("/sessions/bad/values/a", json=2**70)
    assert big.status_code == 400
    assert http.post("/sessions/bad/turn", json={"sav": {}}).status_code == 400
    assert http.patch("/sessions/bad/values", json=[1]).status_code == 400
    assert http.put("/sessions/%1Fglobals/values/a", json=1).status_code == 400
    assert http.get("/sessions/bad/values").status_code == 404
    for path, body in [("next", {"unit": "u", "state": "s"}), ("request", {"text": "hi"}),
                       ("response", {"text": "hi"}), ("end", {})]:  # fmt: skip
        answered = http.post(f"/sessions/bad/thread/{path}", json=body)
        assert answered.status_code == 404, path
        assert "'bad'" in answered.json()["message"]
    assert http.get("/sessions/bad/thread").status_code == 404
    assert http.put("/sessions/bad/variables/u/x", json=1).status_code == 404
    wrong = http.post("/sessions/bad/thread/start", json={"unit": "u"})
    assert wrong.status_code == 400


def test_a_thread_runs_from_start_to_end(http):
    http.post("/sessions/thr/thread/start", json={"unit": "u", "state": "ask"})
    asked = http.post("/sessions/thr/thread/response", json={"text": "?", "wait": 60}).json()
    (prompt,) = asked["prompts"].values()
    assert prompt["due"] == pytest.approx(time.time() + 60, abs=20)
    http.put("/sessions/thr/variables/u/x", json=[1])
    http.put("/sessions/thr/variables/u/y", json=2)
    http.post("/sessions/thr/thread/next", json={"unit": "u", "state": "got"})
    after = http.post("/sessions/thr/thread/request", json={"text": "!", "message_id": "1"}).json()
    assert (after["state"], after.get("prompts", {})) == ("got", {})
    assert after["variables"] == {"u": {"x": [1], "y": 2}}
    http.post("/sessions/thr/thread/request", json={"text": "!", "message_id": "1"})
    http.delete("/sessions/thr/variables/u/x")
    ended = http.post("/sessions/thr/thread/end", json={"reason": "abandoned"}).json()
    assert (ended["ended"], ended["variables"]) == ("abandoned", {"u": {"y": 2}})
    http.delete("/sessions/thr/variables/u")
    assert "variables" not in http.get("/sessions/thr/thread").json()
    events = http.get("/v1/conversations/thr/events").json()["events"]
    assert sum(event["type"] == "UserUttered" for event in events) == 1


def test_the_server_keeps_a_prompt_s_deadline(http):
    http.post("/sessions/due/thread/start", json={"unit": "u", "state": "ask"})
    http.post("/sessions/due/thread/response", json={"text": "?", "wait": 0.2, "attempts": 2})
    for _ in range(100):
        time.sleep(0.1)
        if http.get("/sessions/due/thread").json().get("ended"):
            break
    events = http.get("/v1/conversations/due/events").json()["events"]
    kinds = [event["type"] for event in events]
    assert kinds == [
        "ThreadStarted", "BotUttered", "PromptArmed",
        "PromptTimedOut", "BotUttered", "PromptArmed",
        "PromptTimedOut", "ThreadEnded",
    ]  # fmt: skip
    assert events[-1]["reason"] == "abandoned"


def test_the_routes_are_in_the_openapi_document(http):
    paths = http.get("/openapi/openapi.json").json()["paths"]
    mine = {path for path in paths if path.startswith("/sessions/")}
    assert "/sessions/{conversation}/values/{key}" in mine
    assert "/sessions/{conversation}/thread/start" in mine
    assert len(mine) == 15
    for path in mine:
        for operation in paths[path].values():
            assert operation["description"]


def test_the_token_of_a_session_reaches_neither_others_nor_globals():
    with turnlog_part.running("--auth-token", "secret", bot=None) as server:
        anonymous = httpx.Client(base_url=server.url)
        known = httpx.Client(base_url=server.url, headers={"authorization": "Bearer secret"})
        with anonymous, known:
            assert anonymous.put("/sessions/ann/values/a", json=1).status_code == 401
            assert anonymous.get("/sessions/ann/globals").status_code == 401
            assert known.put("/sessions/ann/values/a", json=1).status_code == 204
            assert known.get("/sessions/ann/globals").json() == {}


def test_the_node_example_continues_after_it_was_stopped(node, tmp_path):
    def run(*said: str) -> list[str]:
        command = [node.program, EXAMPLE, server.url, "ann", *said]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return [line for line in done.stdout.splitlines() if line.startswith("bot: ")]

    db = f"sqlite:///{tmp_path}/chat.db"
    with turnlog_part.running(bot=None, db=db) as server:
        assert run("hello") == ["bot: What's your name?"]
        assert run("Ann") == ["bot: Hello Ann! Which colour do you like?"]
    with turnlog_part.running(bot=None, db=db) as server:
        assert run("green") == ["bot: Ann likes green. Goodbye!"]
        assert run("hi again", "Bo", "red")[-1] == "bot: Bo likes red. Goodbye!"
    with turnlog.open(db) as log:
        ann = log.conversation("ann")
        said = [e.text for e in ann.events() if isinstance(e, UserUttered)]
        assert said == ["hello", "Ann", "green", "hi again", "Bo", "red"]
        assert sum(isinstance(e, BotUttered) for e in ann.events()) == 6
        assert not any(isinstance(e, PromptTimedOut) for e in ann.events())


def test_the_tour_bot_answers_live(tmp_path):
    with turnlog_part.running(bot="turnlog.dialogs.tour:bot") as server, httpx.Client() as client:
        said = []
        for text in ("hi", "Ann", "Lisbon"):
            asked = {"sender": "ann", "message": text}
            answer = client.post(f"{server.url}/webhooks/rest/webhook", json=asked).json()
            said.append([message["text"] for message in answer])
        assert said[1] == ["Nice to meet you, Ann!", "Where shall we go?"]
        assert said[2] == ["In Lisbon, Ann, see tram 28 and the castle. Enjoy it!"]
