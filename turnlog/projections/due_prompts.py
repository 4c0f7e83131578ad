"""What timers must do: armed prompts with their deadlines, and messages to deliver.

Keys of a conversation: `due TOKEN` → its UTC seconds; `out EVENT`, the number of a message that a
timer sent and whose delivery is not recorded → the time at which it was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from turnlog.domain import events as e
from turnlog.domain.commit import Commit
from turnlog.projections.view import Entries, View

DUE, OUT = "due ", "out "
TIMER = "timer"
"""The actor of a message that a timer delivers itself."""


class DuePromptsProjection:
    """The open prompts and undelivered messages of each conversation."""

    name: ClassVar[str] = "due_prompts"
    inherits: ClassVar[bool] = False

    def apply(self, commits: Sequence[Commit], view: View) -> None:
        """See `Projection.apply`."""
        for commit in commits:
            take(commit, view)


def take(commit: Commit, view: Entries) -> None:
    """Applies one commit. It may close a prompt that the view does not contain."""
    for recorded in commit.recorded_events():
        effect = _EFFECTS.get(type(recorded.event))
        if effect is not None:
            effect(view, commit.conversation, recorded.number, recorded.event)


def _armed(view: Entries, conversation: str, number: int, event: e.PromptArmed) -> None:
    if event.due is not None:
        view.put(conversation, DUE + event.token, event.due)


def _closed(
    view: Entries,
    conversation: str,
    number: int,
    event: e.PromptAnswered | e.PromptTimedOut | e.PromptCancelled,
) -> None:
    view.remove(conversation, DUE + event.token)


def _all_closed(view: Entries, conversation: str, number: int, event: e.Event) -> None:
    for key in _keys(view, conversation, DUE):
        view.remove(conversation, key)


def _went_on(view: Entries, conversation: str, number: int, event: e.HistoryContinued) -> None:
    """A fork inherits no prompts and messages of its origin."""
    if event.conversation is not None:
        for key in _keys(view, conversation, ""):
            view.remove(conversation, key)


def _sent(view: Entries, conversation: str, number: int, event: e.BotUttered) -> None:
    if event.actor == TIMER:
        view.put(conversation, f"{OUT}{number}", event.timestamp or 0.0)


def _delivered(
    view: Entries,
    conversation: str,
    number: int,
    event: e.DeliverySucceeded | e.DeliveryFailed,
) -> None:
    if event.message is not None:
        view.remove(conversation, f"{OUT}{event.message}")


def _gone(view: Entries, conversation: str, number: int, event: e.ConversationDeleted) -> None:
    for key in _keys(view, conversation, ""):
        view.remove(conversation, key)


def _keys(view: Entries, conversation: str, prefix: str) -> Iterable[str]:
    return [key for key, _ in view.entries(conversation, prefix)]


_EFFECTS: dict[type[e.Event], Callable[[Entries, str, int, Any], None]] = {
    e.PromptArmed: _armed,
    e.PromptAnswered: _closed,
    e.PromptTimedOut: _closed,
    e.PromptCancelled: _closed,
    e.ThreadStarted: _all_closed,
    e.ThreadEnded: _all_closed,
    e.BotUttered: _sent,
    e.HistoryContinued: _went_on,
    e.DeliverySucceeded: _delivered,
    e.DeliveryFailed: _delivered,
    e.ConversationDeleted: _gone,
}
