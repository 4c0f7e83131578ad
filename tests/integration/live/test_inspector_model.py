"""What the inspector strikes out: what was taken back, and branches that were left."""

from __future__ import annotations

import json
from pathlib import Path

import turnlog
from tests.parts.node import Node
from turnlog import BotUttered, UserUtteranceReverted, UserUttered
from turnlog.domain.recorded import traced
from turnlog.server.timeline import item

MODEL = Path(turnlog.__file__).parent / "server" / "static" / "model.js"


def test_the_page_strikes_out_what_does_not_count(node: Node) -> None:
    with turnlog.open("memory:") as log:
        for text in ("one", "two"):
            log.record("c", UserUttered(text), BotUttered("ok"))
        log.checkout("c", "retry", turn=1)
        log.record("c", UserUttered("other"), UserUtteranceReverted())
        log.checkout("c", "main")
        log.record("c", UserUttered("three"))
        recorded = list(log.conversation("c").recorded())
    items = [item(each) for each in traced(recorded)]
    script = f"""
        import {{ Model }} from "{MODEL}";
        const model = new Model({json.dumps(items)});
        console.log(JSON.stringify(model.items.map((_, i) => model.isUndone(i, model.last))));
    """
    assert json.loads(node.run(script)) == [each.taken_back is not None for each in recorded]
    assert (items[5]["branch"], items[5]["branch_turn"]) == ("retry", 2)
