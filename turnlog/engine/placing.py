"""Where the many bytes of a commit go: named for their conversation, written once, with its row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import BinaryIO

import msgspec

from turnlog.domain.attachment import Attachment, digest_of
from turnlog.errors import Corrupt, InvalidEvent, StorageError
from turnlog.storage.contents import cut, is_whole, opened
from turnlog.storage.recorder import Recorder, Transaction
from turnlog.storage.rows import AHEAD, BlobChunk, Genesis, attachment_name, stream_secret

_ALL = 2**62


class Placed(msgspec.Struct, frozen=True):
    """What an event of a commit names. open: reads it; None where it is stored already."""

    attachment: Attachment
    open: Callable[[], BinaryIO] | None

    def write(self, transaction: Transaction) -> None:
        name = bytes.fromhex(self.attachment.name)
        if self.open is not None:
            with self.open() as file:
                for chunks in cut(name, file):
                    transaction.put_chunks(chunks)
        transaction.drop_chunks(name, AHEAD + 1)


class Placing:
    """transaction: where it is written; None where nothing can be, but by a single statement."""

    def __init__(self, genesis: Genesis, transaction: Transaction | None) -> None:
        self._genesis = genesis
        self._transaction = transaction

    def __call__(
        self,
        conversation: str,
        life: int,
        placed: list[Placed],
        held: bytes | Attachment,
        type: str | None,
    ) -> Attachment:
        """What stands for bytes in an event; placed: takes what is to be written with its row.

        Raises InvalidEvent for an attachment that the log does not have.
        """
        if self._transaction is None:
            raise LookupError("what stands apart is written in a transaction")
        secret = stream_secret(self._genesis.secret, conversation, life)
        try:
            attachment, open = self._named(held, type, secret)
            is_there = is_whole(self._transaction, attachment)
        except Corrupt as error:
            raise _missing(conversation, held) from error
        if not is_there and open is None:
            raise _missing(conversation, held)
        placed.append(Placed(attachment, None if is_there else open))
        return attachment

    def _named(
        self, held: bytes | Attachment, type: str | None, secret: bytes
    ) -> tuple[Attachment, Callable[[], BinaryIO] | None]:
        """The name in this conversation's life, and what reads the content if it is not there."""
        if isinstance(held, bytes):
            name = attachment_name(secret, hashlib.sha256(held).digest())
            return Attachment(name.hex(), len(held), type), lambda: BytesIO(held)
        if held.is_named_with(secret):
            return held, None
        bound = held if held.is_bound else self._found(held)
        name = attachment_name(secret, bound.sha256())
        return Attachment(name.hex(), held.length, type), bound.open

    def _found(self, attachment: Attachment) -> Attachment:
        """One that was made by hand, of this log."""
        transaction = self._transaction
        assert transaction is not None
        if not is_whole(transaction, attachment):
            raise Corrupt(f"attachment {attachment.name} is not in this log")
        return attachment.opened_by(lambda held: opened(transaction, held))


def _missing(conversation: str, held: bytes | Attachment) -> InvalidEvent:
    name = held.name if isinstance(held, Attachment) else "content"
    why = f"{name} is not in this log, or not whole: attach it first"
    return InvalidEvent(conversation, "attachment", why)


def attach(
    recorder: Recorder, conversation: str, life: int, file: BinaryIO, type: str | None
) -> Attachment:
    """Store what is left to be read of a file, ahead of the event that will name it.

    Raises StorageError where the file changes while it is read.
    """
    secret = stream_secret(recorder.genesis.secret, conversation, life)
    with _twice(file) as (source, again):
        digest, length = digest_of(source)
        name = attachment_name(secret, digest)
        attachment = Attachment(name.hex(), length, type)
        with recorder.transaction() as transaction:
            is_there = is_whole(transaction, attachment)
            if not is_there:
                transaction.put_chunks([BlobChunk(name, AHEAD, b"")])
        if not is_there:
            _write(recorder, name, again(), digest)
    return attachment.opened_by(lambda held: opened(recorder.reader, held), secret)


@contextmanager
def _twice(file: BinaryIO) -> Iterator[tuple[BinaryIO, Callable[[], BinaryIO]]]:
    """A file, and what begins to read it again; one that cannot seek is put aside."""
    with ExitStack() as stack:
        source: BinaryIO = file
        if not file.seekable():
            source = stack.enter_context(TemporaryFile())
            copyfileobj(file, source)
            source.seek(0)
        start = source.tell()

        def again() -> BinaryIO:
            source.seek(start)
            return source

        yield source, again


def _write(recorder: Recorder, name: bytes, file: BinaryIO, digest: bytes) -> None:
    """In transactions of their own, so that nobody waits long."""
    written = hashlib.sha256()
    for chunks in cut(name, file):
        with recorder.transaction() as transaction:
            transaction.put_chunks(chunks)
        for chunk in chunks:
            written.update(chunk.content)
    if written.digest() != digest:
        with recorder.transaction() as transaction:
            transaction.drop_chunks(name, _ALL)
        raise StorageError("the file changed while it was read: attach it again")
