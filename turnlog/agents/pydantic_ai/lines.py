"""A chain of entries, which is read repeatedly as it grows."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_ai.conversation_store import ConversationEntry
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter

from turnlog.agents.pydantic_ai.copies import Originals
from turnlog.agents.pydantic_ai.messages import Document


class ChainEntry:
    """One message in a chain.

    said: numbers of the first and the last event that say it; the first is greater than the last if
    no event does. named: number of the event that names it. document: its message in pydantic-ai's
    JSON, until the message is made.
    """

    __slots__ = ("document", "first", "id", "last", "message", "named", "parent")

    def __init__(
        self,
        id: str,
        parent: str | None,
        said: Sequence[int],
        named: int,
        document: Document,
    ) -> None:
        self.id, self.parent = id, parent
        self.first, self.last = said
        self.named = named
        self.document: Document | None = document
        self.message: ModelMessage | None = None

    @property
    def numbers(self) -> range:
        """Numbers of the events that say the message."""
        return range(self.first, self.last + 1)


class Line:
    """Gives each caller its own copies of a chain's entries."""

    def __init__(self) -> None:
        self._newest: ChainEntry | None = None
        self._length = 0
        self._originals = Originals()

    def leads_to(self, chain: Sequence[ChainEntry]) -> bool:
        """Whether the chain begins with this line."""
        length = self._length
        return length <= len(chain) and (not length or chain[length - 1] is self._newest)

    def go_on(self, chain: Sequence[ChainEntry]) -> None:
        """Adds the entries by which the chain is longer than this line."""
        new = chain[self._length :]
        for entry, message in zip(new, made(new), strict=True):
            self._originals.add(
                ConversationEntry(id=entry.id, parent_id=entry.parent, message=message)
            )
        self._length, self._newest = len(chain), chain[-1] if chain else None

    def entries(self) -> list[ConversationEntry]:
        """Copies of the entries, which the caller may change."""
        return self._originals.copies()


def made(chain: Sequence[ChainEntry]) -> list[ModelMessage]:
    """The entries' messages, made once. Callers must not pass them on."""
    unread = [entry for entry in chain if entry.message is None]
    messages = ModelMessagesTypeAdapter.validate_python([entry.document for entry in unread])
    for entry, message in zip(unread, messages, strict=True):
        entry.message, entry.document = message, None
    return [entry.message for entry in chain if entry.message is not None]
