"""The state of a conversation: what the fold of its events yields, whatever their number."""

from __future__ import annotations

from typing import Any

import msgspec

from turnlog.domain.context import Context
from turnlog.domain.lineage import Lineage
from turnlog.domain.slots import Slot

LISTEN = "action_listen"
"""What a bot does next when nothing else was decided (Rasa's name for it)."""

RESTART = "action_session_start"
"""What it does next after a restart."""


class Session(msgspec.Struct, frozen=True, array_like=True):
    """number counts from 1, 0 before any began; times in seconds; ended says why, None while on."""

    number: int = 0
    started: float | None = None
    ended: str | None = None
    expiry: float | None = None
    carry_over: bool = False


class Prompt(msgspec.Struct, frozen=True, array_like=True):
    """What a PromptArmed said, under its token."""

    due: float | None = None
    attempt: int = 1
    text: str | None = None
    wait: float | None = None
    attempts: int = 1
    on_timeout: str | None = None


PATH_KEPT = 32
"""States of a thread that can be gone back to."""


class Thread(msgspec.Struct, frozen=True, array_like=True):
    """Where a session thread stands, and the variables of each unit.

    path: the `unit.state` of each state that was run, newest last. asked: the newest prompt.
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
    """event and turn: how many there were. started and last: first and last timestamp, if any.

    `context` is what rewinds give back, the rest only moves forward. loops: names of the forms
    that were ever active. redacted: whether anything of it was. rewritten: number of the last event
    that changed what an earlier message says. touched: of each slot that ever had a value, the
    numbers of the last event that meant it, taken back or not, and of the last one that went back
    to before one that did. declared_in: the number of the last declaration of each slot.
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
        declared = self.declared.values()
        return {s.name: s.coerce(s.initial) for s in declared if s.initial is not None}

    def copy(self) -> State:
        """A state of its own, that can be folded on; values are shared and never written."""
        context, touched = copy_context(self.context), dict(self.touched)
        copied: State = msgspec.structs.replace(self, context=context, touched=touched)
        return copied


def copy_context(context: Context) -> Context:
    slots, since = dict(context.slots), dict(context.since)
    copied: Context = msgspec.structs.replace(context, slots=slots, since=since)
    return copied
