"""A run of an export: its examples, part by part, and its totals."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from tempfile import TemporaryFile

from msgspec.structs import replace

from turnlog.engine.log import Turnlog
from turnlog.serializers.shared.codec import Example
from turnlog.training.card.card import Card
from turnlog.training.parts.leaks import Leaks
from turnlog.training.parts.placement import Placement, Placer
from turnlog.training.parts.words import WordStore
from turnlog.training.plan import ExportPlan
from turnlog.training.records.manifest import Totals
from turnlog.training.records.pins import Pins
from turnlog.training.running.journal import OutcomeJournal
from turnlog.training.running.making import Making
from turnlog.training.running.outcome import ExampleOutcome
from turnlog.training.running.processes import Pool
from turnlog.training.select import Chosen, PastConversation, Selection, selected

Progress = Callable[[int], None]
"""Receives the number of conversations done."""


class ExportRun:
    """Makes examples, part by part, and adds up the totals.

    streams: of the conversations that have examples, in order.
    """

    def __init__(
        self,
        log: Turnlog,
        plan: ExportPlan,
        progress: Progress,
        *,
        pins: Pins | None = None,
        card: Card | None = None,
        pool: Pool | None = None,
        journal: OutcomeJournal | None = None,
    ) -> None:
        self.totals = Totals(
            shared={}, held={}, faulty=[], refused=[], nothing=[], files={}, contradictions=[]
        )
        self.written = 0
        self.streams = array("Q")
        self._log = log
        self._plan = plan
        self._progress = progress
        self._lost: Counter[str] = Counter()
        self._noted: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._leaks = Leaks()
        self._done = 0
        self._pins = pins
        self._card = card
        self._pool = pool
        self._journal = journal
        self._selection = Selection(log, plan)
        self._making = Making(log, plan, pins)
        self.codec, self.names = self._making.codec, self._making.names
        self._placement = None if plan.split is None or pins else self._placed()

    @property
    def outside(self) -> ExportPlan:
        """The plan in a manifest's form."""
        ids = self._plan.ids
        return replace(self._plan, ids=ids and sorted(map(self.names.shown, ids)))

    def _placed(self) -> Placement:
        with TemporaryFile() as file:
            placer = Placer(self._plan, WordStore(file))
            for done, conversation in enumerate(selected(self._log, self._plan)):
                self._progress(done)
                written = self._making.seen(self._making.redacted(conversation)).events
                placer.take(conversation.id, conversation.began, conversation.user, written)
            placement = placer.placed()
        self.totals.together, self.totals.between = placement.together, placement.between
        return placement

    def examples(self, name: str | None) -> Iterator[Example]:
        """The examples of one part, in order of conversation, with the log's event numbers."""
        self.written = 0
        is_whole = name is None and self._pins is None
        for examples in self._whole() if is_whole else self._part(name):
            yield from examples
            self._done += 1
            self._progress(self._done)

    def _whole(self) -> Iterator[Sequence[Example]]:
        """The outcomes of a single file: those made before, and the rest."""
        chosen = self._selection.chosen()
        if (journal := self._journal) is None:
            outcomes = self._made(chosen)
        else:
            rest = self._made(journal.rest(chosen))
            outcomes = chain(journal.kept(), journal.noted(rest))
        return (self._taken(outcome, None) for outcome in outcomes)

    def _made(self, chosen: Iterator[Chosen]) -> Iterator[ExampleOutcome]:
        if self._pool is not None:
            return self._pool.outcomes(self._plan, chosen)
        found = (each for one in chosen for each in self._selection.read(*one))
        return map(self._making.of, found)

    def _part(self, name: str | None) -> Iterator[Sequence[Example]]:
        return (self._of(conversation, name) for conversation in self._conversations(name))

    def _conversations(self, name: str | None) -> Iterator[PastConversation]:
        if self._pins is not None:
            return self._pins.conversations(self._log, name)
        return selected(self._log, self._plan, wanted=partial(self._wanted, name))

    def _wanted(self, name: str | None, id: str) -> bool:
        return self._placement is None or self._placement.parts.get(id) == name

    def counted(self, examples: Iterator[Example]) -> Iterator[Example]:
        """The same examples, counted as they pass."""
        for example in examples:
            self.written += 1
            self._lost.update(example.lost)
            self._noted.update(example.noted)
            yield example

    def close(self) -> Totals:
        """The final totals."""
        self.totals.lost = dict(sorted(self._lost.items()))
        self.totals.noted = dict(sorted(self._noted.items()))
        self.totals.left_out = dict(sorted(self._left_out.items()))
        if self._plan.pinned and self._pins is not None:
            self._pins.check()
            self.totals.revoked = self._pins.revocation()
        if self._plan.split is not None:
            self.totals.leaking, self.totals.leaks = self._leaks.found()
        return self.totals

    def _of(self, conversation: PastConversation, name: str | None) -> Sequence[Example]:
        conversation = self._making.redacted(conversation)
        seen = self._making.seen(conversation)
        dialogue = self._making.dialogue(conversation, seen)
        outcome = self._making.outcome(
            conversation, dialogue, seen, lambda id: self._wanted(name, id)
        )
        examples = self._taken(outcome, name)
        if examples and name is not None:
            self._leaks.look(name, conversation, dialogue)
            if self._card is not None:
                self._card.take(name, dialogue, examples)
        return examples

    def _taken(self, outcome: ExampleOutcome, name: str | None) -> Sequence[Example]:
        id, examples = outcome.conversation, outcome.examples
        self.totals.contradictions.extend(outcome.contradictions)
        if outcome.fault is not None and self._pins is None:
            (self.totals.refused if outcome.refused else self.totals.faulty).append(outcome.fault)
            return ()
        if self._pins is not None:
            examples = self._pins.kept(name, id, examples)
        elif not examples and self.codec.of_judgements:
            self._noted["conversation of which no answer is known to be better or worse"] += 1
        elif not examples:
            self.totals.nothing.append(id)
        if examples or self._pins is None:
            self._note(outcome)
        if examples:
            self.streams.append(outcome.stream)
        return examples

    def _note(self, outcome: ExampleOutcome) -> None:
        self._left_out.update(outcome.left_out)
        self._noted.update(outcome.noted)
        if outcome.held.events:
            self.totals.shared[outcome.conversation] = outcome.held_turns
            self.totals.held[outcome.conversation] = outcome.held
