"""The entries of a read model, for its projection and for readers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from turnlog.domain.arguments import check_count
from turnlog.domain.values import is_text
from turnlog.encoding import binary
from turnlog.errors import Corrupt
from turnlog.storage.reader import Reader


class Entries(Protocol):
    """The entries that a projection reads and writes; values are plain (msgpack)."""

    def get(self, conversation: str, key: str) -> Any:
        """A value, or None."""
        ...

    def put(self, conversation: str, key: str, value: Any) -> None:
        """Sets a value."""
        ...

    def remove(self, conversation: str, key: str) -> None:
        """Removes a key."""
        ...

    def entries(self, conversation: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Keys and values of one conversation, in order of key."""
        ...


class View(Entries, Protocol):
    """Entries, and the log from which the commits come."""

    log: Reader


@contextmanager
def reading(model: str) -> Iterator[None]:
    """Raises Corrupt if an entry does not have the form that its projection writes."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise Corrupt(f"read model {model!r}: an entry was changed: {error!r:.80}") from error


KEYED = "\x1fkeyed "
"""Begins the keys of entries that lead from an event to its entry under a key.

The value is that entry's place, which no conversation has as its id.
"""


class Found(NamedTuple):
    """An entry of a keyed read model: conversation, number of the event, and value."""

    conversation: str
    event: int
    value: Any


def place_of(key: str) -> str:
    """The place of all entries under a key, across conversations."""
    return f"\x1fkey {key}"


def drop(view: Entries, conversation: str) -> None:
    """Removes all entries of a conversation, including those under keys."""
    for key, value in list(view.entries(conversation)):
        view.remove(conversation, key)
        if key.startswith(KEYED):
            view.remove(*value)


class StoredView:
    """A projection's entries as stored, read-only."""

    def __init__(self, reader: Reader, model: str) -> None:
        self.log = reader
        self._reader = reader
        self._model = model

    def get(self, conversation: str, key: str) -> Any:
        """A value, or None. Raises Corrupt."""
        if not (is_text(conversation) and is_text(key)):
            return None
        stored = self._reader.get(self._model, conversation, key)
        return None if stored is None else binary.decode(stored)

    def put(self, conversation: str, key: str, value: Any) -> None:
        """Raises TypeError."""
        raise TypeError("only its projection writes a view")

    def remove(self, conversation: str, key: str) -> None:
        """Raises TypeError."""
        raise TypeError("only its projection writes a view")

    def entries(self, conversation: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Keys and values of one conversation, in order of key."""
        if not (is_text(conversation) and is_text(prefix)):
            return
        for _, key, value in self._reader.entries(self._model, conversation, prefix):
            yield key, binary.decode(value)

    def find(self, key: str, limit: int | None = None) -> list[Found]:
        """The entries under a key in a keyed read model, newest first.

        Raises OutOfRange if `limit` is not a number of entries.
        """
        check_count(None, "limit", limit)
        if not is_text(key):
            return []
        stored = self._reader.entries(self._model, place_of(key), "", limit)
        return [Found(*binary.decode(value)) for _, _, value in stored]


class Buffer(StoredView):
    """A view whose changes are collected until the batch is done.

    log: from which the commits come.
    """

    def __init__(self, reader: Reader, model: str, log: Reader) -> None:
        super().__init__(reader, model)
        self.log = log
        self._changes: defaultdict[str, dict[str, Any]] = defaultdict(dict)

    def beside(self) -> Buffer:
        """A second buffer over the same stored entries, without the changes."""
        return Buffer(self._reader, self._model, self.log)

    def get(self, conversation: str, key: str) -> Any:
        """A value, changed or stored, or None."""
        changed = self._changes[conversation]
        return changed[key] if key in changed else super().get(conversation, key)

    def put(self, conversation: str, key: str, value: Any) -> None:
        """Sets a value in the buffer."""
        self._changes[conversation][key] = value

    def remove(self, conversation: str, key: str) -> None:
        """Removes a key in the buffer."""
        self._changes[conversation][key] = None

    def entries(self, conversation: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Keys and values of one conversation with the changes, in order of key."""
        found = dict(super().entries(conversation, prefix))
        for key, value in self._changes[conversation].items():
            if key.startswith(prefix):
                found[key] = value
        return iter([(key, found[key]) for key in sorted(found) if found[key] is not None])

    def find(self, key: str, limit: int | None = None) -> list[Found]:
        """See `StoredView.find`; with the changes."""
        check_count(None, "limit", limit)
        found = [Found(*value) for _, value in self.entries(place_of(key))]
        return found[:limit]

    def take_over(self, other: Buffer) -> None:
        """Adds the changes of another buffer, which must be of other keys."""
        for conversation, changed in other._changes.items():
            self._changes[conversation].update(changed)

    def encoded(self) -> list[tuple[str, str, bytes | None]]:
        """The changes as conversation, key and encoded value; None for removed keys."""
        return [
            (conversation, key, None if value is None else binary.encode(value))
            for conversation, changed in self._changes.items()
            for key, value in changed.items()
        ]


def numbered(event: int) -> str:
    """The key of what belongs to an event. Keys sort as the numbers do."""
    return f"{event:012}"
