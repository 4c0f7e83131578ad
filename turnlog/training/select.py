"""The conversations of an export in their state at a position of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, takewhile

import msgspec

from turnlog.domain import events as e
from turnlog.domain.fold import replay
from turnlog.domain.recorded import RecordedEvent, shown
from turnlog.domain.state import State
from turnlog.engine.conditions import Candidate, Condition
from turnlog.engine.log import Turnlog
from turnlog.engine.shared_pasts import NOTHING, HeldPast, SharedPasts
from turnlog.errors import Restricted, UnknownConversation
from turnlog.projections.live_head import LiveHead
from turnlog.training.plan import ExportPlan


class PastConversation(msgspec.Struct, frozen=True):
    """A conversation's events, oldest first, of the commits up to a position.

    held: how many of them are written with another conversation, of which this one is a fork.
    """

    id: str
    stream: int
    recorded: tuple[RecordedEvent, ...]
    held: HeldPast = NOTHING

    @property
    def events(self) -> Iterator[e.Event]:
        """All events."""
        return (recorded.event for recorded in self.recorded)

    @property
    def own(self) -> Sequence[RecordedEvent]:
        """The events that are not written with another conversation."""
        return self.recorded[self.held.events :]

    @property
    def began(self) -> int:
        """The log's position of the first event that no other conversation contains."""
        return (self.own or self.recorded)[0].position or 0

    @property
    def held_turns(self) -> int:
        """The last turn that is written with another conversation; 0 if there is none."""
        return self.recorded[self.held.events - 1].turn if self.held.events else 0

    @property
    def user(self) -> str | None:
        """The user: the first identification decides, whatever later ones say."""
        for event in self.events:
            if isinstance(event, e.UserIdentified):
                return event.user
        return None


def selected(
    log: Turnlog, plan: ExportPlan, *, wanted: Callable[[str], bool] = lambda id: True
) -> Iterator[PastConversation]:
    """In order of id, forks after the conversations that contain what they share; never one that
    has been deleted, whenever that was.

    wanted: ids that it does not want are not even read. Raises UnknownConversation for a requested
    id that did not exist then.
    """
    selection = Selection(log, plan)
    for head, state, held in selection.chosen(wanted):
        yield from selection.read(head, state, held)


Chosen = tuple[LiveHead, State, HeldPast]
"""One to be read, and the part of it that another one contains."""


class Selection:
    """Which conversations are selected, and what was recorded of them by then."""

    def __init__(self, log: Turnlog, plan: ExportPlan) -> None:
        self._log = log
        self._plan = plan
        self._condition = Condition(log, plan.where)
        self._pasts = SharedPasts(log, self._means)

    def chosen(self, wanted: Callable[[str], bool] = lambda id: True) -> Iterator[Chosen]:
        """Those to be read, in the order of `selected`, with the part that another one contains."""
        later: dict[str, HeldPast] = {}
        for head, state in _heads(self._log, self._plan.ids):
            is_wanted, held = wanted(head.conversation), self.held(head, state)
            if is_wanted and held.events:
                later[head.conversation] = held
            elif is_wanted:
                yield head, state, held
        while later:
            for id in [id for id, held in later.items() if held.holder not in later]:
                held = later.pop(id)
                with suppress(UnknownConversation):  # deleted since it was listed
                    yield (*self._log.head(id), held)

    def held(self, head: LiveHead, state: State) -> HeldPast:
        """The part of a fork that another selected conversation contains."""
        if state.lineage.origin is None or not self._means(head, state):
            return NOTHING
        return self._pasts.of(head, state)

    def _means(self, head: LiveHead, state: State) -> bool:
        ids = self._plan.ids
        if state.lineage.trial if ids is None else head.conversation not in ids:
            return False
        if head.position <= self._plan.position:
            return self._holds(head, state)
        return any(True for _ in self.read(head, state, must_be_there=False))

    def again(self, id: str, held: HeldPast | None) -> PastConversation | None:
        """A conversation that was selected once, if it exists, whether or not it would be selected
        now.

        held: the part that another one contained then; None if the manifest does not note it.
        """
        try:
            head, state = self._log.head(id)
            recorded = _recorded(self._log, head, self._plan, state)
        except (UnknownConversation, Restricted):
            return None
        held = self.held(head, state) if held is None else held
        return PastConversation(id, head.stream, recorded, held) if recorded else None

    def _holds(self, head: LiveHead, state: State, events: Iterable[e.Event] | None = None) -> bool:
        def recorded() -> Iterable[e.Event]:
            return self._events(head, state) if events is None else events

        return self._condition(Candidate(head.conversation, state, recorded))

    def _events(self, head: LiveHead, state: State) -> Iterator[e.Event]:
        with suppress(UnknownConversation):  # deleted since it was listed
            yield from (each.event for each in _recorded(self._log, head, self._plan, state))

    def read(
        self, head: LiveHead, state: State, held: HeldPast = NOTHING, *, must_be_there: bool = True
    ) -> Iterator[PastConversation]:
        """The conversation, if it is selected."""
        try:
            recorded = _recorded(self._log, head, self._plan, state)
            self._log.current.release(head)
        except UnknownConversation:  # deleted since it was listed
            recorded = ()
        conversation = PastConversation(head.conversation, head.stream, recorded, held)
        is_then = head.position <= self._plan.position
        then = state if is_then or not recorded else replay(conversation.events)
        if recorded and self._holds(head, then, conversation.events):
            yield conversation
        elif self._plan.ids is not None and not recorded and must_be_there and not held.events:
            raise UnknownConversation(head.conversation)


def _heads(log: Turnlog, ids: Iterable[str] | None) -> Iterable[tuple[LiveHead, State]]:
    if ids is not None:
        return (log.head(id) for id in sorted(set(ids)))
    return (each for each in log.heads() if not each[1].lineage.trial)


def _recorded(
    log: Turnlog, head: LiveHead, plan: ExportPlan, now: State
) -> tuple[RecordedEvent, ...]:
    """What was redacted, at any position, is hidden unless requested."""
    history = log.past(head)
    commits = takewhile(lambda commit: (commit.position or 0) <= plan.position, history.commits())
    events = chain.from_iterable(commit.recorded_events() for commit in commits)
    hides = now.redacted and "redacted" not in plan.include
    recorded = tuple(shown(events, {}, history.redactions()) if hides else events)
    return recorded if len(recorded) > now.lineage.shared else ()  # a fork that had not begun
