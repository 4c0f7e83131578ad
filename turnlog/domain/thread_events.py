"""Dialogs made of units: threads, prompts and variables."""

from __future__ import annotations

from typing import Any

from turnlog.domain.event import Event


class ThreadStarted(Event, tag=60, frozen=True, array_like=True, gc=False):
    """A thread began in a state of a unit."""

    unit: str
    state: str


class StateEntered(Event, tag=61, frozen=True, array_like=True, gc=False):
    """The thread entered a state. by: `next` waits there for a message, `start` and `back`
    ran it.
    """

    unit: str
    state: str
    by: str = "next"


class PromptArmed(Event, tag=62, frozen=True, array_like=True, gc=False):
    """The bot waits for an answer; due is in seconds since the epoch, None for no deadline.

    text and wait: the question and its seconds, to ask it again. attempts: how many before the
    thread is given up. on_timeout: the `unit.state` to run instead.
    """

    token: str
    due: float | None = None
    attempt: int = 1
    text: str | None = None
    wait: float | None = None
    attempts: int = 1
    on_timeout: str | None = None


class PromptAnswered(Event, tag=63, frozen=True, array_like=True, gc=False):
    """The user answered the prompt with that token."""

    token: str


class PromptTimedOut(Event, tag=64, frozen=True, array_like=True, gc=False):
    """The prompt with that token timed out."""

    token: str


class PromptCancelled(Event, tag=65, frozen=True, array_like=True, gc=False):
    """The prompt with that token was cancelled."""

    token: str
    reason: str | None = None


class ThreadEnded(Event, tag=66, frozen=True, array_like=True, gc=False):
    """A thread ended. reason: end, abandoned or restart."""

    reason: str = "end"


class VariableSet(Event, tag=67, frozen=True, array_like=True, gc=False):
    """A unit's variable got a value."""

    unit: str
    name: str
    value: Any = None


class VariableRemoved(Event, tag=68, frozen=True, array_like=True, gc=False):
    """A unit's variable was removed; name None removes all of them."""

    unit: str
    name: str | None = None


class ThreadImported(Event, tag=69, frozen=True, array_like=True, gc=False):
    """A session was imported; entry is its original JSON."""

    entry: bytes
