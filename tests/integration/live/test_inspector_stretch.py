"""What the inspector's page derives from a stretch of events: what counts, slots, results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import turnlog
from tests.parts.node import Node
from turnlog import (
    BotUttered,
    SlotSet,
    ToolCalled,
    ToolReturned,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.server import window

STATIC = Path(turnlog.__file__).parent / "server" / "static"


def run(node: Node, script: str, **given: Any) -> Any:
    """What a script that imports Stretch prints."""
    source = (STATIC / "inspect" / "stretch.js").read_text().replace("export class", "class")
    constants = "".join(f"const {name} = {json.dumps(value)};" for name, value in given.items())
    return json.loads(node.run(f"{source}\n{constants}\nconsole.log(JSON.stringify({script}));"))


def windowed(log: turnlog.Turnlog, id: str, first: int, last: int) -> dict[str, Any]:
    return window.window(log.conversation(id), last, last - first + 1, 0)


def test_the_page_strikes_out_what_does_not_count(node: Node) -> None:
    with turnlog.open("memory:") as log:
        for text in ("one", "two"):
            log.record("c", UserUttered(text), BotUttered("ok"))
        log.checkout("c", "retry", turn=1)
        log.record("c", UserUttered("other"), UserUtteranceReverted())
        log.checkout("c", "main")
        log.record("c", UserUttered("three"))
        recorded = list(log.conversation("c").recorded())
        whole = windowed(log, "c", 1, len(recorded))
        struck = "new Stretch(w).items.map(({event}) => new Stretch(w).isUndone(event, w.last))"
        assert run(node, struck, w=whole) == [each.taken_back is not None for each in recorded]
        for moment in range(1, len(recorded) + 1):
            then = [
                each.taken_back is not None
                for each in log.conversation("c", event=moment).recorded()
            ]
            script = f"s.items.slice(0, {moment}).map(({{event}}) => s.isUndone(event, {moment}))"
            assert run(node, f"((s) => {script})(new Stretch(w))", w=whole) == then
    assert (whole["items"][5]["branch"], whole["items"][5]["branch_turn"]) == ("retry", 2)


def test_a_stretch_grows_and_shrinks_without_losing_a_slot(node: Node) -> None:
    with turnlog.open("memory:") as log:
        for turn in range(1, 21):
            log.record("c", UserUttered("x"), SlotSet(f"s{turn % 3}", turn), SlotSet("n", turn))
        log.record("c", SlotSet("n", None))
        parts = [windowed(log, "c", first, last) for first, last in ((20, 30), (1, 19), (31, 61))]
        expected = [log.conversation("c", event=event).slots for event in (5, 25, 61, 40)]
    script = """((s) => {
      s.prepend(w[1]);
      s.append(w[2]);
      const at = (event) => Object.fromEntries(s.slotsAt(event));
      const found = [at(5), at(25), at(61)];
      s.leaveBefore(33);
      s.leaveAfter(44);
      return [...found, at(40), s.first, s.end];
    })(new Stretch(w[0]))"""
    assert run(node, script, w=parts) == [*expected, 33, 44]


def test_live_events_are_added_only_if_none_is_missing(node: Node) -> None:
    with turnlog.open("memory:") as log:
        for _ in range(5):
            log.record("c", UserUttered("x"))
        first, rest = windowed(log, "c", 1, 3), windowed(log, "c", 1, 5)["items"]
        first["last"] = 3
    script = """[rest.slice(2), rest.slice(4), rest.slice(3, 4)].map((items) => {
      const s = new Stretch({...w, items: [...w.items]});
      return [s.follow(items), s.end, s.last];
    })"""
    assert run(node, script, w=first, rest=rest) == [[True, 5, 5], [False, 3, 5], [True, 4, 4]]


def test_results_are_shown_with_their_calls(node: Node) -> None:
    with turnlog.open("memory:") as log:
        log.record("c", UserUttered("x"), ToolCalled("a", {}, "1"), ToolCalled("b", {}, "2"))
        log.record("c", ToolReturned("two", "2"), ToolReturned("one", "1"))
        log.record(
            "c", ToolCalled("c", {}), ToolCalled("d", {}), ToolReturned("c"), ToolReturned("d")
        )
        log.record("c", ToolCalled("open", {}, "1"))
        items = windowed(log, "c", 1, 10)["items"]
    source = (STATIC / "inspect" / "parts.js").read_text()
    functions = source[source.index("/** The results of calls") :].replace("export ", "")
    script = "[...answers(items)].map(([call, {event}]) => [call, event])"
    found = node.run(
        f"{functions}\nconst items = {json.dumps(items)};\nconsole.log(JSON.stringify({script}));"
    )
    assert dict(json.loads(found)) == {3: 4, 2: 5, 6: 8, 7: 9}
