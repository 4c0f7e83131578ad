"""`turnlog replay ID --from-turn N`: the bot continues, answers are shown, and kept on request."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog import BotUttered, SlotSet, ToolCalled, ToolReturned, UserUttered

BOT = """
from turnlog import SlotSet
async def bot(conversation, message):
    print("not for stdout")
    item = message.text.split()[-1]
    cost = await conversation.call("price", item=item)
    count = conversation.slots.get("count", 0) + 1
    return [SlotSet("count", count), f"{item} is {cost}; {count} so far"]
async def dear(conversation, message):
    return [await bot(conversation, message)][0][:1] + ["too much"]
"""


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "tried_shop.py").write_text(BOT)
    monkeypatch.syspath_prepend(str(tmp_path))
    url = f"sqlite:///{tmp_path}/chat.db"
    with turnlog.open(url) as log:
        for count, item in enumerate(("tea", "cake", "tea"), 1):
            log.record(
                "anna", UserUttered(f"a {item}"), ToolCalled("price", {"item": item}),
                ToolReturned(len(item)), SlotSet("count", count),
                BotUttered(f"{item} is {len(item)}; {count} so far"),
            )  # fmt: skip
    monkeypatch.setenv("TURNLOG_DB", url)
    return url


def test_lines_say_what_was_said_and_how_it_differs(db: str) -> None:
    ran = run("replay", "anna", "--bot", "tried_shop:dear", "--from-turn", "2", "--json")
    assert ran.status == 1
    assert [line["turn"] for line in ran.lines] == [2, 3]
    first = ran.lines[0]
    assert first["message"] == "a cake"
    assert [event.get("text") for event in first["actual"]][-1] == "too much"
    assert [event.get("text") for event in first["expected"]][-1] == "cake is 4; 2 so far"
    assert first["slots"] == first["expected_slots"] == {"count": 2}
    assert first["divergence"]["kind"] == "text"
    assert "not for stdout" in ran.err


def test_a_bot_that_answers_as_recorded_exits_with_0(db: str) -> None:
    ran = run("replay", "anna", "--bot", "tried_shop:bot", "--from-turn", "1")
    assert ran.status == 0
    assert ran.out.splitlines()[-1] == "3 turns, 0 differ from the record"


def test_a_kept_trial_is_a_fork_that_is_shown_compared_and_replayed(db: str) -> None:
    options = ["--from-turn", "2", "--say", "a tea", "--follow", "--as", "what-if"]
    ran = run("replay", "anna", "--bot", "tried_shop:bot", *options, "--json")
    assert ran.lines[-1] == {
        "kind": "fork", "conversation": "what-if", "origin": "anna", "event": 5, "recorded": 11,
    }  # fmt: skip
    assert run("show", "what-if", "--json").json["slots"] == {"count": 3}
    assert run("replay", "what-if", "--bot", "tried_shop:bot").status == 0
    compared = run("diff", "anna", "what-if", "--json")
    assert {event["text"] for event in compared.json["events"] if "text" in event} >= {
        "a tea", "a cake", "tea is 3; 2 so far",
    }  # fmt: skip
    assert run("verify").status == 0
    counted = run("replay", "--all", "--bot", "tried_shop:bot")
    assert counted.out.splitlines()[-1] == "conversations: 1, diverging: 0"
    again = run("replay", "anna", "--bot", "tried_shop:bot", *options)
    assert again.status == 2
    assert "exists already" in again.err
    assert again.out == ""


def test_another_bot_continues_next_to_it(db: str) -> None:
    options = ["--from-turn", "3", "--beside", "tried_shop:dear"]
    ran = run("replay", "anna", "--bot", "tried_shop:bot", *options, "--json")
    [line] = ran.lines
    assert [event.get("text") for event in line["expected"]][-1] == "too much"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--say", "hello"], "--from-turn"),
        (["--from-turn", "9"], "turn 9 does not exist"),
        (["--edit", "4"], "EVENT=JSON"),
        (["--edit", "x={}"], "EVENT=JSON"),
        (["--edit", "4=[1]"], "EVENT=JSON"),
        (["--edit", '4={"valeu": 1}'], "valeu"),
        (["--edit", '99={"value": 1}'], "event 99 does not exist"),
    ],
)
def test_an_impossible_trial_is_refused(db: str, options: list[str], why: str) -> None:
    ran = run("replay", "anna", "--bot", "tried_shop:bot", *options)
    assert ran.status == 2
    assert why in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    "options",
    [["--out", "run.jsonl"], ["--junit", "r.xml"], ["--html", "r.html"], ["--first"], ["--pdb"],
     ["--runs", "2"], ["--jobs", "2"], ["--last", "1"], ["--accepted", "accepted.toml"]],
)  # fmt: skip
def test_options_of_a_replay_of_the_record_are_refused(db: str, options: list[str]) -> None:
    ran = run("replay", "anna", "--bot", "tried_shop:bot", "--from-turn", "1", *options)
    assert (ran.status, ran.out) == (2, "")
    assert "--from-turn cannot be combined" in ran.err


def test_one_conversation_at_a_time(db: str) -> None:
    ran = run("replay", "--all", "--bot", "tried_shop:bot", "--from-turn", "1")
    assert ran.status == 2
    assert "name it" in ran.err


class Webhook(BaseHTTPRequestHandler):
    """Counts the messages of each sender."""

    heard: dict[str, list[str]]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = self.heard.setdefault(asked["sender"], [])
        said.append(asked["message"])
        answer = json.dumps([{"text": f"{len(said)} so far"}]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[str]:
    Webhook.heard = {}
    server = HTTPServer(("127.0.0.1", 0), Webhook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/webhook"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_bot_behind_a_url_gets_its_own_sender_id_and_the_past(db: str, webhook: str) -> None:
    for _ in range(2):
        ran = run("replay", "anna", "--bot", webhook, "--from-turn", "3", "--json")
        assert [event["text"] for event in ran.lines[0]["actual"]] == ["3 so far"]
    assert len(Webhook.heard) == 2
    assert "anna" not in Webhook.heard
    assert [*Webhook.heard.values()] == [["a tea", "a cake", "a tea"]] * 2


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_forks_share_is_compared_once(db: str, jobs: str) -> None:
    with turnlog.open(db) as log:
        for name in ("bert", "carl"):
            log.fork("anna", turn=2, as_=name)
            log.record(name, UserUttered("a tea"), SlotSet("count", 3), BotUttered("tea"))
        log.fork("carl", turn=3, as_="dora")
        log.record("dora", UserUttered("a tea"), BotUttered("tea"))
    options = ["--bot", "tried_shop:dear", "--json", "--jobs", jobs]
    ran = run("replay", "--all", *options)
    found = [(line["conversation"], line["turn"]) for line in ran.lines if line["kind"] != "group"]
    assert found == [
        ("anna", 1), ("anna", 2), ("anna", 3), ("bert", 3), ("carl", 3), ("dora", 4),
    ]  # fmt: skip
    alone = run("replay", "dora", *options)
    assert [line["turn"] for line in alone.lines if line["kind"] != "group"] == [1, 2, 3, 4]
