"""Given the result of a replay, then reports show it to people and build servers."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from xml.etree import ElementTree

from turnlog.replay import Divergence, ReplayedConversation
from turnlog.replay.runs.run import RunHead
from turnlog.reports.junit import junit
from turnlog.reports.replay import GROUPS, TURNS, html

HEAD = RunHead(bot="my:bot", version="1.2", time=1_795_694_400.0, position=99)
HOSTILE = "<script>alert(1)</script>\x00\x1b\u202e]]>&\ufffe"


def diverging(id: str, turn: int = 1, group: str = "text BotUttered", **fields: Any) -> Divergence:
    said = {"type": "BotUttered", "text": f"said in {turn}"}
    return Divergence(
        conversation=id, turn=turn, event=turn, message=f"asked in {turn}", kind="text",
        group=group, expected=said, **fields,
    )  # fmt: skip


def suite_of(replayed: list[ReplayedConversation]) -> ElementTree.Element:
    found = ElementTree.fromstring(junit(replayed, HEAD)).find("testsuite")
    assert found is not None
    return found


def properties(element: ElementTree.Element) -> list[tuple[str | None, str | None]]:
    return [
        (each.get("name"), each.get("value")) for each in element.findall("properties/property")
    ]


def page_of(replayed: list[ReplayedConversation]) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", html(replayed, HEAD).decode()))


def test_hostile_texts_stay_texts():
    found = diverging(HOSTILE, group=HOSTILE, actual={"type": "BotFailed", "detail": HOSTILE})
    known = diverging("b", group=HOSTILE)
    replayed = [
        ReplayedConversation(HOSTILE, 1, (found,)), ReplayedConversation("b", 1, (), (known,))
    ]  # fmt: skip
    head = RunHead(bot=HOSTILE, version=HOSTILE)
    suite = ElementTree.fromstring(junit(replayed, head))
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    page = html(replayed, head).decode()
    assert "<script" not in page
    assert "\u202e" not in page + junit(replayed, head).decode()


def test_headings_of_the_page_need_no_glyph_that_fonts_lack():
    found = diverging("a", group="text BotUttered “so far” → “in all”")
    assert "“so far” to “in all”" in page_of([ReplayedConversation("a", 1, (found,))])


def test_junit_has_group_time_and_version():
    differs = (diverging("a", 1, "text one"), diverging("a", 2, "text two"))
    suite = suite_of([
        ReplayedConversation("a", 2, differs, seconds=0.25),
        ReplayedConversation("b", 1, (), (diverging("b", 1, "text one"),), seconds=0.5),
        ReplayedConversation("c", 0, redacted=3),
    ])  # fmt: skip
    counts = [suite.get(name) for name in ("tests", "failures", "skipped", "time", "timestamp")]
    assert counts == ["3", "1", "1", "0.750", "2026-11-26T12:00:00"]
    assert properties(suite) == [("bot", "my:bot"), ("version", "1.2"), ("position", "99")]
    a, b, c = suite.findall("testcase")
    assert (a.get("time"), properties(a)) == (
        "0.250",
        [("group", "text one"), ("group", "text two")],
    )
    assert properties(b) == [("accepted", "text one")]
    text = a.findtext("failure") or ""
    assert text.index("asked in 1") < text.index("said in 1") < text.index("asked in 2")
    assert b.find("failure") is None
    skipped = c.find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "not replayed: 3 redacted"


def test_the_page_counts_the_divergences_it_omits():
    many = tuple(diverging("long", n) for n in range(1, 3 * TURNS))
    other = tuple(diverging(f"c{n}", 1, f"text {n}") for n in range(GROUPS))
    replayed = [
        ReplayedConversation("long", len(many), many, taken_back=2),
        *(ReplayedConversation(one.conversation, 1, (one,)) for one in other),
        ReplayedConversation("known", 1, (), (diverging("known"),), foreign=1),
    ]  # fmt: skip
    page = page_of(replayed)
    assert "Replay against my:bot 1.2" in page
    assert "202 conversations, 201 diverge, in 201 groups" in page
    assert "turns not replayed: 2 taken back, 1 foreign" in page
    assert "accepted: 1 turn" in page
    assert "the 200 largest groups of 201 are shown" in page
    assert "59 turns of 1 conversation; the shortest 20 are shown" in page
    assert "asked in 20" in page
    assert "asked in 21" not in page


def test_a_page_of_equal_answers_says_so():
    assert "1 conversation, none diverges" in page_of([ReplayedConversation("a", 1)])
