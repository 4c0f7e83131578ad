"""The chat page while a bot streams, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import turnlog
from tests.browser.payloads import PAYLOADS
from tests.browser.test_chat_page import bubbles, say, wait_for
from tests.parts import turnlog as turnlog_part

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.parts.node import Node
    from tests.parts.server import Server

BOTS = "tests.integration.live.streaming_bots"
SCREENS = {
    "phone-light": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light"},
    "phone-dark": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
    "desktop-light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "desktop-dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
}

ANSWER = ["Let me look.", "There is a table.", "I cannot choose the wine for you."]


@pytest.fixture
def gated() -> Iterator[Server]:
    """A bot that waits in the middle of its answer for the file `go`."""
    with turnlog_part.running(bot=f"{BOTS}:gated") as running:
        yield running


def go(server: Server) -> None:
    (server.folder / "go").touch()


def said(page: Page) -> list[str]:
    return [text.strip() for text in bubbles(page)]


def violations(page: Page, node: Node) -> list[str]:
    """What axe finds wrong with the page."""
    page.add_script_tag(content=(node.modules / "axe-core/axe.min.js").read_text())
    found: list[str] = page.evaluate(
        "async () => (await axe.run()).violations.map((v) => v.id + ' ' + v.nodes[0].html)"
    )
    return found


@pytest.mark.parametrize("screen", SCREENS)
def test_an_answer_is_shown_as_it_comes(
    gated: Server, chromium: Browser, node: Node, tmp_path: Path, screen: str
) -> None:
    page = chromium.new_page(**SCREENS[screen], bypass_csp=True)  # type: ignore[arg-type]
    page.goto(gated.url)
    say(page, "a table for two")
    preview = page.locator("#preview .bubble")
    page.get_by_text("There **is** ").wait_for()
    assert preview.inner_text() == "There **is** "
    assert preview.evaluate("e => !e.closest('[aria-live]')")
    page.get_by_text("Tool look is done").wait_for()
    assert said(page) == ["a table for two", "Let me look.", "There **is**"]
    page.get_by_role("button", name="Stop").wait_for()
    assert violations(page, node) == []
    page.screenshot(path=tmp_path / f"{screen}-during.png")
    go(gated)
    wait_for(page, ANSWER[-1])
    page.locator("#typing").wait_for(state="hidden")
    assert preview.count() == 0
    assert said(page) == ["a table for two", *ANSWER]
    assert page.locator("#messages strong, #messages b, #messages em").count() >= 1
    assert page.get_by_text("made-up-1 · 120 tokens in, 34 out · 1.3 s · 0.0021 USD").is_visible()
    thought = page.get_by_text("They ask for a table")
    assert not thought.is_visible()
    page.get_by_text("Reasoning").click()
    assert thought.is_visible()
    assert violations(page, node) == []
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    page.screenshot(path=tmp_path / f"{screen}-after.png")
    page.reload()
    wait_for(page, ANSWER[-1])
    assert said(page) == ["a table for two", *ANSWER]
    assert page.get_by_text("Tool look is done").is_visible()


def test_a_reload_in_the_middle_shows_the_message_once_it_is_whole(
    gated: Server, chromium: Browser
) -> None:
    page = chromium.new_page()
    page.goto(gated.url)
    say(page, "hi")
    page.locator("#preview .bubble").wait_for()
    page.reload()
    page.get_by_role("button", name="Stop").wait_for()
    assert said(page) == ["hi", "Let me look."]
    go(gated)
    wait_for(page, ANSWER[-1])
    assert said(page) == ["hi", *ANSWER]


def test_the_stop_button_keeps_what_was_said(gated: Server, chromium: Browser) -> None:
    page = chromium.new_page()
    page.goto(gated.url)
    say(page, "hi")
    page.get_by_text("There **is** ").wait_for()
    stop = page.get_by_role("button", name="Stop")
    stop.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Stopped.").wait_for()
    page.locator("#typing").wait_for(state="hidden")
    assert said(page) == ["hi", "Let me look.", "There is"]
    page.reload()
    page.get_by_text("Stopped.").wait_for()
    go(gated)
    say(page, "again")
    wait_for(page, ANSWER[-1])
    with turnlog.open(f"sqlite:///{gated.folder}/chat.db", readonly=True) as log:
        [id] = log.ids()
        events = list(log.conversation(id).events())
    broken = [event for event in events if type(event).__name__ == "AnswerBrokenOff"]
    assert [event.reason for event in broken] == ["stopped"]


def test_a_server_killed_in_the_middle_leaves_no_half_message(
    gated: Server, chromium: Browser
) -> None:
    page = chromium.new_page()
    page.goto(gated.url)
    say(page, "hi")
    page.get_by_text("There **is** ").wait_for()
    gated.kill()
    page.get_by_text("Reconnecting…").wait_for()
    assert page.locator("#preview .bubble").count() == 0
    go(gated)
    gated.start()
    wait_for(page, ANSWER[-1])
    page.locator("#typing").wait_for(state="hidden")
    assert said(page) == ["hi", *ANSWER]
    with turnlog.open(f"sqlite:///{gated.folder}/chat.db", readonly=True) as log:
        [id] = log.ids()
        events = [type(event).__name__ for event in log.conversation(id).events()]
    assert events.count("ToolCalled") == events.count("ToolReturned") == 1
    assert events.count("BotUttered") == 2


def test_no_chunk_is_ever_executed(chromium: Browser) -> None:
    with turnlog_part.running(bot=f"{BOTS}:echoing") as server:
        context = chromium.new_context()
        context.add_init_script("window.alert = () => { window.executed = true; }")
        page = context.new_page()
        page.goto(server.url)
        for payload in PAYLOADS[:12]:
            before = len(bubbles(page))
            say(page, payload.replace("\n", " ").strip() or "x")
            page.locator("#messages .bubble").nth(before + 1).wait_for()
        page.wait_for_timeout(300)
        assert page.evaluate("() => window.executed") is None
