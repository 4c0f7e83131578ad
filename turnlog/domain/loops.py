"""Which executions of a form still count, as in Rasa's `applied_events()`.

When a form runs again, the actions, messages and featurizations since its last run no longer count,
nor does that run, unless the form was left in between.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence

from turnlog.domain import events as e

Numbered = tuple[int, e.Event]

_TAKEN_AWAY = (e.ActionExecuted, e.UserUttered, e.MessageUnderstood, e.UserFeaturized)


def without_repeats(events: Iterable[Numbered], loops: Container[str | None]) -> list[Numbered]:
    """Applied events, oldest first, without what a form's later runs retracted.

    loops: the names of the conversation's forms.
    """
    kept: list[Numbered] = []
    for number, event in events:
        if isinstance(event, e.ActionExecuted) and event.name in loops:
            last = _last_run(event.name, kept)
            if last is not None:
                since = [item for item in kept[last + 1 :] if not isinstance(item[1], _TAKEN_AWAY)]
                kept[last + 1 :] = since
                continue
        kept.append((number, event))
    return kept


def newest_without_repeats(
    newest_first: Iterable[Numbered], loops: Container[str | None]
) -> Iterator[Numbered]:
    """The same, newest first: reads no further back than to the end of the forms it meets."""
    span: list[Numbered] = []
    for item in newest_first:
        event = item[1]
        if not span and not (isinstance(event, e.ActionExecuted) and event.name in loops):
            yield item
            continue
        span.append(item)
        if isinstance(event, e.LoopActivated) and event.name is None:
            yield from reversed(without_repeats(reversed(span), loops))
            span = []
    yield from reversed(without_repeats(reversed(span), loops))


def _last_run(name: str | None, events: Sequence[Numbered]) -> int | None:
    """Where the form ran last; None for its first run, or if it had been left."""
    following: str | None = None
    for index in range(len(events) - 1, -1, -1):
        event = events[index][1]
        if _left(event, name, following):
            return None
        if isinstance(event, e.ActionExecuted):
            if event.name == name:
                return index
            following = event.name
    return None


def _left(event: e.Event, name: str | None, following: str | None) -> bool:
    """Whether the form ended, was rejected, or another action answered the message."""
    if isinstance(event, e.LoopActivated):
        return event.name is None
    if isinstance(event, e.ActionRejected):
        return event.name == name
    return isinstance(event, e.UserUttered) and following is not None and following != name
