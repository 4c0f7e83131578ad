"""Flows of Rasa Pro, and their stack."""

from __future__ import annotations

from turnlog.domain.event import Event


class StackUpdated(Event, tag=90, frozen=True, array_like=True, gc=False):
    """The stack of flows changed: `update` is a JSON Patch (RFC 6902) as text. A patch that does
    not fit leaves the stack unchanged.
    """

    update: str


class FlowStarted(Event, tag=91, frozen=True, array_like=True, gc=False):
    """A flow began."""

    flow: str


class _FlowStep(Event, frozen=True, array_like=True, gc=False):
    flow: str
    step: str | None = None


class FlowInterrupted(_FlowStep, tag=92, frozen=True, array_like=True, gc=False):
    """A flow was interrupted by another one."""


class FlowResumed(_FlowStep, tag=93, frozen=True, array_like=True, gc=False):
    """An interrupted flow continued."""


class FlowCompleted(_FlowStep, tag=94, frozen=True, array_like=True, gc=False):
    """A flow ended."""


class FlowCancelled(_FlowStep, tag=95, frozen=True, array_like=True, gc=False):
    """A flow was cancelled."""
