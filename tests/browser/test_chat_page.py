"""The chat page in a real browser, on a phone's screen."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import turnlog
from tests.browser.payloads import MARKDOWN, PAYLOADS
from tests.parts import turnlog as turnlog_part
from turnlog import BotUttered, UserUttered

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.parts.server import Server

PHONE = {"width": 390, "height": 780}


def say(page: Page, text: str) -> None:
    page.fill("#text", text)
    page.keyboard.press("Enter")


def bubbles(page: Page) -> list[str]:
    return page.locator(".bubble").all_inner_texts()


def wait_for(page: Page, text: str) -> None:
    page.locator(".bubble", has_text=text).last.wait_for()


def recorded(server: Server) -> list[str]:
    """The texts that `turnlog log` shows of the server's one conversation."""
    db = f"sqlite:///{server.folder}/chat.db"
    with turnlog.open(db) as log:
        [id] = log.ids()
    command = [sys.executable, "-m", "turnlog", "--db", db, "--json", "log", id]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    events = [json.loads(line) for line in lines]
    return [event["text"] for event in events if event["type"] in ("UserUttered", "BotUttered")]


def test_a_table_is_booked_though_tab_server_and_browser_go_away(
    server: Server,
    chromium_profile: Callable[[], AbstractContextManager[BrowserContext]],
    tmp_path: Path,
) -> None:
    with chromium_profile() as browser:
        page = browser.new_page()
        page.set_viewport_size(PHONE)
        page.goto(server.url)
        say(page, "a table for two")
        page.get_by_role("button", name="tomorrow").click()
        wait_for(page, "At what time?")
        page.close()  # the tab

        page = browser.new_page()
        page.goto(server.url)
        wait_for(page, "At what time?")
        assert len(bubbles(page)) == 4
        server.kill()  # as kill -9 does
        page.get_by_text("Reconnecting…").wait_for()
        say(page, "at 19:30")
        server.start()
        wait_for(page, "Under which name?")

    with chromium_profile() as browser:  # a new browser with the old profile
        page = browser.new_page()
        page.set_viewport_size(PHONE)
        page.goto(server.url)
        wait_for(page, "Under which name?")
        say(page, "Ada")
        page.get_by_role("button", name="Yes").click()
        wait_for(page, "Booked: 2 people, tomorrow at 19:30. See you!")
        page.screenshot(path=tmp_path / "booked.png")
        shown = bubbles(page)
    assert shown == [
        "a table for two", "For which day?", "tomorrow", "At what time?", "at 19:30",
        "Under which name?", "Ada", "A table for 2, tomorrow at 19:30, for Ada?", "Yes",
        "Booked: 2 people, tomorrow at 19:30. See you!",
    ]  # fmt: skip
    assert recorded(server) == [*shown[:8], "/affirm", shown[9]]


def test_two_tabs_show_the_same_dialogue(server: Server, chromium: Browser) -> None:
    context = chromium.new_context()
    one = context.new_page()
    one.goto(server.url)
    say(one, "a table for two")
    wait_for(one, "For which day?")
    two = context.new_page()
    two.goto(server.url)
    say(two, "tomorrow")
    wait_for(two, "At what time?")
    wait_for(one, "At what time?")
    assert bubbles(one) == bubbles(two)
    assert len(bubbles(one)) == 4
    one.get_by_role("button", name="New").click()
    one.locator("#empty").wait_for()
    assert bubbles(one) == []


def test_it_can_be_used_by_keyboard_and_read_by_a_screen_reader(
    server: Server, chromium: Browser
) -> None:
    page = chromium.new_page(viewport=PHONE, color_scheme="dark")
    page.goto(server.url)
    page.get_by_role("textbox", name="Message").focus()
    page.keyboard.type("a table for two\n")
    page.get_by_role("log").get_by_text("For which day?").wait_for()
    assert page.get_by_role("status").inner_text() == "Connected"
    group = page.get_by_role("group", name="Suggested answers")
    for _ in range(8):
        page.keyboard.press("Shift+Tab")
        if group.get_by_role("button", name="today").evaluate("e => e === document.activeElement"):
            break
    page.keyboard.press("Enter")
    wait_for(page, "At what time?")
    for button in page.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= PHONE["width"]


@pytest.mark.parametrize("place", ["chat", "inspector"])
def test_no_stored_text_is_ever_executed(chromium: Browser, tmp_path: Path, place: str) -> None:
    db = f"sqlite:///{tmp_path}/xss.db"
    assert len(PAYLOADS) >= 50
    with turnlog_part.running("--client-ids", db=db, bot=None) as server:
        context = chromium.new_context()
        context.add_init_script("window.alert = () => { window.executed = true; }")
        page = context.new_page()
        if place == "chat":
            page.goto(server.url)
            page.get_by_text("Connected").wait_for()
            say(page, "hello")
            page.locator("li.user:not(.waiting)").wait_for()
            token = json.loads(page.evaluate("() => localStorage.turnlog"))["token"]
            import jwt

            id = jwt.decode(token, options={"verify_signature": False})["sub"]
        else:
            id = PAYLOADS[0]
        with turnlog.open(db) as log:
            for payload in PAYLOADS + MARKDOWN:
                reply = {"title": payload, "payload": payload}
                image = {"type": "image", "payload": {"src": payload, "title": payload}}
                card = {"title": payload, "subtitle": payload, "image_url": payload,
                        "buttons": [{**reply, "url": payload}]}  # fmt: skip
                data = {"quick_replies": [reply], "attachment": image, "elements": [card]}
                log.record(id, UserUttered(payload), BotUttered(payload, data))
                log.record(id, turnlog.SlotSet(payload, payload))
        if place == "chat":
            page.reload()
            page.locator(".bubble").nth(2 * len(PAYLOADS + MARKDOWN)).wait_for()
            hrefs = page.locator("a").evaluate_all("all => all.map((a) => a.href)")
        else:
            page.goto(f"{server.url}/inspect")
            page.locator("#list a").first.click()
            for view in ("Read", "Debug", "Slots", "Raw", "Compare"):
                page.get_by_role("tab", name=view).click()
            page.get_by_role("tab", name="Debug").click()
            page.locator("#slots button").first.click()
            page.locator("#why a").first.wait_for()
            for _ in range(40):
                page.keyboard.press("Shift+ArrowLeft")
            hrefs = page.locator("#why a").evaluate_all("all => all.map((a) => a.href)")
        page.wait_for_timeout(500)
        assert page.evaluate("() => window.executed") is None
        assert not [href for href in hrefs if not href.startswith(("http", "mailto:", "tel:"))]


def test_a_page_with_a_json_web_token_speaks_as_its_user(chromium: Browser) -> None:
    import jwt

    key = "a key of thirty-two bytes at the least"
    with turnlog_part.running("--jwt-key", key) as server:
        page = chromium.new_page()
        page.goto(server.url)
        page.get_by_text("Not connected").wait_for()
        token = jwt.encode({"sub": "alice@example.com"}, key, "HS256")
        page = chromium.new_page()
        page.goto(f"{server.url}/#token={token}")
        say(page, "a table for two")
        wait_for(page, "For which day?")
        with turnlog.open(f"sqlite:///{server.folder}/chat.db") as log:
            assert list(log.ids()) == ["alice@example.com"]
