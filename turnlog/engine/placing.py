"""Where the large values of a commit are stored: named for their stream, written once, with its
row.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from io import BytesIO
from shutil import copyfileobj
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO

import msgspec

from turnlog.domain.attachment import Attachment, digest_of
from turnlog.domain.subjects import speaker
from turnlog.errors import Corrupt, InvalidEvent
from turnlog.storage.contents import cut, is_whole, opened
from turnlog.storage.lookups import attachment_name, lookup_of, stream_secret
from turnlog.storage.recorder import Recorder, Transaction
from turnlog.storage.rows import AHEAD, EVERY_CHUNK, AboutChunk, BlobChunk, Genesis

_IN_MEMORY = 1 << 20
"""Bytes of an attached file beyond this are buffered in a temporary file."""


class Placed(msgspec.Struct, frozen=True):
    """A large value that an event of a commit names.

    open: reads it; None if it is stored already. instead_of: its former name, from before its
    conversation began, if it had one.
    """

    attachment: Attachment
    open: Callable[[], BinaryIO] | None
    about: AboutChunk
    instead_of: bytes | None = None

    def write(self, transaction: Transaction) -> None:
        """Write the value in the transaction, unless it is stored whole."""
        name = bytes.fromhex(self.attachment.name)
        if self.open is not None and not is_whole(transaction, self.attachment):
            with self.open() as file:
                for chunks in cut(name, file, self.about):
                    transaction.put_chunks(chunks)
        transaction.drop_chunks(name, AHEAD + 1)

    def clean(self, transaction: Transaction) -> None:
        """Once all of a batch are written, because another may read what this one replaces."""
        if self.instead_of is not None:
            transaction.drop_chunks(self.instead_of, EVERY_CHUNK)


class Placing:
    """transaction: for writing; None if only a single statement can write."""

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
        """The attachment that replaces bytes in an event; placed: receives what to write with its
        row.

        owner: of the conversation's stream. user: the person who talks in it. Raises InvalidEvent
        for an attachment that the log does not have.
        """
        if self._transaction is None:
            raise LookupError("large values are written in a transaction")
        secret = stream_secret(self._genesis.secret, owner)
        try:
            about = conversation, speaker(user)
            found = self._found(secret, self._bound(held, self._transaction), type, about)
        except Corrupt as error:
            raise _missing(conversation, held) from error
        if isinstance(held, Attachment) and held.is_ahead_of(conversation):
            found = msgspec.structs.replace(found, instead_of=bytes.fromhex(held.name))
        placed.append(found)
        return found.attachment

    def _found(
        self, secret: bytes, source: Attachment, type: str | None, about: AboutChunk
    ) -> Placed:
        """The attachment under its name in this stream. Raises Corrupt if it cannot be read."""
        if source.digest is not None:
            known = self._named(secret, source.digest, source, type, about)
            if known.open is None:
                return known
        return self._named(secret, source.sha256(), source, type, about)

    def _named(
        self,
        secret: bytes,
        digest: bytes,
        source: Attachment,
        type: str | None,
        about: AboutChunk,
    ) -> Placed:
        assert self._transaction is not None
        name = attachment_name(secret, digest).hex()
        attachment = Attachment(name, source.length, type)
        is_there = is_whole(self._transaction, attachment)
        return Placed(attachment, None if is_there else source.open, about)

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
    why = f"{name} is missing or incomplete in this log; attach it first"
    return InvalidEvent(conversation, "attachment", why)


def attach(
    recorder: Recorder,
    conversation: str,
    life: int,
    user: str | None,
    file: BinaryIO,
    type: str | None,
) -> Attachment:
    """Store the rest of a file, ahead of the event that will name it.

    The file is copied first, so that later changes to it do not matter. In a life that has not
    begun the name is random, until the first commit copies it. user: the person who talks in the
    conversation. Raises InvalidEvent for an object that is not a binary file.
    """
    _check_file(conversation, file)
    ahead = Ahead(recorder, conversation, life)
    aside: Any  # typeshed's type is not a BinaryIO
    with SpooledTemporaryFile(_IN_MEMORY) as aside:
        copyfileobj(file, aside)
        aside.seek(0)
        digest, length = digest_of(aside)
        name = ahead.name(digest)
        attachment = Attachment((name or os.urandom(32)).hex(), length, type)
        aside.seek(0)
        _store(recorder, attachment, aside, (conversation, speaker(user)))
    ahead_of = conversation if name is None else None
    return attachment.opened_by(partial(ahead.opened, digest), digest, ahead_of)


def _check_file(conversation: str, file: Any) -> None:
    read = getattr(file, "read", None)
    if not callable(read) or not isinstance(read(0), bytes):
        raise InvalidEvent(conversation, "file", f"{file!r:.60} is not a binary file")


class Ahead:
    """An attachment to a life of a conversation, which may not have begun."""

    def __init__(self, recorder: Recorder, conversation: str, life: int) -> None:
        self._recorder = recorder
        self._conversation = conversation
        self._life = life

    def name(self, digest: bytes) -> bytes | None:
        """Its name from its content; None if the life has not begun."""
        stream = self._recorder.reader.stream(self._conversation, self._life)
        if stream is None:
            return None
        return attachment_name(stream_secret(self._recorder.genesis.secret, stream.owner), digest)

    def opened(self, digest: bytes, attachment: Attachment) -> BinaryIO:
        """Find it by its present name."""
        reader, name = self._recorder.reader, self.name(digest)
        if name is not None:
            named = Attachment(name.hex(), attachment.length)
            attachment = named if is_whole(reader, named) else attachment
        return opened(reader, attachment)


def _finds(recorder: Recorder, conversation: str) -> bytes:
    """Lets an erasure of the conversation find it; in a sealed log its key is destroyed then."""
    return b"" if recorder.keys is not None else lookup_of(recorder.genesis.secret, conversation)


def _store(recorder: Recorder, attachment: Attachment, file: BinaryIO, about: AboutChunk) -> None:
    """In separate transactions, so that no one waits long."""
    name = bytes.fromhex(attachment.name)
    with recorder.transaction() as transaction:
        if is_whole(transaction, attachment):
            return
        transaction.put_chunks([BlobChunk(name, AHEAD, _finds(recorder, about[0]))])
    for chunks in cut(name, file, about):
        with recorder.transaction() as transaction:
            transaction.put_chunks(chunks)
