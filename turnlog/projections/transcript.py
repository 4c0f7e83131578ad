"""The transcript: what all sides said, with edits, redactions and rewinds applied."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from turnlog.domain import events as e
from turnlog.domain.commit import Commit
from turnlog.domain.lineage import MAIN
from turnlog.domain.plain import to_plain
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.rewinds import taken_by
from turnlog.domain.traits import Rewind, Rewrite, Utterance
from turnlog.projections.view import View, numbered, reading

_Further = e.TextAdded | e.RefusalAdded | e.MediaAdded
_OF_MEDIA = ("kind", "mime", "uri", "sha256", "filename")

_REWIND = "to"
"""Only in a rewind's entry: the number of the event to which it went back."""

_BRANCH = "branch"
"""The branch on which a rewind continues, if it names one."""


class TranscriptProjection:
    """An entry for each message and each rewind, by the number of its event."""

    name: ClassVar[str] = "transcript"

    def apply(self, commits: Sequence[Commit], view: View) -> None:
        """See `Projection.apply`."""
        for commit in commits:
            for recorded in commit.recorded_events():
                _take(view, recorded)


def messages(view: View, conversation: str) -> Iterator[dict[str, Any]]:
    """A conversation's messages, oldest first.

    `{"event", "turn", "actor", "text", "data", "time", "taken_back"}`, and the number of the event
    that `edited` or `redacted` it. taken_back: whether a rewind went back to before it. Further
    texts of a message are joined to its text, and its media are named in `data.media`. In a
    conversation with branches, `branch` and `branch_turn` say where a message was recorded.
    """
    with reading(TranscriptProjection.name):
        entries = [entry for _, entry in view.entries(conversation)]
        rewinds = [(entry["event"], entry[_REWIND]) for entry in entries if _REWIND in entry]
        taken, places = taken_by(rewinds), _places(entries)
        for entry in entries:
            if _REWIND not in entry:
                place = places.get(entry["event"], {})
                yield {**entry, "taken_back": entry["event"] in taken, **place}


def _places(entries: Sequence[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """By number, each entry's branch and the turn on it; empty without branches."""
    if not any(_BRANCH in entry for entry in entries):
        return {}
    numbers = [entry["event"] for entry in entries]
    turns: list[int] = []
    places: dict[int, dict[str, Any]] = {}
    branch, turn, last = MAIN, 0, 0
    for entry in entries:
        if _REWIND in entry:
            before = bisect_right(numbers, entry[_REWIND]) - 1
            turn = turns[before] if before >= 0 else 0
            branch = entry.get(_BRANCH, branch)
        else:
            turn, last = turn + entry["turn"] - last, entry["turn"]
            places[entry["event"]] = {"branch": branch, "branch_turn": turn}
        turns.append(turn)
    return places


def _take(view: View, recorded: RecordedEvent) -> None:
    event, id, key = recorded.event, recorded.conversation, numbered(recorded.number)
    if isinstance(event, Utterance | e.SystemInstructed):
        view.put(id, key, _message(recorded, event))
    elif isinstance(event, _Further):
        _add(view, recorded, event)
    elif isinstance(event, Rewrite):
        _rewrite(view, id, event, recorded.number)
    elif isinstance(event, Rewind):
        view.put(id, key, {"event": recorded.number, _REWIND: event.to, **_named(event)})


def _named(event: Rewind) -> dict[str, Any]:
    branch = event.branch if isinstance(event, e.HistoryContinued) else None
    return {} if branch is None else {_BRANCH: branch}


def _add(view: View, recorded: RecordedEvent, event: _Further) -> None:
    """Adds a further part of a message to its entry, or makes an entry if there is none."""
    part, id = _message(recorded, event), recorded.conversation
    message = None if event.cause is None else view.get(id, numbered(event.cause))
    if message is None or message.get("actor") != part["actor"]:
        view.put(id, numbered(recorded.number), part)
        return
    if "redacted" in message:
        return
    texts = [one["text"] for one in (message, part) if one["text"] is not None]
    media = [medium for one in (message, part) for medium in (one["data"] or {}).get("media", ())]
    data = {**(message["data"] or {}), "media": media} if media else message["data"]
    joined = {**message, "text": "\n".join(texts) if texts else None, "data": data}
    view.put(id, numbered(message["event"]), joined)


def _message(
    recorded: RecordedEvent, event: Utterance | e.SystemInstructed | _Further
) -> dict[str, Any]:
    return {
        "event": recorded.number,
        "turn": recorded.turn,
        "actor": recorded.actor,
        "text": getattr(event, "text", None),
        "data": _data(event),
        "time": event.timestamp,
    }


def _data(event: e.Event) -> dict[str, Any] | None:
    if isinstance(event, e.MediaAdded):
        plain = to_plain(event)
        return {"media": [{name: plain[name] for name in _OF_MEDIA if name in plain}]}
    return getattr(event, "data", None)


def _rewrite(view: View, conversation: str, event: Rewrite, number: int) -> None:
    """Changes a message's entry, unless it is redacted."""
    entry = view.get(conversation, numbered(event.message))
    if entry is None or "redacted" in entry:
        return
    if isinstance(event, e.MessageRedacted):
        changed: dict[str, Any] = {"text": None, "data": None, "redacted": number}
    else:
        changed = {"text": event.text, "edited": number}
    if isinstance(event, e.MessageRegenerated):
        changed["data"] = event.data
    view.put(conversation, numbered(event.message), {**entry, **changed})
