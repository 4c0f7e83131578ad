"""Run by verifiers' own Python: what verifiers makes of a log's conversations, as JSON.

Arguments: the log's file, and a folder with the module `support_chats` of docs/training.md. The
model is made up: it repeats the record, but at random says nothing instead.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from random import Random
from typing import Any

import verifiers.v1 as vf

from tests.made_up_model import MadeUpModel, made_up_model

DB = f"sqlite:///{sys.argv[1]}"
CALLS = {
    "is it raining in Rome?": [("weather", {"city": "Rome"})],
    "two": [
        ("set_slot", {"name": "people", "value": 2}),
        ("set_slot", {"name": "day", "value": 1}),
    ],
}


class Answers:
    """Taken by the made-up model one after the other: each is to what it was asked last."""

    def __init__(self, model: MadeUpModel, seed: int | None) -> None:
        self._model = model
        self._seed = seed

    def popleft(self) -> dict[str, Any]:
        last = self._model.asked[-1]["messages"][-1]
        if made := CALLS.get(last["content"]):
            return {"role": "assistant", "content": None, "tool_calls": [*map(called, made)]}
        random = Random(f"{self._seed} {last['content']}")
        silent = self._seed is not None and random.random() < 0.5
        return {"role": "assistant", "content": "" if silent else "Well."}


def called(made: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    name, arguments = made
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": json.dumps(arguments), "type": "function", "function": function}


async def rolled_out(seed: int | None = None, **agent: Any) -> list[dict[str, Any]]:
    """The log's tasks in the order of the seed, each with its outcome."""
    with made_up_model() as model:
        model.says = Answers(model, seed)
        given = {"taskset": {"id": "support_chats", "db": DB}, "agent": agent}
        env = vf.load_environment(vf.resolve_env_config(given))
        endpoint = vf.EvalClientConfig(base_url=model.url, api_key_var="MADE_UP_KEY")
        context = vf.ModelContext(model="made-up", client=endpoint)
        async with env.serving():
            tasks = env.taskset.shuffle(seed or 0)
            episodes = [await env.run_episode(task, context) for task in tasks]
        return [shown(trace) for episode in episodes for trace in episode.traces]


def shown(trace: vf.Trace) -> dict[str, Any]:
    return {
        "id": trace.task.data.id,
        "key": trace.task.key,
        "said": [[m.role, m.content] for m in trace.branches[-1].messages],
        "reward": trace.reward,
        "ok": trace.ok,
        "stop": trace.stop_condition,
        "turns": trace.num_turns,
        "errors": [error.message for error in trace.errors],
        "kept": trace.model_dump_json(),
    }


def refused(**taskset: Any) -> str:
    try:
        [*vf.load_taskset(vf.taskset_config_type("support_chats")(id="support_chats", **taskset))]
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


async def main() -> None:
    os.environ["MADE_UP_KEY"] = "made-up"
    sys.path.insert(0, sys.argv[2])
    shown = {
        "record": await rolled_out(),
        "cut": await rolled_out(max_turns=2),
        "seeds": [await rolled_out(seed) for seed in (1, 2, 1)],
        "silent": refused(db=DB, ids=["silent"]),
        "missing": refused(db=DB, ids=["missing"]),
        "no log": refused(db=f"{DB}.not"),
    }
    print(json.dumps(shown))


if __name__ == "__main__":
    asyncio.run(main())
