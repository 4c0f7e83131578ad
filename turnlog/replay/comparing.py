"""A bot's answer to one message held against the recorded one.

Three things are compared apart, each in order: what was understood, which tools were called, and
all the rest. For the order between them says when an event was recorded, not what the bot did.
Of an answer that streams the texts are compared joined: where a message ends and the next begins
depends on when its pieces came.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Literal, NamedTuple

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.message_groups import Numbered
from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.replay.divergence import Kind
from turnlog.replay.effective import effective
from turnlog.replay.likeness import INCIDENTAL, says_the_same
from turnlog.replay.rules import Rules
from turnlog.serializers.shared.plain import to_plain

Family = Literal["understood", "tool", "slot", "action", "text"]


class Item(NamedTuple):
    """What is compared of an event: its family, what it is about, and all it says, encoded.

    action: the one that was executed last before it.
    """

    number: int
    family: Family
    name: str
    content: bytes
    event: e.Event
    action: str | None


class Difference(NamedTuple):
    """event: number of the recorded event, None where there is none. path: where in the event.

    compared: what the rules left of the events. action: the one executed last before them.
    """

    kind: Kind
    expected: Any
    actual: Any
    event: int | None = None
    path: str = ""
    compared: tuple[Any, Any] | None = None
    action: str | None = None


FAMILIES: dict[type[e.Event], Family] = {
    e.MessageUnderstood: "understood",
    e.EntitiesAdded: "understood",
    e.ToolCalled: "tool",
    e.BotUttered: "text",
    e.SlotSet: "slot",
    e.SlotsReset: "slot",
    e.ActionExecuted: "action",
    e.ActionRejected: "action",
    e.ActionReverted: "action",
    e.UserUtteranceReverted: "action",
    e.ConversationRestarted: "action",
    e.FollowupSet: "action",
    e.LoopActivated: "action",
    e.LoopInterrupted: "action",
    e.ConversationPaused: "action",
    e.ConversationResumed: "action",
    e.HandoverStarted: "action",
    e.HandoverEnded: "action",
    e.ReminderScheduled: "action",
    e.ReminderCancelled: "action",
}
"""What a bot answers for. Other events are not compared, in the record and in its answer."""

_BY_ANYBODY = (
    e.HandoverStarted, e.HandoverEnded, e.ConversationPaused, e.ConversationResumed,
    e.ReminderCancelled,
)  # fmt: skip
"""What people and other systems record as well as bots do."""

_STREAMS = (("understood",), ("tool",), ("slot", "action", "text"))


def is_anybodys(event: e.Event) -> bool:
    """Whether nobody can say that the bot did it: it names no cause and no actor."""
    return isinstance(event, _BY_ANYBODY) and event.actor is None and event.cause is None


def difference(
    recorded: Sequence[Numbered],
    actual: Sequence[e.Event],
    rules: Rules,
    state: State | None = None,
) -> Difference | None:
    """The first difference between the recorded answer and the bot's, None where there is none."""
    return next(differences(recorded, actual, rules, state), None)


def differences(
    recorded: Sequence[Numbered],
    actual: Sequence[e.Event],
    rules: Rules,
    state: State | None = None,
) -> Iterator[Difference]:
    """All differences between the recorded answer and the bot's.

    state: the one on top of which both were given: what changes nothing of it is no difference.
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
    for families in _STREAMS:
        wanted = [item for item in _items(recorded, rules) if item.family in families]
        got = [item for item in _items(answer, rules) if item.family in families]
        if failed is not None:  # what it did before it failed is compared, the rest is not missing
            wanted = wanted[: len(got)]
        if stopped:  # the rest was never heard
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
    """By whoever read it: where the bot failed, its failure is what is compared."""
    return any(isinstance(event, e.AnswerBrokenOff) for _, event in answer)


def joined(answer: Sequence[Numbered], upto: int | None = None) -> Iterator[Numbered]:
    """The texts as one message at the beginning, cut to that many characters; the rest as it is."""
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


# --- what is compared ---------------------------------------------------------------------------


def _items(answer: Iterable[Numbered], rules: Rules) -> Iterator[Item]:
    action: str | None = None
    for number, event in answer:
        action = event.name if isinstance(event, e.ActionExecuted) else action
        family = FAMILIES.get(type(event))
        if family is None or _ignored(event, family, rules):
            continue
        content = {k: v for k, v in to_plain(event).items() if k not in INCIDENTAL}
        compared = _CONTENT.get(type(event), _as_it_is)(content, rules)
        if compared is not None:
            name = f"{compared['type']} {compared.get('name', '')}"
            encoded = binary.encode_ordered(rules.masked(compared))
            yield Item(number, family, name, encoded, event, action)


def _ignored(event: e.Event, family: Family, rules: Rules) -> bool:
    """Texts and what was understood are not left out, only what they say."""
    if isinstance(event, e.SlotSet) and rules.ignores_slot(event.name):
        return True
    kind = "tool_call" if family == "tool" else family
    return kind in rules.ignore and kind != "text"


def _as_it_is(content: dict[str, Any], rules: Rules) -> dict[str, Any] | None:
    return content


def _understood(content: dict[str, Any], rules: Rules) -> dict[str, Any] | None:
    kept: dict[str, Any] = {"type": content["type"]}
    if "intent" not in rules.ignore:
        kept["intent"] = (content.get("intent") or {}).get("name")
    if "entity" not in rules.ignore:
        entities = (
            {f: entity.get(f) for f in _OF_ENTITY} for entity in content.get("entities", [])
        )
        kept["entities"] = sorted(entities, key=binary.encode_ordered)
    return kept if len(kept) > 1 else None


_OF_ENTITY = ("entity", "value", "start", "end")


def _said(content: dict[str, Any], rules: Rules) -> dict[str, Any]:
    return {"type": content["type"]} if "text" in rules.ignore else content


def _called(content: dict[str, Any], rules: Rules) -> dict[str, Any]:
    arguments = None if "tool_arguments" in rules.ignore else content.get("arguments")
    return {**content, "arguments": arguments or None}


def _scheduled(content: dict[str, Any], rules: Rules) -> dict[str, Any]:
    """Without its time, which comes from the clock, and a name that was drawn."""
    drawn = _DRAWN.fullmatch(content.get("name") or "") is not None
    left_out = ("due", "name") if drawn else ("due",)
    return {key: value for key, value in content.items() if key not in left_out}


_DRAWN = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")


_CONTENT: dict[type[e.Event], Callable[[dict[str, Any], Rules], dict[str, Any] | None]] = {
    e.MessageUnderstood: _understood,
    e.BotUttered: _said,
    e.ToolCalled: _called,
    e.ReminderScheduled: _scheduled,
}


def _as_allowed(wanted: Sequence[Item], got: Sequence[Item], rules: Rules) -> Sequence[Item]:
    """got; what the rules let be as good as a lost item of its name has that one's content."""
    if not rules.allow:
        return got
    free: dict[str, deque[Item]] = defaultdict(deque)
    for item in _surplus(got, wanted):
        free[item.name].append(item)
    content: dict[int, bytes] = {}
    for item in _surplus(wanted, got):
        other = free[item.name].popleft() if free[item.name] else None
        if other is not None and rules.allows(_says(item), _says(other), item.action):
            content[id(other)] = item.content
    return [item._replace(content=content.get(id(item), item.content)) for item in got]


def _says(item: Item) -> dict[str, Any]:
    said: dict[str, Any] = binary.decode(item.content)
    return said


# --- where they part ----------------------------------------------------------------------------


def _between(wanted: Sequence[Item], got: Sequence[Item], rules: Rules) -> Iterator[Difference]:
    if [item.content for item in wanted] == [item.content for item in got]:
        return
    lost, new = _surplus(wanted, got), _surplus(got, wanted)
    unsure = {item.number for item in lost if is_anybodys(item.event)}
    wanted = [item for item in wanted if item.number not in unsure]
    lost = [item for item in lost if item.number not in unsure]
    if not lost and not new and "order" not in rules.ignore:
        order = _order(wanted, got)
        yield from () if order is None else (order,)
    pairs = _paired(lost, new)
    for item, other in pairs:
        yield _differing(item, other)
    stand_ins = {id(other) for _, other in pairs}
    for item in new:
        if id(item) not in stand_ins:
            yield Difference(
                "extra",
                None,
                _plain(item.event),
                compared=(None, _says(item)),
                action=item.action,
            )


def _differing(item: Item, other: Item | None) -> Difference:
    if other is None:
        return Difference(
            "missing",
            _plain(item.event),
            None,
            item.number,
            compared=(_says(item), None),
            action=item.action,
        )
    compared = _says(item), _says(other)
    return Difference(
        _kind(item, other),
        _plain(item.event),
        _plain(other.event),
        item.number,
        ".".join(_place(item, other)),
        compared,
    )


def _place(item: Item, other: Item) -> Iterator[str]:
    """Where in the recorded event: what was understood is compared in any order."""
    one, another = _says(item), _says(other)
    if item.family != "understood" or one.get("intent") != another.get("intent"):
        return _path(one, another)
    left, new = list(_entities(item)), list(_entities(other))
    lost = [place for place, entity in enumerate(left) if entity not in new]
    found = [entity for entity in new if entity not in left]
    if len(lost) != 1 or len(found) > 1:
        return iter(("entities",))
    within = _path(left[lost[0]], found[0]) if found else iter(())
    return chain(("entities", str(lost[0])), within)


def _entities(item: Item) -> Iterator[dict[str, Any]]:
    for entity in getattr(item.event, "entities", ()):
        yield {name: getattr(entity, name) for name in _OF_ENTITY}


def _path(one: Any, other: Any) -> Iterator[str]:
    """The keys that lead to where two values differ, as far as there is one such place."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        keys = [i for i, item in enumerate(one) if item != other[i]]
    else:
        return
    if len(keys) == 1:
        yield str(keys[0])
        if isinstance(one, list) or (keys[0] in one and keys[0] in other):
            yield from _path(one[keys[0]], other[keys[0]])


def _surplus(items: Sequence[Item], others: Sequence[Item]) -> list[Item]:
    """The items that the others have not, each as often as it is too many."""
    left = Counter(item.content for item in others)
    kept: list[Item] = []
    for item in items:
        if left[item.content]:
            left[item.content] -= 1
        else:
            kept.append(item)
    return kept


def _paired(lost: Sequence[Item], new: Sequence[Item]) -> list[tuple[Item, Item | None]]:
    """Each lost item with the new one that stands for it: of its name, else of its family."""
    pairs: dict[int, Item] = {}
    taken: set[int] = set()
    for field in ("name", "family"):
        alike: defaultdict[str, deque[int]] = defaultdict(deque)
        for place, other in enumerate(new):
            if place not in taken:
                alike[getattr(other, field)].append(place)
        for index, item in enumerate(lost):
            if index not in pairs and (places := alike[getattr(item, field)]):
                taken.add(places[0])
                pairs[index] = new[places.popleft()]
    return [(item, pairs.get(index)) for index, item in enumerate(lost)]


def _kind(item: Item, other: Item) -> Kind:
    if item.family == "tool":
        return "tool_arguments" if item.name == other.name else "tool_call"
    if item.family == "understood":
        return "entity" if _intent(item) == _intent(other) else "intent"
    return item.family


def _intent(item: Item) -> Any:
    return binary.decode(item.content).get("intent")


def _order(wanted: Sequence[Item], got: Sequence[Item]) -> Difference | None:
    """From the first that stands in another place on."""
    places = (i for i, item in enumerate(wanted) if item.content != got[i].content)
    if (start := next(places, None)) is None:
        return None
    return Difference(
        "order",
        [_plain(item.event) for item in wanted[start:]],
        [_plain(item.event) for item in got[start:]],
        wanted[start].number,
    )


def _plain(event: e.Event | None) -> Any:
    if event is None:
        return None
    return {
        key: value for key, value in to_plain(event).items() if key not in ("timestamp", "cause")
    }
