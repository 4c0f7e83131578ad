"""What a replay found, for people and for build servers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import msgspec

from turnlog.domain.amounts import amount
from turnlog.replay.divergence import Divergence
from turnlog.reports.html import Element, element, page
from turnlog.reports.text import visible
from turnlog.serializers.shared.plain import dumps

PlainEvent = Mapping[str, Any]
Outcomes = Sequence[tuple[str, Divergence | None]]


class DivergenceGroup(msgspec.Struct, frozen=True):
    """Divergences of one kind about one thing, in the order they were found."""

    kind: str
    what: str
    divergences: list[Divergence]


def grouped(outcomes: Outcomes) -> list[DivergenceGroup]:
    """The divergences by what they are about, the most frequent first."""
    groups: dict[tuple[str, str], list[Divergence]] = defaultdict(list)
    for _, divergence in outcomes:
        if divergence is not None:
            groups[divergence.kind, about(divergence)].append(divergence)
    listed = [DivergenceGroup(kind, what, same) for (kind, what), same in groups.items()]
    return sorted(listed, key=lambda group: (-len(group.divergences), group.kind, group.what))


def about(divergence: Divergence) -> str:
    """What a divergence is about, in a few words that others of its cause share."""
    expected, actual = divergence.expected, divergence.actual
    match divergence.kind:
        case "missing":
            return _short(expected)
        case "extra":
            return _short(actual)
        case "order":
            return f"{_short(expected[0])} before {_short(actual[0])}"
        case "intent":
            return f"{_intent(expected)} → {_intent(actual)}"
        case "error" | "timeout":
            return str((actual or expected or {}).get("detail") or "an answer")[:120]
        case "text" | "entity":
            return _short(expected)
    one, other = _short(expected), _short(actual)
    return one if one == other else f"{one} → {other}"


def _short(event: PlainEvent | None) -> str:
    """An event's type and name."""
    if event is None:
        return "nothing"
    return " ".join(str(event[key]) for key in ("type", "name") if event.get(key) is not None)


def _intent(event: PlainEvent | None) -> str:
    return str(((event or {}).get("intent") or {}).get("name"))


def shown(value: Any) -> str:
    """An event, or several, as JSON on one line."""
    return visible(dumps(value).decode())


# --- JUnit --------------------------------------------------------------------------------------


def junit(outcomes: Outcomes, bot: str) -> bytes:
    """A JUnit XML file: a test case for each conversation."""
    failures = sum(divergence is not None for _, divergence in outcomes)
    counts = {"tests": str(len(outcomes)), "failures": str(failures)}
    suites = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "turnlog replay", **counts})
    for id, divergence in outcomes:
        names = {"classname": visible(bot), "name": visible(id)}
        case = ElementTree.SubElement(suite, "testcase", names)
        if divergence is not None:
            message = visible(f"turn {divergence.turn}: {divergence.kind}: {about(divergence)}")
            failure = {"type": divergence.kind, "message": message}
            ElementTree.SubElement(case, "failure", failure).text = _compared(divergence)
    ElementTree.indent(suites)
    return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True))


def _compared(divergence: Divergence) -> str:
    return f"expected: {shown(divergence.expected)}\nactual:   {shown(divergence.actual)}"


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
.kind { background: #fbe4e1; color: #9c2b1b; border-radius: .8rem; padding: .1rem .6rem;
  font-size: .85rem; font-weight: 600; }
.fine { color: #1a7f4b; font-weight: 600; }
@media print { body { margin: 0; max-width: none; } tr, h2 { break-inside: avoid; } }
"""


def html(outcomes: Outcomes, bot: str) -> bytes:
    """A page of its own: what diverges, most frequent first, each with what was expected."""
    groups = grouped(outcomes)
    count = sum(len(group.divergences) for group in groups)
    done = amount(len(outcomes), "conversation")
    summary = f"{done}, {count:,} diverge{'s' if count == 1 else ''}"
    fine = element("p", f"{done}, none diverges", class_="fine")
    return page(
        f"Replay against {bot}",
        CSS,
        element("h1", f"Replay against {bot}"),
        element("p", summary) if count else fine,
        [part for group in groups for part in _section(group)],
    )


def _section(group: DivergenceGroup) -> Iterable[Element]:
    yield element(
        "h2",
        element("span", group.kind.replace("_", " "), class_="kind"),
        f" {group.what} ({len(group.divergences):,})",
    )
    head = [element("th", "conversation", class_="id"), element("th", "turn", class_="turn")]
    rows = [element("tr", *head, element("th", "expected"), element("th", "actual"))]
    for one in group.divergences:
        cells = (one.conversation, one.turn, _code(one.expected), _code(one.actual))
        rows.append(element("tr", *(element("td", cell) for cell in cells)))
    yield element("table", rows)


def _code(value: Any) -> Element:
    text = "–" if value is None else json.dumps(json.loads(dumps(value)), ensure_ascii=False)
    return element("code", text)
