"""Copies of a whole log, row for row: backups, and moves between back ends."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from turnlog.domain.amounts import amount
from turnlog.domain.streams import stream
from turnlog.encoding import rows as encoding
from turnlog.errors import StorageError
from turnlog.files import is_stream, pour
from turnlog.storage.checkpoints import close_over
from turnlog.storage.contents import CHUNKS_AT_ONCE
from turnlog.storage.high_water import HighWater
from turnlog.storage.private_folder import PrivateFolder
from turnlog.storage.reader import Scan
from turnlog.storage.recorder import Recorder, Transaction
from turnlog.storage.rows import Checkpoint, Entry, Head, Key, Snapshot, Stream, has_types
from turnlog.storage.sqlite import SqliteRecorder
from turnlog.storage.sqlite_files import beside
from turnlog.storage.sqlite_readonly import ReadonlySqliteRecorder
from turnlog.storage.subscription import batches

ROWS_AT_ONCE = 1000

END = stream("end")
"""The checkpoint at a backup's newest row, which the backup contains."""


class Copied(msgspec.Struct, frozen=True):
    """What was copied. attachments: values stored apart from the rows. attached_bytes:
    their size.
    """

    commits: int
    conversations: int
    attachments: int = 0
    attached_bytes: int = 0


def backup(source: Recorder, path: Path) -> Copied:
    """Writes the log as of this moment to a SQLite file, while writers continue.

    The file is complete or absent; a device or pipe is written through. Raises StorageError if the
    file exists.
    """
    if is_stream(path):
        return _streamed(source, path)
    if path.exists():
        raise StorageError(f"{path}: file exists already")
    unfinished = path.with_name(f"{path.name}.unfinished")
    copied = write_one_file(source, unfinished, is_backup=True)
    unfinished.rename(path)
    sync(path.parent)
    return copied


def _streamed(source: Recorder, path: Path) -> Copied:
    """A backup in a temporary file, copied into a stream."""
    with PrivateFolder() as folder:
        aside = Path(folder) / "backup.db"
        copied = backup(source, aside)
        pour(aside, path)
    return copied


def write_one_file(source: Recorder, path: Path, *, is_backup: bool) -> Copied:
    """Writes the log to a single SQLite file; durable on return. An existing file is removed.

    is_backup: whether to mark where it ends.
    """
    _remove(path)
    target = SqliteRecorder(str(path), synchronous="OFF", vouched=False)
    try:
        copied = copy(source, target)
        if is_backup and copied.commits:
            _mark_end(target)
        target.leave_one_file()
    except BaseException:
        target.close()
        _remove(path)
        raise
    target.close()
    sync(path)
    return copied


def _remove(path: Path) -> None:
    for name in (str(path), *beside(str(path))):
        Path(name).unlink(missing_ok=True)


def _mark_end(target: Recorder) -> None:
    """Marks the newest row: the file does not verify without the rows up to it."""
    with target.transaction() as transaction:
        transaction.put_checkpoint(Checkpoint(END, *HighWater.now(transaction)[:2]))
        close_over(transaction)


@contextmanager
def opened(path: Path) -> Iterator[Recorder]:
    """A SQLite log, opened for reading. Raises StorageError if it does not exist."""
    if not path.is_file():
        raise StorageError(f"{path}: file does not exist")
    source = ReadonlySqliteRecorder(str(path))
    try:
        yield source
    finally:
        source.close()


def copy(source: Recorder, target: Recorder) -> Copied:
    """Copies every row and all that is derived from the rows, byte for byte, in one transaction.

    Read models come first and rows last, so that nothing copied refers to rows that are not.
    """
    with source.scan() as scan, target.transaction() as transaction:
        if transaction.last_position():
            raise StorageError(
                f"{target.url}: contains {amount(transaction.last_position(), 'commit')} already"
            )
        transaction.put_genesis(source.genesis)
        with scan.at_once() as moment:  # entries do not say how far their model has come
            for entries in _grouped(moment.every(Entry)):
                _put_entries(entries, transaction)
            _copy_checkpoints(moment, transaction)
        for heads in _grouped(scan.every(Head)):
            transaction.put_heads(heads)
        for snapshots in _grouped(scan.every(Snapshot)):
            transaction.put_snapshots(snapshots)
        copied = _copy_rows(scan, transaction)
        for keys in _grouped(_keys(scan)):
            transaction.put_keys(keys)
    target.genesis = source.genesis
    return copied


def _copy_rows(scan: Scan, transaction: Transaction) -> Copied:
    """Copies the rows, the streams that begin among them, and what is stored apart from them."""
    commits, seen, attached, sealed = 0, set[int](), set[str](), False
    for rows in batches(scan, upto=scan.last_position()):
        begun = {row.stream: row for row in rows if row.stream not in seen}
        seen |= begun.keys()
        streams = [Stream(row.stream, row.life, row.owner, row.name) for row in begun.values()]
        transaction.append(rows, streams)
        for row in rows:
            attached |= {attachment.name for attachment in row.attachments()}
            sealed = sealed or encoding.is_sealed(row.commitments, row.parts)
        commits += len(rows)
    if sealed:  # whose they are cannot be known
        attached = {name.hex() for name in scan.attachment_names()}
    copied = (_copy_chunks(scan, bytes.fromhex(name), transaction) for name in sorted(attached))
    return Copied(commits, len(seen), len(attached), sum(copied))


def _copy_chunks(scan: Scan, name: bytes, transaction: Transaction) -> int:
    """Copies an attachment's chunks, and returns their size in bytes."""
    first = length = 0
    while chunks := scan.chunks(name, first, CHUNKS_AT_ONCE):
        transaction.put_chunks(chunks)
        first = chunks[-1].number + 1
        length += sum(len(chunk.content) for chunk in chunks)
    return length


def _keys(scan: Scan) -> Iterator[Key]:
    """The keys of the copied rows."""
    end = scan.last_position()
    for key in scan.every(Key):
        if not has_types(key) or key.position <= end:
            yield key


def _copy_checkpoints(scan: Scan, transaction: Transaction) -> None:
    """Copies all checkpoints but the mark of a backup's end, because the log continues."""
    checkpoints = list(scan.every(Checkpoint))
    for checkpoint in checkpoints:
        if checkpoint.model != END:
            transaction.put_checkpoint(checkpoint)
    if any(checkpoint.model == END for checkpoint in checkpoints):
        close_over(transaction)


def _put_entries(entries: Sequence[Entry], transaction: Transaction) -> None:
    for model in {entry.model for entry in entries}:
        mine = [(e.conversation, e.key, e.value) for e in entries if e.model == model]
        transaction.put(model, mine)


def _grouped(items: Iterable[Any], size: int = ROWS_AT_ONCE) -> Iterator[list[Any]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def sync(path: Path) -> None:
    """Makes a file's content, or a folder's list of files, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
