"""No view shows redacted content: every route, command, format and socket event is tried.

The list of calls comes from the application itself; a call without arguments in the tables here
fails its test.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import turnlog
from tests.command_line import run
from tests.integration.live.client import connected
from tests.parts import turnlog as turnlog_part
from tests.redacted import MESSAGE_ID, SAID, leaks, parrot, recorded_log, seen
from turnlog import Turnlog
from turnlog.bots import LoadedBot
from turnlog.cli.app import COMMANDS
from turnlog.domain import events as e
from turnlog.domain.plain import dumps, to_plain
from turnlog.projections import PROJECTIONS
from turnlog.rasa import DialogueStateTracker
from turnlog.replay.running.many import replay
from turnlog.serializers.formats import codec, names
from turnlog.server.app import serving
from turnlog.server.settings import Settings
from turnlog.server.socket_channel import SocketChannel
from turnlog.sessions.manager import SessionManager
from turnlog.storage.subscription import Subscription

RAW = {"verify", "backup", "restore", "export --include redacted"}
"""Every module that may read redacted content, besides the fold."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The file of a log with redacted conversations of each kind, and their ids."""
    folder = tmp_path_factory.mktemp("redacted")
    _, ids = recorded_log(folder)
    return folder / "redacted.db", ids


@pytest.fixture
def url(recorded: tuple[Path, list[str]], tmp_path: Path) -> str:
    """A copy of the log, to be written into."""
    for suffix in ("", "-highwater"):
        shutil.copy(f"{recorded[0]}{suffix}", tmp_path / f"log.db{suffix}")
    return f"sqlite:///{tmp_path / 'log.db'}"


@pytest.fixture
def ids(recorded: tuple[Path, list[str]]) -> list[str]:
    return recorded[1]


@pytest.fixture
def log(url: str) -> Iterator[Turnlog]:
    with turnlog.open(url) as opened:
        yield opened


def test_the_log_contains_the_words_searched_for(log, ids):
    for id in ids:
        assert len(leaks(b"".join(dumps(to_plain(x)) for x in log.history(id).events()))) == 2


# --- Python -------------------------------------------------------------------------------------


def test_a_conversation_shows_no_word_now_or_at_any_moment(log, ids):
    for id in ids:
        now = log.conversation(id)
        assert leaks(seen(now)) == []
        represented = (now._repr_html_(), now, now.dialogue(), log.head(id)[1])
        assert leaks(repr(represented)) == []
        assert leaks(b"".join(dumps(to_plain(state)) for state in now.states())) == []
        assert leaks(b"".join(dumps(r.as_dict()) for r in now.newest_first())) == []
        moments = [{"event": number} for number in range(min(now.state.event, 60))]
        moments += [{"turn": turn} for turn in range(1, now.turn + 1)]
        moments += [{"version": version} for version in range(1, now.version + 1)]
        moments += [{"time": now.state.last}]
        for moment in moments:
            assert leaks(seen(log.conversation(id, **moment))) == [], (id, moment)


def test_followers_and_read_models_get_no_word(log, ids):
    subscription = Subscription(log.store)
    commits = log.next_commits(subscription)
    assert {commit.conversation for _, commit in commits} >= set(ids)
    assert leaks(repr(commits)) == []
    followed = list(itertools.islice(log.follow(0), len(commits)))
    assert followed == commits
    for name in PROJECTIONS:
        view = log.view(name)
        assert leaks(repr([entry for id in ids for entry in view.entries(id)])) == []
        assert leaks(repr(list(log.store.reader.entries(name)))) == []


def test_the_awaitable_face_shows_no_word(url, ids):
    async def scenario() -> None:
        async with turnlog.aopen(url) as log:
            last = await log.read(lambda log: log.store.reader.last_position())
            commits = []
            async for commit in log.follow(0):
                commits.append(commit)
                if commit[0] == last:
                    break
            assert leaks(repr(commits)) == []
            async for head in log.heads():
                assert leaks(repr(head[1])) == []
            for id in ids:
                assert leaks(seen(await log.conversation(id))) == []
                assert leaks(repr(await log.read_events(id))) == []
                assert leaks(repr(await log.read_recorded(id))) == []

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_a_repeated_key_returns_no_word(log):
    done = log.record("user", e.UserUttered(SAID, message_id=MESSAGE_ID))
    assert not done.new
    assert leaks(repr(done.commits)) == []


def test_trackers_and_sessions_show_no_word(log, ids):
    with SessionManager(log=log) as manager:
        for id in ids:
            tracker = DialogueStateTracker(id, log=log)
            state = tracker.current_state(events=True)
            shown = (state, tracker.events, tracker.applied_events(), tracker.slots, tracker.copy())
            assert leaks(repr(shown) + repr(tracker.latest_message)) == []
            assert leaks(repr(manager.fetch_all(id))) == []
        assert manager.get("session", "again") is not None


def test_values_are_hidden_from_a_manager_that_knew_them(url):
    with turnlog.open(url) as log, SessionManager(log=log) as manager:
        log.record("new", e.UserUttered(SAID))
        manager.save("new", "said", SAID)
        assert manager.get("new", "said") == SAID
        log.record("new", e.MessageRedacted(1))
        manager.save("new", "other", SAID)
        manager.save("new", "kept", 1)
        assert manager.fetch_all("new") == {"said": None, "other": None, "kept": 1}


def test_bots_in_replay_see_no_word_and_redacted_turns_are_not_asked_again(log, ids):
    heard: list[str] = []

    async def listening(conversation: Any, message: Any) -> list[str]:
        heard.extend(await parrot(conversation, message))
        called = await conversation.call("look_up", of="me") if message.text == "who am I?" else ""
        heard.extend([seen(conversation).decode(), repr(called)])
        return []

    log.record("rasa", e.ConversationRestarted(), e.UserUttered("hello"), e.BotUttered("Hello"))
    log.record("rasa", e.UserUttered("who am I?"), e.BotUttered("A stranger"))
    outcomes = list(replay(log, ids, LoadedBot(listening, {}, "listening")))
    assert len(outcomes) == len(ids)
    assert heard
    assert leaks("".join(heard) + repr(outcomes)) == []


# --- commands -----------------------------------------------------------------------------------


ONCE = {"delete", "fork", "keygen", "restrict", "release", "erase"}
"""Commands whose repetition affects no one."""

REFUSING = {"accept", "bundle", "compare", "minimise", "replay"}
"""Commands that may find nothing to do, or accept nothing with a hidden part."""

MOMENTS = ((), ("--dialogue",), ("--at-turn", 1), ("--at-event", 1), ("--at", "2030-01-01"))


def commands(folder: Path, id: str, slots: set[str]) -> dict[str, list[list[Any]]]:
    """The arguments of each command."""
    event = folder / "event.json"
    event.write_text(json.dumps({"type": "UserUttered", "text": "hi", "message_id": MESSAGE_ID}))
    (folder / "pages").mkdir(exist_ok=True)
    exported = ["--include", "rewound,errors", "--format", "jsonl", "--out", folder / "all.jsonl"]
    parrot_bot = "tests.redacted:parrot"
    reports = ["--junit", folder / "replay.xml", "--html", folder / "replay.html"]
    kept = folder / "run.jsonl"
    split = ["--format", "openai", "--split", "train=0.5,dev=0.5", "--out", folder / "parts"]
    split += ["--skip-faulty", "--allow-leaks"]
    why = ["--reason", "a claim", "--actor", "a"]
    rules = folder / "rules.toml"
    rules.write_text("[[rules]]\nname = 'all'\nceiling = '1d'\n")
    return {
        "export": [[*exported], split, ["--verify", f"{folder / 'all.jsonl'}.manifest.json"]],
        "datasets": [[], ["--of", id]],
        "import": [[folder / "all.jsonl"], [folder / "all.jsonl", "--dry-run"]],
        "list": [[], ["--limit", 3, "--newest"], ["--search", "xanthippe"]],
        "log": [[id]],
        "show": [[id, *moment] for moment in MOMENTS],
        "states": [[id], []],
        "diff": [[id], [id, "--from-turn", 0], [id, "bot"]],
        "append": [[id, event]],
        "checkout": [[id, "retry", "--at-event", 1], [id, "main"]],
        "fork": [[id, "--as", f"{id}{n}"] for n in (1,)],
        "rebuild": [[]],
        "stats": [[]],
        "why": [*([id, slot] for slot in slots), *([id, "--event", n] for n in (1, 3, 5))],
        "audit": [
            [id, "--out", folder / "page.html"],
            [id, "--out", folder / "pages"],
            ["--period", "2000-01-01..2100-01-01", "--out", folder / "period.html"],
        ],
        "comply": [[], ["--register"]],
        "subject": [[id, "--out", folder / "pack", "--letter"]],
        "access": [[], ["--record", "off", "--actor", "a"]],
        "retain": [["--config", rules, "--dry-run"]],
        "hold": [[id, *why]],
        "keygen": [["--out", folder / "signer"]],
        "head": [["--key", folder / "signer", "--out", folder / "note"]],
        "prove": [[id, "--turn", 1, "--key", folder / "signer", "--out", folder / "proof"]],
        "check-proof": [[folder / "proof", "--verifier", folder / "signer.pub"]],
        "replay": [
            [id, "--bot", parrot_bot, *reports, "--out", kept],
            [id, "--bot", parrot_bot, "--from-turn", 1, "--say", "hi", "--follow"],
        ],
        "bundle": [[id, "--bot", parrot_bot, "--out", folder / "bundle.jsonl"]],
        "minimise": [[id, "--bot", parrot_bot, "--out", folder / "test_it.py"]],
        "compare": [[kept, kept]],
        "restrict": [[id, *why]],
        "release": [[id, *why]],
        "delete": [[id]],
        "erase": [[id, *why]],
        **{name: [] for name in RAW},
        "serve": [],  # the tests of routes call it
        "demo": [],  # serves its own log
        "witness": [],  # has no log
        "accept": [],  # repeats the words of a kept run
        "keys": [],  # this log is not sealed
    }


@pytest.mark.parametrize("id", ["user", "rewound", "session", "naif", "rasa", "tool_result"])
def test_no_command_prints_or_writes_a_word(url, tmp_path, id):
    with turnlog.open(url) as log:
        stored = list(log.history(id).events())
    slots = {event.name for event in stored if isinstance(event, e.SlotSet)}
    called = commands(tmp_path, id, slots)
    assert set(COMMANDS) <= set(called)
    order = [name for name in called if name in COMMANDS]
    for name in order:
        for arguments in called[name]:
            for style in ([], ["--json"]):
                ran = run("--db", url, name, *arguments, *style)
                refused = name in REFUSING or (style == ["--json"] and name in ONCE)
                assert ran.status in (0, 1) or refused, ran.err
                assert leaks(ran.out + ran.err) == [], (name, arguments, style)
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".db"]
    assert len(written) > 8
    for path in written:
        if not path.name.startswith("log.db"):
            assert leaks(path.read_bytes()) == [], path


def test_a_search_or_filter_for_a_word_finds_nothing(url):
    assert run("--db", url, "list", "--json", "--search", "xanthippe").lines == []
    assert run("--db", url, "list", "--json", "--where", "slot.name=Xanthippe").lines == []
    assert run("--db", url, "list", "--json", "--where", "slot.copy=Xanthippe").lines == []
    assert run("--db", url, "list", "--json", "--where", "tag=Xanthippe").lines == []


# --- formats ------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", names())
def test_no_format_contains_a_word(url, ids, tmp_path, format):
    if not codec(format).writes:
        pytest.skip("the format is read only")
    if codec(format).of_judgements:
        judge(url, ids)
    out = tmp_path / "out"
    asked = ["export", "--format", format, "--out", out, "--skip-faulty"]
    ran = run("--db", url, *asked, "--json", "--include", "rewound,errors")
    assert (ran.status, ran.err.count("Traceback")) == (0, 0), ran.err
    assert ran.json["examples"]
    assert leaks(ran.out + ran.err) == []
    assert leaks(content_of(out)) == []
    assert leaks((tmp_path / "out.manifest.json").read_bytes()) == []


def judge(url: str, ids: list[str]) -> None:
    """An answer in each conversation is regenerated, so that there are pairs."""
    with turnlog.open(url) as log:
        for id in ids:
            log.record(id, e.UserUttered("and now?"), e.BotUttered("one thing"))
            log.record(id, e.MessageRegenerated(log.head(id)[1].event, "another"))


def content_of(file: Path) -> bytes:
    if file.read_bytes()[:4] != b"PAR1":
        return file.read_bytes()
    import pyarrow.parquet

    rows: list[Any] = pyarrow.parquet.read_table(file).to_pylist()
    return json.dumps(rows, default=str).encode()


def test_redacted_words_are_exported_only_on_request(url, tmp_path):
    out = tmp_path / "raw.jsonl"
    asked = ["--format", "jsonl", "--out", out, "--include", "redacted"]
    assert run("--db", url, "export", *asked).status == 0
    assert len(leaks(out.read_bytes())) == 2
    manifest = json.loads((tmp_path / "raw.jsonl.manifest.json").read_text())
    assert manifest["options"]["include"] == ["redacted"]


def test_an_export_changes_nothing_on_import_and_fills_an_empty_log(url, ids, tmp_path):
    out = tmp_path / "all.jsonl"
    assert run("--db", url, "export", "--format", "jsonl", "--out", out).status == 0
    again = run("--db", url, "import", out, "--json").json
    assert (again["unchanged"], again["refused"]) == (len(ids), [])
    other = f"sqlite:///{tmp_path / 'other.db'}"
    assert run("--db", other, "import", out, "--json").json["conversations"] == len(ids)
    with turnlog.open(url) as one, turnlog.open(other) as two:
        for id in ids:
            assert list(one.conversation(id).events()) == list(two.conversation(id).events())
            assert one.conversation(id).slots == two.conversation(id).slots
        assert run("--db", url, "verify").status == run("--db", other, "verify").status == 0


# --- the server ---------------------------------------------------------------------------------

KEY = {"key": "k", "unit": "bank", "name": "name", "path": "openapi.json"}
"""Parameters of paths other than the conversation."""

QUERY: dict[str, list[Any]] = {
    "include_events": ["NONE", "APPLIED", "AFTER_RESTART", "SESSION", "ALL"],
    "until": [1e12], "after": [0, 1], "limit": [5], "search": ["xanthippe", "a"], "turns": [3],
    "where": ["slot.name=Xanthippe", "channel=rest"], "before": [100_000, 90], "retain": ["k"],
    "wait": ["false"], "stream": ["true"], "all_sessions": ["true"], "to": [3], "base": [1],
    "writer": ["w"], "fresh": ["true"], "keep_unknown": ["true"],
    "event": [1, 5, 12], "turn": [0, 1, 3], "text": ["xanthippe", "a"], "back": ["true"],
    "slot": ["name"], "conversation": ["x"], "group": ["x"], "other": ["x"], "at": [3],
}  # fmt: skip
"""Values of every parameter of a query."""

SLOT = {"event": "slot", "name": "city", "value": "Rome", "timestamp": 9e9}
BODIES: dict[str, Any] = {
    "post /chat/session": {"conversation": "ID"},
    "post /chat/messages": {"message": "again?", "message_id": MESSAGE_ID},
    "post /chat/stop": {},
    "post /webhooks/rest/webhook": {"sender": "ID", "message": "x", "message_id": MESSAGE_ID},
    "post /v1/conversations/{conversation}/events": [
        {"type": "BotUttered", "text": "so"},
        {"type": "MediaAdded", "kind": "image", "content": "c28="},
    ],
    "post /v1/conversations/{conversation}/checkout": {"branch": "main"},
    "post /v1/conversations/{conversation}/fork": {"as": "fork of ID"},
    "post /v1/conversations/{conversation}/stop": {},
    "post /inspect/api/fork": {"conversation": "ID", "event": 20, "as": "inspected fork of ID"},
    "post /inspect/api/trial": {"conversation": "ID", "turn": 2},
    "patch /sessions/{conversation}/values": {"k": 1},
    "put /sessions/{conversation}/values/{key}": 1,
    "post /sessions/{conversation}/turn": {"save": {"k": 2}, "props": {"k": 3}},
    "put /sessions/{conversation}/props/{key}": 1,
    "put /sessions/{conversation}/globals/{key}": 1,
    "post /sessions/{conversation}/thread/start": {"unit": "bank", "state": "ask"},
    "post /sessions/{conversation}/thread/next": {"unit": "bank", "state": "ask"},
    "post /sessions/{conversation}/thread/request": {"text": "hi"},
    "post /sessions/{conversation}/thread/response": {"text": "ho"},
    "post /sessions/{conversation}/thread/end": {},
    "put /sessions/{conversation}/variables/{unit}/{name}": 1,
    "put /conversations/{conversation}/tracker/events": [SLOT],
    "post /conversations/{conversation}/tracker/events": [SLOT],
    "post /conversations/{conversation}/messages": {"text": "hi", "sender": "user"},
}
"""The body of every request that needs one."""

EVENTS = 40
"""The attachment requested, if any."""

NOT_SERVED = {"execute", "predict", "trigger_intent", "accept", "minimise"}
"""Belongs to the bot, or requests a run of a replay; refused with any arguments."""

TRIED = {"user", "bot", "tool_result"}
"""Routes that send conversations to the bot again, in a process each."""

ORDER = ("get", "patch", "put", "post", "get", "delete")
"""Methods, in the order in which they are called."""

Call = tuple[str, str, dict[str, Any], Any]


def calls(document: Any, id: str) -> Iterator[Call]:
    """Each route of an OpenAPI document with each value of each of its parameters."""
    routes = [
        (method, path, route)
        for path, methods in sorted(document["paths"].items(), key=_parts_first)
        for method, route in methods.items()
    ]
    assert {method for method, _, _ in routes} <= set(ORDER)
    rounds = [
        (n, *route) for n, method in enumerate(ORDER) for route in routes if route[0] == method
    ]
    for number, method, path, route in rounds:
        parameters = route.get("parameters", [])
        if path.endswith(("/content", "/api/event")):
            if number:  # once is enough: no written event changes an earlier one
                yield from _contents(path, id)
            continue
        if path == "/inspect/api/trial" and id not in TRIED:
            continue
        place = path.format_map({"conversation": id, **KEY})
        has_body = method in ("post", "put", "patch") and path.split("/")[-1] not in NOT_SERVED
        body = BODIES[f"{method} {path}"] if has_body else None
        required = {p["name"]: id for p in parameters if p["in"] == "query" and p.get("required")}
        if path == "/chat/stream":
            required["wait"] = "false"
        yield method, place, required, body
        for parameter in parameters:
            if parameter["in"] == "query" and parameter["name"] not in required:
                for value in QUERY[parameter["name"]]:
                    yield method, place, {**required, parameter["name"]: value}, body


def _contents(path: str, id: str) -> Iterator[Call]:
    """Of the first events, at least one of which has contents."""
    for event in range(1, EVENTS + 1):
        query = {} if "{event}" in path else {"conversation": id, "event": event}
        yield "get", path.format_map({"conversation": id, "event": event}), query, None


def _parts_first(item: tuple[str, Any]) -> tuple[bool, int]:
    """A container is deleted after its parts: all values, and at the end the conversation."""
    return item[0].startswith("/conversations"), -len(item[0])


@pytest.fixture
def server(url: str) -> Iterator[httpx.Client]:
    """A server whose bot repeats everything it sees."""
    running = turnlog_part.running("--client-ids", db=url, bot="tests.redacted:parrot")
    with running as process, httpx.Client(base_url=process.url, timeout=20) as client:
        yield client


def token(server: httpx.Client, id: str) -> dict[str, str]:
    answer = server.post("/chat/session", json={"conversation": id})
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def test_no_route_answers_with_a_word(server, ids):
    document = server.get("/openapi/openapi.json").json()
    done: set[tuple[str, str]] = set()
    for id in ids:
        headers = token(server, id)
        for method, path, query, body in calls(document, id):
            body = json.loads(json.dumps(body).replace('"ID"', json.dumps(id)))
            content, status = answer(server, method, path, params=query, json=body, headers=headers)
            assert leaks(content) == [], (method, path, query)
            assert status < 500, (method, path, query, content)
            if status < 300:
                place = path.replace(id, "{conversation}")
                done.add((method, re.sub(r"events/\d+/", "events/{event}/", place)))
    known = {
        (method, path.format_map({"conversation": "{conversation}", "event": "{event}", **KEY}))
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert {route for route in known - done if route[1].split("/")[-1] not in NOT_SERVED} == set()


def answer(server: httpx.Client, method: str, path: str, **asked: Any) -> tuple[bytes, int]:
    """A route's response; for an endless stream, its beginning."""
    with server.stream(method, path, **asked) as response:
        if path != "/inspect/api/live":
            return response.read(), response.status_code
        for content in response.iter_bytes():
            if b"data:" in content:
                return content, response.status_code
    return b"", response.status_code


def test_a_redaction_during_a_stream_sends_no_word_again(server):
    server.post("/v1/conversations/live/events", json=[{"type": "UserUttered", "text": SAID}])
    query = {"conversation": "live", "after": 1}
    redaction = [{"type": "MessageRedacted", "message": 1}, {"type": "BotUttered", "text": SAID}]
    with server.stream("get", "/inspect/api/live", params=query) as response:
        content = response.iter_bytes()
        server.post("/v1/conversations/live/events", json=redaction)
        got = b""
        while b"BotUttered" not in got:
            got += next(content)
        assert leaks(got) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Litestar's own
def test_no_event_of_a_socket_contains_a_word(server, ids):
    async def listening() -> None:
        async with serving(Settings(db="memory:")) as (_, services):
            assert set(SocketChannel(services)._handlers) == {
                "session_request", "stop_request", "user_uttered",
            }  # fmt: skip
        for id in ids:
            async with connected(str(server.base_url)) as client:
                await client.session(session_id=id, after=0)
                said = await client.say("what do you see?", session_id=id)
                last = said["event"]
                await client.when(lambda: max(client.events(), default=0) > last)  # noqa: B023
                assert "bot_uttered" in {name for name, _ in client.heard}
                assert leaks(json.dumps(client.heard)) == [], id

    asyncio.run(asyncio.wait_for(listening(), 120))
