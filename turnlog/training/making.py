"""Making the examples of one conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from turnlog.domain.counted import Counted, counted, whole
from turnlog.domain.dialogue import Dialogue
from turnlog.engine.log import Turnlog
from turnlog.engine.shared_pasts import NOTHING
from turnlog.errors import FormatError
from turnlog.serializers.shared.codec import Example
from turnlog.serializers.shared.json_value import Unholdable, raw_parts
from turnlog.serializers.shared.plain import to_plain
from turnlog.training.manifest import FaultyConversation
from turnlog.training.names import ExportedNames
from turnlog.training.outcome import ExampleOutcome
from turnlog.training.plan import ExportPlan
from turnlog.training.preferences import Holder, judgements
from turnlog.training.redacting import Redactor, known
from turnlog.training.select import PastConversation, Selection

Beside = Callable[[str], bool]
"""Whether another conversation goes into the same part."""


class Making:
    def __init__(self, log: Turnlog, plan: ExportPlan) -> None:
        self.codec = plan.codec()
        self.names = ExportedNames(log, pseudonyms=plan.pseudonyms)
        self._log = log
        self._plan = plan

    def of(self, conversation: PastConversation) -> ExampleOutcome:
        """What becomes of it where everything goes into one file."""
        conversation = self.redacted(conversation)
        seen = self.seen(conversation)
        return self.outcome(conversation, self.dialogue(conversation, seen), seen)

    def outcome(
        self,
        conversation: PastConversation,
        dialogue: Dialogue,
        seen: Counted,
        beside: Beside = lambda id: True,
    ) -> ExampleOutcome:
        contradictions: list[Any] = []
        outcome = ExampleOutcome(
            conversation.id,
            left_out=seen.left_out,
            held=conversation.held,
            held_turns=conversation.held_turns,
            contradictions=contradictions,
        )
        try:
            made = self._made(conversation, dialogue, beside, contradictions)
            examples = [self._in_log(example, seen, dialogue.first_event) for example in made]
        except FormatError as error:
            fault = _fault(error, conversation.id, dialogue, seen)
            return replace(outcome, fault=fault, refused=isinstance(error, Unholdable))
        return replace(outcome, examples=examples)

    def redacted(self, conversation: PastConversation) -> PastConversation:
        if not self._plan.redact:
            return conversation
        secret, leave = self._log.store.reader.secret, frozenset(self._plan.leave)
        redactor = Redactor(secret, known(conversation.events, leave))
        events = redactor.events(conversation.events)
        pairs = zip(conversation.recorded, events, strict=True)
        return replace(conversation, recorded=tuple(replace(r, event=event) for r, event in pairs))

    def _made(
        self,
        conversation: PastConversation,
        dialogue: Dialogue,
        beside: Beside,
        contradictions: list[Any],
    ) -> Iterator[Example]:
        if not self.codec.of_judgements:
            return self.codec.examples(dialogue)
        held = conversation.held.events
        holder = self._holder(conversation, beside)
        found = judgements(dialogue.name, conversation.recorded, held, holder)
        against = (replace(each, conversation=conversation.id) for each in found.contradictions)
        contradictions.extend(against)
        return self.codec.judged(found)

    def _in_log(self, example: Example, seen: Counted, begin: int) -> Example:
        if self.codec.of_judgements:  # which know their events
            return example
        first, last = (seen.numbers[n - begin] for n in (example.first_event, example.last_event))
        return replace(example, first_event=first, last_event=last)

    def _holder(self, conversation: PastConversation, beside: Beside) -> Holder | None:
        """Of a fork, the conversation that holds what the two share, if it is in the same part."""
        id = conversation.held.holder
        if id is None or not beside(id):
            return None
        found = Selection(self._log, self._plan).again(id, NOTHING)
        if found is None:
            return None
        return Holder(self.names.shown(id), self.redacted(found).recorded)

    def seen(self, conversation: PastConversation) -> Counted:
        if self.codec.whole:
            return whole(conversation.own)
        if self.codec.of_judgements:  # a prompt begins where the conversation does
            return counted(conversation.recorded, self._plan.include)
        return counted(conversation.own, self._plan.include)

    def dialogue(self, conversation: PastConversation, seen: Counted) -> Dialogue:
        """What is written of it; of a fork the rest, which a whole format says the origin of."""
        held, id = conversation.held, self.names.shown(conversation.id)
        if not self.codec.whole or not held.events:
            return Dialogue(id, seen.events)
        first, turn = held.events + 1, conversation.held_turns
        holder = held.holder and self.names.shown(held.holder)
        return Dialogue(id, seen.events, first, turn, holder)


def _fault(error: FormatError, id: str, dialogue: Dialogue, seen: Counted) -> FaultyConversation:
    turn = _turn_of_raw(dialogue) if error.turn is None else error.turn
    placed = None if turn is None else seen.turns[turn]
    return FaultyConversation(id, error.why, placed, error.field)


def _turn_of_raw(dialogue: Dialogue) -> int | None:
    """The turn of the first value that could only be kept as raw JSON, where there is one."""
    for turn in dialogue.turns():
        if any(any(raw_parts(to_plain(event))) for event in turn.events):
            return turn.number
    return None
