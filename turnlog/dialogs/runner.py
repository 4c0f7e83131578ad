"""A dialog on a log without a server: messages in, answers out, and timers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from turnlog.bots.bot import as_events
from turnlog.dialogs.conversation import DialogConversation
from turnlog.dialogs.threads import DialogThread
from turnlog.dialogs.timers import Deliver, Timers
from turnlog.dialogs.units import Dialog
from turnlog.domain.conversation import Conversation
from turnlog.domain.events import Event, UserUttered
from turnlog.domain.history import NoHistory
from turnlog.domain.state import State, Thread
from turnlog.engine.aio import AsyncTurnlog
from turnlog.engine.locks import KeyedLocks
from turnlog.errors import UnknownConversation


class DialogRunner:
    """Runs the threads of many users through one dialog, one message or timeout of each at a time.

    deliver: as in Timers, for messages after a timeout. `async with runner.timers.running():` fires
    deadlines.
    """

    def __init__(
        self, log: AsyncTurnlog, dialog: Dialog, *, deliver: Deliver | None = None
    ) -> None:
        self._log = log
        self._dialog = dialog
        self._locks = KeyedLocks()
        self.timers = Timers(log, dialog, lock=self._locks.of, deliver=deliver)

    async def say(self, id: str, text: str, *, message_id: str | None = None) -> list[Event]:
        """Records a user's message, then the dialog's answer; the answer's events.

        message_id: a message with a known id is recorded and answered only once.
        """
        message = UserUttered(text, message_id=message_id)
        async with self._locks.of(id):
            recorded = await self._log.record(id, message)
            if not recorded.new:
                return []
            return await self._answered(id, lambda view: self._dialog(view, message))

    async def start(self, id: str, state: str) -> list[Event]:
        """Begins a thread, or continues one, at a `unit.state`. Raises UnknownState."""

        async def started(view: DialogConversation) -> Iterable[Event]:
            thread = DialogThread(self._dialog, view)
            await thread.start(state)
            return thread.events()

        async with self._locks.of(id):
            return await self._answered(id, started, new=True)

    async def end(self, id: str, reason: str = "end") -> list[Event]:
        """Ends a thread. Raises UnknownConversation if it never existed."""

        async def ended(view: DialogConversation) -> Iterable[Event]:
            if view.state.thread is None:
                raise UnknownConversation(id)
            thread = DialogThread(self._dialog, view)
            thread.end(reason)
            return thread.events()

        async with self._locks.of(id):
            return await self._answered(id, ended)

    async def thread(self, id: str) -> Thread:
        """A thread's current state. Raises UnknownConversation if it never existed."""
        thread = (await self._log.conversation(id)).state.thread
        if thread is None:
            raise UnknownConversation(id)
        return thread

    async def _answered(
        self,
        id: str,
        answer: Callable[[DialogConversation], Awaitable[Iterable[Event | str]]],
        new: bool = False,
    ) -> list[Event]:
        try:
            conversation = await self._log.conversation(id)
        except UnknownConversation:
            if not new:
                raise
            conversation = Conversation(id, State(), NoHistory())
        events = as_events(await answer(DialogConversation(conversation, self._log.sync.clock)))
        recorded = await self._log.record(id, *events)
        return recorded.events
