"""Replay in a bot team's own tests: a pytest plugin that comes with turnlog.

    def test_the_bot_still_answers_as_recorded(replay):
        replay("sqlite:///chat.db", "mybot:bot", masks=[r"\\d{4}"])

The fixture takes a log or its URL, a bot or its name, and what the rules may say; it fails the
test naming each conversation that diverges first, at which turn and how.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from turnlog.bots import Bot, LoadedBot
    from turnlog.engine.log import Turnlog

SHOWN = 10
"""Divergences that a failed test tells of."""


class Replayer:
    """What the fixture `replay` gives; called, it passes or fails the test."""

    def __call__(
        self,
        log: Turnlog | str,
        bot: Bot | str,
        ids: Iterable[str] | None = None,
        *,
        timeout: float = 30.0,
        **rules: Iterable[str],
    ) -> None:
        """Replay these conversations, or all. rules: `ignore`, `slots` and `masks`, as in Rules."""
        __tracebackhide__ = True
        import turnlog
        from turnlog.replay import Rules, many

        given: dict[str, Any] = {name: tuple(values) for name, values in rules.items()}
        allowed = Rules(**given)
        loaded = _loaded(bot)
        opened: Any = turnlog.open(log) if isinstance(log, str) else nullcontext(log)
        with opened as source:
            chosen = list(source.ids(trials=False) if ids is None else ids)
            options: dict[str, Any] = {"timeout": timeout, "once": ids is None}
            replayed = list(many.replay(source, chosen, loaded, rules=allowed, **options))
        found = [one.first for one in replayed if one.first is not None]
        if found:
            pytest.fail(_told(found, len(replayed)), pytrace=False)


def _loaded(bot: Bot | str) -> LoadedBot:
    from turnlog import bots

    if isinstance(bot, str):
        return bots.load(bot)
    return bots.LoadedBot(bot, getattr(bot, "tools", {}), getattr(bot, "__name__", "bot"))


def _told(found: list[Any], count: int) -> str:
    from turnlog.reports.replay import compared

    lines = [f"{len(found)} of {count} conversations diverge"]
    for one in found[:SHOWN]:
        lines += [
            f"{one.conversation}, turn {one.turn}: {one.kind}",
            *(f"  {line}" for line in compared(one).splitlines()),
        ]
    if len(found) > SHOWN:
        lines.append(f"and {len(found) - SHOWN} more")
    return "\n".join(lines)


@pytest.fixture
def replay() -> Replayer:
    """Replays recorded conversations against a bot: see turnlog.testing.replay."""
    return Replayer()
