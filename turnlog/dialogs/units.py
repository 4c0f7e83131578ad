"""Dialog units: a dialog consists of units, a unit of states; a state is an async function.

names = Unit("names")

@names.state
async def ask(thread):
    thread.ask("What's your name?", wait=15)
    thread.next("got")

@names.state
async def got(thread):
    thread.variables["name"] = thread.text
    thread.say(f"Nice to meet you, {thread.text}!")
    thread.end()

bot = Dialog(names, start="names.ask")
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from turnlog.bots.conversation import BotConversation
from turnlog.dialogs.threads import DialogThread, StateFunction
from turnlog.domain.events import Event, UserUttered
from turnlog.domain.state import Prompt
from turnlog.errors import TurnlogError, UnknownState

AnyState = TypeVar("AnyState", bound=StateFunction)

RESTART, AGAIN, IGNORE = "restart", "again", "ignore"


class Unit:
    """Named states, in order of declaration."""

    def __init__(self, name: str) -> None:
        if not name or "." in name:
            raise TurnlogError(f"{name!r} cannot name a unit: it is empty or contains a dot")
        self.name = name
        self.states: dict[str, StateFunction] = {}

    def state(self, function: AnyState) -> AnyState:
        """Declares an async function of a thread as a state, under the function's name."""
        name = function.__name__
        if name in self.states:
            raise TurnlogError(f"duplicate state {name!r} in unit {self.name!r}")
        self.states[name] = function
        return function


class Dialog:
    """Units put together: a bot for `turnlog serve --bot` and for timers.

    start: the `unit.state` that begins a new thread. ended: what happens to a message after the end
    of a thread: `restart` begins a new thread, `again` passes the message to the last state (as
    NaifJs does), `ignore` leaves it unanswered, and a `unit.state` begins a new thread there.
    """

    def __init__(self, *units: Unit, start: str, ended: str = RESTART) -> None:
        self.units = {unit.name: unit for unit in units}
        self.start = start
        self.ended = ended
        self._names = {id(f): f"{u.name}.{n}" for u in units for n, f in u.states.items()}
        self._function("", start)
        if ended not in (RESTART, AGAIN, IGNORE):
            self._function("", ended)

    async def __call__(
        self, conversation: BotConversation, message: UserUttered, /
    ) -> Iterable[Event | str]:
        """The answer to a message. Raises UnknownState if the thread's state no longer exists."""
        thread = DialogThread(self, conversation, message)
        if thread.running or (thread.unit and self.ended == AGAIN):
            await self.run(f"{thread.unit}.{thread.state}", thread)
        elif not thread.unit or self.ended == RESTART:
            await thread.start(self.start)
        elif self.ended != IGNORE:
            await thread.start(self.ended)
        return thread.events()

    async def timed_out(
        self, conversation: BotConversation, token: str, prompt: Prompt
    ) -> list[Event]:
        """What follows a prompt without an answer in time."""
        thread = DialogThread(self, conversation)
        thread.forget(token)
        thread.attempt = prompt.attempt
        if prompt.on_timeout is not None:
            await self.run(prompt.on_timeout, thread)
        elif prompt.attempt < prompt.attempts:
            thread.repeat()
        else:
            thread.end("abandoned")
        return thread.events()

    # --- states by name -------------------------------------------------------------------------

    async def run(self, here: str, thread: DialogThread) -> None:
        """Runs a `unit.state`. Raises UnknownState."""
        await self._function(thread.id, here)(thread)

    def name(self, conversation: str, unit: str, state: StateFunction | str) -> str:
        """The `unit.state` of a function, or of a name within a unit. Raises UnknownState."""
        if not isinstance(state, str):
            named = self._names.get(id(state))
            if named is None:
                shown = getattr(state, "__name__", state)
                raise UnknownState(conversation, f"{shown!r:.60} is not a state of this dialog")
            return named
        here = state if "." in state else f"{unit}.{state}"
        self._function(conversation, here)
        return here

    def check(self, conversation: str, unit: str) -> Unit:
        """The unit of a name. Raises UnknownState."""
        if unit not in self.units:
            known = ", ".join(self.units)
            raise UnknownState(conversation, f"unknown unit {unit!r}; known: {known}")
        return self.units[unit]

    def _function(self, conversation: str, here: str) -> StateFunction:
        name, _, state = here.partition(".")
        unit = self.check(conversation, name)
        if state not in unit.states:
            known = ", ".join(unit.states)
            why = f"unknown state {state!r} of unit {name!r}; known: {known or 'none'}"
            raise UnknownState(conversation, why)
        return unit.states[state]
