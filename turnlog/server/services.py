"""The objects that the parts of a running server share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from turnlog import AsyncTurnlog
from turnlog.bots import LoadedBot
from turnlog.engine.access import AccessWatch
from turnlog.server.auth import Auth
from turnlog.server.commands import PageCommands
from turnlog.server.event_stream import EventStreams
from turnlog.server.feed import Feed
from turnlog.server.locks import ConversationLocks
from turnlog.server.message_guard import MessageGuard
from turnlog.server.message_rate import MessageRate
from turnlog.server.metrics import Metrics
from turnlog.server.redis_signal import RedisSignal
from turnlog.server.runner import Runner
from turnlog.server.settings import Settings
from turnlog.server.shown_run import ShownRun
from turnlog.server.tokens import Tokens
from turnlog.sessions.aio import AsyncSessionManager
from turnlog.sessions.manager import SessionManager

if TYPE_CHECKING:
    from turnlog.server.answer_leases import AnswerLeases


class Services:
    """One log and what serves it. clock: gives UTC seconds."""

    def __init__(
        self,
        settings: Settings,
        log: AsyncTurnlog,
        secret: bytes,
        *,
        bot: LoadedBot | None,
        clock: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.log = log
        self.clock = clock
        self.metrics = Metrics()
        self.tokens = Tokens(secret, life=settings.token_life, clock=clock)
        self.auth = Auth(settings, self.tokens, clock)
        self.locks = ConversationLocks(settings.limits.waiting)
        self.rate = MessageRate(settings.limits.rate, settings.limits.burst)
        self.signal = RedisSignal(settings.redis, log) if settings.redis else None
        self.feed = Feed(log, self.signal.saw if self.signal else None)
        self.streams = EventStreams(log, self.feed, settings.limits)
        self.sessions = AsyncSessionManager(manager=SessionManager(log=log.sync))
        self.watch = AccessWatch(log.sync)
        self.commands = PageCommands(settings)
        self.run = ShownRun(Path(settings.run)) if settings.run else None
        self.has_bot = bot is not None
        guard = MessageGuard(self.rate, settings.limits.message)
        self.leases = _leases(settings)
        self.runner = Runner(
            log, bot, self.locks, guard, settings, self.metrics, self.feed.tell, self.leases
        )


def _leases(settings: Settings) -> AnswerLeases | None:
    """Whether other servers may use the same log."""
    if not settings.shared:
        return None
    from turnlog.server.answer_leases import AnswerLeases  # only users of PostgreSQL have psycopg

    return AnswerLeases(settings.db)
