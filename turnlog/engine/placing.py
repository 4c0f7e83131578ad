"""Where the many bytes of a commit go: named for their stream, written once, with its row."""

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
"""Bytes of a file that is being attached; more of them are put aside in a temporary file."""


class Placed(msgspec.Struct, frozen=True):
    """What an event of a commit names.

    open: reads it; None where it is stored already. instead_of: the name it was stored under
    before its conversation began, if it was.
    """

    attachment: Attachment
    open: Callable[[], BinaryIO] | None
    about: AboutChunk
    instead_of: bytes | None = None

    def write(self, transaction: Transaction) -> None:
        name = bytes.fromhex(self.attachment.name)
        if self.open is not None and not is_whole(transaction, self.attachment):
            with self.open() as file:
                for chunks in cut(name, file, self.about):
                    transaction.put_chunks(chunks)
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

        owner: of the conversation's stream. user: who talks in it. Raises InvalidEvent for an
        attachment that the log does not have.
        """
        if self._transaction is None:
            raise LookupError("what stands apart is written in a transaction")
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
        """Under its name in this stream. Raises Corrupt where it cannot be read."""
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

    The file is put aside first, so that nobody changes what is stored under the name of what it
    was. In a life that has not begun the name is random, until the first commit copies it. user:
    who talks in the conversation. Raises InvalidEvent for what is not a binary file.
    """
    _check_file(conversation, file)
    ahead = Ahead(recorder, conversation, life)
    aside: Any  # what typeshed gives is not a BinaryIO
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


def _finds(recorder: Recorder, conversation: str) -> bytes:
    """What an erasure of the conversation finds it by; in a sealed log its key goes."""
    return b"" if recorder.keys is not None else lookup_of(recorder.genesis.secret, conversation)


def _store(recorder: Recorder, attachment: Attachment, file: BinaryIO, about: AboutChunk) -> None:
    """In transactions of their own, so that nobody waits long."""
    name = bytes.fromhex(attachment.name)
    with recorder.transaction() as transaction:
        if is_whole(transaction, attachment):
            return
        transaction.put_chunks([BlobChunk(name, AHEAD, _finds(recorder, about[0]))])
    for chunks in cut(name, file, about):
        with recorder.transaction() as transaction:
            transaction.put_chunks(chunks)
