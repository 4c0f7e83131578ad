"""What a process knows of a log beyond its tables, and the checks of the rows that it reads."""

from __future__ import annotations

from turnlog.encoding.names import decode_name
from turnlog.errors import Corrupt
from turnlog.projections.known_redactions import KnownRedactions
from turnlog.projections.live_head import LiveHead
from turnlog.projections.tail import Tail
from turnlog.storage.links import (
    AnyLinks,
    CheckedRows,
    Link,
    Links,
    beginning,
    check_stream,
    ending,
)
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import erased


class KnownRows:
    """Safe for concurrent use.

    tail: the part of the log known in memory. redactions: what is hidden.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.tail = Tail()
        self.redactions = KnownRedactions()
        self._checked = CheckedRows()

    def begin_again(self) -> None:
        """Forgets everything."""
        self._checked = CheckedRows()
        self.tail.begin_again()
        self.redactions = KnownRedactions()

    def release(self, head: LiveHead) -> None:
        """Forgets what the tables can give again of a conversation.

        A reader of the whole log calls this after each conversation: its memory does not grow.
        """
        self.tail.release(head.conversation)
        self.redactions.release(head.stream)
        self._checked.release(head.owner)

    def links(
        self,
        reader: Reader,
        conversation: str,
        number: int,
        life: int,
        begin: Link | None = None,
        end: Link | None = None,
    ) -> AnyLinks:
        """The checks of the rows of one stream. begin: the row before the first, if there is one.

        end: in a fork's origin, the last row to read; the origin may have lost its id.
        """
        if end is not None:
            return self._links_of_origin(reader, number, begin, end)
        head = self.tail.head(conversation) or reader.head(conversation)
        stream = reader.stream(conversation, life)
        if stream is None or stream.stream != number:
            raise Corrupt(f"conversation {conversation!r}: it is not found by its id")
        genesis = self.recorder.genesis.digest
        check_stream(conversation, stream, genesis)
        if head is not None and head.stream == number:
            end = Link(head.version, head.digest)
        else:
            end = ending(reader, conversation, life)
        begin = begin or beginning(reader, conversation, life, genesis)
        return Links(conversation, stream, begin, end, self._checked)

    def _links_of_origin(self, reader: Reader, number: int, begin: Link | None, end: Link) -> Links:
        stream = reader.stream_of(number)
        assert stream is not None, "the rows belong to it"
        name = erased(number) if stream.name is None else decode_name(stream.name)
        genesis = self.recorder.genesis.digest if stream.life == 1 else None
        return Links(name, stream, begin or Link(0, genesis), end, self._checked)
