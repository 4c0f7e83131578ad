"""The result of a replay as an HTML page."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from turnlog.domain.amounts import amount
from turnlog.replay.divergence import Divergence
from turnlog.replay.grouping.failing import traceback, without_traceback
from turnlog.replay.grouping.groups import DivergenceGroup, grouped
from turnlog.replay.replayed import ReplayedConversation, not_replayed
from turnlog.replay.runs.run import RunHead
from turnlog.reports.html import Element, element, page
from turnlog.reports.text import when
from turnlog.serializers.shared.plain import dumps

GROUPS, TURNS = 200, 20
"""How many groups the page shows, and turns of each; it counts the others."""

CSS = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
  color: #1d2433; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
p { margin: .2rem 0; color: #5b6478; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; table-layout: fixed; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem;
  border-bottom: 1px solid #e3e6ee; overflow-wrap: anywhere; }
th { font-weight: 600; color: #5b6478; } th.id { width: 9rem; } th.turn { width: 3.5rem; }
th.user { width: 9rem; }
code { font: .82rem/1.45 ui-monospace, monospace; white-space: pre-wrap; }
pre { font: .78rem/1.4 ui-monospace, monospace; white-space: pre-wrap; margin: .4rem 0 0; }
.kind { background: #fbe4e1; color: #9c2b1b; border-radius: .8rem; padding: .1rem .6rem;
  font-size: .85rem; font-weight: 600; }
.fine { color: #1a7f4b; font-weight: 600; }
@media print { body { margin: 0; max-width: none; } tr, h2 { break-inside: avoid; } }
"""


def html(replayed: Sequence[ReplayedConversation], head: RunHead) -> bytes:
    """The differing turns as a page, the largest groups first, with message and expected answer."""
    by_group: dict[str, list[Divergence]] = defaultdict(list)
    for one in replayed:
        for divergence in one.divergences:
            by_group[divergence.group].append(divergence)
    groups = grouped(divergence for one in replayed for divergence in one.divergences)
    title = f"Replay against {head.bot}" + (f" {head.version}" if head.version else "")
    return page(
        title,
        CSS,
        element("h1", title),
        _summary(replayed, head, len(groups)),
        [part for group in groups[:GROUPS] for part in _section(group, by_group[group.group])],
    )


def _summary(
    replayed: Sequence[ReplayedConversation], head: RunHead, groups: int
) -> Iterable[Element]:
    done = amount(len(replayed), "conversation")
    turns = amount(sum(one.turns for one in replayed), "turn")
    count = sum(bool(one.divergences) for one in replayed)
    found = f"{done}, {count:,} diverge{'s' if count == 1 else ''}, in {amount(groups, 'group')}"
    fine = element("p", f"{done}, none diverges", class_="fine")
    yield element("p", found) if count else fine
    yield element("p", f"{when(head.time)}, {turns}, log up to position {head.position:,}")
    if left_out := not_replayed(replayed):
        yield element("p", f"turns not replayed: {left_out}")
    if known := sum(len(one.accepted) for one in replayed):
        yield element("p", f"accepted: {amount(known, 'turn')}")
    if groups > GROUPS:
        yield element("p", f"the {GROUPS:,} largest groups of {groups:,} are shown")


def _section(group: DivergenceGroup, divergences: Sequence[Divergence]) -> Iterable[Element]:
    kind, _, what = group.group.partition(" ")
    size = f"{amount(group.turns, 'turn')} of {amount(group.conversations, 'conversation')}"
    label = element("span", kind.replace("_", " "), class_="kind")
    yield element("h2", label, f" {what.replace(' → ', ' to ')}")  # some fonts have no arrow
    shown = sorted(divergences, key=lambda one: (one.turn, one.conversation))[:TURNS]
    more = f"; the shortest {TURNS} are shown" if len(divergences) > TURNS else ""
    yield element("p", f"{size}{more}")
    names = {"conversation": "id", "turn": "turn", "user": "user", "expected": "", "actual": ""}
    heads = (element("th", name, class_=style) for name, style in names.items())
    yield element("table", element("tr", *heads), [row for one in shown for row in _rows(one)])


def _rows(one: Divergence) -> Iterable[Element]:
    """The turn; below it, over the whole width, the traceback of a bot that raised."""
    cells = (one.conversation, one.turn, one.message, _code(one.expected), _code(one.actual))
    yield element("tr", *(element("td", cell) for cell in cells))
    if (trace := traceback(one.actual)) is not None:
        yield element("tr", element("td", element("pre", trace), colspan=str(len(cells))))


def _code(value: Any) -> Element:
    event = without_traceback(value)
    text = "–" if value is None else json.dumps(json.loads(dumps(event)), ensure_ascii=False)
    return element("code", text)
