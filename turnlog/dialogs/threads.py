"""A thread as the states of a unit see it: methods that become events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Protocol

from turnlog.bots.conversation import BotConversation
from turnlog.domain import events as e
from turnlog.domain.fold import replay
from turnlog.domain.state import Prompt, State, Thread
from turnlog.domain.values import check_value
from turnlog.encoding.values import copied, same

QUESTION_ATTEMPTS = 3
"""How often a question is asked before the thread is abandoned."""


def state_of(conversation: BotConversation) -> State:
    """The conversation's state; folded from its events if the view does not have it."""
    state: State | None = getattr(conversation, "state", None)
    return replay(conversation.events()) if state is None else state


StateFunction = Callable[["DialogThread"], Awaitable[None]]


class States(Protocol):
    """What a thread needs of its dialog: the states that it can go to."""

    start: str

    def name(self, conversation: str, unit: str, state: StateFunction | str) -> str:
        """The `unit.state` of a function or a name. Raises UnknownState."""
        ...

    def check(self, conversation: str, unit: str) -> object:
        """Raises UnknownState for an unknown unit."""
        ...

    async def run(self, here: str, thread: DialogThread) -> None:
        """Runs a `unit.state`."""
        ...


class DialogThread:
    """What a state works with while it handles a message or a timeout.

    text: the user's message; None at a timeout. attempt: the number of the question that was
    answered or timed out. variables: the current unit's, a dict to read and write; they are
    recorded when the state ends.
    """

    def __init__(
        self, dialog: States, conversation: BotConversation, message: e.UserUttered | None = None
    ) -> None:
        state = state_of(conversation)
        stored = state.thread or Thread()
        self._dialog = dialog
        self._conversation = conversation
        self._stored = stored
        self._event = state.event
        self._armed = dict(stored.prompts)
        self._path = list(stored.path)
        self._asked = stored.asked
        self._variables = copied(stored.variables)
        self._events: list[e.Event] = []
        self.message = message
        self.attempt = stored.asked.attempt if stored.asked else 1
        self.timed_out = False
        self.running = stored.unit is not None and stored.ended is None
        self.unit, self.state = stored.unit or "", stored.state or ""

    @property
    def id(self) -> str:
        """The conversation's id."""
        return self._conversation.id

    @property
    def text(self) -> str | None:
        """The user's text; None at a timeout."""
        return self.message.text if self.message is not None else None

    @property
    def slots(self) -> dict[str, Any]:
        """The conversation's slots."""
        return self._conversation.slots

    @property
    def variables(self) -> dict[str, Any]:
        """The current unit's variables."""
        return self.variables_of(self.unit)

    def variables_of(self, unit: str) -> dict[str, Any]:
        """Another unit's variables. Raises UnknownState for an unknown unit."""
        self._dialog.check(self.id, unit)
        variables: dict[str, Any] = self._variables.setdefault(unit, {})
        return variables

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """A tool's result, as a bot's `conversation.call`."""
        return await self._conversation.call(tool, **arguments)

    # --- verbs ----------------------------------------------------------------------------------

    def say(self, text: str | None, **data: Any) -> None:
        """Sends a message. data: quick_replies, buttons, image, …"""
        self._events.append(e.BotUttered(text, data or None))

    def ask(
        self,
        text: str | None,
        *,
        wait: float | None = None,
        attempts: int = QUESTION_ATTEMPTS,
        on_timeout: StateFunction | str | None = None,
        **data: Any,
    ) -> None:
        """Sends a question, with a deadline `wait` seconds from now if given.

        After the deadline `on_timeout` runs. Without it the question is asked again, up to
        `attempts` times in all; then the thread ends as abandoned.
        """
        handler = None if on_timeout is None else self._dialog.name(self.id, self.unit, on_timeout)
        self.say(text, **data)
        deadline = None if wait is None else self._conversation.now + wait
        attempt = self.attempt + 1 if self.timed_out else 1
        self._arm(Prompt(deadline, attempt, text, wait, attempts, handler))

    def _arm(self, prompt: Prompt) -> None:
        self._cancel("asked again")
        token = f"{self._event}.{len(self._events)}"
        self._armed[token] = self._asked = prompt
        self._events.append(
            e.PromptArmed(
                token=token, due=prompt.due, attempt=prompt.attempt, text=prompt.text,
                wait=prompt.wait, attempts=prompt.attempts, on_timeout=prompt.on_timeout,
            )
        )  # fmt: skip

    def repeat(self) -> None:
        """Asks the last question again, with its deadline."""
        question = self._asked
        if question is not None:
            self.ask(
                question.text,
                wait=question.wait,
                attempts=question.attempts,
                on_timeout=question.on_timeout,
            )

    def next(self, state: StateFunction | str) -> None:
        """Lets a state handle the next message: `state` of this unit, or `unit.state`."""
        self._enter(self._dialog.name(self.id, self.unit, state), "next")

    async def start(self, state: StateFunction | str) -> None:
        """Goes to a state and runs it now."""
        here = self._dialog.name(self.id, self.unit, state)
        self._enter(here, "start")
        self._path.append(here)
        await self._dialog.run(here, self)

    async def back(self) -> None:
        """Goes back to the state that was started before the current one, and runs it again.

        At the first state, runs that state again.
        """
        if len(self._path) > 1:
            self._path.pop()
            self._enter(self._path[-1], "back")
            await self._dialog.run(self._path[-1], self)
        elif self._path:
            self._enter(self._path[0], "next")
            await self._dialog.run(self._path[0], self)

    def end(self, reason: str = "end") -> None:
        """Ends the thread. Cancels every prompt and keeps the variables."""
        if not self.running:
            return
        self._cancel(reason)
        self._events.append(e.ThreadEnded(reason=reason))
        self.running = False

    async def restart(self) -> None:
        """Ends the thread and begins a new one at the dialog's start."""
        self.end("restart")
        self._variables = {}
        await self.start(self._dialog.start)

    # --- inside ---------------------------------------------------------------------------------

    def _enter(self, here: str, by: str) -> None:
        unit, _, state = here.partition(".")
        self.unit, self.state = unit, state
        if self.running:
            self._events.append(e.StateEntered(unit=unit, state=state, by=by))
        else:
            self._events.append(e.ThreadStarted(unit=unit, state=state))
            self._path.clear()
            self.running = True

    def _cancel(self, reason: str) -> None:
        for token in self._armed:
            self._events.append(e.PromptCancelled(token=token, reason=reason))
        self._armed.clear()

    def forget(self, token: str) -> None:
        """Disarms a prompt that has timed out."""
        self._armed.pop(token, None)
        self.timed_out = True

    def events(self) -> list[e.Event]:
        """The events of the calls so far, then the changed variables.

        Raises InvalidEvent, naming conversation, unit and variable, for a value that cannot be
        stored.
        """
        return [*self._events, *self._changed()]

    def _changed(self) -> Iterator[e.Event]:
        for unit in self._stored.variables:
            if unit not in self._variables:
                yield e.VariableRemoved(unit=unit)
        for unit, variables in self._variables.items():
            yield from self._changes(unit, self._stored.variables.get(unit, {}), variables)

    def _changes(self, unit: str, old: dict[str, Any], new: dict[str, Any]) -> Iterable[e.Event]:
        for name in old:
            if name not in new:
                yield e.VariableRemoved(unit=unit, name=name)
        for name, value in new.items():
            check_value(self.id, f"variable {unit}.{name}", value)
            if name not in old or not same(old[name], value):
                yield e.VariableSet(unit=unit, name=name, value=copied(value))
