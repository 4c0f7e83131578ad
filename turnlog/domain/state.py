"""The state of a conversation: the result of folding its events, however many."""

from __future__ import annotations

from typing import Any

import msgspec

from turnlog.domain.context import Context
from turnlog.domain.lineage import Lineage
from turnlog.domain.slots import Slot

LISTEN = "action_listen"
"""What a bot does next by default (Rasa's name for it)."""

RESTART = "action_session_start"
"""What it does next after a restart."""


class Session(msgspec.Struct, frozen=True, array_like=True):
    """A session. number: from 1, 0 before the first; times in seconds; ended: the reason, None
    while it lasts.
    """

    number: int = 0
    started: float | None = None
    ended: str | None = None
    expiry: float | None = None
    carry_over: bool = False


class Prompt(msgspec.Struct, frozen=True, array_like=True):
    """The content of a PromptArmed, stored under its token."""

    due: float | None = None
    attempt: int = 1
    text: str | None = None
    wait: float | None = None
    attempts: int = 1
    on_timeout: str | None = None


PATH_KEPT = 32
"""How many states of a thread it can go back to."""


class Thread(msgspec.Struct, frozen=True, array_like=True):
    """The state of a session thread, and the variables of each unit.

    path: the `unit.state` of each state that ran, newest last. asked: the newest prompt.
    """

    unit: str | None = None
    state: str | None = None
    ended: str | None = None
    entered: float | None = None
    prompts: dict[str, Prompt] = {}
    variables: dict[str, dict[str, Any]] = {}
    path: tuple[str, ...] = ()
    asked: Prompt | None = None


class State(msgspec.Struct, array_like=True):
    """event and turn: how many there were. started and last: the first and last timestamp, if any.

    `context` is what rewinds restore; the rest only moves forward. loops: the names of the forms
    that were ever active. redacted: whether anything in it was. rewritten: the number of the last
    event that changed an earlier message. touched: for each slot that ever had a value, the numbers
    of the last event about it, retracted or not, and of the last rewind that returned to before
    one. declared_in: the number of the last declaration of each slot.
    """

    event: int = 0
    turn: int = 0
    context: Context = msgspec.field(default_factory=lambda: Context(followup=LISTEN))
    started: float | None = None
    last: float | None = None
    session: Session = Session()
    declared: dict[str, Slot] = {}
    closed: bool = False
    thread: Thread | None = None
    channel: str | None = None
    user: str | None = None
    identities: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    handover: str | None = None
    deleted: bool = False
    loops: tuple[str, ...] = ()
    redacted: bool = False
    rewritten: int = 0
    lineage: Lineage = Lineage()
    restricted: bool = False
    touched: dict[str, tuple[int, int]] = {}
    declared_in: dict[str, int] = {}

    @property
    def slots(self) -> dict[str, Any]:
        """The slots that have a value."""
        return {name: value for name, value in self.context.slots.items() if value is not None}

    @property
    def initial_slots(self) -> dict[str, Any]:
        """The initial values of the declared slots that have one."""
        declared = self.declared.values()
        return {s.name: s.coerce(s.initial) for s in declared if s.initial is not None}

    def copy(self) -> State:
        """A separate state to fold further events into; values are shared and never changed."""
        context, touched = copy_context(self.context), dict(self.touched)
        copied: State = msgspec.structs.replace(self, context=context, touched=touched)
        return copied


def copy_context(context: Context) -> Context:
    """A separate context; values are shared and never changed."""
    slots, since = dict(context.slots), dict(context.since)
    copied: Context = msgspec.structs.replace(context, slots=slots, since=since)
    return copied
