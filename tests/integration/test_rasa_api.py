"""Rasa's tracker API of a real server: paths, parameters, bodies, errors."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import jwt
import pytest

from tests.parts import turnlog as turnlog_part

SLOT = {"event": "slot", "timestamp": 1.5, "name": "city", "value": "Rome"}
LISTEN = {
    "event": "action", "timestamp": 1.0, "name": "action_listen", "policy": None,
    "confidence": None, "action_text": None, "hide_rule_turn": False,
}  # fmt: skip


def user(text: str, at: float) -> dict:
    parsed = {"intent": {"name": "greet"}, "entities": [], "text": text, "message_id": text}
    return {
        "event": "user", "timestamp": at, "metadata": {}, "text": text, "input_channel": "rest",
        "message_id": text, "parse_data": {**parsed, "metadata": {}},
    }  # fmt: skip


@pytest.fixture(scope="module")
def api() -> Iterator[httpx.Client]:
    with (
        turnlog_part.running(bot=None) as server,
        httpx.Client(base_url=f"{server.url}/conversations", timeout=20) as client,
    ):
        yield client


def test_a_slot_posted_to_a_fresh_conversation_stays(api):
    said = api.post("/fresh/tracker/events", json=SLOT)
    assert said.status_code == 200
    assert said.json()["slots"] == {"city": "Rome"}
    tracker = api.get("/fresh/tracker").json()
    assert tracker["slots"] == {"city": "Rome"}
    assert tracker["events"] == [SLOT]
    assert tracker["sender_id"] == "fresh"


def test_a_tracker_has_the_keys_that_rasa_gives_it(api, shared_data):
    file = shared_data / "rasa" / "rasa_3.6.21" / "real_3.6.21_tracker_ALL.json"
    source = json.loads(file.read_text())
    api.post("/real/tracker/events", json=source["events"])
    found = api.get("/real/tracker", params={"include_events": "ALL"}).json()
    # What no domain declares is not listed as null.
    source["slots"] = {name: v for name, v in source["slots"].items() if v is not None}
    assert found == source | {"sender_id": "real"}
    applied = json.loads((file.parent / "real_3.6.21_tracker_APPLIED.json").read_text())
    asked = {"include_events": "APPLIED"}
    assert api.get("/real/tracker", params=asked).json()["events"] == applied["events"]


@pytest.mark.parametrize("kind", ["undo", "rewind"])
def test_rasas_rewinds_are_never_refused_and_go_as_far_as_in_rasa(api, kind):
    back = {"event": kind, "timestamp": 4.0}
    assert api.post(f"/{kind}/tracker/events", json=back).status_code == 200
    turns = [user("hi", 2.0), SLOT, user("oops", 3.0), back]
    said = api.post(f"/{kind}/tracker/events", json=turns)
    assert said.status_code == 200
    assert said.json()["slots"] == {}
    assert said.json()["latest_message"]["text"] is None
    shown = api.get(f"/{kind}/tracker", params={"include_events": "ALL"}).json()["events"]
    assert [shown[0], shown[-1]] == [back, back]


def test_the_response_shows_what_was_requested(api):
    events = [user("one", 1.0), {"event": "restart", "timestamp": 2.0}, user("two", 3.0)]
    events += [{"event": "rewind", "timestamp": 4.0}]
    api.post("/shown/tracker/events", json=events)

    def shown(**asked: object) -> list[str] | None:
        found = api.get("/shown/tracker", params=asked).json()["events"]
        return None if found is None else [event["event"] for event in found]

    assert shown() == ["user", "rewind"]
    assert shown(include_events="ALL") == ["user", "restart", "user", "rewind"]
    assert shown(include_events="APPLIED") == []
    assert shown(include_events="NONE") is None
    assert shown(include_events="ALL", until=2.5) == ["user", "restart"]
    assert shown(include_events="ALL", until=0.5) == []


@pytest.mark.parametrize("asked", [{"until": "yesterday"}, {"include_events": "SOME"}])
def test_a_bad_parameter_is_refused_with_rasas_error_object(api, asked):
    refused = api.get("/any/tracker", params=asked)
    assert refused.status_code == 400
    error = refused.json()
    assert set(error) == {"version", "status", "message", "reason", "details", "help", "code"}
    assert (error["status"], error["code"]) == ("failure", 400)


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"event": "nonsense"}', '[{"event": "slot"}]', "[1]", "{broken"]
)
def test_a_body_that_is_not_an_event_is_refused(api, body):
    refused = api.post("/refused/tracker/events", content=body)
    assert refused.status_code == 400
    assert api.get("/refused/tracker").headers["etag"] == '"0"'


def test_a_put_replaces_and_the_replaced_events_stay_readable(api):
    api.post("/put/tracker/events", json=[LISTEN, user("one", 2.0), SLOT])
    put = api.put("/put/tracker/events", params={"include_events": "ALL"}, json=[LISTEN])
    assert put.json()["events"] == [LISTEN]
    assert put.json()["slots"] == {}
    again = api.get("/put/tracker", params={"include_events": "ALL"}).json()
    assert again["events"] == [LISTEN]
    log = api.get(f"{api.base_url}".replace("/conversations", "/v1") + "conversations/put/events")
    kinds = [event["type"] for event in log.json()["events"]]
    assert kinds == [
        "ActionExecuted", "UserUttered", "MessageUnderstood", "SlotSet", "HistoryReplaced",
        "ActionExecuted",
    ]  # fmt: skip


def test_an_idempotency_key_makes_sending_again_harmless(api):
    for _ in range(3):
        sent = api.post("/twice/tracker/events", json=SLOT, headers={"Idempotency-Key": "k"})
        assert sent.headers["etag"] == '"1"'


def test_an_outdated_writer_is_recorded_and_both_sides_are_kept(api):
    api.post("/two/tracker/events", params={"base": 0}, json=SLOT)
    for writer in ("a", "b"):
        sent = api.post("/two/tracker/events", params={"base": 1, "writer": writer}, json=LISTEN)
        assert sent.status_code == 200
    events = api.get("/two/tracker", params={"include_events": "ALL"}).json()["events"]
    assert events == [SLOT, LISTEN, LISTEN]
    log = api.get(f"{api.base_url}".replace("/conversations", "/v1") + "conversations/two/events")
    (noted,) = [e for e in log.json()["events"] if e["type"] == "ConcurrentWriteRecorded"]
    assert (noted["base"], noted["writer"]) == (1, "b")


def test_a_deleted_conversation_is_hidden_and_takes_no_more(api):
    api.post("/gone/tracker/events", json=SLOT)
    assert "bytes remain" in api.delete("/gone/tracker").json()["message"]
    assert api.get("/gone/tracker").json()["events"] == []
    assert api.get("/gone/story").status_code == 404
    assert api.delete("/gone/tracker").status_code == 404
    refused = api.post("/gone/tracker/events", json=SLOT)
    assert (refused.status_code, refused.json()["reason"]) == (410, "Gone")
    assert "was deleted" in refused.json()["message"]
    assert "gone" not in api.get("").json()


def test_a_message_is_added_and_only_a_users(api):
    parsed = {"intent": {"name": "greet", "confidence": 1.0}, "entities": []}
    said = {"text": "hi", "sender": "user", "parse_data": parsed}
    found = api.post("/said/messages", json=said).json()
    assert found["latest_message"]["text"] == "hi"
    assert found["latest_message"]["intent"] == parsed["intent"]
    assert found["events"][0]["timestamp"] > 1e9
    assert api.post("/said/messages", json={**said, "sender": "bot"}).status_code == 400
    assert api.post("/said/messages", json={"sender": "user"}).status_code == 400


def test_a_story_is_rasas_yaml(api):
    yaml = pytest.importorskip("yaml")
    session = {"event": "session_started", "timestamp": 1.0}
    ask = user("to Rome", 2.0)
    ask["parse_data"]["entities"] = [
        {"entity": "city", "value": "rome", "start": 3, "end": 7, "extractor": "x"}
    ]
    action = {**LISTEN, "name": "utter_ok", "timestamp": 3.0}
    api.post("/seen/tracker/events", json=[session, ask, SLOT, action, session, LISTEN, ask])
    shown = yaml.safe_load(api.get("/seen/story", params={"all_sessions": True}).text)
    assert [story["story"] for story in shown["stories"]] == ["seen, session 1", "seen, session 2"]
    assert shown["stories"][0]["steps"] == [
        {"user": 'to [Rome]{"entity": "city", "value": "rome"}', "intent": "greet"},
        {"slot_was_set": [{"city": "Rome"}]},
        {"action": "utter_ok"},
    ]
    assert len(yaml.safe_load(api.get("/seen/story").text)["stories"]) == 1
    assert api.get("/unknown/story").status_code == 404


def test_text_round_trips_unchanged(api):
    body = '{"event":"slot","timestamp":1.0,"name":"n","value":["\\ud800",NaN,1e999,"\\u0000é"]}'
    assert api.post("/odd/tracker/events", content=body).status_code == 200
    text = api.get("/odd/tracker", params={"include_events": "ALL"}).text
    assert '["\\ud800",NaN,1e999,"\\u0000é"]' in text


def test_the_token_is_required_as_in_rasa(tmp_path):
    with turnlog_part.running("--auth-token", "secret", bot=None) as server:
        url = f"{server.url}/conversations/a/tracker"
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, params={"token": "secret"}).status_code == 200


def test_the_api_is_described(api):
    base = f"{api.base_url}".replace("/conversations/", "")
    paths = httpx.get(f"{base}/openapi/openapi.json").json()["paths"]
    assert set(paths["/conversations/{conversation}/tracker"]) == {"get", "delete"}
    assert set(paths["/conversations/{conversation}/tracker/events"]) == {"post", "put"}


IDS = ["a/b", "%2F", "%25", "a%2Fb", "+/9a==", "/a", "a/", "a//b", "a/tracker", "x?y#z", "ü", ".."]


@pytest.mark.parametrize("id", IDS)
def test_the_id_in_a_path_is_decoded_once_and_slashes_belong_to_it(api, id):
    encoded = quote(id, safe="").replace(".", "%2E")  # httpx would resolve ..
    api.post(f"/{encoded}/tracker/events", json=SLOT).raise_for_status()
    assert api.get(f"/{encoded}/tracker").json()["sender_id"] == id
    assert api.get(f"/{encoded}/story").text.count("city") == 1
    assert id in api.get("").json()
    events = api.get(f"{api.base_url.copy_with(path='/')}v1/conversations/{encoded}/events").json()
    assert events["conversation"] == id
    turn = {"values": {"step": id}}
    sessions = f"{api.base_url.copy_with(path='/')}sessions/{encoded}/values"
    assert api.patch(sessions, json=turn["values"]).status_code == 204
    assert api.get(sessions).json()["step"] == id
    assert api.delete(f"/{encoded}/tracker").json()["conversation"] == id


def test_rasas_own_form_of_an_id_with_slashes_works(api):
    api.post("/viber/+9a==/tracker/events", json=SLOT).raise_for_status()
    assert api.get("/viber/+9a==/tracker").json()["sender_id"] == "viber/+9a=="
    assert api.get("/viber%2F+9a==/tracker").json()["slots"] == {"city": "Rome"}
    assert api.get("/viber/%2B9a==/story").status_code == 200
    said = {"text": "hello", "sender": "user"}
    assert api.post("/viber/+9a==/messages", json=said).status_code == 200


def test_an_id_that_is_not_a_text_is_refused(api):
    refused = api.get("/%ff/tracker")
    assert (refused.status_code, refused.json()["reason"]) == (400, "BadRequest")
    assert "%ff" in refused.json()["message"]


def test_a_token_for_one_id_opens_no_other_by_its_slashes():
    key = "a key of thirty-two bytes or more"
    token = jwt.encode({"sub": "a"}, key, "HS256")
    headers = {"Authorization": f"Bearer {token}"}
    with (
        turnlog_part.running("--jwt-key", key, bot=None) as server,
        httpx.Client(base_url=server.url, headers=headers) as client,
    ):
        assert client.get("/conversations/a/tracker").status_code == 200
        for id in ("a/b", "a%2Fb", "%61%2F", "b/a", "a/tracker"):
            assert client.get(f"/conversations/{id}/tracker").status_code == 403, id


# --- more than the log can store --------------------------------------------------------------


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth - 1):
        value = [value]
    return value


def too_large(**content: object) -> dict:
    return {"timestamp": 2.0, **content}


TOO_LARGE = {
    "slot": too_large(event="slot", name="city", value="y" * 1_100_000),
    "floats": too_large(event="slot", name="city", value=[1.0] * 200_000),
    "deep": too_large(event="slot", name="city", value=nested(150)),
    "metadata": too_large(event="user", text="kept", metadata={"page": "y" * 1_100_000}),
    "bot": too_large(event="bot", text="kept", data={"custom": "y" * 1_100_000}),
    "parsed": too_large(
        event="user", text="kept",
        parse_data={"intent": {"name": "greet"}, "entities": [{"entity": "y" * 1_100_000}]},
    ),
    "keys": too_large(event="slot", name="city", value={f"k{n}": n for n in range(150_000)}),
    "members": too_large(event="user", text="gone", **{f"k{n}": n for n in range(150_000)}),
    "own": too_large(event="my_event", content="y" * 1_100_000),
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_LARGE)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_event_that_is_too_large_becomes_a_marker_and_affects_no_other(api, name, method):
    id = f"large-{name}-{method}"
    event = json.dumps(TOO_LARGE[name])
    body = f"[{json.dumps(user('before', 1.0))}, {event}, {json.dumps(user('after', 3.0))}]"
    asked = {"keep_unknown": "true", "include_events": "ALL"}
    said = api.request(method, f"/{id}/tracker/events", content=body, params=asked)
    assert said.status_code == 200, said.text
    before, found, after = said.json()["events"]
    assert (before["text"], after["text"]) == ("before", "after")
    marker = found["not_kept"]
    assert marker["bytes"] == len(event)
    assert marker["sha256"] == hashlib.sha256(event.encode()).hexdigest()
    assert (found["event"], found["timestamp"]) == (TOO_LARGE[name]["event"], 2.0)
    if TOO_LARGE[name].get("text") == "kept":
        assert found["text"] == "kept"


def test_dropped_fields_are_named_and_null(api):
    said = api.post("/dropped/tracker/events", json=[SLOT, TOO_LARGE["slot"]])
    assert said.json()["slots"] == {}
    assert said.json()["events"][1]["not_kept"]["fields"] == ["value"]
    parsed = api.post("/dropped/tracker/events", json=TOO_LARGE["parsed"]).json()
    assert parsed["latest_message"]["intent"] == {"name": "greet"}
    assert parsed["events"][2]["not_kept"]["fields"] == ["parse_data.entities"]


def test_text_that_is_long_only_as_escapes_is_kept_whole(api):
    text = "ж" * 400_000
    said = api.post(
        "/escaped/tracker/events",
        content=json.dumps({"event": "bot", "text": text}).encode(),
        headers={"content-type": "application/json"},
    )
    assert said.json()["events"][0]["text"] == text


def test_an_id_that_is_too_long_is_cut_and_ends_in_its_digest(api):
    one, other = "x" * 1_500, "x" * 1_499 + "y"
    for id in (one, other):
        assert api.post(f"/{id}/tracker/events", json=user(id[-1], 1.0)).status_code == 200
    for id in (one, other):
        found = api.get(f"/{id}/tracker").json()
        assert [event["text"] for event in found["events"]] == [id[-1]]
        assert found["sender_id"] == "x" * 900 + "…" + hashlib.sha256(id.encode()).hexdigest()


def test_the_limits_are_settings_of_serve():
    options = ("--max-event", "2000", "--max-depth", "10", "--max-body", "100000")
    with (
        turnlog_part.running(*options, bot=None) as server,
        httpx.Client(base_url=f"{server.url}/conversations") as client,
    ):
        for value in ("y" * 3_000, nested(20)):
            event = {"event": "slot", "name": "city", "value": value}
            said = client.post("/a/tracker/events", json=event)
            assert said.json()["events"][-1]["not_kept"]["fields"] == ["value"]
        refused = client.post("/a/tracker/events", content=b"[" + b" " * 100_000 + b"]")
        assert (refused.status_code, refused.json()["reason"]) == (413, "TooLarge")


@pytest.mark.parametrize("option", ["--max-event=1000001", "--max-depth=101", "--max-body=0"])
def test_a_limit_above_that_of_the_log_is_refused_at_start(option, tmp_path):
    command = [sys.executable, "-m", "turnlog", "--db", f"sqlite:///{tmp_path}/a.db", "serve"]
    done = subprocess.run([*command, option], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert option.split("=")[0] in done.stderr


# --- Rasa Pro ---------------------------------------------------------------------------------


def test_flows_and_the_stack_are_accepted_and_shown_as_in_rasa_pro(api):
    frame = {"type": "flow", "frame_type": "regular", "flow_id": "pay", "step_id": "START"}
    push = json.dumps([{"op": "add", "path": "/0", "value": {**frame, "frame_id": "f1"}}])
    step = json.dumps([{"op": "replace", "path": "/0/step_id", "value": "ask"}])
    events = [
        {"event": "stack", "timestamp": 1.0, "update": push},
        {"event": "flow_started", "timestamp": 2.0, "flow_id": "pay", "metadata": {}},
        {"event": "stack", "timestamp": 3.0, "update": step},
        {"event": "flow_interrupted", "timestamp": 4.0, "flow_id": "pay", "step_id": "ask"},
        {"event": "flow_resumed", "timestamp": 5.0, "flow_id": "pay", "step_id": "ask"},
        {"event": "session_ended", "timestamp": 6.0, "metadata": {"_reason": "bye"}},
    ]
    tracker = api.post("/pro/tracker/events", json=events).json()
    assert tracker["events"] == events
    assert tracker["stack"] == [{**frame, "frame_id": "f1", "step_id": "ask"}]
    assert tracker["active_flow"] == "pay"
    done = [
        {"event": "flow_completed", "timestamp": 7.0, "flow_id": "pay", "step_id": "ask"},
        {"event": "stack", "timestamp": 8.0, "update": '[{"op": "remove", "path": "/0"}]'},
    ]
    tracker = api.post("/pro/tracker/events", json=done).json()
    assert (tracker["stack"], tracker["active_flow"]) == ([], None)


def test_a_type_that_neither_rasa_has_is_refused(api):
    refused = api.post("/none/tracker/events", json={"event": "flow_strated", "flow_id": "pay"})
    assert refused.status_code == 400
    assert "flow_strated" in refused.json()["message"]


# --- answers as in Rasa -----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_bad_verbosity_names_the_values_and_records_nothing(api, method):
    path = "/bad-verbosity/tracker" + ("" if method == "GET" else "/events")
    asked = {"include_events": "BAD"}
    refused = api.request(method, path, json=None if method == "GET" else SLOT, params=asked)
    assert refused.status_code == 400
    for name in ("'BAD'", "include_events", "NONE", "APPLIED", "AFTER_RESTART", "ALL"):
        assert name in refused.json()["message"]
    assert api.get("/bad-verbosity/tracker").json()["events"] == []
    assert api.get("/bad-verbosity/tracker", params={"include_events": "all"}).status_code == 200


@pytest.mark.parametrize("what", ["execute", "predict", "trigger_intent"])
def test_a_route_that_belongs_to_the_bot_is_refused_as_such(api, what):
    refused = api.post(f"/a/{what}", json={"name": "utter_greet"})
    assert refused.status_code == 404
    assert "belongs to the bot" in refused.json()["message"]


def test_version_and_status_are_answered(api):
    root = api.base_url.copy_with(path="/")
    assert set(api.get(f"{root}version").json()) == {"version", "minimum_compatible_version"}
    assert api.get(f"{root}status").json()["num_active_training_jobs"] == 0


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_user_event_with_only_intent_and_entities_is_completed_as_in_rasa(api, method):
    parsed = {"intent": {"name": "greet"}, "entities": []}
    event = {"event": "user", "timestamp": 1.0, "text": "hi", "parse_data": parsed}
    tracker = api.request(method, f"/short-{method}/tracker/events", json=[event]).json()
    whole = {**parsed, "text": "hi", "message_id": None, "metadata": {}}
    assert tracker["latest_message"] == whole
    rest = {"metadata": {}, "input_channel": None, "message_id": None}
    assert tracker["events"] == [{**event, **rest, "parse_data": whole}]


def test_an_action_event_is_completed_as_in_rasa(api):
    event = {"event": "action", "timestamp": 1.0, "name": "action_listen"}
    tracker = api.post("/short-action/tracker/events", json=event).json()
    assert tracker["events"] == [LISTEN]
    assert tracker["latest_action_name"] == "action_listen"


def test_an_emoji_that_was_cut_stays_in_text_and_understanding(api):
    text = "cut \\ud83d"
    parsed = f'{{"intent":{{"name":"greet"}},"entities":[],"text":"{text}"}}'
    body = f'{{"event":"user","timestamp":1.0,"text":"{text}","parse_data":{parsed}}}'
    headers = {"content-type": "application/json"}
    said = api.post("/cut/tracker/events", content=body, headers=headers)
    event = said.json()["events"][0]
    assert event["text"] == event["parse_data"]["text"] == "cut \ud83d"
    assert said.json()["latest_message"]["text"] == "cut \ud83d"


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "tracker?until=BAD", "until"),
        ("GET", "tracker?after=-1", "after"),
        ("GET", "story?all_sessions=BAD", "all_sessions"),
        ("POST", "tracker/events?base=BAD", "base"),
        ("PUT", "tracker/events?to=-1", "to"),
    ],
)
def test_a_bad_parameter_is_named(api, method, path, name):
    refused = api.request(method, f"/parameter/{path}", json=None if method == "GET" else SLOT)
    assert refused.status_code == 400
    assert refused.json()["message"].startswith(f"{name}: ")
