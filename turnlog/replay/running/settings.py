"""How a bot is asked in a replay."""

from __future__ import annotations

from typing import Literal

import msgspec

from turnlog.replay.allowing.rules import Rules

ANSWER_SECONDS = 30.0
"""Seconds that a bot has for an answer."""

Tools = Literal["record", "live"]


class ReplaySettings(msgspec.Struct, frozen=True):
    """timeout: seconds an answer may take. concurrency: conversations that a process replays at
    once. tools: whose results a bot gets: the record's, or those of its own tools, which really
    run. once: whether what a fork shares is left to the conversation that has it, which is replayed
    too. every: whether all differences of a turn are given, not only the first. pdb: whether the
    bot may be debugged: nothing is timed, and it has the terminal.
    """

    rules: Rules = Rules()
    timeout: float = ANSWER_SECONDS
    concurrency: int = 1
    tools: Tools = "record"
    once: bool = False
    every: bool = False
    pdb: bool = False

    @property
    def limit(self) -> float | None:
        """Seconds for an answer, None where it may take for ever."""
        return None if self.pdb else self.timeout
