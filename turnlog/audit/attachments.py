"""Verifies attachments: that each named one is stored whole, and no other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import msgspec

from turnlog.audit.fault import Fault, Report
from turnlog.errors import StorageError
from turnlog.storage.contents import CHUNK, CHUNKS_AT_ONCE
from turnlog.storage.lookups import attachment_name, stream_secret
from turnlog.storage.reader import Reader, Scan
from turnlog.storage.recorder import Transaction
from turnlog.storage.rows import AHEAD, EVERY_CHUNK, BlobChunk, Row, has_types
from turnlog.storage.subscription import batches


class Named(msgspec.Struct, frozen=True):
    """An attachment as the first event that names it describes it. secret: keys its name."""

    length: int
    conversation: str | None
    event: int
    secret: bytes


class Attached:
    """The attachments that a log's rows name, by name. secret: the log's."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.names: dict[str, Named] = {}

    def add(self, row: Row, event: int) -> None:
        """Adds the attachments of a row. event: the number of its first event."""
        with suppress(StorageError):  # the chain check reports unreadable rows
            for attachment in row.attachments():
                secret = stream_secret(self._secret, row.owner)
                named = Named(attachment.length, row.conversation, event, secret)
                self.names.setdefault(attachment.name, named)


def check_all(scan: Scan, names: dict[str, Named], report: Report) -> None:
    """Checks every named attachment, and reports stored ones that no event names."""
    stored = scan.attachment_names()
    check_some(scan, names, report)
    unnamed = [name for name in stored if _key(name) not in names]
    later = _named_later(scan) if unnamed else set()
    for name in unnamed:
        chunks = scan.chunks(name, AHEAD, 1)
        if _key(name) not in later and chunks and chunks[0].number != AHEAD:
            what = f"attachment {_key(name)[:16]}… is stored, but no event names it"
            report(Fault(None, None, what))


def _key(name: Any) -> str:
    """The name as in events. In a changed log it may be of any type."""
    return name.hex() if isinstance(name, bytes) else repr(name)


def _named_later(scan: Scan) -> set[str]:
    """Names in rows that were recorded while the log was read."""
    rows = (row for later in batches(scan, scan.last_position()) for row in later)
    return {attachment.name for row in rows for attachment in row.attachments()}


def check_some(reader: Reader, names: dict[str, Named], report: Report) -> None:
    """Checks the named attachments."""
    for key, named in names.items():
        _check(key, named, _chunks(reader, bytes.fromhex(key)), report)


def _chunks(reader: Reader, name: bytes) -> Iterator[BlobChunk]:
    first = AHEAD
    while found := reader.chunks(name, first, CHUNKS_AT_ONCE):
        yield from found
        first = found[-1].number + 1


def _check(key: str, named: Named, chunks: Iterable[BlobChunk], report: Report) -> None:
    if (what := _fault(key, named, chunks)) is not None:
        report(Fault(named.conversation, named.event, f"attachment {key[:16]}… {what}"))


def _fault(key: str, named: Named, chunks: Iterable[BlobChunk]) -> str | None:
    """What is wrong with an attachment. Reads one chunk at a time."""
    hashed, length, due = hashlib.sha256(), 0, 0
    for chunk in chunks:
        if not has_types(chunk):
            return f"has chunk {chunk.number!r:.40}, with a column of the wrong type"
        if chunk.number != due:
            return f"has chunk {chunk.number} instead of {due}"
        if length >= named.length and due:
            return f"has chunk {chunk.number}, beyond its length"
        if len(chunk.content) != min(CHUNK, named.length - length):
            return f"is not what was recorded: chunk {chunk.number} has the wrong length"
        hashed.update(chunk.content)
        length, due = length + len(chunk.content), due + 1
    if not due:
        return "is missing"
    if length < named.length:
        return f"is cut off after {length:,} of {named.length:,} bytes"
    if attachment_name(named.secret, hashed.digest()).hex() != key:
        return "is not what was recorded"
    return None


def sweep(transaction: Transaction) -> int:
    """Drops attachments that no event names, and counts them."""
    if not (unnamed := {*transaction.attachment_names()}):
        return 0
    for rows in batches(transaction):
        for row in rows:
            unnamed -= {bytes.fromhex(attachment.name) for attachment in row.attachments()}
    for name in unnamed:
        transaction.drop_chunks(name, EVERY_CHUNK)
    return len(unnamed)
