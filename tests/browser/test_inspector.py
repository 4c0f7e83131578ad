"""The inspector in a real browser."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

import turnlog
from tests.parts import turnlog as turnlog_part
from turnlog import (
    ActionExecuted,
    BotFailed,
    BotUttered,
    Dialogue,
    Event,
    MediaAdded,
    MessageRedacted,
    ReasoningAdded,
    SlotSet,
    TextAdded,
    ToolCalled,
    ToolReturned,
    UserUtteranceReverted,
    UserUttered,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.parts.node import Node
    from tests.parts.server import Server

EVENTS = 100_000
ELEMENTS = "document.getElementsByTagName('*').length"
JUMP = """async ([view, jumps]) => {
  document.getElementById(`tab-${view}`).click();
  const slider = document.getElementById("slider"), taken = [];
  const said = document.getElementById("moment"), flow = document.getElementById("flow");
  const shows = (event) => said.textContent.includes(`event ${event.toLocaleString("en")} of`)
    && [...flow.querySelectorAll(`.here[data-event="${event}"]`)].some((one) => {
      const box = one.getBoundingClientRect();
      return box.height && box.bottom > 0 && box.top < innerHeight;
    });
  for (let step = 1; step <= jumps; step++) {
    const turn = (step * 7919) % (Number(slider.max) / 5), began = performance.now();
    const wanted = 5 * turn + (view === "slots" ? 5 : 1);
    slider.value = wanted;
    slider.dispatchEvent(new Event("input"));
    while (!shows(wanted)) {
      if (performance.now() - began > 5000) throw new Error(`event ${wanted} is not shown`);
      await new Promise((drawn) => requestAnimationFrame(drawn));
    }
    taken.push(performance.now() - began);
  }
  return taken.sort((a, b) => a - b);
}"""


COUNTED = (ToolCalled("count_tables", {}, "c1"), ToolReturned(9, "c1"))


def db(server: Server) -> str:
    return f"sqlite:///{server.folder}/chat.db"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server for all tests; each looks at a separate conversation."""
    with turnlog_part.running() as running:
        yield running


def fill(server: Server, id: str) -> None:
    with turnlog.open(db(server)) as log:
        log.record(id, UserUttered("hi"), BotUttered("For how many people?"))
        log.record(id, UserUttered("two"), SlotSet("people", 2), ActionExecuted("ask"))
        log.record(id, UserUttered("no, three"), SlotSet("people", 3), BotUttered("Three."))
        log.record(id, UserUtteranceReverted())
        called = ToolCalled("check_table", {"people": 2}, "c1")
        log.record(id, UserUttered("continue"), called, ToolReturned({"free": True}, "c1"))


def opened(page: Page, server: Server, id: str) -> None:
    page.goto(f"{server.url}/inspect")
    page.locator("#list a", has_text=id).click()
    page.locator("#title", has_text=id).wait_for()


def slots(page: Page) -> dict[str, str]:
    rows = [row.locator("td").all_inner_texts() for row in page.locator("#slots tbody tr").all()]
    return {name: value for name, value, _ in rows}


def test_a_conversation_is_seen_at_any_moment_and_why(server: Server, chromium: Browser) -> None:
    fill(server, "alice")
    page = chromium.new_page(viewport={"width": 1280, "height": 760})
    opened(page, server, "alice")
    assert slots(page) == {"people": "2"}
    struck = page.locator(".bubble.struck").all_inner_texts()
    assert struck == ["no, three", "Three."]
    page.locator("#slots").get_by_role("button", name="people").click()
    page.locator("#why li", has_text="event 4, SlotSet in turn 2").wait_for()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    assert slots(page) == {"people": "3"}
    assert page.locator(".struck").count() == 0
    page.keyboard.press("Shift+ArrowLeft")
    assert "turn 2 of 4 · event 5" in page.locator("#moment").inner_text()
    page.wait_for_function("() => location.hash.includes('event=5')")
    other = chromium.new_page()
    other.goto(page.url)
    other.locator(".here", has_text="ask").wait_for()
    assert slots(other) == {"people": "2"}
    page.get_by_role("tab", name="Slots").click()
    page.locator("#flow .cells.heading", has_text="people").wait_for()
    assert page.locator("#flow .changed").all_inner_texts() == ["2"]
    page.get_by_role("tab", name="Raw").click()
    called = page.locator(".line", has_text="ToolCalled").inner_text()
    assert " ".join(called.split()).endswith('ToolCalled check_table {"people":2}')


def test_the_back_button_undoes_a_step(server: Server, chromium: Browser) -> None:
    fill(server, "stepped")
    page = chromium.new_page(viewport={"width": 1280, "height": 760})
    opened(page, server, "stepped")
    page.locator(".bubble", has_text="hi").click()
    page.locator("#moment", has_text="event 1 of").wait_for()
    page.wait_for_timeout(600)
    page.get_by_role("tab", name="Read").click()
    page.locator(".turn.read").first.wait_for()
    page.wait_for_timeout(600)
    page.locator(".bubble", has_text="no, three").click()
    page.locator("#moment", has_text="event 6 of").wait_for()
    page.go_back()
    page.locator("#moment", has_text="event 1 of").wait_for()
    assert page.locator(".turn.read").count() > 0
    page.go_back()
    page.locator(".turn.debug").first.wait_for()
    assert "event 1 of" in page.locator("#moment").inner_text()
    page.go_back()
    page.locator("#moment", has_text="event 12 of 12").wait_for()
    page.go_forward()
    page.locator("#moment", has_text="event 1 of").wait_for()


def test_bytes_are_downloaded_only_from_their_event(server: Server, chromium: Browser) -> None:
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


def test_it_shows_new_events_live_and_finds_texts(server: Server, chromium: Browser) -> None:
    fill(server, "carol")
    page = chromium.new_page(viewport={"width": 1280, "height": 760})
    opened(page, server, "carol")
    with turnlog.open(db(server)) as log:  # another process would do the same
        log.record("carol", UserUttered("four then"), SlotSet("people", 4))
        log.record("bob", UserUttered("a word found nowhere else: periwinkle"))
    page.locator(".bubble.user", has_text="four then").wait_for()
    page.locator(".here", has_text="people 4").wait_for()
    assert slots(page) == {"people": "4"}
    page.keyboard.press("/")
    page.keyboard.type("PERIwinkle")
    page.locator("#list a", has_text="carol").wait_for(state="detached")
    assert page.locator("#list a").evaluate_all("all => all.map((a) => a.title)") == ["bob"]


def test_a_redaction_takes_the_words_from_the_open_page(server: Server, chromium: Browser) -> None:
    page = chromium.new_page()
    with turnlog.open(db(server)) as log:
        log.record("redacted", UserUttered("I am Xanthippe"), SlotSet("name", "Xanthippe"))
        log.record("redacted", BotUttered("Hello Xanthippe!"), SlotSet("people", 2))
        opened(page, server, "redacted")
        page.locator(".bubble", has_text="Hello Xanthippe!").wait_for()
        log.record("redacted", MessageRedacted(1))
        page.locator(".bubble", has_text="Hello █████████!").wait_for()
    assert "Xanthippe" not in page.locator("#view").inner_text()
    page.get_by_role("slider").fill("4")
    assert "Xanthippe" not in page.content()


@pytest.fixture(scope="module")
def long(server: Server) -> str:
    """A conversation of 100,000 events."""
    events: list[Event] = []
    for turn in range(EVENTS // 5):
        extra = SlotSet(f"slot_{turn % 20}", turn) if turn % 5 == 0 else ActionExecuted("ask")
        events += [UserUttered(f"message {turn}"), SlotSet("count", turn), extra]
        events += [ActionExecuted("utter"), BotUttered(f"answer {turn}")]
    with turnlog.open(db(server)) as log:
        log.import_dialogue(Dialogue("long", tuple(events)))
    return f"{server.url}/inspect#conversation=long"


SEEN = """new MutationObserver((_, observer) => {
  if (![...document.querySelectorAll(".bubble")].at(-1)?.textContent.startsWith("answer")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => (window.seen = performance.now())));
}).observe(document, {childList: true, subtree: true})"""
"""Notes when the last message is drawn, in milliseconds from the beginning of the navigation."""


def network(context: BrowserContext, page: Page) -> list[float]:
    """The bytes of what a page receives, as they come."""
    received: list[float] = []
    probe = context.new_cdp_session(page)
    probe.send("Network.enable")
    probe.on("Network.loadingFinished", lambda end: received.append(end["encodedDataLength"]))
    return received


def p95(taken: list[float]) -> float:
    return taken[int(len(taken) * 0.95)]


class Work:
    """Processor time of a page and its server, in ms: other processes do not count."""

    def __init__(self, context: BrowserContext, page: Page, server: Server) -> None:
        self._probe = context.new_cdp_session(page)
        self._probe.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._stat = Path(f"/proc/{server.pid}/stat")

    def now(self) -> float:
        metrics = self._probe.send("Performance.getMetrics")["metrics"]
        page = next(m["value"] for m in metrics if m["name"] == "TaskDuration")
        user, system = self._stat.read_text().rpartition(")")[2].split()[11:13]
        return float(1000 * page + (int(user) + int(system)) * 1000 / os.sysconf("SC_CLK_TCK"))


def test_a_conversation_of_100000_events_opens_as_fast_as_one_of_six(
    server: Server, chromium: Browser, long: str
) -> None:
    taken, sizes, work = [], [], []
    for _ in range(5):
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.add_init_script(SEEN)
        received, busy = network(context, page), Work(context, page, server)
        before = busy.now()
        page.goto(long)
        page.wait_for_function("() => window.seen")
        work.append(busy.now() - before)
        taken.append(page.evaluate("() => window.seen"))
        page.wait_for_timeout(500)  # what comes after the first screen counts too
        sizes.append(sum(received))
        assert page.evaluate(ELEMENTS) <= 400
        context.close()
    print(f"first screen: {min(taken):.0f}..{max(taken):.0f} ms, {max(sizes) / 1000:.0f} kB")
    print(f"  of which page and server work {min(work):.0f}..{max(work):.0f} ms")
    assert max(sizes) < 200_000
    assert min(work) < 300


@pytest.mark.parametrize("view", ["read", "debug", "slots", "raw"])
def test_a_jump_over_100000_events_takes_a_tenth_of_a_second(
    server: Server, chromium: Browser, long: str, view: str
) -> None:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(long)
    page.locator(".bubble", has_text=f"answer {EVENTS // 5 - 1}").wait_for()
    busy = Work(context, page, server)
    before = busy.now()
    taken: list[float] = page.evaluate(JUMP, [view, 60])
    work = (busy.now() - before) / 60
    print(f"{view}: median {taken[30]:.0f} ms, p95 {p95(taken):.0f} ms, work {work:.0f} ms a jump")
    assert work < 50
    assert taken[30] < 100
    assert page.evaluate(ELEMENTS) <= 400


def test_scrolling_reaches_the_beginning(chromium: Browser, long: str) -> None:
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{long}&event=400")
    page.locator(".here").first.wait_for()
    page.locator("#flow").hover()
    for _ in range(60):
        page.mouse.wheel(0, -900)
        page.wait_for_timeout(30)
        assert page.evaluate(ELEMENTS) <= 400
        if page.get_by_text("message 0", exact=True).count():
            break
    assert page.get_by_text("message 0", exact=True).is_visible()
    assert "event 400 of" in page.locator("#moment").inner_text()
    numbers = page.locator(".turn.debug > header").all_inner_texts()
    turns = [int(text.split()[0]) for text in numbers]
    assert turns == [*range(1, len(turns) + 1)]
    page.keyboard.press("ArrowRight")
    page.locator("#moment", has_text="event 401 of").wait_for()


def test_it_asks_for_the_token_and_lets_the_holder_in(chromium: Browser, tmp_path: Path) -> None:
    with turnlog_part.running("--auth-token", "an auth token") as server:
        page = chromium.new_page()
        page.goto(f"{server.url}/inspect")
        page.get_by_label("This server requires a token.").fill("an auth token")
        page.get_by_role("button", name="Open").click()
        page.get_by_role("heading", name="Inspector").wait_for()
        page.locator("#search").wait_for()
        other = chromium.new_page()
        other.goto(f"{server.url}/inspect?token=an+auth+token")
        other.locator("#search").wait_for()
        assert "token" not in other.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_in_any_view(
    server: Server, chromium: Browser, node: Node, scheme: str, width: int
) -> None:
    id = f"axe {scheme} {width}"
    fill(server, id)
    with turnlog.open(db(server)) as log:
        log.record(id, UserUttered("and?"), ReasoningAdded("hm"), BotFailed("error", "KeyError"))
        log.record(id, ToolCalled("t", {}), ToolReturned("no", is_error=True), BotUttered("**b**"))
    size = {"width": width, "height": 740}
    context = chromium.new_context(viewport=size, color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{server.url}/inspect#conversation={id}&event=9&slot=people")
    page.locator("#why li").first.wait_for(state="attached")
    page.add_script_tag(content=(node.modules / "axe-core/axe.min.js").read_text())
    for view in ("Read", "Debug", "Slots", "Raw"):
        page.get_by_role("tab", name=view).click()
        page.locator(".here").first.wait_for()
        found = page.evaluate("async () => (await axe.run()).violations")
        assert [(v["id"], v["impact"], v["nodes"][0]["html"]) for v in found] == [], view
        assert page.evaluate("document.documentElement.scrollWidth") == width
    page.get_by_role("tab", name="Compare").click()
    page.get_by_label("after event").fill("3")
    page.get_by_label("after event").press("Enter")
    page.locator("#compared .differs").first.wait_for()
    found = page.evaluate("async () => (await axe.run()).violations")
    assert [(v["id"], v["impact"], v["nodes"][0]["html"]) for v in found] == []
    if width == 360:
        page.get_by_role("button", name="Moment").click()
    else:
        page.locator("#tab-compare").focus()
        page.keyboard.press("?")
        page.locator("#help[open]").wait_for()
    found = page.evaluate("async () => (await axe.run()).violations")
    assert [(v["id"], v["impact"], v["nodes"][0]["html"]) for v in found] == []


def test_messages_are_readable_on_a_phone(server: Server, chromium: Browser) -> None:
    said = "a long message " * 20
    with turnlog.open(db(server)) as log:
        log.record("phone", UserUttered(said), BotUttered(said + "x" * 300))
    page = chromium.new_page(viewport={"width": 360, "height": 740})
    opened(page, server, "phone")
    for view in ("Read", "Debug"):
        page.get_by_role("tab", name=view).click()
        page.locator(f".turn.{view.lower()}").wait_for()
        for bubble in page.locator(".bubble").all():
            box = bubble.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert 200 < box["width"] <= 360 - box["x"]
            size = bubble.evaluate("one => parseFloat(getComputedStyle(one).fontSize)")
            assert size >= 15
    page.get_by_role("button", name="Back to the list").click()
    page.locator("#list").wait_for()


def test_focus_and_unfolded_parts_stay_while_the_conversation_continues(
    server: Server, chromium: Browser
) -> None:
    fill(server, "going")
    page = chromium.new_page(viewport={"width": 1280, "height": 760})
    page.goto(f"{server.url}/inspect#conversation=going&view=read")
    page.locator(".bubble", has_text="two").wait_for()
    summary = page.locator(".quiet summary").first
    summary.click()
    summary.focus()
    with turnlog.open(db(server)) as log:
        for turn in range(3):
            log.record("going", UserUttered(f"later {turn}"), BotUttered("yes"))
            page.locator(".bubble", has_text=f"later {turn}").wait_for()
            assert page.evaluate("document.activeElement.localName") == "summary"
    assert page.locator(".quiet[open] .line").count() == 2
    page.locator("#list a[title=going]").focus()
    with turnlog.open(db(server)) as log:
        log.record("going", UserUttered("last"))
    page.locator("#list a[title=going]", has_text="8 turns").wait_for()
    assert "going" in page.evaluate("document.activeElement.textContent")


def test_a_message_of_5_mb_costs_little_and_comes_whole_on_demand(
    server: Server, chromium: Browser
) -> None:
    def reads(id: str) -> float:
        asked = {"conversation": id}
        began = time.perf_counter()
        httpx.get(f"{server.url}/inspect/api/timeline", params=asked).raise_for_status()
        return time.perf_counter() - began

    with turnlog.open(db(server)) as log:
        log.record("small", UserUttered("x" * 100), BotUttered("ok"))
        parts = [TextAdded("x" * 900_000, actor="user") for _ in range(5)]
        log.record("huge", UserUttered("x" * 500_000), *parts, BotUttered("ok"))
    more = 1000 * (min(reads("huge") for _ in range(9)) - min(reads("small") for _ in range(9)))
    print(f"5 MB: {more:.1f} ms more")
    assert more <= 20
    page = chromium.new_page()
    opened(page, server, "huge")
    assert all(len(text) < 5_000 for text in page.locator(".bubble.user").all_inner_texts())
    page.get_by_role("button", name="Show all 900,000 characters of text").last.click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.bubble.user')].at(-1).textContent.length === 900000"
    )


def test_another_message_is_tried_with_the_bot_and_kept(server: Server, chromium: Browser) -> None:
    fill(server, "tried")
    page = chromium.new_page(viewport={"width": 1280, "height": 760})
    page.goto(f"{server.url}/inspect#conversation=tried&event=5")
    page.locator("#edit:enabled").wait_for()
    page.keyboard.press("e")
    assert page.get_by_label("The message of this turn").input_value() == "two"
    page.get_by_label("The message of this turn").fill("for six")
    page.get_by_role("button", name="Continue with the bot").click()
    page.locator("#tried .side.now mark", has_text="6").first.wait_for()
    assert "2" in page.locator("#tried .side:not(.now) mark").all_inner_texts()
    page.get_by_role("button", name="Keep as a trial fork").click()
    page.get_by_role("link", name="Kept as tried trial 2").click()
    page.locator("#flow .bubble", has_text="for six").wait_for()
    assert "shares 2 events with tried" in page.locator("#about").inner_text()
    page.keyboard.press("f")
    page.locator("#title", has_text="fork").wait_for()
    page.go_back()
    page.locator("#title", has_text="tried trial 2").wait_for()


def test_differences_of_a_run_are_gone_through_side_by_side(
    chromium: Browser, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/chat.db"
    with turnlog.open(url) as log:
        for id in ("one", "two"):
            log.record(id, UserUttered("hi"))
            log.record(id, UserUttered("a table for two"), SlotSet("people", 3), BotUttered("Ok"))
    command = [sys.executable, "-m", "turnlog", "replay", "--all", "--db", url, "--bot"]
    out = tmp_path / "run.jsonl"
    subprocess.run([*command, turnlog_part.BOOKING, "--out", out], check=False, capture_output=True)
    with turnlog_part.running("--run", str(out), db=url) as server:
        page = chromium.new_page(viewport={"width": 1280, "height": 760})
        page.goto(f"{server.url}/inspect")
        page.locator("#badge", has_text="turn 2 differs").wait_for()
        page.locator("#groups button").first.click()
        page.locator(".turn.current .side.now mark").first.wait_for()
        assert "conversation=one" in page.url
        first = page.locator("#moment").inner_text()
        page.keyboard.press("n")
        page.locator("#title", has_text="two").wait_for()
        assert page.locator("#moment").inner_text() == first
        page.go_back()
        page.locator("#title", has_text="one").wait_for()
        page.get_by_role("button", name="Accept as right").click()
        page.get_by_label("Why it is right").fill("so it is")
        page.get_by_role("button", name="Accept the group").click()
        page.locator("#found", has_text="accepted.toml").wait_for()
        page.locator("#groups small", has_text="accepted").wait_for()
        page.locator("#badge", has_text="accepted").wait_for()
        page.locator(".side.now", has_text="now, accepted as right").wait_for()
        page.get_by_role("button", name="Close").click()
        assert page.get_by_role("button", name="Accept as right").count() == 0
        page.get_by_role("button", name="Minimise and make a test").click()
        page.locator("#found", has_text="This test expects the recorded answer").wait_for()
        page.get_by_role("button", name="Close").click()
        page.set_viewport_size({"width": 360, "height": 740})
        with turnlog.open(url) as log:
            log.delete("one")
        other = chromium.new_page(viewport={"width": 1280, "height": 760})
        other.goto(f"{server.url}/inspect")
        other.locator("#title", has_text="two").wait_for()  # the first difference is gone
        title = page.locator("#title").bounding_box()
        assert title is not None
        assert title["height"] < 30  # on one line, beside the badge's own
        assert title["width"] > 100


def test_two_moments_and_a_fork_and_its_origin_are_side_by_side(
    server: Server, chromium: Browser
) -> None:
    fill(server, "origin")
    with turnlog.open(db(server)) as log:
        log.fork("origin", as_="forked", event=5)
        log.record("forked", UserUttered("no, four"), SlotSet("people", 4), BotUttered("Four."))
    page = chromium.new_page(viewport={"width": 1280, "height": 760})
    page.goto(f"{server.url}/inspect#conversation=forked&view=compare")
    page.locator("#compared", has_text="people 4").wait_for()
    text = page.locator("#compared").inner_text()
    assert "5 events before this are the same" in text
    assert "no, four" in text
    assert "no, three" in text
    page.get_by_label("Compare with").fill("forked")
    page.get_by_label("after event").fill("3")
    page.get_by_role("button", name="Compare").click()
    page.locator("#compared", has_text="people has no value").wait_for()
    assert "with=forked" in page.url
    page.get_by_label("after event").blur()
    page.keyboard.press("ArrowLeft")
    page.locator("#compared", has_text="forked, event 8").wait_for()
    page.get_by_label("Compare with").fill("missing")
    page.get_by_role("button", name="Compare").click()
    page.locator("#compared .failed", has_text="missing").wait_for()


def test_failures_and_texts_are_found_by_keys_and_why_is_a_key_away(
    server: Server, chromium: Browser
) -> None:
    with turnlog.open(db(server)) as log:
        log.record("sought", UserUttered("two"), SlotSet("people", 2), BotUttered("Ok"))
        log.record("sought", UserUttered("and?"), BotFailed("error", "KeyError"))
        log.record("sought", UserUttered("a word like periwinkle"), BotUttered("No"))
    page = chromium.new_page(viewport={"width": 1280, "height": 760})
    page.goto(f"{server.url}/inspect#conversation=sought&event=3")
    page.locator(".here").first.wait_for()
    page.keyboard.press("w")
    page.locator("#why li", has_text="SlotSet").wait_for()
    assert "slot=people" in page.url
    page.keyboard.press("x")
    page.locator("#moment", has_text="event 5 of").wait_for()
    page.keyboard.press("x")
    page.locator("#notice", has_text="No failure after event 5").wait_for()
    page.keyboard.press("s")
    page.keyboard.type("PERI")
    page.keyboard.press("Enter")
    page.locator("#moment", has_text="event 6 of").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+X")
    page.locator("#moment", has_text="event 5 of").wait_for()
    page.keyboard.press("?")
    page.locator("#help", has_text="next failure").wait_for()


def test_it_opens_the_newest_conversation_without_a_step(chromium: Browser, tmp_path: Path) -> None:
    with turnlog_part.running(db=f"sqlite:///{tmp_path}/chat.db") as server:
        page = chromium.new_page(viewport={"width": 1280, "height": 760})
        page.goto(f"{server.url}/inspect")
        page.locator("#list", has_not=page.locator("a")).wait_for(state="attached")
        assert page.get_by_text("Choose a conversation.").is_visible()
        with turnlog.open(f"sqlite:///{tmp_path}/chat.db") as log:
            log.record("older", UserUttered("hi"))
            log.record("newer", UserUttered("how many?"), *COUNTED, BotUttered("9 are free."))
        page.goto("about:blank")
        page.goto(f"{server.url}/inspect")
        page.locator("#title", has_text="newer").wait_for()
        page.wait_for_url("**#conversation=newer**")
        assert page.locator(".tool.result").inner_text() == "result: 9"
        page.go_back()
        page.wait_for_url("about:blank")
        phone = chromium.new_page(viewport={"width": 360, "height": 740})
        phone.goto(f"{server.url}/inspect")
        phone.locator("#list a", has_text="newer").click()
        phone.locator("#title", has_text="newer").wait_for()
        assert not phone.locator("#list").is_visible()
        phone.go_back()
        phone.locator("#list a", has_text="older").wait_for()
        assert not phone.locator("#view").is_visible()


def test_the_moment_is_said_with_its_thousands(chromium: Browser, long: str) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 760})
    page.goto(f"{long}&event=7501")
    page.locator("#moment", has_text="turn 1,501 of 20,000 · event 7,501 of 100,000").wait_for()
