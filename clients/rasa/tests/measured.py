"""Rasa's side of the benchmark, run by Rasa's own Python: load, append a turn, save.

`measured.py sql:///FILE|URL SIZE…` prints {size: [ms, ms without a tracker in memory]}.
"""

import asyncio
import json
import logging
import statistics
import sys
import time

from rasa.core.tracker_store import SQLTrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, BotUttered, SlotSet, UserUttered

logging.disable(logging.CRITICAL)
DOMAIN = Domain.from_dict({"slots": {"city": {"type": "text", "mappings": []}}})
TIMES = 7


def turn(number):
    parsed = {"intent": {"name": "inform", "confidence": 0.9}, "entities": [], "text": "to Rome"}
    return [
        UserUttered("to Rome", parsed["intent"], [], parsed, message_id=f"m{number}"),
        SlotSet("city", "Rome"),
        ActionExecuted("utter_ok", "RulePolicy", 1.0),
        BotUttered("Fine, Rome it is", {}, {"utter_action": "utter_ok"}),
        ActionExecuted("action_restart_form", "RulePolicy", 1.0),
        ActionExecuted("action_listen", "RulePolicy", 1.0),
    ]


def opened(where):
    if where.startswith("sql://"):
        return SQLTrackerStore(DOMAIN, dialect="sqlite", db=where[len("sql:///") :])
    from turnlog_rasa import TurnlogTrackerStore

    return TurnlogTrackerStore(DOMAIN, host=where)


async def measured(store, size):
    sender = f"n{size}"
    tracker = await store.get_or_create_tracker(sender, append_action_listen=False)
    number = 0
    while len(tracker.events) < size:
        for event in turn(number):
            tracker.update(event)
        number += 1
    await store.save(tracker)
    warm, cold = [], []
    for again in range(TIMES):
        warm.append(await once(store, sender, number + again))
    for again in range(3):
        if hasattr(store, "_keeper"):  # it keeps the last trackers in memory
            store._keeper.forget()
        cold.append(await once(store, sender, number + TIMES + again))
    return [statistics.median(warm) * 1000, statistics.median(cold) * 1000]


async def once(store, sender, number):
    began = time.perf_counter()
    tracker = await store.retrieve(sender)
    for event in turn(number):
        tracker.update(event)
    await store.save(tracker)
    return time.perf_counter() - began


async def main(where, sizes):
    store = opened(where)
    print(json.dumps({size: await measured(store, size) for size in sizes}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], [int(size) for size in sys.argv[2:]]))
