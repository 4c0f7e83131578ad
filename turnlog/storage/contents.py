"""Values stored apart from the rows, read from their chunks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, BinaryIO

from turnlog.domain.attachment import Attachment
from turnlog.errors import Corrupt
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import AboutChunk, BlobChunk, PlacedChunk

if TYPE_CHECKING:  # in collections.abc since Python 3.12
    from typing_extensions import Buffer

CHUNK = 65_536
"""The size of a chunk in bytes; the last one may be smaller."""

CHUNKS_AT_ONCE = 16


class StoredContents:
    """Reads values stored apart from the rows.

    reader: reads values, perhaps within a transaction. recorder: opens attachments later; None to
    open them with `reader`.
    """

    def __init__(self, reader: Reader, recorder: Recorder | None = None) -> None:
        self._reader = reader
        self._recorder = recorder

    def value(self, attachment: Attachment) -> bytes:
        """A whole value. Raises Corrupt if it is missing or damaged."""
        with opened(self._reader, attachment) as file:
            return file.read()

    def bound(self, attachment: Attachment) -> Attachment:
        """See `Contents.bound`."""
        return attachment.opened_by(self._opened)

    def _opened(self, attachment: Attachment) -> BinaryIO:
        reader = self._reader if self._recorder is None else self._recorder.reader
        return opened(reader, attachment)


def opened(reader: Reader, attachment: Attachment) -> BinaryIO:
    """A file that reads and keeps CHUNKS_AT_ONCE chunks at a time."""
    return io.BufferedReader(_Content(reader, attachment), CHUNK)


class _Content(io.RawIOBase):
    def __init__(self, reader: Reader, attachment: Attachment) -> None:
        self._reader = reader
        self._attachment = attachment
        self._name = bytes.fromhex(attachment.name)
        self._at = 0
        self._first, self._chunks = 0, list[BlobChunk]()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._attachment.length}
        self._at = max(0, start[whence] + offset)
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:
        target = memoryview(buffer).cast("B")
        if (left := self._attachment.length - self._at) <= 0 or not target:
            return 0
        number, skipped = divmod(self._at, CHUNK)
        piece = self._chunk(number)[skipped : skipped + min(len(target), left)]
        if not piece:
            raise Corrupt(f"attachment {self._attachment.name}: chunk {number} is too short")
        target[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _chunk(self, number: int) -> memoryview:
        if not 0 <= number - self._first < len(self._chunks):
            self._first = number
            self._chunks = [*self._reader.chunks(self._name, number, CHUNKS_AT_ONCE)]
        chunks, place = self._chunks, number - self._first
        if place >= len(chunks) or chunks[place].number != number:
            raise Corrupt(f"attachment {self._attachment.name}: chunk {number} is missing")
        return memoryview(chunks[place].content)


def cut(name: bytes, file: BinaryIO, about: AboutChunk) -> Iterator[list[PlacedChunk]]:
    """The chunks of the rest of a file, in groups; at least one chunk."""
    pieces = chain([_read(file)], iter(lambda: _read(file), b""))
    numbered = (PlacedChunk.of(about, name, number, p) for number, p in enumerate(pieces))
    while chunks := list(islice(numbered, CHUNKS_AT_ONCE)):
        yield chunks


def _read(file: BinaryIO) -> bytes:
    """A whole chunk, or the rest. An unbuffered file may return less than requested."""
    read = file.read(CHUNK)
    while len(read) < CHUNK and (more := file.read(CHUNK - len(read))):
        read += more
    return read


def is_whole(reader: Reader, attachment: Attachment) -> bool:
    """Whether the chunks that an attachment needs exist, with as many bytes."""
    due = (max(1, -(-attachment.length // CHUNK)), attachment.length)
    return reader.stored(bytes.fromhex(attachment.name)) == due
