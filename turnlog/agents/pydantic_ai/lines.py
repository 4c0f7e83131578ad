"""A chain of entries, which is read again and again as it grows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from pydantic_ai.conversation_store import ConversationEntry
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter

from turnlog.agents.pydantic_ai.copies import Originals
from turnlog.agents.pydantic_ai.messages import Document

Documents = Callable[[Sequence["ChainEntry"]], Iterable[Document]]
"""Gives the messages of entries in pydantic-ai's own JSON."""


class ChainEntry:
    """One message in a chain. first, last: numbers of the events that say it; first is beyond last
    where none do. named: number of the event that names it. is_own: False for what others
    recorded, which is read from the log's messages. document: its message as the log has it,
    until it is made.
    """

    __slots__ = ("document", "first", "id", "is_own", "last", "message", "named", "parent")

    def __init__(
        self,
        id: str,
        parent: str | None,
        events: tuple[int, int],
        named: int,
        document: Document | None = None,
    ) -> None:
        self.id, self.parent = id, parent
        self.first, self.last = events
        self.named = named
        self.is_own, self.document = document is not None, document
        self.message: ModelMessage | None = None

    @property
    def numbers(self) -> range:
        return range(self.first, self.last + 1)


class Line:
    """Gives everybody copies of their own of a chain's entries."""

    def __init__(self) -> None:
        self._newest: ChainEntry | None = None
        self._length = 0
        self._originals = Originals()

    def leads_to(self, chain: Sequence[ChainEntry]) -> bool:
        """Whether the chain begins with it."""
        length = self._length
        return length <= len(chain) and (not length or chain[length - 1] is self._newest)

    def go_on(self, chain: Sequence[ChainEntry], documents: Documents) -> None:
        for entry in _made(chain[self._length :], documents):
            self._originals.add(entry)
        self._length, self._newest = len(chain), chain[-1] if chain else None

    def entries(self) -> list[ConversationEntry]:
        return self._originals.copies()


def _made(chain: Sequence[ChainEntry], documents: Documents) -> Iterator[ConversationEntry]:
    """To be copied: an entry's message is made once."""
    unread = [entry for entry in chain if entry.message is None]
    messages = ModelMessagesTypeAdapter.validate_python([*documents(unread)])
    for entry, message in zip(unread, messages, strict=True):
        entry.message, entry.document = message, None
    for entry in chain:
        assert entry.message is not None
        yield ConversationEntry(id=entry.id, parent_id=entry.parent, message=entry.message)
