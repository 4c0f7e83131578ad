"""The result of a replay as JUnit XML, for build servers: a test case for each conversation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree

from turnlog.replay.replayed import ReplayedConversation, not_replayed
from turnlog.replay.runs.run import RunHead
from turnlog.reports.divergences import as_text
from turnlog.reports.text import visible

Element = ElementTree.Element


def junit(replayed: Sequence[ReplayedConversation], head: RunHead) -> bytes:
    """A JUnit XML file. Times are in seconds, the suite's timestamp is UTC."""
    counts = {
        "tests": str(len(replayed)),
        "failures": str(sum(bool(one.divergences) for one in replayed)),
        "skipped": str(sum(not one.turns for one in replayed)),
        "time": _seconds(sum(one.seconds for one in replayed)),
    }
    suites = Element("testsuites", counts)
    began = f"{datetime.fromtimestamp(int(head.time), UTC):%Y-%m-%dT%H:%M:%S}"
    names = {"name": "turnlog replay", "timestamp": began}
    suite = ElementTree.SubElement(suites, "testsuite", {**names, **counts})
    _add_properties(suite, [("bot", head.bot), ("version", head.version or ""),
                            ("position", str(head.position))])  # fmt: skip
    for one in replayed:
        suite.append(_case(one, head.bot))
    ElementTree.indent(suites)
    return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True))


def _case(one: ReplayedConversation, bot: str) -> Element:
    names = {"classname": visible(bot), "name": visible(one.conversation)}
    case = Element("testcase", {**names, "time": _seconds(one.seconds)})
    groups = dict.fromkeys(("group", each.group) for each in one.divergences)
    known = dict.fromkeys(("accepted", each.group) for each in one.accepted)
    _add_properties(case, [*groups, *known])
    if one.divergences:
        first = one.divergences[0]
        named = {"type": first.kind, "message": visible(f"turn {first.turn}: {first.group}")}
        ElementTree.SubElement(case, "failure", named).text = as_text(one.divergences)
    elif not one.turns:
        why = not_replayed([one]) or "no turns"
        ElementTree.SubElement(case, "skipped", {"message": f"not replayed: {why}"})
    return case


def _add_properties(parent: Element, properties: Iterable[tuple[str, str]]) -> None:
    """Adds the properties that have a value, if any."""
    named = [{"name": name, "value": visible(value)} for name, value in properties if value]
    if named:
        within = ElementTree.SubElement(parent, "properties")
        for each in named:
            ElementTree.SubElement(within, "property", each)


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
