"""What a replay found, for people and for build servers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree

from turnlog.domain.amounts import amount
from turnlog.replay.divergence import Divergence
from turnlog.replay.failing import traceback, without_traceback
from turnlog.replay.groups import DivergenceGroup, grouped
from turnlog.replay.replayed import ReplayedConversation
from turnlog.reports.html import Element, element, page
from turnlog.reports.text import visible
from turnlog.serializers.shared.plain import dumps

Replayed = Sequence[ReplayedConversation]


def shown(value: Any) -> str:
    """An event, or several, as JSON on one line."""
    return visible(dumps(value).decode())


# --- JUnit --------------------------------------------------------------------------------------


def junit(replayed: Replayed, bot: str) -> bytes:
    """A JUnit XML file: a test case for each conversation."""
    failures = sum(one.first is not None for one in replayed)
    counts = {"tests": str(len(replayed)), "failures": str(failures)}
    suites = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "turnlog replay", **counts})
    for one in replayed:
        names = {"classname": visible(bot), "name": visible(one.conversation)}
        case = ElementTree.SubElement(suite, "testcase", names)
        for divergence in one.divergences[:1]:
            message = visible(f"turn {divergence.turn}: {divergence.group}")
            failure = {"type": divergence.kind, "message": message}
            ElementTree.SubElement(case, "failure", failure).text = compared(divergence)
    ElementTree.indent(suites)
    return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True))


def compared(divergence: Divergence) -> str:
    """What was expected and what came, a line each, and the traceback of a bot that raised."""
    expected, actual = without_traceback(divergence.expected), without_traceback(divergence.actual)
    lines = [f"expected: {shown(expected)}", f"actual:   {shown(actual)}"]
    trace = traceback(divergence.actual) or ""
    return "\n".join([*lines, *map(visible, trace.splitlines())])


# --- HTML ---------------------------------------------------------------------------------------

CSS = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
  color: #1d2433; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
p { margin: .2rem 0; color: #5b6478; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; table-layout: fixed; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem;
  border-bottom: 1px solid #e3e6ee; overflow-wrap: anywhere; }
th { font-weight: 600; color: #5b6478; } th.id { width: 14rem; } th.turn { width: 3.5rem; }
code { font: .82rem/1.45 ui-monospace, monospace; white-space: pre-wrap; }
pre { font: .78rem/1.4 ui-monospace, monospace; white-space: pre-wrap; margin: .4rem 0 0; }
.kind { background: #fbe4e1; color: #9c2b1b; border-radius: .8rem; padding: .1rem .6rem;
  font-size: .85rem; font-weight: 600; }
.fine { color: #1a7f4b; font-weight: 600; }
@media print { body { margin: 0; max-width: none; } tr, h2 { break-inside: avoid; } }
"""


def html(replayed: Replayed, bot: str) -> bytes:
    """A page of its own: what diverges, most frequent first, each with what was expected."""
    found = [divergence for one in replayed for divergence in one.divergences]
    by_group: dict[str, list[Divergence]] = defaultdict(list)
    for divergence in found:
        by_group[divergence.group].append(divergence)
    count = sum(one.first is not None for one in replayed)
    done = amount(len(replayed), "conversation")
    summary = f"{done}, {count:,} diverge{'s' if count == 1 else ''}"
    fine = element("p", f"{done}, none diverges", class_="fine")
    return page(
        f"Replay against {bot}",
        CSS,
        element("h1", f"Replay against {bot}"),
        element("p", summary) if count else fine,
        [part for group in grouped(found) for part in _section(group, by_group[group.group])],
    )


def _section(group: DivergenceGroup, divergences: Iterable[Divergence]) -> Iterable[Element]:
    kind, _, what = group.group.partition(" ")
    yield element(
        "h2",
        element("span", kind.replace("_", " "), class_="kind"),
        f" {what} ({group.conversations:,})",
    )
    head = [element("th", "conversation", class_="id"), element("th", "turn", class_="turn")]
    rows = [element("tr", *head, element("th", "expected"), element("th", "actual"))]
    for one in divergences:
        actual = [_code(one.actual), *_trace(one.actual)]
        cells = (one.conversation, one.turn, _code(one.expected), actual)
        rows.append(element("tr", *(element("td", cell) for cell in cells)))
    yield element("table", rows)


def _code(value: Any) -> Element:
    event = without_traceback(value)
    text = "–" if value is None else json.dumps(json.loads(dumps(event)), ensure_ascii=False)
    return element("code", text)


def _trace(event: Any) -> Iterable[Element]:
    if (trace := traceback(event)) is not None:
        yield element("pre", trace)
