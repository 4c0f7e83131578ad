"""The widget rasa-webchat 1.0.1, unmodified, on a page of another origin."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

import turnlog
from tests.parts import turnlog as turnlog_part
from turnlog import BotUttered, UserUttered

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.parts.node import Node

PAGE = """<!doctype html><div id="webchat"></div><script src="/widget.js"></script>
<script>window.WebChat.default({socketUrl: SERVER, socketPath: "/socket.io", initPayload: "hello",
customData: {language: "en"}, title: "Widget", params: {storage: "local"}}, null);</script>"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Its output is not read."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The origin that serves a folder's files."""
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{site.server_port}"
        site.shutdown()


def test_the_widget_talks_and_comes_back_to_its_session(
    node: Node, chromium: Browser, tmp_path: Path
) -> None:
    shutil.copy(node.modules / "rasa-webchat/lib/index.js", tmp_path / "widget.js")
    with served(tmp_path) as site, turnlog_part.running("--cors", site) as server:
        html = PAGE.replace("SERVER", json.dumps(server.url))
        (tmp_path / "index.html").write_text(html)
        page = chromium.new_page()
        _open(page, site)
        page.get_by_text("Hello! I book tables. For how many people?").wait_for()
        page.get_by_role("button", name="4").or_(page.get_by_text("4", exact=True)).first.click()
        page.get_by_text("For which day?").wait_for()
        server.restart()
        _open(page, site)
        page.get_by_text("For which day?").wait_for()
        page.wait_for_timeout(1500)
        page.locator(".rw-sender textarea, .rw-sender input").first.fill("tomorrow")
        page.keyboard.press("Enter")
        page.get_by_text("At what time?").wait_for()
        with turnlog.open(f"sqlite:///{server.folder}/chat.db") as log:
            [id] = log.ids()
            events = list(log.conversation(id).events())
    said = [event.text for event in events if isinstance(event, UserUttered)]
    assert said == ["hello", "4", "tomorrow"]
    answers = [event.text for event in events if isinstance(event, BotUttered)]
    assert len(answers) == 3


def test_the_widget_resumes_a_streamed_answer_whose_server_was_killed(
    node: Node, chromium: Browser, tmp_path: Path
) -> None:
    shutil.copy(node.modules / "rasa-webchat/lib/index.js", tmp_path / "widget.js")
    bot = "tests.integration.live.streaming_bots:gated"
    with served(tmp_path) as site, turnlog_part.running("--cors", site, bot=bot) as server:
        html = PAGE.replace("SERVER", json.dumps(server.url))
        (tmp_path / "index.html").write_text(html)
        page = chromium.new_page()
        _open(page, site)
        page.get_by_text("Let me look.").wait_for()
        server.kill()
        (server.folder / "go").touch()
        server.start()
        _open(page, site)
        page.get_by_text("I cannot choose the wine for you.").wait_for()
        assert page.get_by_text("Let me look.").count() == 1
        assert page.get_by_text("a table.").count() == 1
        page.locator(".rw-sender textarea, .rw-sender input").first.fill("again")
        page.keyboard.press("Enter")
        page.get_by_text("I cannot choose the wine for you.").nth(1).wait_for()
        with turnlog.open(f"sqlite:///{server.folder}/chat.db") as log:
            [id] = log.ids()
            events = [type(event).__name__ for event in log.conversation(id).events()]
    assert events.count("BotUttered") == 4
    assert events.count("ToolCalled") == events.count("AnswerEnded") == 2


def _open(page: Page, site: str) -> None:
    page.goto(site)
    launcher = page.locator(".rw-launcher")
    launcher.wait_for()
    if not page.locator(".rw-conversation-container").is_visible():
        launcher.click()


pytestmark = pytest.mark.timeout(120)
