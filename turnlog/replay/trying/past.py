"""An earlier moment of a conversation, without later events except for what they hide."""

from __future__ import annotations

from collections.abc import Iterable

from turnlog.domain.conversation import Conversation
from turnlog.domain.events import Event
from turnlog.domain.message_groups import Numbered
from turnlog.domain.redactions import Redactions
from turnlog.domain.state import State
from turnlog.engine.forking import hidden_inputs, passed_on
from turnlog.engine.log import Turnlog


def earlier(log: Turnlog, conversation: Conversation, shared: int) -> Conversation:
    """A conversation after one of its events, to continue from."""
    past = conversation.at(shared)
    if not log.head(conversation.id)[1].redacted:
        return past
    history = log.history(conversation.id)
    hiding = EarlierRedactions(history.redactions(), shared)
    return Conversation(conversation.id, history.state(shared), history, redactions=hiding)


def shows_hidden(log: Turnlog, id: str, shared: int) -> bool:
    """Whether a fork that shares this many events shows something that its origin hides.

    An import may have stored values before the message that says them. A fork that ends between the
    two does not know of the message's redaction.
    """
    if not log.head(id)[1].redacted:
        return False
    history = log.history(id)
    events = list(enumerate(history.events(), 1))
    later = [event for _, event in events[shared:]]
    hiding = [*passed_on(later, shared), *hidden_inputs(history, later, shared)]
    of_fork = Redactions([*events[:shared], *enumerate(hiding, shared + 1)])
    whole = history.redactions()
    return any(
        of_fork.shown(number, event) == event != whole.shown(number, event)
        for number, event in events[:shared]
    )


class EarlierRedactions(Redactions):
    """What the redactions of a whole conversation hide in its first `shared` events; the following
    events are new ones.
    """

    def __init__(self, whole: Redactions, shared: int) -> None:
        super().__init__(())
        self._whole = whole
        self._shared = shared
        self.hidden = frozenset(number for number in whole.hidden if number <= shared)

    def __bool__(self) -> bool:
        return True

    def __contains__(self, number: int) -> bool:
        return number <= self._shared and number in self._whole

    @property
    def last(self) -> int:
        """The last event that they cover."""
        return self._shared

    def followed_by(self, events: Iterable[Numbered]) -> Redactions:
        """The same: later events are new ones."""
        return self

    def shown(self, number: int, event: Event) -> Event:
        """An event of the past as views show it; later events unchanged."""
        return self._whole.shown(number, event) if number <= self._shared else event

    def state(self, event: int) -> State:
        """The state after an event of the past, as views show it."""
        return self._whole.state(event)
