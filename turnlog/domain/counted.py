"""What a model learns from a conversation: edited, without retracted, failed or redacted turns.

Events are renumbered without gaps, and references to events use the new numbers. The view knows
which event of the log each of them is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, get_args

import msgspec
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.message_groups import groups, members
from turnlog.domain.message_openai import with_text
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.rewinds import kept
from turnlog.domain.traits import Part, Rewind, Utterance

INCLUDE = ("rewound", "errors", "redacted")
"""What is omitted unless asked for: retracted events, and the turns with a failure or a redacted
message.
"""

_SAID = (
    *get_args(Utterance), e.MessageUnderstood, e.MessageAnnotated,
    e.EntitiesAdded, e.UserFeaturized, e.ToolCalled, e.ToolReturned, e.ActionExecuted,
    e.ActionRejected, e.BotFailed, *get_args(Part), e.AnswerMeasured, e.AnswerBrokenOff,
    e.AnswerEnded, e.ApprovalAsked, e.ApprovalGiven, e.RunInterrupted, e.RunResumed,
)  # fmt: skip
"""What is omitted with a turn; its effects on the state stay."""

_REWRITES = (e.MessageEdited, e.MessageRegenerated)
_GONE = (*_REWRITES, e.MessageRedacted)
_REWINDS = frozenset(get_args(Rewind))
_CHANGING = frozenset((*_GONE, e.BotFailed, e.AnswerBrokenOff))
"""Without any of them, every event that was not retracted counts as it was recorded."""

_REFERENCES = ("message", "cause", "to", "base", "first", "last", "event")

Numbered = tuple[int, e.Event]


class Counted(msgspec.Struct, frozen=True):
    """The events that count. numbers: their numbers in the log. turns: their turns in the log, turn
    0 first. left_out: how many events, by reason.
    """

    events: tuple[e.Event, ...]
    numbers: tuple[int, ...]
    turns: tuple[int, ...]
    left_out: dict[str, int]


def counted(
    events: Sequence[RecordedEvent], include: Sequence[str] = (), *, broken_off: bool = True
) -> Counted:
    """What counts of all events of a conversation, oldest first, renumbered.

    include: the names of INCLUDE that are kept. broken_off: whether a turn counts although its
    answer broke off.
    """
    numbered, left_out = counting(events, include, broken_off=broken_off)
    if not _are_numbered_so(numbered):
        numbered = list(_renumbered(numbered))
    turns = {r.number: r.turn for r in events if type(r.event) is e.UserUttered}
    numbers, remaining = tuple(n for n, _ in numbered), tuple(event for _, event in numbered)
    return Counted(remaining, numbers, (0, *(turns[n] for n in numbers if n in turns)), left_out)


def counting(
    events: Sequence[RecordedEvent], include: Sequence[str] = (), *, broken_off: bool = True
) -> tuple[list[Numbered], dict[str, int]]:
    """What counts, with its numbers in the log, and how many events are omitted, by reason."""
    numbered = [(recorded.number, recorded.event) for recorded in events]
    kinds = {type(event) for _, event in numbered}
    left_out: Counter[str] = Counter()
    left = numbered
    if "rewound" not in include and not _REWINDS.isdisjoint(kinds):
        left = _kept(numbered, left_out)
    if _CHANGING.isdisjoint(kinds):
        return left, dict(left_out)
    turns = {recorded.number: recorded.turn for recorded in events}
    if "redacted" not in include:
        left = _without(left, _redacted(numbered, turns), turns, left_out, "redacted")
    if "errors" not in include:
        gone = _failed(left, turns)
        if not broken_off:
            _add_broken_off(gone, left, numbered, turns)
        left = _without(left, gone, turns, left_out, "errors")
    return list(_edited(left, numbered)), dict(left_out)


def _kept(numbered: list[Numbered], left_out: Counter[str]) -> list[Numbered]:
    counting = list(kept(reversed(numbered)))[::-1]
    if gone := len(numbered) - len(counting):
        left_out["rewound"] = gone
    return counting


class _Where(msgspec.Struct):
    """Whole turns, and single events."""

    turns: set[int]
    events: set[int]


def _failed(counting: list[Numbered], turns: Mapping[int, int]) -> _Where:
    """The turns in which the bot failed."""
    failed = {turns[n] for n, event in counting if isinstance(event, e.BotFailed)}
    return _Where(failed - {0}, set())


def _add_broken_off(
    gone: _Where, counting: list[Numbered], numbered: list[Numbered], turns: Mapping[int, int]
) -> None:
    """Adds the turns, and before the first turn the messages, of answers that broke off and have
    no later version.
    """
    rewritten = {event.message: n for n, event in numbered if isinstance(event, _REWRITES)}
    answers = {
        id(about): [n for n, _ in group.members]
        for group in groups(counting)
        for about in group.about
    }
    for number, event in counting:
        if not isinstance(event, e.AnswerBrokenOff):
            continue
        answer = answers.get(id(event), [number])
        if any(rewritten.get(n, 0) > number for n in answer):
            continue
        if turn := turns[answer[0]]:
            gone.turns.add(turn)
        else:
            gone.events.update((*answer, number))


def _redacted(numbered: list[Numbered], turns: Mapping[int, int]) -> _Where:
    """The turns of redacted messages: an answer may repeat what was redacted in the question.

    Before the first turn, only the message. Redactions before the first given event do not matter.
    """
    messages = {event.message for _, event in numbered if isinstance(event, e.MessageRedacted)}
    turn_of = {number: turns[number] for number in messages if number in turns}
    early = {n for n, turn in turn_of.items() if turn == 0}
    parts = {n for n, event in numbered if isinstance(event, Part | Utterance)}
    whole = {part for n in early for part in members(n, numbered) if part in parts}
    return _Where(set(turn_of.values()) - {0}, early | whole)


def _without(
    counting: list[Numbered],
    gone: _Where,
    turns: Mapping[int, int],
    left_out: Counter[str],
    why: str,
) -> list[Numbered]:
    remaining = [
        (number, event)
        for number, event in counting
        if number not in gone.events
        and not (turns[number] in gone.turns and isinstance(event, _SAID))
    ]
    if len(remaining) < len(counting):
        left_out[why] += len(counting) - len(remaining)
    return remaining


def _edited(counting: list[Numbered], numbered: list[Numbered]) -> Iterator[Numbered]:
    """Messages as edited last, even if the edit was retracted with a turn."""
    edits: dict[int, tuple[int, e.MessageEdited | e.MessageRegenerated]] = {}
    for number, event in numbered:
        if isinstance(event, _REWRITES):
            edits[event.message] = number, event
    texts: dict[int | None, str | None] = {
        number: getattr(event, "text", None) for number, event in counting
    }
    replaced = _replaced_texts(edits, counting)
    for number, event in counting:
        if isinstance(event, _GONE) or number in replaced:
            continue
        message = getattr(event, "message", None)
        about = edits.get(message or 0)
        if number in edits and hasattr(event, "text"):
            event = _rewritten(event, edits[number][1])
        elif about is not None and number < about[0]:
            event = _moved(event, texts.get(message), about[1].text)
        yield number, event


def _replaced_texts(edits: Collection[int], counting: list[Numbered]) -> frozenset[int]:
    """The numbers of further texts of edited messages: an edit replaces all texts of a message."""
    if not edits:
        return frozenset()
    texts = {number for number, event in counting if isinstance(event, e.TextAdded)}
    return frozenset(
        number
        for group in (groups(counting) if texts else ())
        if any(member in edits for member, _ in group.members)
        for number, _ in group.members
        if number in texts
    )


def _rewritten(event: e.Event, edit: e.MessageEdited | e.MessageRegenerated) -> e.Event:
    changed: dict[str, Any] = {"text": edit.text}
    if isinstance(edit, e.MessageRegenerated):
        changed |= {"data": edit.data} if "data" in event.__struct_fields__ else {}
    elif (data := getattr(event, "data", None)) and isinstance(data.get("content"), list):
        changed["data"] = {**data, "content": with_text(data["content"], edit.text)}
    result: e.Event = replace(event, **changed)
    return result


def _moved(event: e.Event, before: str | None, after: str | None) -> e.Event:
    """The annotations of a message from before an edit: places that no longer fit are dropped."""

    def fits(part: Any) -> bool:
        if part.start is None or part.end is None:
            return True
        return (before or "")[part.start : part.end] == (after or "")[part.start : part.end]

    if isinstance(event, e.MessageUnderstood):
        entities = (x if fits(x) else replace(x, start=None, end=None) for x in event.entities)
        return replace(event, entities=tuple(entities))
    if isinstance(event, e.MessageAnnotated):
        frames = (
            replace(frame, spans=[span for span in frame.spans if fits(span)])
            if frame.spans is not None
            else frame
            for frame in event.frames
        )
        return replace(event, frames=tuple(frames))
    return event


def _are_numbered_so(counting: Iterable[Numbered]) -> bool:
    """Whether events have the numbers already that they would get, and name earlier ones."""
    for expected, (number, event) in enumerate(counting, 1):
        if number != expected:
            return False
        for field in _references(type(event)):
            held = getattr(event, field)
            if held is not None and not (isinstance(held, int) and 0 < held < number):
                return False
    return True


def _renumbered(counting: Iterable[Numbered]) -> Iterator[Numbered]:
    """The events with the new numbers in their references; those about an omitted message are
    dropped.
    """
    new: dict[int, int] = {}
    for number, event in counting:
        named = {
            field: held
            for field in _references(type(event))
            if isinstance(held := getattr(event, field), int)
        }
        if "message" in named and named["message"] not in new:
            continue
        new[number] = len(new) + 1
        changed = {field: _new(field, held, new) for field, held in named.items()}
        yield number, replace(event, **changed) if changed != named else event


@cache
def _references(kind: type[e.Event]) -> tuple[str, ...]:
    """The fields of a type that refer to an event."""
    return tuple(field for field in _REFERENCES if field in kind.__struct_fields__)


def _new(field: str, number: int, new: Mapping[int, int]) -> int | None:
    if field in ("to", "base", "last", "event"):
        return max((held for old, held in new.items() if old <= number), default=0)
    if field == "first":
        return 1 + max((held for old, held in new.items() if old < number), default=0)
    return new.get(number)


def whole(events: Sequence[RecordedEvent]) -> Counted:
    """Everything as it was recorded, for formats that keep a conversation rather than teach from
    it.
    """
    turns = events[-1].turn if events else 0
    numbers, every = tuple(r.number for r in events), tuple(r.event for r in events)
    return Counted(every, numbers, tuple(range(turns + 1)), {})
