"""The values that bots keep in sessions: conversation, key → value; globals have a stream.

The entry VERSION contains the number of the newest projected commit, so that a reader continues
from there with the conversation's own rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from turnlog.domain import events as e
from turnlog.domain.commit import Commit
from turnlog.encoding import binary
from turnlog.encoding.rows import is_commit
from turnlog.projections.projection import (
    begins_fork,
    newest_first,
    redacts,
    shown_whole,
    was_redacted,
)
from turnlog.projections.view import View, reading
from turnlog.storage.contents import StoredContents
from turnlog.storage.reader import Reader
from turnlog.storage.rows import Row

VERSION = "version"
_KEY = "="
"""Precedes session keys, so that none equals VERSION."""


class Values:
    """A session's values at one moment: the fold of its value events.

    known: whether it ever had any. touched: time of the newest value event. expires: UTC seconds by
    key, for values with their own expiry. life, version: the last folded commit. lapsed: values
    existed and expired because no one wrote for too long. redacted: whether later events may hide
    values.
    """

    __slots__ = ("expires", "held", "known", "lapsed", "life", "redacted", "touched", "version")

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}
        self.expires: dict[str, float] = {}
        self.touched: float | None = None
        self.known = False
        self.lapsed = False
        self.redacted = False
        self.life = 1
        self.version = 0

    def copy(self) -> Values:
        """A copy. The values themselves are shared."""
        return self.without(())

    def without(self, keys: Iterable[str]) -> Values:
        """A copy without some keys."""
        values = Values()
        values.held, values.expires = dict(self.held), dict(self.expires)
        values.known, values.touched = self.known, self.touched
        values.life, values.version = self.life, self.version
        values.redacted = self.redacted
        for key in list(keys):
            values.drop(key)
        return values

    def lapse(self) -> Values:
        """The values of the session after it has expired."""
        values = Values()
        values.version, values.lapsed = self.version, bool(self.held)
        values.redacted = self.redacted
        return values

    def fold(self, events: Iterable[e.Event]) -> set[str]:
        """Folds events in, and returns the keys that they changed. Values are replaced, never
        modified.
        """
        touched: set[str] = set()
        for event in events:
            effect = _EFFECTS.get(type(event))
            if effect is not None:
                self.known, self.touched = True, event.timestamp
                touched |= effect(self, event)
        return touched

    def drop(self, key: str) -> None:
        """Removes a key."""
        self.held.pop(key, None)
        self.expires.pop(key, None)


def _set(values: Values, event: e.ValueSet) -> set[str]:
    if event.field is None:
        values.held[event.key] = event.value
        values.expires.pop(event.key, None)
    else:
        values.held[event.key] = {**_object(values, event.key), event.field: event.value}
    if event.expires is not None:
        values.expires[event.key] = event.expires
    return {event.key}


def _appended(values: Values, event: e.ValueAppended) -> set[str]:
    held = values.held.get(event.key)
    if event.field is None:
        values.held[event.key] = _longer(held, event)
    else:
        fields = _object(values, event.key)
        longer = _longer(fields.get(event.field), event)
        values.held[event.key] = {**fields, event.field: longer}
    return {event.key}


def _longer(held: Any, event: e.ValueAppended) -> list[Any]:
    kept = held[event.trimmed :] if isinstance(held, list) else []
    return [*kept, *event.items]


def _object(values: Values, key: str) -> dict[str, Any]:
    held = values.held.get(key)
    return held if isinstance(held, dict) else {}


def _removed(values: Values, event: e.ValueRemoved) -> set[str]:
    if event.field is None:
        values.drop(event.key)
    else:
        fields = _object(values, event.key)
        values.held[event.key] = {k: v for k, v in fields.items() if k != event.field}
    return {event.key}


def _deleted(values: Values, event: e.ConversationDeleted) -> set[str]:
    gone = set(values.held)
    values.held, values.expires, values.known = {}, {}, False
    return gone


def _cleared(values: Values, event: e.ValuesCleared) -> set[str]:
    gone = set(values.held) - set(event.retained)
    for key in gone:
        values.drop(key)
    return gone


_EFFECTS: dict[type[e.Event], Callable[[Values, Any], set[str]]] = {
    e.ValueSet: _set,
    e.ValueAppended: _appended,
    e.ValueRemoved: _removed,
    e.ValuesCleared: _cleared,
    e.ConversationDeleted: _deleted,
}


class SessionValuesProjection:
    """The current values of all sessions."""

    name: ClassVar[str] = "session_values"
    all_streams: ClassVar[bool] = True

    def apply(self, commits: Sequence[Commit], view: View) -> None:
        """See `Projection.apply`."""
        sessions: dict[str, tuple[Values, set[str]]] = {}
        for commit in commits:
            if not any(type(event) in _EFFECTS for event in commit.events):
                continue
            if commit.conversation not in sessions:
                stored = _decoded(view.entries(commit.conversation))
                sessions[commit.conversation] = (stored, set())
            values, touched = sessions[commit.conversation]
            touched |= values.fold(commit.events)
            values.life, values.version = commit.life, commit.version
        for conversation, (values, touched) in sessions.items():
            _write(view, conversation, values, touched)


def _write(view: View, conversation: str, values: Values, touched: set[str]) -> None:
    view.put(conversation, VERSION, [values.version, values.touched, values.life])
    for key in sorted(touched):
        if key in values.held:
            view.put(conversation, _KEY + key, [values.held[key], values.expires.get(key)])
        else:
            view.remove(conversation, _KEY + key)


def _decoded(entries: Iterable[tuple[str, Any]]) -> Values:
    values = Values()
    with reading(SessionValuesProjection.name):
        for name, entry in entries:
            if name == VERSION:
                values.version, values.touched, values.life = entry
                values.known = True
            else:
                values.held[name.removeprefix(_KEY)], expires = entry
                if expires is not None:
                    values.expires[name.removeprefix(_KEY)] = expires
    return values


def session_values(reader: Reader, conversation: str) -> Values:
    """A session's current values: the projected ones, and the conversation's rows since.

    The cost depends on what was recorded since the projection ran, not on the conversation's
    length.
    """
    model = SessionValuesProjection.name
    stored = reader.entries(model, conversation)
    values = _decoded((key, binary.decode(value)) for _, key, value in stored)
    values.redacted = was_redacted(reader, model, conversation)
    rows = _fresh(reader, conversation, values)
    if rows and rows[-1].life > values.life:
        values = Values()  # the projected values belong to an earlier life
    contents = StoredContents(reader)
    commits = [row.commit(contents) for row in reversed(rows) if is_commit(row.topic)]
    if commits and (values.redacted or begins_fork(commits[0]) or any(map(redacts, commits))):
        values, commits = Values(), shown_whole(reader, conversation)
        values.redacted = any(map(redacts, commits))
    for commit in commits:
        values.fold(commit.events)
    if rows:
        values.life, values.version = rows[0].life, rows[0].version
    return values


def _fresh(reader: Reader, conversation: str, values: Values) -> list[Row]:
    """The rows that are not projected yet, newest first. `values` gets the version before them."""
    checkpoint = reader.checkpoint(SessionValuesProjection.name)
    position = checkpoint.position if checkpoint else 0
    rows: list[Row] = []
    for row in newest_first(reader, conversation):
        if row.position <= position or (row.life, row.version) <= (values.life, values.version):
            values.life, values.version = max(
                (values.life, values.version), (row.life, row.version)
            )
            break
        rows.append(row)
    return rows
