"""Flows of Rasa Pro, and the stack they are on."""

from __future__ import annotations

from turnlog.domain.event import Event


class StackUpdated(Event, tag=90, frozen=True, array_like=True, gc=False):
    """The stack of flows changed: `update` is a JSON Patch (RFC 6902) as text. One that does not
    fit the stack leaves it as it was."""

    update: str


class FlowStarted(Event, tag=91, frozen=True, array_like=True, gc=False):
    flow: str


class FlowInterrupted(Event, tag=92, frozen=True, array_like=True, gc=False):
    flow: str
    step: str | None = None


class FlowResumed(Event, tag=93, frozen=True, array_like=True, gc=False):
    flow: str
    step: str | None = None


class FlowCompleted(Event, tag=94, frozen=True, array_like=True, gc=False):
    flow: str
    step: str | None = None


class FlowCancelled(Event, tag=95, frozen=True, array_like=True, gc=False):
    flow: str
    step: str | None = None
