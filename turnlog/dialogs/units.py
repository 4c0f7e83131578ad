"""Dialog units: a dialog is made of units, a unit of states, a state is an async function.

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
    """States by name, in the order they were declared."""

    def __init__(self, name: str) -> None:
        if not name or "." in name:
            raise TurnlogError(f"{name!r} is no name for a unit: it holds a dot or nothing")
        self.name = name
        self.states: dict[str, StateFunction] = {}

    def state(self, function: AnyState) -> AnyState:
        """Declare an async function of a thread as a state; its name is the function's."""
        name = function.__name__
        if name in self.states:
            raise TurnlogError(f"unit {self.name!r} has a state {name!r} already")
        self.states[name] = function
        return function


class Dialog:
    """Units put together: a bot, for `turnlog serve --bot` and for timers.

    start: the `unit.state` that a new thread begins with. ended: what a message to a thread that
    has ended does: `restart` begins a new one, `again` gives it to the last state (as NaifJs
    does), `ignore` lets it go unanswered; any `unit.state` is begun with.
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
        """The answer to a message. Raises UnknownState where the thread's state is gone."""
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
        """What follows a prompt that nobody answered in time."""
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
        await self._function(thread.id, here)(thread)

    def name(self, conversation: str, unit: str, state: StateFunction | str) -> str:
        """The `unit.state` that a function or a name, within a unit, stands for."""
        if not isinstance(state, str):
            named = self._names.get(id(state))
            if named is None:
                shown = getattr(state, "__name__", state)
                raise UnknownState(conversation, f"{shown!r:.60} is no state of this dialog")
            return named
        here = state if "." in state else f"{unit}.{state}"
        self._function(conversation, here)
        return here

    def check(self, conversation: str, unit: str) -> Unit:
        """The unit of a name. Raises UnknownState."""
        if unit not in self.units:
            known = ", ".join(self.units)
            raise UnknownState(conversation, f"there is no unit {unit!r}; there are {known}")
        return self.units[unit]

    def _function(self, conversation: str, here: str) -> StateFunction:
        name, _, state = here.partition(".")
        unit = self.check(conversation, name)
        if state not in unit.states:
            known = ", ".join(unit.states)
            why = f"unit {name!r} has no state {state!r}; it has {known or 'none'}"
            raise UnknownState(conversation, why)
        return unit.states[state]
