"""The entries of a read model: as a projection works on them, and as they are stored."""

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
    """A projection's entries while it works on them; values are plain (msgpack)."""

    def get(self, conversation: str, key: str) -> Any: ...

    def put(self, conversation: str, key: str, value: Any) -> None: ...

    def remove(self, conversation: str, key: str) -> None: ...

    def entries(self, conversation: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Keys and values of one conversation, in order of key."""
        ...


class View(Entries, Protocol):
    """Entries, and the log that the commits come from."""

    log: Reader


@contextmanager
def reading(model: str) -> Iterator[None]:
    """Raises Corrupt where an entry is not such as its projection makes."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise Corrupt(f"read model {model!r}: an entry was changed: {error!r:.80}") from error


KEYED = "\x1fkeyed "
"""What the keys of entries begin with that say under which key of its own an event is found; their
value is the place of that entry. No conversation's id can be the place's."""


class Found(NamedTuple):
    """An entry of a keyed read model: the conversation, the number of the event, and a value."""

    conversation: str
    event: int
    value: Any


def place_of(key: str) -> str:
    """Where the entries of a key of its own stand, whatever their conversation."""
    return f"\x1fkey {key}"


def drop(view: Entries, conversation: str) -> None:
    """Remove all entries of a conversation, and those under keys of its own."""
    for key, value in list(view.entries(conversation)):
        view.remove(conversation, key)
        if key.startswith(KEYED):
            view.remove(*value)


class StoredView:
    """A projection's entries as they are stored; read only."""

    def __init__(self, reader: Reader, model: str) -> None:
        self.log = reader
        self._reader = reader
        self._model = model

    def get(self, conversation: str, key: str) -> Any:
        if not (is_text(conversation) and is_text(key)):
            return None
        stored = self._reader.get(self._model, conversation, key)
        return None if stored is None else binary.decode(stored)

    def put(self, conversation: str, key: str, value: Any) -> None:
        raise TypeError("only its projection writes a view")

    def remove(self, conversation: str, key: str) -> None:
        raise TypeError("only its projection writes a view")

    def entries(self, conversation: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        if not (is_text(conversation) and is_text(prefix)):
            return
        for _, key, value in self._reader.entries(self._model, conversation, prefix):
            yield key, binary.decode(value)

    def find(self, key: str, limit: int | None = None) -> list[Found]:
        """What a keyed read model has under a key of its own, newest first.

        Raises OutOfRange for a limit that is not a number of entries.
        """
        check_count(None, "limit", limit)
        if not is_text(key):
            return []
        stored = self._reader.entries(self._model, place_of(key), "", limit)
        return [Found(*binary.decode(value)) for _, _, value in stored]


class Buffer(StoredView):
    """A view over stored entries whose changes wait until the batch is done.

    log: where the commits come from.
    """

    def __init__(self, reader: Reader, model: str, log: Reader) -> None:
        super().__init__(reader, model)
        self.log = log
        self._changes: defaultdict[str, dict[str, Any]] = defaultdict(dict)

    def beside(self) -> Buffer:
        """Another one over the same entries, without the changes."""
        return Buffer(self._reader, self._model, self.log)

    def get(self, conversation: str, key: str) -> Any:
        changed = self._changes[conversation]
        return changed[key] if key in changed else super().get(conversation, key)

    def put(self, conversation: str, key: str, value: Any) -> None:
        self._changes[conversation][key] = value

    def remove(self, conversation: str, key: str) -> None:
        self._changes[conversation][key] = None

    def entries(self, conversation: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        found = dict(super().entries(conversation, prefix))
        for key, value in self._changes[conversation].items():
            if key.startswith(prefix):
                found[key] = value
        return iter([(key, found[key]) for key in sorted(found) if found[key] is not None])

    def find(self, key: str, limit: int | None = None) -> list[Found]:
        check_count(None, "limit", limit)
        found = [Found(*value) for _, value in self.entries(place_of(key))]
        return found[:limit]

    def take_over(self, other: Buffer) -> None:
        """The changes of another buffer, of keys that this one has none of."""
        for conversation, changed in other._changes.items():
            self._changes[conversation].update(changed)

    def encoded(self) -> list[tuple[str, str, bytes | None]]:
        return [
            (conversation, key, None if value is None else binary.encode(value))
            for conversation, changed in self._changes.items()
            for key, value in changed.items()
        ]


def numbered(event: int) -> str:
    """The key of what belongs to an event; keys sort as the numbers do."""
    return f"{event:012}"
