"""Making the examples of one conversation."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from turnlog.domain.counted import Counted, counted, whole
from turnlog.domain.dialogue import Dialogue
from turnlog.engine.log import Turnlog
from turnlog.errors import FormatError
from turnlog.serializers.shared.codec import Example
from turnlog.serializers.shared.json_value import Unholdable, raw_parts
from turnlog.serializers.shared.plain import dumps, to_plain
from turnlog.training.plan import ExportPlan
from turnlog.training.preferences.families import Families, Kin
from turnlog.training.preferences.judging import Beside, Judging
from turnlog.training.privacy.names import ExportedNames
from turnlog.training.privacy.redacting import Redactor, known
from turnlog.training.records.manifest import FaultyConversation
from turnlog.training.running.outcome import ExampleOutcome
from turnlog.training.select import PastConversation

UNLEARNT = "answer that is better or good but of weight 0, left out"


class Making:
    """kin: the conversations with which answers are compared; None for all that share a past."""

    def __init__(self, log: Turnlog, plan: ExportPlan, kin: Kin | None = None) -> None:
        self.codec = plan.codec()
        self.names = ExportedNames(log, pseudonyms=plan.pseudonyms)
        self._log = log
        self._plan = plan
        self._judging = Judging(log, plan, kin or Families(log, plan), self.redacted)

    def of(self, conversation: PastConversation) -> ExampleOutcome:
        """The outcome in an export to a single file; as JSON, if that is enough."""
        conversation = self.redacted(conversation)
        seen = self.seen(conversation)
        outcome = self.outcome(conversation, self.dialogue(conversation, seen), seen)
        if not self.codec.writes_json:
            return outcome
        examples = [replace(x, content=msgspec.Raw(dumps(x.content))) for x in outcome.examples]
        return replace(outcome, examples=examples)

    def outcome(
        self,
        conversation: PastConversation,
        dialogue: Dialogue,
        seen: Counted,
        beside: Beside = lambda id: True,
    ) -> ExampleOutcome:
        """The outcome of a conversation as `dialogue`. beside: whether another one is in the same
        part.
        """
        outcome = ExampleOutcome(
            conversation.id,
            conversation.stream,
            left_out=seen.left_out,
            held=conversation.held,
            held_turns=conversation.held_turns,
        )
        judged = self._judging.of(conversation, beside) if self.codec.of_judgements else None
        if judged is not None:
            noted = {UNLEARNT: judged.unlearnt} if judged.unlearnt else {}
            outcome = replace(outcome, contradictions=judged.contradictions, noted=noted)
        try:
            made = self.codec.examples(dialogue) if judged is None else self.codec.judged(judged)
            examples = [self._in_log(example, seen, dialogue.first_event) for example in made]
        except FormatError as error:
            fault = _fault(error, conversation.id, dialogue, seen)
            return replace(outcome, fault=fault, refused=isinstance(error, Unholdable))
        return replace(outcome, examples=examples)

    def redacted(self, conversation: PastConversation) -> PastConversation:
        """The conversation with pseudonyms if the plan redacts; otherwise itself."""
        if not self._plan.redact:
            return conversation
        secret, leave = self._log.store.reader.secret, frozenset(self._plan.leave)
        redactor = Redactor(secret, known(conversation.events, leave))
        events = redactor.events(conversation.events)
        pairs = zip(conversation.recorded, events, strict=True)
        return replace(conversation, recorded=tuple(replace(r, event=event) for r, event in pairs))

    def _in_log(self, example: Example, seen: Counted, begin: int) -> Example:
        if self.codec.of_judgements:  # examples of judgements know their events
            return example
        first, last = (seen.numbers[n - begin] for n in (example.first_event, example.last_event))
        return replace(example, first_event=first, last_event=last)

    def seen(self, conversation: PastConversation) -> Counted:
        """What the format reads of a conversation."""
        if self.codec.whole:
            return whole(conversation.own)
        if self.codec.of_judgements:  # a prompt begins where the conversation begins
            return counted(conversation.recorded, self._plan.include)
        return counted(conversation.own, self._plan.include, broken_off=False)

    def dialogue(self, conversation: PastConversation, seen: Counted) -> Dialogue:
        """The conversation's dialogue; a fork's has only its own events and names the conversation
        that contains its past.
        """
        held, id = conversation.held, self.names.shown(conversation.id)
        if not held.events or self.codec.of_judgements:
            return Dialogue(id, seen.events)
        turn, holder = conversation.held_turns, held.holder and self.names.shown(held.holder)
        if not self.codec.whole:
            return Dialogue(id, seen.events, origin=holder, origin_turn=turn)
        return Dialogue(id, seen.events, held.events + 1, turn, holder)


def _fault(error: FormatError, id: str, dialogue: Dialogue, seen: Counted) -> FaultyConversation:
    turn = _turn_of_raw(dialogue) if error.turn is None else error.turn
    placed = None if turn is None else seen.turns[turn]
    return FaultyConversation(id, error.why, placed, error.field)


def _turn_of_raw(dialogue: Dialogue) -> int | None:
    """The turn of the first value that could only be stored as raw JSON; None without one."""
    for turn in dialogue.turns():
        if any(any(raw_parts(to_plain(event))) for event in turn.events):
            return turn.number
    return None
