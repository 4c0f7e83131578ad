"""Asks a bot again for its answer to a recorded message."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.bots import LoadedBot, ask
from turnlog.bots.bot import bot_failed
from turnlog.domain.conversation import Conversation
from turnlog.domain.events import AnswerEnded, BotFailed, Event, UserUttered
from turnlog.encoding.checking import checked
from turnlog.errors import BotError, ConversationError
from turnlog.replay.record.calls import Recorded
from turnlog.replay.record.recorded import RecordedConversation
from turnlog.replay.running.debugging import StoppedAtBreakpoint, post_mortem
from turnlog.replay.running.settings import ReplaySettings
from turnlog.replay.running.watchdog import BotWatchdog, Stuck


class Asker:
    """Asks one bot. watchdog: interrupts it if it blocks."""

    def __init__(self, loaded: LoadedBot, settings: ReplaySettings, watchdog: BotWatchdog) -> None:
        self.loaded = loaded
        self.settings = settings
        self.rules = settings.rules
        self._watchdog = watchdog
        self.rules.load_judges()

    async def answer(
        self, scratch: Conversation, message: UserUttered, calls: Sequence[Recorded]
    ) -> list[Event]:
        """The bot's calls and then its events, in the form in which the log stores them; stores
        nothing.

        scratch: the conversation at the message; it is changed. calls: the recorded calls of the
        turn. Raises BotError if the bot ends its process or stops at a breakpoint.
        """
        live = self.loaded if self.settings.tools == "live" else None
        seen = RecordedConversation(scratch, calls, message.timestamp or 0.0, live)
        answer = await self._asked(seen, message)
        try:
            await seen.answer.end_message()
            kept = checked(scratch.id, answer)
            answer = scratch.stage(*kept, recorded=0.0, now=message.timestamp).events
        except ConversationError as error:
            answer = [BotFailed("error", f"its answer cannot be recorded: {error}")]
        ended = [AnswerEnded()] if seen.answer.streams else []
        return [*seen.called, *seen.answer.events, *answer, *ended]

    async def _asked(self, seen: RecordedConversation, message: UserUttered) -> Sequence[Event]:
        limit = self.settings.limit

        def failure(error: BaseException) -> BotFailed:
            return self._failure(error, seen)

        self._watchdog.begin(seen.id)
        try:
            return await ask(self.loaded.bot, seen, message, limit, seen.answer, failure)
        except Stuck as stuck:
            if stuck.id is not None:
                raise
            return [BotFailed("timeout", f"no answer within {limit:g} s; it blocked")]
        finally:
            self._watchdog.end()

    def _failure(self, error: BaseException, seen: RecordedConversation) -> BotFailed:
        if isinstance(
            error, KeyboardInterrupt
        ):  # this may come from the person who started the replay
            raise error
        where = f"conversation {seen.id!r}, turn {seen.turn}: the bot"
        if isinstance(error, SystemExit):
            raise BotError(f"{where} ended its process: {error!r}") from error
        if isinstance(error, StoppedAtBreakpoint):
            why = "stops at a breakpoint; debug it with --pdb"
            raise BotError(f"{where} {why}") from error
        if self.settings.pdb:
            post_mortem(error)
        return bot_failed(error)
