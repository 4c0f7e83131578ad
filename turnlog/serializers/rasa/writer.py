"""Our events into Rasa's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.rewinds import RASA, kept
from turnlog.domain.traits import Replacing
from turnlog.serializers.rasa.kinds import BLANK, BY_TYPE, PARTS, Kind, kind_of


def to_rasa(
    events: Sequence[e.Event], first: int = 1, lost: Counter[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Rasa's events for ours, in the form of 3.6 or as they came.

    `first` is the number of the first. Rewinds are applied, so that Rasa reads the history that
    counts. lost: counts, by type, what Rasa's format cannot say.
    """
    return (source for _, source in written(events, first, lost))


def written(
    events: Sequence[e.Event], first: int = 1, lost: Counter[str] | None = None
) -> Iterator[tuple[e.Event, dict[str, Any]]]:
    """As `to_rasa`, each with the event it comes from."""
    left_out = Counter[str]() if lost is None else lost
    return numbered_to_rasa(_unreplaced(events, first, left_out), left_out)


def numbered_to_rasa(
    numbered: Sequence[tuple[int, e.Event]], lost: Counter[str]
) -> Iterator[tuple[e.Event, dict[str, Any]]]:
    """As `written`, for events with their numbers, of which some may be missing."""
    understood = {
        event.message: event for _, event in numbered if isinstance(event, e.MessageUnderstood)
    }
    for number, event in numbered:
        if isinstance(event, e.UserUttered):
            yield event, _user(event, understood.get(number))
        elif isinstance(event, e.Unknown):
            yield event, _whole(event)
        elif (kind := kind_of(event)) is not None:
            yield event, _plain(kind, event)
        elif not isinstance(event, e.MessageUnderstood):
            lost[type(event).__name__] += 1


def _unreplaced(
    events: Sequence[e.Event], first: int, lost: Counter[str]
) -> list[tuple[int, e.Event]]:
    numbered = list(enumerate(events, first))
    left = list(kept(reversed(numbered), Replacing))[::-1]
    every = sum(not isinstance(event, Replacing) for event in events)
    if gone := every - len(left):
        lost["replaced events"] += gone
    return left


def _whole(event: e.Unknown) -> dict[str, Any]:
    return event.content if isinstance(event.content, dict) else {"event": event.name}


def _plain(kind: Kind, event: e.Event) -> dict[str, Any]:
    plain: dict[str, Any] = {"event": kind.name}
    if event.timestamp is not None:
        plain["timestamp"] = event.timestamp
    for key, field in kind.fields.items():
        value = getattr(event, field)
        if value is None:
            value = BLANK.get(key)
        plain[key] = not value if kind.inverted and field == "is_interrupted" else value
    for key, field in kind.optional.items():
        if getattr(event, field) is not None:
            plain[key] = getattr(event, field)
    if isinstance(event, e.EntitiesAdded):
        plain["entities"] = [_of_part(entity) for entity in event.entities]
    plain.update(kind.constants)
    return _completed(plain, event.extra)


def _completed(plain: dict[str, Any], extra: dict[str, Any] | None) -> dict[str, Any]:
    """The event with the contents of `extra`, and without the keys that the source lacked."""
    kept = (extra or {}).get(RASA) or {}
    for key in kept.get("without", ()):
        plain.pop(key, None)
    plain.update({key: value for key, value in (extra or {}).items() if key != RASA})
    if "own" in kept:
        plain[RASA] = kept["own"]
    return plain


def _user(event: e.UserUttered, understood: e.MessageUnderstood | None) -> dict[str, Any]:
    plain = _plain(BY_TYPE["user"], event)
    parsed = parse_data(event.text, event.message_id, understood or e.MessageUnderstood())
    return _completed({**plain, "parse_data": parsed}, event.extra)


def parse_data(
    text: str | None, message_id: str | None, understood: e.MessageUnderstood
) -> dict[str, Any]:
    """The interpretation in the form of Rasa's `parse_data`."""
    plain: dict[str, Any] = {
        "intent": _of_part(understood.intent) if understood.intent else {},
        "entities": [_of_part(entity) for entity in understood.entities],
        "text": text,
        "message_id": message_id,
    }
    return _completed(plain, understood.extra)


def _of_part(part: e.Intent | e.Entity) -> dict[str, Any]:
    fields = {name: getattr(part, name) for name in PARTS[type(part)]}
    return {name: value for name, value in fields.items() if value is not None} | (part.extra or {})
