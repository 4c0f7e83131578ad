"""Flows of Rasa Pro, and the stack they are on."""

from __future__ import annotations

from turnlog.domain.event import Event


class StackUpdated(Event, tag=90, frozen=True, array_like=True, gc=False):
    """The stack of flows changed: `update` is a JSON Patch (RFC 6902) as text. One that does not
    fit the stack leaves it as it was."""

    update: str


class FlowStarted(Event, tag=91, frozen=True, array_like=True, gc=False):
    flow: str


class _FlowStep(Event, frozen=True, array_like=True, gc=False):
    flow: str
    step: str | None = None


class FlowInterrupted(_FlowStep, tag=92, frozen=True, array_like=True, gc=False):
    pass


class FlowResumed(_FlowStep, tag=93, frozen=True, array_like=True, gc=False):
    pass


class FlowCompleted(_FlowStep, tag=94, frozen=True, array_like=True, gc=False):
    pass


class FlowCancelled(_FlowStep, tag=95, frozen=True, array_like=True, gc=False):
    pass
