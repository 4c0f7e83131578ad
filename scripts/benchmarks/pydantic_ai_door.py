"""pydantic-ai's conversations in ours, against the SQLite store of its harness.

The harness needs an older pydantic-ai, so it runs in a separate environment and process, which
measures the times; the turns of both are the same.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic_ai.conversation import Conversation
from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, UserPromptPart

from scripts.benchmarks.figures import Figure, faster, interleaved
from scripts.benchmarks.sides import ANSWER, TEXT, size
from turnlog.agents.pydantic_ai import TurnlogConversationStore

PEER = Path(__file__).with_name("harness_peer.py")
PYTHON = Path(__file__).parents[2] / ".venv-bench/harness/bin/python"


def figures(folder: Path, turns: int) -> Iterator[Figure]:
    path = folder / "conversations.db"
    with _peer(folder / "harness.db", turns) as theirs, _Ours(path, turns) as ours:
        loads = interleaved({"ours": ours.load, "theirs": lambda: theirs("load")}, 41)
        saves = interleaved({"ours": ours.append, "theirs": lambda: theirs("append")}, 41)
    at = f"at {turns} turns"
    yield faster("pydantic_ai_load", loads, f"loads/s {at}", least=10)
    yield faster("pydantic_ai_append", saves, f"saves/s {at}", least=5)
    with _Ours(path, 0) as again:
        cold = 1e3 * again.load()
    yield Figure(
        "pydantic_ai_first_load", cold, 1e3 * loads["theirs"], f"ms {at}",
        cold / (1e3 * loads["theirs"]), note="the conversation was not in memory",
    )  # fmt: skip
    held = size(folder / "harness.db") / turns
    ours_held = size(path) / turns
    yield Figure("pydantic_ai_bytes", ours_held, held, f"bytes/turn {at}", ours_held / held)


@contextmanager
def _peer(database: Path, turns: int) -> Iterator[Any]:
    """Gives a function from what is to be done to the seconds that it took."""
    asked = [PYTHON, PEER, database, str(turns), TEXT, ANSWER]
    with subprocess.Popen(
        asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        answers = running.stdout

        def ask(what: str) -> float:
            print(what, file=running.stdin, flush=True)
            return float(answers.readline())

        yield ask
        running.stdin.close()


class _Ours:
    """A conversation of so many turns, which is loaded, or loaded before and saved."""

    def __init__(self, path: Path, turns: int) -> None:
        self._runner = asyncio.Runner()
        self._store = TurnlogConversationStore(f"sqlite:///{path}")
        self._conversation = Conversation(conversation_id="c0")
        self._turn = 0
        for _ in range(turns):
            self.append()

    def __enter__(self) -> _Ours:
        return self

    def __exit__(self, *exception: object) -> None:
        self._store.close()
        self._runner.close()

    def append(self) -> float:
        self._turn += 1
        user = UserPromptPart(TEXT.format(n=self._turn))
        said = [ModelRequest([user]), ModelResponse([TextPart(ANSWER)])]
        self._conversation.messages.extend(said)
        return self._timed(self._store.save(self._conversation))

    def load(self) -> float:
        return self._timed(self._store.load("c0"))

    def _timed(self, work: Coroutine[Any, Any, object]) -> float:
        async def timed() -> float:
            begun = time.perf_counter()
            found = await work
            took = time.perf_counter() - begun
            assert found is not None
            return took

        return self._runner.run(timed())
