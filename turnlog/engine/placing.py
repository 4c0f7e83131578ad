"""Where the many bytes of a commit go: named for their stream, written once, with its row."""

from __future__ import annotations

<<<<<<< HEAD
import os
from collections.abc import Callable
from functools import partial
=======
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
>>>>>>> 7281ca5 (A log can be sealed under keys of its own: a recorder in clear over one that stores nothing in clear)
from io import BytesIO
from shutil import copyfileobj
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO

import msgspec

from turnlog.domain.attachment import Attachment, digest_of
<<<<<<< HEAD
from turnlog.errors import Corrupt, InvalidEvent
=======
from turnlog.domain.subjects import Subjects, whoever
from turnlog.errors import Corrupt, InvalidEvent, StorageError
>>>>>>> 7281ca5 (A log can be sealed under keys of its own: a recorder in clear over one that stores nothing in clear)
from turnlog.storage.contents import cut, is_whole, opened
from turnlog.storage.recorder import Recorder, Transaction
from turnlog.storage.rows import (
    AHEAD,
<<<<<<< HEAD
    EVERY_CHUNK,
    BlobChunk,
    Genesis,
=======
    BlobChunk,
    Genesis,
    PlacedChunk,
>>>>>>> 7281ca5 (A log can be sealed under keys of its own: a recorder in clear over one that stores nothing in clear)
    attachment_name,
    stream_secret,
)

_IN_MEMORY = 1 << 20
"""Bytes of a file that is being attached; more of them are put aside in a temporary file."""


class Placed(msgspec.Struct, frozen=True):
    """What an event of a commit names.

    open: reads it; None where it is stored already. instead_of: the name it was stored under
    before its conversation began, if it was.
    """

    attachment: Attachment
    open: Callable[[], BinaryIO] | None
<<<<<<< HEAD
    instead_of: bytes | None = None
=======
    about: tuple[str, Subjects]
>>>>>>> 7281ca5 (A log can be sealed under keys of its own: a recorder in clear over one that stores nothing in clear)

    def write(self, transaction: Transaction) -> None:
        name = bytes.fromhex(self.attachment.name)
        if self.open is not None and not is_whole(transaction, self.attachment):
            with self.open() as file:
                for chunks in cut(name, file):
                    transaction.put_chunks(placed(chunks, self.about))
        transaction.drop_chunks(name, AHEAD + 1)

    def clean(self, transaction: Transaction) -> None:
        """Once all of a batch are written, of which another may read what this one replaces."""
        if self.instead_of is not None:
            transaction.drop_chunks(self.instead_of, EVERY_CHUNK)


class Placing:
    """transaction: where it is written; None where nothing can be, but by a single statement."""

    def __init__(self, genesis: Genesis, transaction: Transaction | None) -> None:
        self._genesis = genesis
        self._transaction = transaction

    def __call__(
        self,
        conversation: str,
        owner: bytes,
        placed: list[Placed],
        user: str | None,
        held: bytes | Attachment,
        type: str | None,
    ) -> Attachment:
        """What stands for bytes in an event; placed: takes what is to be written with its row.

<<<<<<< HEAD
        owner: of the conversation's stream. Raises InvalidEvent for an attachment that the log
        does not have.
=======
        user: who talks in the conversation.

        Raises InvalidEvent for an attachment that the log does not have.
>>>>>>> 7281ca5 (A log can be sealed under keys of its own: a recorder in clear over one that stores nothing in clear)
        """
        if self._transaction is None:
            raise LookupError("what stands apart is written in a transaction")
        secret = stream_secret(self._genesis.secret, owner)
        try:
            found = self._found(secret, self._bound(held, self._transaction), type)
        except Corrupt as error:
            raise _missing(conversation, held) from error
<<<<<<< HEAD
        if isinstance(held, Attachment) and held.is_ahead_of(conversation):
            found = msgspec.structs.replace(found, instead_of=bytes.fromhex(held.name))
        placed.append(found)
        return found.attachment
=======
        if not is_there and open is None:
            raise _missing(conversation, held)
        about = conversation, whoever(user)
        placed.append(Placed(attachment, None if is_there else open, about))
        return attachment
>>>>>>> 7281ca5 (A log can be sealed under keys of its own: a recorder in clear over one that stores nothing in clear)

    def _found(self, secret: bytes, source: Attachment, type: str | None) -> Placed:
        """Under its name in this stream. Raises Corrupt where it cannot be read."""
        if source.digest is not None:
            known = self._named(secret, source.digest, source, type)
            if known.open is None:
                return known
        return self._named(secret, source.sha256(), source, type)

    def _named(self, secret: bytes, digest: bytes, source: Attachment, type: str | None) -> Placed:
        assert self._transaction is not None
        name = attachment_name(secret, digest).hex()
        attachment = Attachment(name, source.length, type)
        is_there = is_whole(self._transaction, attachment)
        return Placed(attachment, None if is_there else source.open)

    def _bound(self, held: bytes | Attachment, transaction: Transaction) -> Attachment:
        if isinstance(held, bytes):
            return Attachment("0" * 64, len(held)).opened_by(lambda _: BytesIO(held))
        if held.is_bound:
            return held
        if not is_whole(transaction, held):
            raise Corrupt(f"attachment {held.name} is not in this log")
        return held.opened_by(lambda held: opened(transaction, held))


def _missing(conversation: str, held: bytes | Attachment) -> InvalidEvent:
    name = held.name if isinstance(held, Attachment) else "content"
    why = f"{name} is not in this log, or not whole: attach it first"
    return InvalidEvent(conversation, "attachment", why)


def attach(
    recorder: Recorder,
    conversation: str,
    life: int,
    user: str | None,
    file: BinaryIO,
    type: str | None,
) -> Attachment:
    """Store what is left to be read of a file, ahead of the event that will name it.

<<<<<<< HEAD
    The file is put aside first, so that nobody changes what is stored under the name of what it
    was. In a life that has not begun the name is random, until the first commit copies it.
    """
    ahead = Ahead(recorder, conversation, life)
    aside: Any  # what typeshed gives is no BinaryIO
    with SpooledTemporaryFile(_IN_MEMORY) as aside:
        copyfileobj(file, aside)
        aside.seek(0)
        digest, length = digest_of(aside)
        name = ahead.name(digest)
        attachment = Attachment((name or os.urandom(32)).hex(), length, type)
        aside.seek(0)
        _store(recorder, attachment, aside)
    ahead_of = conversation if name is None else None
    return attachment.opened_by(partial(ahead.opened, digest), digest, ahead_of)
=======
    user: who talks in the conversation.
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
            _write(recorder, cut(name, again()), (conversation, whoever(user)), digest)
    return attachment.opened_by(lambda held: opened(recorder.reader, held), secret)
>>>>>>> 7281ca5 (A log can be sealed under keys of its own: a recorder in clear over one that stores nothing in clear)


class Ahead:
    """What is attached to a life of a conversation, which perhaps has not begun."""

    def __init__(self, recorder: Recorder, conversation: str, life: int) -> None:
        self._recorder = recorder
        self._conversation = conversation
        self._life = life

    def name(self, digest: bytes) -> bytes | None:
        """Of a content; None where the life has not begun."""
        stream = self._recorder.reader.stream(self._conversation, self._life)
        if stream is None:
            return None
        return attachment_name(stream_secret(self._recorder.genesis.secret, stream.owner), digest)

    def opened(self, digest: bytes, attachment: Attachment) -> BinaryIO:
        """By the name that it has now."""
        reader, name = self._recorder.reader, self.name(digest)
        if name is not None:
            named = Attachment(name.hex(), attachment.length)
            attachment = named if is_whole(reader, named) else attachment
        return opened(reader, attachment)


<<<<<<< HEAD
def _store(recorder: Recorder, attachment: Attachment, file: BinaryIO) -> None:
    """In transactions of their own, so that nobody waits long."""
    name = bytes.fromhex(attachment.name)
    with recorder.transaction() as transaction:
        if is_whole(transaction, attachment):
            return
        transaction.put_chunks([BlobChunk(name, AHEAD, b"")])
    for chunks in cut(name, file):
        with recorder.transaction() as transaction:
            transaction.put_chunks(chunks)
=======
def placed(chunks: Sequence[BlobChunk], about: tuple[str, Subjects]) -> list[BlobChunk]:
    """Chunks, with who they are about."""
    found: list[BlobChunk] = []
    for chunk in chunks:
        one = PlacedChunk(*chunk)
        one.about = about
        found.append(one)
    return found


def _write(
    recorder: Recorder,
    pieces: Iterable[Sequence[BlobChunk]],
    about: tuple[str, Subjects],
    digest: bytes,
) -> None:
    """In transactions of their own, so that nobody waits long."""
    written, name = hashlib.sha256(), b""
    for chunks in pieces:
        with recorder.transaction() as transaction:
            transaction.put_chunks(placed(chunks, about))
        name = chunks[0].name
        for chunk in chunks:
            written.update(chunk.content)
    if written.digest() != digest:
        with recorder.transaction() as transaction:
            transaction.drop_chunks(name, _ALL)
        raise StorageError("the file changed while it was read: attach it again")
>>>>>>> 7281ca5 (A log can be sealed under keys of its own: a recorder in clear over one that stores nothing in clear)
