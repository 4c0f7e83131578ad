"""How a replay asks a bot."""

from __future__ import annotations

from typing import Literal

import msgspec

from turnlog.replay.allowing.rules import Rules

ANSWER_SECONDS = 30.0
"""Seconds for an answer."""

Tools = Literal["record", "live"]


class ReplaySettings(msgspec.Struct, frozen=True):
    """timeout: seconds for an answer. concurrency: conversations that a process replays
    concurrently. tools: the source of tool results: the record, or the bot's tools, which really
    run. once: leave what a fork shares to the conversation that has it, which is replayed too.
    every: all differences of a turn, not only the first. pdb: debug the bot, without time limits,
    on the terminal.
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
        """Seconds for an answer, None for no limit."""
        return None if self.pdb else self.timeout
