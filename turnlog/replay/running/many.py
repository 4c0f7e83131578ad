"""Replays many conversations, in this process or in several."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import redirect_stdout

from turnlog import bots
from turnlog.bots import LoadedBot
from turnlog.engine.log import Turnlog
from turnlog.errors import BotError
from turnlog.replay.allowing.rules import Rules
from turnlog.replay.replayed import ReplayedConversation
from turnlog.replay.running.here import Here
from turnlog.replay.running.settings import ANSWER_SECONDS, ReplaySettings, Tools
from turnlog.replay.running.worker import Task
from turnlog.replay.running.workers import replay_apart


def replay(
    log: Turnlog,
    ids: Iterable[str],
    bot: LoadedBot | str,
    *,
    rules: Rules | None = None,
    timeout: float = ANSWER_SECONDS,
    jobs: int = 0,
    concurrency: int = 1,
    tools: Tools = "record",
    pdb: bool = False,
    every: bool = False,
    once: bool = False,
    hash_seed: int | None = None,
) -> Generator[ReplayedConversation, None, None]:
    """The result of each conversation, in the order of the ids.

    bot: the bot or its name. jobs: processes that share the work; each opens the log and loads the
    bot by its name. 0 uses only this process, as do a log in memory, and one job with an unnamed
    bot. concurrency: conversations that each process replays concurrently, for bots that wait.
    timeout: seconds for an answer. tools: `live` really runs the bot's tools. pdb: debug a bot that
    raises or calls `breakpoint()`, on this terminal, in this process. every: all differences of a
    turn, not only the first. once: leave what a fork shares to its origin, which is among the ids.
    hash_seed: PYTHONHASHSEED of the processes. The bot's output goes to stderr.
    """
    settings = ReplaySettings(rules or Rules(), timeout, concurrency, tools, once, every, pdb)
    name = bot if isinstance(bot, str) else bot.name
    if pdb or jobs == 0 or log.store.url == "memory:" or (jobs == 1 and not _is_known(name)):
        yield from _here(log, ids, _loaded(bot), settings)
        return
    _check_known(name)
    yield from replay_apart(Task(*log.store.where, name, settings), ids, jobs, hash_seed)


def _here(
    log: Turnlog, ids: Iterable[str], bot: LoadedBot, settings: ReplaySettings
) -> Iterator[ReplayedConversation]:
    here = Here(log, bot, settings)
    try:
        yield from here.replay(ids)
    finally:
        here.close()


def _loaded(bot: LoadedBot | str) -> LoadedBot:
    """The bot; output of its module goes to stderr."""
    if isinstance(bot, LoadedBot):
        return bot
    with redirect_stdout(sys.stderr):
        return bots.load(bot)


def _is_known(name: str) -> bool:
    """Whether another process can load a bot by this name."""
    return ":" in name and not name.startswith("__main__:")


def _check_known(name: str) -> None:
    if name.startswith("__main__:"):
        why = "is defined in the running script; put it in a module, which every process can load"
        raise BotError(f"bot {name!r} {why}")
    if not _is_known(name):
        why = "was passed as a function; several processes load it by its name, module:attr"
        raise BotError(f"bot {name!r} {why}")
