"""The chat page with much to show: how much it builds, requests and lays out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jwt
import pytest

import turnlog
from tests.browser.test_chat_page import PHONE, bubbles, say, wait_for
from tests.parts.node import Node
from turnlog import BotUttered, Event, UserUttered

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.parts.server import Server


def begun(server: Server, context: BrowserContext) -> tuple[Page, str]:
    """A page with a message, and its conversation."""
    page = context.new_page()
    page.goto(server.url)
    say(page, "a table for two")
    wait_for(page, "For which day?")
    token = json.loads(page.evaluate("() => localStorage.turnlog"))["token"]
    return page, jwt.decode(token, options={"verify_signature": False})["sub"]


def record(server: Server, id: str, first: int, last: int) -> None:
    """Turns by other clients, all together."""
    events: list[Event] = []
    for number in range(first, last):
        events += [UserUttered(f"question {number}"), BotUttered(f"the *answer* {number}")]
    with turnlog.open(f"sqlite:///{server.folder}/chat.db") as log:
        log.record(id, *events)


def asked(page: Page) -> list[str]:
    """The requests of the page to its channel since it was loaded."""
    names = page.evaluate(
        "() => performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    return [name.partition("/chat/")[2] for name in names if "/chat/" in name]


def at_end(page: Page) -> bool:
    return bool(
        page.evaluate(
            "s => s.scrollHeight - s.scrollTop - s.clientHeight < 2",
            page.query_selector("#scroller"),
        )
    )


def test_a_reload_shows_the_last_turns_and_older_ones_on_demand(
    server: Server, chromium: Browser
) -> None:
    page, id = begun(server, chromium.new_context(viewport=PHONE))
    record(server, id, 0, 249)
    page.reload()
    wait_for(page, "the answer 248")
    assert page.locator("#messages > li").count() == 200
    assert at_end(page)
    assert [name.partition("?")[0] for name in asked(page)[:2]] == ["session", "messages"]
    assert sum(name.startswith("messages") for name in asked(page)) == 1
    page.locator("#older").scroll_into_view_if_needed()
    page.get_by_text("question 49", exact=True).wait_for(state="attached")
    assert page.locator("#messages > li").count() == 400
    assert page.get_by_text("question 149", exact=True).bounding_box() is not None
    page.locator("#older").click()
    page.get_by_text("For which day?").wait_for(state="attached")
    assert page.locator("#older").is_hidden()
    shown = bubbles(page)
    assert shown[2:] == [t for n in range(249) for t in (f"question {n}", f"the answer {n}")]
    assert sum(name.startswith("messages") for name in asked(page)) == 3


def test_thousands_of_new_messages_are_laid_out_in_few_steps(
    server: Server, chromium: Browser
) -> None:
    context = chromium.new_context(viewport=PHONE)
    page, id = begun(server, context)
    probe = context.new_cdp_session(page)
    probe.send("Performance.enable")

    def layouts() -> float:
        metrics = probe.send("Performance.getMetrics")["metrics"]
        return float(next(m["value"] for m in metrics if m["name"] == "LayoutCount"))

    before = layouts()
    record(server, id, 0, 1_500)
    wait_for(page, "the answer 1499")
    assert page.locator("#messages > li").count() == 3_002
    assert layouts() - before < 100
    assert at_end(page)


def test_more_tabs_than_a_browser_has_connections_all_hear(
    server: Server, chromium: Browser
) -> None:
    context = chromium.new_context()
    first, _ = begun(server, context)
    tabs = [first]
    for _ in range(7):
        tab = context.new_page()
        tab.goto(server.url)
        wait_for(tab, "For which day?")
        tabs.append(tab)
    say(tabs[-1], "tomorrow")
    for tab in tabs:
        wait_for(tab, "At what time?")
        assert bubbles(tab) == bubbles(first)


def test_messages_written_while_the_server_was_away_are_sent_in_order(
    server: Server, chromium: Browser
) -> None:
    page, id = begun(server, chromium.new_context())
    server.kill()
    page.get_by_text("Reconnecting…").wait_for()
    said = ["tomorrow", "at 19:30", "Ada"]
    for text in said:
        say(page, text)
    server.start()
    wait_for(page, "for Ada?")
    with turnlog.open(f"sqlite:///{server.folder}/chat.db") as log:
        events = list(log.conversation(id).events())
    assert [e.text for e in events if isinstance(e, UserUttered)][1:] == said
    assert page.locator(".waiting").count() == 0


MARKED = """Here is **what** I `found`, see [the menu](https://example.com/menu "x"):

1. one
2. _two_

> quoted ~~words~~

```
<b>code</b>
```"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_markdown_becomes_nodes(
    server: Server, chromium: Browser, node: Node, scheme: str
) -> None:
    context = chromium.new_context(viewport=PHONE, color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    page, id = begun(server, context)
    card = {"title": 5, "subtitle": "a card", "buttons": [{"title": "Take", "payload": "/take"}]}
    data = {"elements": [card], "quick_replies": [{"title": "Yes"}, {"title": "No"}]}
    with turnlog.open(f"sqlite:///{server.folder}/chat.db") as log:
        log.record(id, UserUttered("**mine** stays text"), BotUttered(MARKED, data))
    wait_for(page, "quoted words")
    bubble = page.locator("li.bot .bubble").last
    counts = {"strong": 1, "ol li": 2, "blockquote s": 1, "pre": 1}
    assert {name: bubble.locator(name).count() for name in counts} == counts
    assert bubble.locator("pre").inner_text() == "<b>code</b>\n"
    assert bubble.locator("a").get_attribute("href") == "https://example.com/menu"
    assert page.locator("li.user .bubble").last.inner_text() == "**mine** stays text"
    assert page.locator(".card h2").inner_text() == "5"
    page.add_script_tag(content=(node.modules / "axe-core/axe.min.js").read_text())
    found = page.evaluate("async () => (await axe.run()).violations")
    assert [(v["id"], v["impact"], len(v["nodes"])) for v in found] == []
