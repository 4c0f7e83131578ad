"""The rows of TRL's six types of data set, as conversations: columns contain lists of messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import msgspec

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import Event
from turnlog.domain.judgements import Judgements, PreferenceEvidence, Verdict
from turnlog.domain.traits import opens_turn
from turnlog.serializers.openai.answers import Messages, answered, answers, pair
from turnlog.serializers.openai.chat import Chat
from turnlog.serializers.openai.text_chat import FORM

BETWEEN = "answer that is better than one and worse than another"


class TrlRow(msgspec.Struct, frozen=True):
    """columns: by TRL's names. beside: other members, such as tools. prompt: the dialogue that the
    row begins with. bounds: numbers of the first and the last event of the row. evidence and lost:
    as in an Example.
    """

    prompt: Dialogue
    bounds: tuple[int, int]
    columns: dict[str, Any]
    beside: Mapping[str, Any] = {}
    evidence: tuple[PreferenceEvidence, ...] = ()
    lost: Counter[str] = Counter()


def _language(dialogue: Dialogue, chat: Chat) -> Iterator[TrlRow]:
    if chat.messages:
        columns = {"messages": chat.messages}
        yield TrlRow(dialogue, _bounds(dialogue, dialogue.last_event), columns, chat.beside)


def _prompts(dialogue: Dialogue, chat: Chat) -> Iterator[TrlRow]:
    """Each answer of the assistant, with the message that it answers."""
    for one in answers(dialogue, chat):
        yield TrlRow(
            dialogue, _bounds(dialogue, one.last_event), {"prompt": one.prompt}, chat.beside
        )


def _completions(dialogue: Dialogue, chat: Chat) -> Iterator[TrlRow]:
    """Each answer of the assistant with a weight other than 0, and the message that it answers."""
    for one in answers(dialogue, chat):
        if one.is_learnt:
            columns = {"prompt": one.prompt, "completion": one.answer}
            yield TrlRow(dialogue, _bounds(dialogue, one.last_event), columns, chat.beside)
        else:
            chat.lost["answer of weight 0"] += 1


def _bounds(dialogue: Dialogue, last: int) -> tuple[int, int]:
    return dialogue.first_event, last


def _preferences(judgements: Judgements) -> Iterator[TrlRow]:
    for each in judgements.preferences:
        better, worse, chat = pair(each, FORM)
        columns = {"prompt": better.prompt, "chosen": better.answer, "rejected": worse.answer}
        yield TrlRow(each.prompt, each.bounds, columns, chat.beside, each.evidence, chat.lost)


def _unpaired(judgements: Judgements) -> Iterator[TrlRow]:
    """Both answers of each preference, and those that were judged alone, each once.

    An answer that is better than one and worse than another gets no label and is counted as lost.
    """
    between = Counter({BETWEEN: judgements.between})
    for each in judgements.labels:
        one, chat = answered(each.prompt, each.answer, FORM)
        columns = {"prompt": one.prompt, "completion": one.answer, "label": each.is_good}
        lost = chat.lost + between
        yield TrlRow(each.prompt, each.bounds, columns, chat.beside, each.evidence, lost)
        between = Counter()


def _stepwise(judgements: Judgements) -> Iterator[TrlRow]:
    """The assistant's messages in answer to one of the user's, each with a judgement.

    A turn's steps end before the first without a judgement.
    """
    for _, verdicts in groupby(judgements.verdicts, key=_asked):
        yield from _steps(verdicts)


def _asked(verdict: Verdict) -> tuple[Event, ...]:
    """The events up to the user's message that is answered."""
    events = verdict.prompt.events
    last = (at for at in range(len(events), 0, -1) if opens_turn(events[at - 1]))
    return events[: next(last, 0)]


def _steps(verdicts: Iterable[Verdict]) -> Iterator[TrlRow]:
    """A row for each answer; a regenerated answer gives several."""
    steps: list[dict[str, Any]] = []
    labels: list[bool] = []
    row = None
    for each in verdicts:
        one, chat = answered(each.prompt, each.answer, FORM)
        question = _question(one.prompt)
        before = [m for m in one.prompt[len(question) :] if m["role"] == "assistant"]
        if row is not None and not before:
            yield row
            steps, labels, row = [], [], None
        if before != steps:
            continue  # an earlier step has no judgement
        steps, labels = [*steps, *one.answer], [*labels, *[each.is_good] * len(one.answer)]
        columns = {"prompt": question, "completions": steps, "labels": labels}
        evidence = (*(row.evidence if row else ()), *each.evidence)
        row = TrlRow(each.prompt, each.bounds, columns, chat.beside, evidence, chat.lost)
    if row is not None:
        yield row


def _question(messages: Messages) -> Messages:
    """The messages up to the last of the user's."""
    last = max((at for at, one in enumerate(messages) if one["role"] == "user"), default=-1)
    return messages[: last + 1]


OF_DIALOGUES: dict[str, Callable[[Dialogue, Chat], Iterator[TrlRow]]] = {
    "language": _language, "prompt": _prompts, "completion": _completions,
}  # fmt: skip
OF_JUDGEMENTS: dict[str, Callable[[Judgements], Iterator[TrlRow]]] = {
    "preference": _preferences, "unpaired": _unpaired, "stepwise": _stepwise,
}  # fmt: skip
TYPES = (*OF_DIALOGUES, *OF_JUDGEMENTS)
