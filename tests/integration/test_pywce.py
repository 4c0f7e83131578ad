"""pywce 3's real engine on the log: same replies, nothing lost, and every message recorded."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pywce", reason="part not had: pywce: no package")

import httpx

import turnlog
from tests.integration import pywce_bot as bot
from turnlog import BotUttered, DeliveryFailed, DeliverySucceeded, UserUttered
from turnlog.sessions.pywce import TurnlogSessionManager, record

HERE = Path(__file__).parents[2]


@pytest.fixture(autouse=True, scope="module")
def logging_for_others() -> Iterator[None]:
    """The bot switches logging off, for its own process too."""
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> bot.Wire:
    wire = bot.Wire()
    monkeypatch.setattr(httpx.Client, "_init_transport", lambda *a, **k: wire)
    return wire


def replies(wire: bot.Wire, manager, messages: range) -> list[dict]:
    """The bot's posts for messages, on a session manager."""
    wire.posted = []
    engine = bot.engine(manager)
    if isinstance(manager, TurnlogSessionManager):
        record(engine)
    for number in messages:
        engine.process_webhook(bot.message(number))
    return wire.posted


@pytest.fixture(scope="module")
def expected() -> list[dict]:
    """The replies to a thousand messages on pywce's own session manager."""
    with pytest.MonkeyPatch.context() as patch:
        wire = bot.Wire()
        patch.setattr(httpx.Client, "_init_transport", lambda *a, **k: wire)
        return replies(wire, None, range(1000))


def test_a_thousand_messages_of_fifty_users_get_the_replies_of_its_own_manager(
    wire, expected, tmp_path
):
    with TurnlogSessionManager(db=f"sqlite:///{tmp_path}/chat.db") as manager:
        assert replies(wire, manager, range(1000)) == expected
        assert len(expected) == 1000
        assert len(list(manager.log.ids())) == bot.USERS
        for id in manager.log.ids():
            conversation = manager.log.conversation(id)
            kinds = Counter(type(event) for event in conversation.events())
            assert kinds[UserUttered] == kinds[BotUttered] == kinds[DeliverySucceeded] == 20
            assert conversation.version <= 3 * 20


def test_a_message_s_bytes_do_not_grow_with_the_history(wire, tmp_path):
    with TurnlogSessionManager(db=f"sqlite:///{tmp_path}/chat.db") as manager:
        engine = record(bot.engine(manager))
        sizes = []
        for number in range(1000):
            engine.process_webhook(bot.message(number, users=1))
            sizes.append(number)
        rows = manager.log.store.reader.tail(0, 10_000)
        assert len(rows) <= 3000
        bytes_of = [0] * 1000
        message = -1
        for row in rows:
            message += any(isinstance(event, UserUttered) for event in row.commit().events)
            bytes_of[message] += len(row.parts)
        assert sum(bytes_of[900:1000]) <= 1.2 * sum(bytes_of[10:110])


def test_users_continue_after_the_process_was_killed(wire, expected, tmp_path):
    url = f"sqlite:///{tmp_path}/chat.db"
    served = _serve_until_killed(url, after=130)
    with TurnlogSessionManager(db=url) as manager:
        for id in manager.log.ids():
            assert manager.get(id, "wa_mobile") == id
        assert replies(wire, manager, range(served, 250)) == expected[served:250]
        for number, id in enumerate(sorted(manager.log.ids())):
            events = manager.log.conversation(id).events()
            said = [event.text for event in events if isinstance(event, UserUttered)]
            assert said == [bot.text(n) for n in range(number, 250, bot.USERS)]


def _serve_until_killed(url: str, *, after: int) -> int:
    """Serve messages in a process that is killed between two of them; returns the number served.

    WhatsApp would send an interrupted message again; here the process stops before a message, and
    the earlier ones must survive.
    """
    program = [sys.executable, "-m", "tests.integration.pywce_bot", url, "0", "1000"]
    with subprocess.Popen(
        program, cwd=HERE, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as process:
        for served in range(1, 1000):
            process.stdin.write("\n")
            process.stdin.flush()
            process.stdout.readline()
            if served == after:
                process.send_signal(signal.SIGKILL)
                return served
    raise AssertionError("the process ended before it was killed")


def test_a_kill_in_the_middle_of_a_send_leaves_the_attempt_and_users_continue(
    wire, expected, tmp_path
):
    url = f"sqlite:///{tmp_path}/chat.db"
    program = [sys.executable, "-m", "tests.integration.pywce_bot", url, "0", "200", "120"]
    done = subprocess.run(program, cwd=HERE, input="\n" * 200, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL
    cut = bot.user(119)
    with TurnlogSessionManager(db=url) as manager:
        *_, said, attempted = _said(manager.log, cut)
        assert (said.text, type(attempted)) == (bot.text(119), BotUttered)
        again = replies(wire, manager, range(120, 200))
        assert _others(again, cut) == _others(expected[120:200], cut)
        assert [reply["to"] for reply in again] == [reply["to"] for reply in expected[120:200]]


def _said(log: turnlog.Turnlog, id: str) -> list[turnlog.Event]:
    """The messages of a conversation and their outcomes."""
    kinds = (UserUttered, BotUttered, DeliverySucceeded, DeliveryFailed)
    return [event for event in log.conversation(id).events() if isinstance(event, kinds)]


def _others(replies: list[dict], user: str) -> list[dict]:
    return [reply for reply in replies if reply["to"] != user]


def test_a_refused_send_is_recorded_as_attempted_and_failed(wire, tmp_path):
    wire.refuse = lambda number: number == 2
    with TurnlogSessionManager(db="memory:") as manager:
        engine = record(bot.engine(manager))
        engine.process_webhook(bot.webhook(1, "263", "hi"))
        engine.process_webhook(bot.webhook(2, "263", "Ann"))
        events = list(manager.log.conversation("263").events())
        sends = [e for e in events if isinstance(e, BotUttered)]
        (failed,) = [e for e in events if isinstance(e, DeliveryFailed)]
        (accepted,) = [e for e in events if isinstance(e, DeliverySucceeded)]
        assert events[failed.message - 1] is sends[1] or events[failed.message - 1] == sends[1]
        assert "HTTP 400" in failed.reason
        assert "131030" in failed.reason
        assert accepted.receipt == "wamid.out.1"
        assert sends[1].data["interactive"]["type"] == "button"
        assert sends[1].text == "Which size?"


def test_a_transport_that_breaks_is_a_failed_send(wire, monkeypatch):
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    monkeypatch.setattr(wire, "handle_request", broken)
    with TurnlogSessionManager(db="memory:") as manager:
        record(bot.engine(manager)).process_webhook(bot.webhook(1, "263", "hi"))
        *_, failed = [
            e for e in manager.log.conversation("263").events() if isinstance(e, DeliveryFailed)
        ]
        assert failed.reason == "ConnectError: no route"


def test_the_attempt_and_the_values_are_durable_before_the_transport_is_called(wire):
    with TurnlogSessionManager(db="memory:") as manager:
        seen = []

        def look(request: httpx.Request) -> httpx.Response:
            events = list(manager.log.conversation("263").events())
            seen.append([type(event).__name__ for event in events])
            return httpx.Response(200, json={})

        wire.handle_request = look
        record(bot.engine(manager)).process_webhook(bot.webhook(1, "263", "hi"))
        assert seen[0][:2] == ["UserUttered", "BotUttered"]
        assert "ValueSet" in seen[0]


def test_a_webhook_that_comes_twice_is_recorded_once(wire):
    with TurnlogSessionManager(db="memory:") as manager:
        engine = record(bot.engine(manager))
        for _ in range(2):
            engine.process_webhook(bot.webhook(1, "263", "hi"))
        assert manager.log.conversation("263").turn == 1
        assert len(wire.posted) == 1


def test_read_receipts_are_sent_and_are_not_messages(wire):
    with TurnlogSessionManager(db="memory:") as manager:
        engine = bot.engine(manager)
        engine.config.read_receipts = True
        record(engine).process_webhook(bot.webhook(1, "263", "hi"))
        assert len(wire.posted) == 2
        assert list(manager.log.ids()) == ["263"]
        kinds = Counter(type(event) for event in manager.log.conversation("263").events())
        assert kinds[BotUttered] == 1
        assert manager.log.conversation("263").version == 3


def test_a_send_outside_a_webhook_is_recorded(wire):
    with TurnlogSessionManager(db="memory:") as manager:
        engine = record(bot.engine(manager))
        engine.whatsapp.send_message("263", "a word from us")
        *_, said, accepted = manager.log.conversation("263").events()
        assert said.text == "a word from us"
        assert accepted.message == 1


def test_an_engine_on_another_manager_is_refused(wire):
    with pytest.raises(TypeError, match="DefaultSessionManager"):
        record(bot.engine(None))
