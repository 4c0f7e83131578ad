"""Agents at work: who answers, what waits for a person, and what a framework stores."""

from __future__ import annotations

from typing import Any

from turnlog.domain.attachment import Attachment
from turnlog.domain.event import Event


class AgentStarted(Event, tag=103, frozen=True, array_like=True, gc=False):
    """An agent took over; its name is the actor of what it says.

    by: the agent that handed over. branch: the path of agents that lead to it, from the root.
    """

    agent: str
    by: str | None = None
    branch: str | None = None


class AgentEnded(Event, tag=104, frozen=True, array_like=True, gc=False):
    """The agent handed back; reason: done, transfer, error, or a framework's own word."""

    agent: str
    branch: str | None = None
    reason: str | None = None


class ApprovalAsked(Event, tag=105, frozen=True, array_like=True, gc=False):
    """A person was asked for approval: in most cases of the call `call_id`."""

    text: str | None = None
    call_id: str | None = None
    data: dict[str, Any] | None = None


class ApprovalGiven(Event, tag=106, frozen=True, array_like=True, gc=False):
    """A person answered; approved is false for a refusal, and actor names the person."""

    approved: bool
    call_id: str | None = None
    reason: str | None = None


class HistoryCompacted(Event, tag=107, frozen=True, array_like=True, gc=False):
    """For a model, text replaces the messages of the events `first` to `last`; they stay in the log
    and in every view for people.
    """

    first: int
    last: int
    text: str | None = None


class RunInterrupted(Event, tag=108, frozen=True, array_like=True, gc=False):
    """A run stopped to wait for a value from outside. run: the framework's id for it."""

    run: str
    value: Any = None


class RunResumed(Event, tag=109, frozen=True, array_like=True, gc=False):
    """A run resumed with the value it had waited for."""

    run: str
    value: Any = None


class ForeignStateChanged(Event, tag=110, frozen=True, array_like=True, gc=False):
    """A framework's state changed: delta has the new values by key, None for removed ones.

    scope: whose state, in the framework's words: app, user, session.
    """

    source: str
    delta: dict[str, Any] = {}
    scope: str | None = None


class ForeignRecorded(Event, tag=111, frozen=True, array_like=True, gc=False):
    """Bytes that a framework stores with the conversation; no view of the conversation shows them.

    source: the framework. kind: its name for them.
    """

    source: str
    kind: str
    body: bytes | Attachment = b""
