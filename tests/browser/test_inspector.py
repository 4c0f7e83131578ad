"""The inspector in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

import turnlog
from tests.parts import turnlog as turnlog_part
from turnlog import (
    ActionExecuted,
    BotUttered,
    MediaAdded,
    MessageRedacted,
    SlotSet,
    ToolCalled,
    ToolReturned,
    UserUtteranceReverted,
    UserUttered,
)

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.parts.server import Server

TURNS = 2000
SLIDE = """async () => {
  const slider = document.getElementById("slider"), taken = [];
  for (let step = 1; step <= 60; step++) {
    const wanted = (step * 7919) % Number(slider.max), began = performance.now();
    slider.value = wanted;
    slider.dispatchEvent(new Event("input"));
    await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn, 0)));
    taken.push(performance.now() - began);
    const shown = document.querySelector(".row.here .number").textContent;
    if (shown !== String(wanted)) throw new Error(`${shown} is shown, not ${wanted}`);
  }
  return taken.sort((a, b) => a - b);
}"""


def db(server: Server) -> str:
    return f"sqlite:///{server.folder}/chat.db"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server for all of them; each looks at a conversation of its own."""
    with turnlog_part.running() as running:
        yield running


def fill(server: Server, id: str) -> None:
    with turnlog.open(db(server)) as log:
        log.record(id, UserUttered("hi"), BotUttered("For how many people?"))
        log.record(id, UserUttered("two"), SlotSet("people", 2), ActionExecuted("ask"))
        log.record(id, UserUttered("no, three"), SlotSet("people", 3), BotUttered("Three."))
        log.record(id, UserUtteranceReverted())
        called = ToolCalled("check_table", {"people": 2}, "c1")
        log.record(id, UserUttered("go on"), called, ToolReturned({"free": True}, "c1"))


def opened(page: Page, server: Server, id: str) -> None:
    page.goto(f"{server.url}/inspect")
    page.locator("#list a", has_text=id).click()
    page.locator("#title", has_text=id).wait_for()


def slots(page: Page) -> dict[str, str]:
    rows = [row.locator("td").all_inner_texts() for row in page.locator("#slots tbody tr").all()]
    return dict(rows)


def test_a_conversation_is_seen_at_any_moment_and_why(server: Server, chromium: Browser) -> None:
    fill(server, "alice")
    page = chromium.new_page(viewport={"width": 1280, "height": 760})
    opened(page, server, "alice")
    assert slots(page) == {"people": "2"}
    struck = page.locator(".row.struck .what").all_inner_texts()
    assert "no, three" in struck
    assert "Three." in struck
    page.locator("#slots").get_by_role("button", name="people").click()
    why = page.locator("#why li").all_inner_texts()
    assert "UserUtteranceReverted" in why[0]
    assert "event 4, SlotSet" in why[1]
    assert "“two”" in why[1]

    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    assert slots(page) == {"people": "3"}
    assert page.locator(".row.struck").count() == 0
    page.keyboard.press("Shift+ArrowLeft")
    assert "turn 2 of 4 · event 5" in page.locator("#moment").inner_text()
    page.wait_for_timeout(300)
    link = page.evaluate("() => location.href")
    assert "conversation=alice" in link
    other = chromium.new_page()
    other.goto(link)
    other.locator(".row.here", has_text="ask").wait_for()
    assert slots(other) == {"people": "2"}
    page.get_by_role("tab", name="Slots over turns").click()
    changed = page.locator("#turns .changed").all_inner_texts()
    assert changed == ["2"]


def test_bytes_are_downloaded_from_their_event_alone(server: Server, chromium: Browser) -> None:
    hostile = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    with turnlog.open(db(server)) as log:
        shown = MediaAdded("image", "image/svg+xml", content=hostile, actor="user")
        log.record("media", UserUttered("look"), shown, MediaAdded("image", content=bytes(90_000)))
    page = chromium.new_page()
    opened(page, server, "media")
    link = page.get_by_role("link", name="Download")
    assert link.inner_text() == "Download 90,000 bytes, application/octet-stream"
    page.keyboard.press("ArrowLeft")
    assert "application/octet-stream" in link.inner_text()
    page.on("dialog", lambda _: pytest.fail("it ran"))
    with page.expect_download() as begun:
        link.click()
    assert begun.value.path().read_bytes() == hostile
    with page.expect_download() as begun:
        page.evaluate("address => window.open(address)", link.get_attribute("href"))
    assert begun.value.path().read_bytes() == hostile
    page.keyboard.press("ArrowLeft")
    assert link.count() == 0


def test_it_goes_on_live_and_finds_what_was_said(server: Server, chromium: Browser) -> None:
    fill(server, "carol")
    page = chromium.new_page(viewport={"width": 1280, "height": 760})
    opened(page, server, "carol")
    with turnlog.open(db(server)) as log:  # another process would do the same
        log.record("carol", UserUttered("four then"), SlotSet("people", 4))
        log.record("bob", UserUttered("a word found nowhere else: periwinkle"))
    page.locator(".row.user", has_text="four then").wait_for()
    page.locator(".row.here", has_text="people 4").wait_for()
    assert slots(page) == {"people": "4"}
    page.keyboard.press("/")
    page.keyboard.type("PERIwinkle")
    page.locator("#list a", has_text="carol").wait_for(state="detached")
    assert page.locator("#list b").all_inner_texts() == ["bob"]


def test_a_redaction_takes_the_words_from_the_open_page(server: Server, chromium: Browser) -> None:
    page = chromium.new_page()
    with turnlog.open(db(server)) as log:
        log.record("redacted", UserUttered("I am Xanthippe"), SlotSet("name", "Xanthippe"))
        log.record("redacted", BotUttered("Hello Xanthippe!"), SlotSet("people", 2))
        opened(page, server, "redacted")
        page.locator(".row", has_text="Hello Xanthippe!").wait_for()
        log.record("redacted", MessageRedacted(1))
        page.locator(".row", has_text="Hello █████████!").wait_for()
    assert "Xanthippe" not in page.locator("#view").inner_text()
    page.get_by_role("slider").fill("4")
    assert "Xanthippe" not in page.content()


def test_the_slider_answers_within_a_tenth_of_a_second_over_2000_turns(
    server: Server, chromium: Browser
) -> None:
    with turnlog.open(db(server)) as log:
        for turn in range(TURNS):
            extra = [SlotSet(f"slot_{turn % 20}", turn)] if turn % 5 == 0 else []
            said = (UserUttered(f"message {turn}"), SlotSet("count", turn), *extra)
            log.record("long", *said, ActionExecuted("utter"), BotUttered(f"answer {turn}"))
    page = chromium.new_page(viewport={"width": 1280, "height": 760})
    opened(page, server, "long")
    taken: list[float] = page.evaluate(SLIDE)
    print(f"slider over {TURNS} turns: median {taken[30]:.0f} ms, slowest {taken[-1]:.0f} ms")
    assert taken[-4] < 100  # all but the machine's own hiccups
    page.get_by_role("tab", name="Slots over turns").click()
    page.keyboard.press("Home")
    page.keyboard.press("End")
    page.locator("#turns .row.here .cell", has_text=str(TURNS)).first.wait_for()


def test_it_asks_for_the_token_and_lets_the_holder_in(chromium: Browser, tmp_path: Path) -> None:
    with turnlog_part.running("--auth-token", "an auth token") as server:
        page = chromium.new_page()
        page.goto(f"{server.url}/inspect")
        page.get_by_label("This server asks for a token.").fill("an auth token")
        page.get_by_role("button", name="Open").click()
        page.get_by_role("heading", name="Inspector").wait_for()
        page.locator("#search").wait_for()
        other = chromium.new_page()
        other.goto(f"{server.url}/inspect?token=an+auth+token")
        other.locator("#search").wait_for()
        assert "token" not in other.url
