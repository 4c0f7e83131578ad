"""A pywce bot with a stubbed HTTP transport; run as a program it serves messages until killed.

Program: `python pywce_bot.py DB FIRST LAST [KILLED]` serves a message for each line it reads and
prints its number; it kills itself while it sends the answer number KILLED.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from pywce import DefaultSessionManager, Engine, EngineConfig, client, storage

USERS = 50

TEMPLATES = {
    "START": {
        "kind": "text",
        "message": "Hello {{ s.wa_name }}! What is your name?",
        "prop": "first_word",
        "routes": {"re:.*": "SIZE"},
    },
    "SIZE": {
        "kind": "button",
        "prop": "name",
        "message": {"title": "Size", "body": "Which size?", "buttons": ["Small", "Large"]},
        "routes": {"small": "DONE", "large": "DONE"},
    },
    "DONE": {
        "kind": "text",
        "checkpoint": True,
        "message": "Done, {{ p.name }}. Again?",
        "routes": {"re:.*": "START"},
    },
    "REPORT": {"kind": "text", "message": "Reported", "routes": {"re:.*": "START"}},
}
WORDS = ["hi", "Ann", "large", "yes", "small", "huge", "again"]


class Wire(httpx.BaseTransport):
    """WhatsApp's server: notes each post; `refuse` decides which posts it answers with 400."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        self.refuse = lambda number: False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.posted.append(body)
        if self.refuse(len(self.posted)):
            return httpx.Response(400, json={"error": {"message": "(#131030) not allowed"}})
        accepted = {
            "messaging_product": "whatsapp",
            "contacts": [{"wa_id": body.get("to")}],
            "messages": [{"id": f"wamid.out.{len(self.posted)}"}],
        }
        return httpx.Response(200, json=accepted)

    def stub(self) -> None:
        """Every client that httpx makes from now on talks to this wire."""
        httpx.Client._init_transport = lambda *a, **k: self  # type: ignore[method-assign]


def webhook(number: int, user: str, text: str) -> dict[str, Any]:
    message = {
        "id": f"wamid.in.{number}",
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": text},
    }
    contact = {"wa_id": user, "profile": {"name": f"User {user}"}}
    value = {"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]}
    return {"entry": [{"changes": [{"value": value}]}]}


def message(number: int, users: int = USERS) -> dict[str, Any]:
    """The message of that number. Users take turns, and each one says the words in order."""
    return webhook(number, user(number, users), text(number, users))


def user(number: int, users: int = USERS) -> str:
    return f"2637700{number % users:05}"


def text(number: int, users: int = USERS) -> str:
    return WORDS[number // users % len(WORDS)]


def engine(manager: Any) -> Engine:
    logging.disable(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp())
    for name, content in (("templates", TEMPLATES), ("triggers", {"START": "hello"})):
        (folder / name).mkdir()
        (folder / name / "all.json").write_text(json.dumps(content))
    config = client.WhatsAppConfig(token="t", phone_number_id="1", hub_verification_token="v")
    return Engine(
        EngineConfig(
            whatsapp=client.WhatsApp(config),
            storage_manager=storage.YamlJsonStorageManager(
                str(folder / "templates"), str(folder / "triggers")
            ),
            start_template_stage="START",
            report_template_stage="REPORT",
            session_manager=manager or DefaultSessionManager(),
            debounce_timeout_ms=0,
        )
    )


def main() -> None:
    from turnlog.sessions.pywce import TurnlogSessionManager, record

    wire = Wire()
    wire.stub()
    killed = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    wire.refuse = lambda number: number == killed and os.kill(os.getpid(), signal.SIGKILL)
    served = record(engine(TurnlogSessionManager(db=sys.argv[1])))
    for number in range(int(sys.argv[2]), int(sys.argv[3])):
        sys.stdin.readline()
        served.process_webhook(message(number))
        print(number, flush=True)


if __name__ == "__main__":
    main()
