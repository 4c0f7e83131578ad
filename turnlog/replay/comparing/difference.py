"""Compares a bot's answer to one message with the recorded one.

Three lists are compared separately, each in order: what was understood, the tool calls, and
everything else. The order between the lists only says when an event was recorded. The texts of a
streamed answer are compared joined, because where a message ends depends on when its pieces
arrived.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.message_groups import Numbered
from turnlog.domain.state import State
from turnlog.replay.allowing.rules import Rules
from turnlog.replay.comparing.effective import effective
from turnlog.replay.comparing.items import Item, is_anybodys, items
from turnlog.replay.comparing.likeness import says_the_same
from turnlog.replay.comparing.pairing import paired, place, surplus
from turnlog.replay.divergence import Kind
from turnlog.serializers.shared.plain import to_plain


class Difference(NamedTuple):
    """event: the number of the recorded event, None for none. path: the place in the event.

    compared: what the rules left of the events; for an extra second one, of the first as well.
    action: the last one executed before them.
    """

    kind: Kind
    expected: Any
    actual: Any
    event: int | None = None
    path: str = ""
    compared: tuple[Any, Any] | None = None
    action: str | None = None


_STREAMS = (("understood",), ("tool",), ("slot", "action", "text"))


def difference(
    recorded: Sequence[Numbered],
    actual: Sequence[e.Event],
    rules: Rules,
    state: State | None = None,
) -> Difference | None:
    """The first difference between the recorded answer and the bot's; None for none."""
    return next(differences(recorded, actual, rules, state), None)


def differences(
    recorded: Sequence[Numbered],
    actual: Sequence[e.Event],
    rules: Rules,
    state: State | None = None,
) -> Iterator[Difference]:
    """All differences between the recorded answer and the bot's.

    state: the one before both answers; an event that does not change it is not a difference.
    """
    answer = [(0, event) for event in actual]
    if says_the_same(recorded, answer):
        return
    if state is not None:
        recorded, answer = effective(state, recorded), effective(state, answer)
    before, failed = _failure(recorded), _failure(answer)
    if before is not None:
        if failed is None or failed.kind != before.kind:
            yield _failed(recorded, failed or next(iter(actual), None), before.kind)
        return
    stopped = _is_broken_off(recorded)
    if _streams(recorded) or _streams(answer):
        recorded = list(joined(recorded))
        answer = list(joined(answer, upto=_length(recorded) if stopped else None))
    every, others = list(items(recorded, rules)), list(items(answer, rules))
    for families in _STREAMS:
        wanted = [item for item in every if item.family in families]
        got = [item for item in others if item.family in families]
        if (
            failed is not None
        ):  # what it did before it failed is compared; the rest does not count as missing
            wanted = wanted[: len(got)]
        if stopped:  # no one heard the rest
            got = got[: len(wanted)]
        yield from _between(wanted, _as_allowed(wanted, got, rules), rules)
    if failed is not None:
        yield _failed(recorded, failed, failed.kind)


def _failed(recorded: Sequence[Numbered], actual: e.Event | None, kind: str) -> Difference:
    failed = (item for item in recorded if isinstance(item[1], e.BotFailed))
    number, expected = next(failed, next(iter(recorded), (None, None)))
    named: Kind = "timeout" if kind == "timeout" else "error"
    return Difference(named, _plain(expected), _plain(actual), number)


def _failure(answer: Iterable[Numbered]) -> e.BotFailed | None:
    return next((event for _, event in answer if isinstance(event, e.BotFailed)), None)


# --- answers that stream ------------------------------------------------------------------------


def _streams(answer: Iterable[Numbered]) -> bool:
    return any(isinstance(event, e.AnswerEnded) for _, event in answer)


def _is_broken_off(answer: Iterable[Numbered]) -> bool:
    """In the reader's view: if the bot failed, the failure is compared."""
    return any(isinstance(event, e.AnswerBrokenOff) for _, event in answer)


def joined(answer: Sequence[Numbered], upto: int | None = None) -> Iterator[Numbered]:
    """The texts as one message at the beginning, cut to that many characters; the rest
    unchanged.
    """
    texts = [(n, event.text or "") for n, event in answer if isinstance(event, e.BotUttered)]
    if text := "".join(text for _, text in texts)[:upto]:
        yield texts[0][0], e.BotUttered(text)
    for number, event in answer:
        if not isinstance(event, e.BotUttered):
            yield number, event
        elif event.data:
            yield number, replace(event, text=None)


def _length(answer: Iterable[Numbered]) -> int:
    return sum(len(event.text or "") for _, event in answer if isinstance(event, e.BotUttered))


def _as_allowed(wanted: Sequence[Item], got: Sequence[Item], rules: Rules) -> Sequence[Item]:
    """got; an item that the rules accept for a missing one of its name takes that one's content."""
    if not rules.allow:
        return got
    free: dict[str, deque[Item]] = defaultdict(deque)
    for item in surplus(got, wanted):
        free[item.name].append(item)
    content: dict[int, bytes] = {}
    for item in surplus(wanted, got):
        other = free[item.name].popleft() if free[item.name] else None
        if other is not None and rules.allows(item.says, other.says, item.action):
            content[id(other)] = item.content
    return [item._replace(content=content.get(id(item), item.content)) for item in got]


# --- where they part ----------------------------------------------------------------------------


def _between(wanted: Sequence[Item], got: Sequence[Item], rules: Rules) -> Iterator[Difference]:
    if [item.content for item in wanted] == [item.content for item in got]:
        return
    lost, new = surplus(wanted, got), surplus(got, wanted)
    unsure = {item.number for item in lost if is_anybodys(item.event)}
    wanted = [item for item in wanted if item.number not in unsure]
    lost = [item for item in lost if item.number not in unsure]
    if not lost and not new and "order" not in rules.ignore:
        order = _order(wanted, got)
        yield from () if order is None else (order,)
    pairs = paired(lost, new)
    for item, other in pairs:
        yield _differing(item, other)
    stand_ins = {id(other) for _, other in pairs}
    known = {item.content for item in wanted}
    for item in new:
        if id(item) not in stand_ins:
            once = item.says if item.content in known else None
            actual = _plain(item.event)
            yield Difference("extra", None, actual, compared=(once, item.says), action=item.action)


def _differing(item: Item, other: Item | None) -> Difference:
    if other is None:
        return Difference(
            "missing",
            _plain(item.event),
            None,
            item.number,
            compared=(item.says, None),
            action=item.action,
        )
    compared = item.says, other.says
    return Difference(
        _kind(item, other),
        _plain(item.event),
        _plain(other.event),
        item.number,
        ".".join(place(item, other)),
        compared,
    )


def _kind(item: Item, other: Item) -> Kind:
    if item.family == "tool":
        return "tool_arguments" if item.name == other.name else "tool_call"
    if item.family == "understood":
        return "entity" if _intent(item) == _intent(other) else "intent"
    return item.family


def _intent(item: Item) -> Any:
    return item.says.get("intent")


def _order(wanted: Sequence[Item], got: Sequence[Item]) -> Difference | None:
    """From the first item in another place to the last."""
    places = [i for i, item in enumerate(wanted) if item.content != got[i].content]
    if not places:
        return None
    moved = slice(places[0], places[-1] + 1)
    return Difference(
        "order",
        [_plain(item.event) for item in wanted[moved]],
        [_plain(item.event) for item in got[moved]],
        wanted[places[0]].number,
    )


def _plain(event: e.Event | None) -> Any:
    if event is None:
        return None
    return {
        key: value for key, value in to_plain(event).items() if key not in ("timestamp", "cause")
    }
