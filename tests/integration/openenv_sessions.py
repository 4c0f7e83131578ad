"""Run by OpenEnv's own Python: docs/training.md's server, used by its own client; prints JSON.

Arguments: a folder with the page's `server.py` and `client.py`, in which the log `chat.db` is.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import uvicorn
from openenv import GenericEnvClient

ON_THE_PAGE = "127.0.0.1:8000"
CALL = {"id": "x", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
RAINS = CALL | {"function": {"name": "weather", "arguments": '{"city": "Rome"}'}}


def serve(app: Any, host: str, port: int) -> None:
    """In place of uvicorn's `run`: served on a free port for as long as the sessions take."""
    listening = socket.create_server((host, 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    running = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    running.start()
    try:
        print(json.dumps(sessions(f"{host}:{listening.getsockname()[1]}")))
    finally:
        server.should_exit = True
        running.join(10)


def sessions(at: str) -> dict[str, Any]:
    page = Path("client.py").read_text()
    assert ON_THE_PAGE in page
    names: dict[str, Any] = {"answer": lambda messages: {"content": "Well."}}
    exec(page.replace(ON_THE_PAGE, at), names)
    with client(at) as one, client(at) as two:
        return {
            "page": names["seen"].reward,
            "before": one.state(),
            "rain": held(one, "rain", [{"tool_calls": [RAINS]}, {"content": "No."}]),
            "second": held(two, "book", [{"role": "assistant", "content": "Hm."}] * 2),
            "after": one.state(),
            "seeds": [seeded(one, seed) for seed in [*range(1, 6)] * 2],
            "refused": [refused(one, **wrong) for wrong in WRONG],
        }


def client(at: str) -> Any:
    return GenericEnvClient(base_url=f"http://{at}").sync()


def held(env: Any, id: str, answers: list[dict[str, Any]]) -> list[Any]:
    seen = [env.reset(episode_id=id), *map(env.step, answers)]
    return [[s.observation["messages"], s.observation["tools"], s.done, s.reward] for s in seen]


def seeded(env: Any, seed: int) -> list[Any]:
    seen = env.reset(seed=seed)
    begun = seen.observation["messages"]
    while not seen.done:
        seen = env.step({"content": "Well."})
    return [begun, seen.reward]


WRONG: list[dict[str, Any]] = [
    {"episode_id": "missing"},
    {"episode_id": "silent"},
    {"action": {"tool_calls": [{}]}},
    {"action": {"tool_calls": "weather"}},
]


def refused(env: Any, action: dict[str, Any] | None = None, **reset: Any) -> str:
    try:
        env.reset(**reset or {"episode_id": "rain"})
        if action is not None:
            env.step(action)
    except RuntimeError as error:
        return str(error)
    return "nothing"


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    uvicorn.run = serve
    exec(Path("server.py").read_text(), {"__name__": "__main__"})
