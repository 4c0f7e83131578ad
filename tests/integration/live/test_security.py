"""Authorisation: tokens, ids, origins, limits."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
import socketio
import websockets

from tests.integration.live.client import connected
from tests.parts import turnlog as turnlog_part
from tests.parts.server import Server

KEY = "a key of at least sixty-four bytes, for tests: " + "0123456789" * 3
ADMIN = "an auth token"
SECRET = "what only B may read"


def token(key: str = KEY, algorithm: str = "HS256", **claims: Any) -> str:
    return jwt.encode({"exp": time.time() + 600, **claims}, key, algorithm)


def unsigned(**claims: Any) -> str:
    parts = [{"alg": "none", "typ": "JWT"}, {"exp": time.time() + 600, **claims}]
    encoded = [
        base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts
    ]
    return ".".join([*encoded, ""])


BAD = {
    "wrong": "no token at all",
    "other key": token("another " + KEY + ""),
    "expired": token(sub="A", exp=time.time() - 1),
    "not yet": token(sub="A", nbf=time.time() + 600),
    "other algorithm": token(algorithm="HS512", sub="A"),
    "unsigned": unsigned(sub="A", user={"username": "A", "role": "admin"}),
    "odd expiry": token(sub="A", exp=time.time() + 600)[:-4],
}


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server with a token and a key, and a message of B."""
    with turnlog_part.running("--auth-token", ADMIN, "--jwt-key", KEY) as server:
        said = {"sender": "B", "message": SECRET}
        headers = {"Authorization": f"Bearer {ADMIN}"}
        httpx.post(f"{server.url}/webhooks/rest/webhook", json=said, headers=headers)
        yield server


def routes(url: str) -> list[tuple[str, str]]:
    """Method and path of every route, with B as the conversation."""
    paths = httpx.get(f"{url}/openapi/openapi.json").json()["paths"]
    found = [(method, path) for path, methods in paths.items() for method in methods]
    assert len(found) > 8
    return [(method.upper(), _filled(path)) for method, path in found]


def _filled(path: str) -> str:
    for name in ("conversation", "id", "session_id", "session", "sender_id"):
        path = path.replace(f"{{{name}}}", "B")
    return path.replace("{event}", "1")


OPEN = {
    "/openapi",
    "/openapi/openapi.json",
    "/health",
    "/health/ready",
    "/metrics",
    "/webhooks/rest",
}


@pytest.mark.parametrize("how", ["none", "of A", "unsigned"])
def test_no_route_says_anything_of_b(guarded: Server, how: str) -> None:
    given = {"none": None, "of A": token(sub="A"), **BAD}[how]
    headers = {"Authorization": f"Bearer {given}"} if given else {}
    body = {"sender": "B", "message": "hi", "events": [], "conversation": "B"}
    with httpx.Client(base_url=guarded.url, headers=headers) as http:
        for method, path in routes(guarded.url):
            for search in ({}, {"search": "only"}):
                params = {"conversation": "B", "event": 1, **search}
                answer = http.request(method, path, params=params, json=body)
                assert SECRET not in answer.text, (method, path)
                if path not in OPEN and "/inspect/api/conversations" not in path:
                    assert answer.status_code in (401, 403, 404), (method, path, answer.status_code)
    events = httpx.get(
        f"{guarded.url}/v1/conversations/B/events", headers={"Authorization": f"Bearer {ADMIN}"}
    ).json()
    assert [e["text"] for e in events["events"] if e["type"] == "UserUttered"] == [SECRET]


@pytest.mark.parametrize("how", BAD)
def test_a_bad_token_is_refused_over_http(guarded: Server, how: str) -> None:
    headers = {"Authorization": f"Bearer {BAD[how]}"}
    with httpx.Client(base_url=guarded.url, headers=headers) as http:
        for path in ("/v1/conversations/A/events", "/inspect/api/conversations"):
            assert http.get(path).status_code == 401
            assert http.get(path, params={"token": BAD[how]}).status_code == 401
            cookie = {"Cookie": f"turnlog_inspect={BAD[how]}"}
            assert httpx.get(guarded.url + path, headers=cookie).status_code == 401


async def test_no_event_of_a_socket_says_anything_of_b(guarded: Server) -> None:
    auth = {"token": token(sub="A")}
    async with connected(guarded.url, auth=auth) as client:
        await client.sio.emit("session_request", {"session_id": "B", "after": 0})
        [refused] = await client.until(1, "chat_error")
        assert refused["reason"] == "Forbidden"
        assert await client.session() == "A"
        said = await client.say("let me in", session_id="B")
        assert said["error"]["reason"] == "Forbidden"
        assert "B" not in {data for name, data in client.heard if name == "session_confirm"}
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {ADMIN}"}) as http:
            said = {"sender": "B", "message": "again"}
            await http.post(f"{guarded.url}/webhooks/rest/webhook", json=said)
        await asyncio.sleep(0.3)
        assert not client.all("bot_uttered")
        assert SECRET not in json.dumps(client.heard)


@pytest.mark.parametrize("how", BAD)
async def test_a_bad_token_connects_no_socket(guarded: Server, how: str) -> None:
    client = socketio.AsyncClient(reconnection=False)
    for auth in ({"token": BAD[how]}, {"token": f"Bearer {BAD[how]}"}, None):
        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(guarded.url, auth=auth, transports=["websocket"])
    await client.disconnect()


async def test_a_token_that_expires_ends_the_right_to_speak(guarded: Server) -> None:
    auth = {"token": f"Bearer {token(sub='short', exp=time.time() + 1.5)}"}
    async with connected(guarded.url, auth=auth) as client:
        assert await client.session() == "short"
        assert "error" not in await client.say("hi")
        await asyncio.sleep(1.6)
        assert (await client.say("hi"))["error"]["reason"] == "Expired"


async def test_only_a_pages_token_opens_its_session_and_no_other(
    server: Server,
) -> None:
    async with connected(server.url) as one, connected(server.url) as two:
        began = await one.session(after=0)
        await one.say(SECRET)
        assert len(began["session_id"]) == 32
        for wish in (
            {"session_id": began["session_id"], "after": 0},
            {"token": began["token"], "session_id": "0" * 32, "after": 0},
            {"token": began["token"][:-2], "after": 0},
            {"token": unsigned(sub=began["session_id"], aud="session"), "after": 0},
            {"token": token(sub=began["session_id"], aud="session"), "after": 0},
            {"session_id": began["session_id"]},
        ):
            await two.sio.emit("session_request", wish)
        await two.sio.emit("user_uttered", {"message": "x", "session_id": began["session_id"]})
        await asyncio.sleep(0.5)
        assert SECRET not in json.dumps(two.heard)
        again = await two.session(token=began["token"], after=0, new=True)
        assert again["session_id"] == began["session_id"]
        assert again["token"] != began["token"]


async def test_ids_are_the_servers_and_have_128_bits_at_least(server: Server) -> None:
    ids = set()
    for _ in range(20):
        async with connected(server.url) as client:
            ids.add(await client.session())
    assert len(ids) == 20
    assert all(len(bytes.fromhex(id)) >= 16 for id in ids)


async def test_a_client_that_names_its_session_receives_an_error_that_helps(
    server: Server, naming_server: Server
) -> None:
    async with connected(server.url) as client:
        mine = await client.session(session_id="mine")
        assert mine != "mine"
        await client.say("a table for two", session_id="mine")
        await client.until(1, "bot_uttered")
        refused = await client.say("hi", session_id="yours")
        assert "--client-ids" in refused["error"]["message"]
    async with connected(naming_server.url) as client:
        assert await client.session(session_id="mine") == "mine"


@pytest.mark.parametrize("absent", ["undefined", "null", "", None])
async def test_null_and_undefined_are_not_ids(naming_server: Server, absent: Any) -> None:
    async with connected(naming_server.url) as one, connected(naming_server.url) as two:
        ids = [await client.session(session_id=absent) for client in (one, two)]
        assert len({*ids, "undefined", "null", ""}) == 5
        await one.say("a table for two", session_id=absent)
        await one.until(1, "bot_uttered")
        assert not two.all("bot_uttered")


async def test_a_second_tab_may_carry_the_first_ones_socket_id(naming_server: Server) -> None:
    async with connected(naming_server.url) as one, connected(naming_server.url) as two:
        name = one.sio.get_sid("/")
        assert await one.session(session_id=name) == name
        assert await two.session(session_id=name) == name
        await two.say("a table for two", session_id=name)
        await asyncio.gather(one.until(1, "bot_uttered"), two.until(1, "bot_uttered"))


async def test_a_message_sent_before_the_session_request_is_answered(
    naming_server: Server,
) -> None:
    async with connected(naming_server.url) as client:
        early = {"message": "a table for two", "session_id": "early"}
        await client.sio.emit("user_uttered", early)
        await client.sio.emit("session_request", {"session_id": "early"})
        await client.until(1, "bot_uttered")
    async with connected(naming_server.url) as client:
        await client.sio.emit("user_uttered", {**early, "session_id": "undefined"})
        await client.sio.emit("session_request", {"session_id": "undefined"})
        await client.until(1, "bot_uttered")
        assert len(set(client.all("session_confirm"))) == 1


async def test_too_much_and_too_fast_are_refused_and_others_are_served(server: Server) -> None:
    async with connected(server.url) as client, connected(server.url) as healthy:
        await client.session(after=0)
        await healthy.session(after=0)
        large = await client.say("x" * 20_000)
        assert large["error"]["reason"] == "TooLarge"
        for _ in range(80):
            await client.sio.emit("user_uttered", {"message": "flood"})
        await client.until(1, "chat_error")
        assert {error["reason"] for error in client.all("chat_error")[1:]} <= {"TooFast", "TooMany"}
        assert "error" not in await healthy.say("a table for two")


@pytest.mark.parametrize(
    "data",
    [None, 5, "text", [], {}, {"message": None}, {"message": 7}, {"message": {"a": 1}},
     {"message": "\ud800"}, {"message": "hi", "session_id": ["a"]},
     {"message": "hi", "session_id": "\u001fserver"}, {"message": "hi", "message_id": {}}],
)  # fmt: skip
async def test_odd_events_are_answered_and_harm_nothing(server: Server, data: Any) -> None:
    async with connected(server.url) as client:
        await client.sio.emit("session_request", data)
        await client.sio.emit("user_uttered", data)
        await client.session()
        assert "error" not in await client.say("a table for two")


def test_other_origins_and_host_names_are_refused() -> None:
    friend, stranger = "https://friend.example", "https://stranger.example"
    with turnlog_part.running("--cors", friend) as server:
        webhook = f"{server.url}/webhooks/rest/webhook"
        said = {"sender": "a", "message": "hi"}
        handshake = f"{server.url}/socket.io/?EIO=4&transport=polling"
        for origin, status in ((friend, 200), (server.url, 200), (stranger, 403), ("null", 403)):
            headers = {"Origin": origin}
            assert httpx.post(webhook, json=said, headers=headers).status_code == status
            answer = httpx.get(handshake, headers=headers)
            assert (answer.status_code == 200) == (status == 200)
        rebound = httpx.get(f"{server.url}/health", headers={"Host": "evil.example"})
        assert rebound.status_code == 403


def test_without_a_token_it_binds_to_loopback_only(tmp_path: Any) -> None:
    from turnlog.errors import TurnlogError
    from turnlog.server.main import check
    from turnlog.server.settings import Settings

    for host in ("0.0.0.0", "::", "192.168.1.5", "example.com"):
        with pytest.raises(TurnlogError, match="--auth-token or --jwt-key"):
            check(Settings(host=host))
        check(Settings(host=host, auth_token="t"))
    for host in ("127.0.0.1", "::1", "localhost"):
        check(Settings(host=host))


def test_the_inspector_asks_for_a_token_and_keeps_it_as_a_cookie(guarded: Server) -> None:
    with httpx.Client(base_url=guarded.url) as http:
        assert http.get("/inspect").status_code == 401
        assert http.get("/inspect/api/conversations").status_code == 401
        assert http.get("/inspect", params={"token": "wrong"}).status_code == 401
        entered = http.get("/inspect", params={"token": ADMIN})
        assert (entered.status_code, entered.headers["location"]) == (303, "/inspect")
        assert "HttpOnly" in entered.headers["set-cookie"]
        assert ADMIN not in entered.headers["set-cookie"]
        found = http.get("/inspect/api/conversations").json()["conversations"]
        assert "B" in {line["conversation"] for line in found}
        assert http.get("/v1/conversations/B/events").status_code == 401  # the cookie reads alone
    with httpx.Client(base_url=guarded.url) as http:
        http.get("/inspect", params={"token": token(sub="A")})
        assert http.get("/inspect/api/conversations").json()["conversations"] == []
        assert http.get("/inspect/api/timeline", params={"conversation": "B"}).status_code == 403
        assert http.get("/inspect/api/live", params={"conversation": "B"}).status_code == 403


def test_logs_and_metrics_hold_no_word_of_what_was_said() -> None:
    canary = "canary-4711"
    with turnlog_part.running("--auth-token", ADMIN, bot=None) as server:
        headers = {"Authorization": f"Bearer {ADMIN}"}
        url = f"{server.url}/webhooks/rest/webhook"
        httpx.post(url, json={"sender": "a", "message": canary}, headers=headers)
        httpx.post(url, content=canary * 3, headers=headers)
        httpx.post(url, params={"token": canary}, json={"sender": "a", "message": canary})
        httpx.get(f"{server.url}/v1/conversations/a/events", params={"token": canary})
        assert canary not in httpx.get(f"{server.url}/metrics").text
        assert "turnlog_messages_total" in httpx.get(f"{server.url}/metrics").text
        logged = server.log.read_text()
        assert canary not in logged
        assert len(logged.splitlines()) > 1
        assert all(line.startswith(("{", "chat", "inspect")) for line in logged.splitlines())


async def test_packets_made_to_break_the_server_end_their_own_connection_at_most(
    server: Server,
) -> None:
    address = server.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    packets = (
        '42["user_uttered",' + "[" * 60_000,
        "42" + "9" * 5_000,
        '42["user_uttered",{"message":' + "9" * 5_000 + "}]",
        '42["user_uttered",{"message":"hi","a":1e999}]',
        '42["user_uttered",{"message":"\\ud800"}]',
        '451-["user_uttered",{"_placeholder":true,"num":99}]',
        "42not json", "4", "9", "", "44", '42["disconnect"]', '42["connect",{}]',
        '42["user_uttered"]', "42[]", "42{}", "x" * 300_000,
    )  # fmt: skip
    async with connected(server.url) as healthy:
        await healthy.session(after=0)
        for packet in packets:
            with contextlib.suppress(websockets.ConnectionClosed):
                async with websockets.connect(address) as wire:
                    await wire.send("40")
                    await wire.recv()
                    await wire.recv()
                    await wire.send(packet)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(wire.recv(), 0.2)
        assert "error" not in await healthy.say("a table for two")
        await healthy.until(1, "bot_uttered")


def test_a_fork_takes_no_id_that_is_not_granted(guarded: Server) -> None:
    with httpx.Client(
        base_url=guarded.url, headers={"Authorization": f"Bearer {token(sub='A')}"}
    ) as http:
        for origin, name in (("A", "C"), ("B", "A")):
            answer = http.post(f"/v1/conversations/{origin}/fork", json={"as": name})
            assert (answer.status_code, SECRET in answer.text) == (403, False)
