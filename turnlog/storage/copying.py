"""Copies of a whole log, row for row: backups, and moves from one back end to another."""

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
"""The checkpoint at a backup's newest row, which the backup itself carries."""


class Copied(msgspec.Struct, frozen=True):
    """attachments: how many values that stand apart from the rows; attached_bytes: of them."""

    commits: int
    conversations: int
    attachments: int = 0
    attached_bytes: int = 0


def backup(source: Recorder, path: Path) -> Copied:
    """Write the log as it stands at this moment to a SQLite file, while it goes on being written.

    The file is there whole or not at all; what is not a regular file is written through. Raises
    StorageError where there is a file already.
    """
    if is_stream(path):
        return _streamed(source, path)
    if path.exists():
        raise StorageError(f"{path}: there is a file already")
    unfinished = path.with_name(f"{path.name}.unfinished")
    copied = write_one_file(source, unfinished, is_backup=True)
    unfinished.rename(path)
    sync(path.parent)
    return copied


def _streamed(source: Recorder, path: Path) -> Copied:
    """A backup made aside, then copied into what is not a file."""
    with PrivateFolder() as folder:
        aside = Path(folder) / "backup.db"
        copied = backup(source, aside)
        pour(aside, path)
    return copied


def write_one_file(source: Recorder, path: Path, *, is_backup: bool) -> Copied:
    """Write the log to a SQLite file that needs no other beside it; durable on return.

    is_backup: whether it is marked where it ends. What is there already is removed.
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
    """Without the rows up to there, the file does not verify."""
    with target.transaction() as transaction:
        transaction.put_checkpoint(Checkpoint(END, *HighWater.now(transaction)[:2]))
        close_over(transaction)


@contextmanager
def opened(path: Path) -> Iterator[Recorder]:
    """A SQLite log to be read. Raises StorageError where there is none."""
    if not path.is_file():
        raise StorageError(f"{path}: file does not exist")
    source = ReadonlySqliteRecorder(str(path))
    try:
        yield source
    finally:
        source.close()


def copy(source: Recorder, target: Recorder) -> Copied:
    """Every row and all that is derived from them, byte for byte, in one transaction.

    Read models first, and the rows last: nothing that is copied knows of rows that are not.
    """
    with source.scan() as scan, target.transaction() as transaction:
        if transaction.last_position():
            raise StorageError(
                f"{target.url}: holds {amount(transaction.last_position(), 'commit')} already"
            )
        transaction.put_genesis(source.genesis)
        with scan.at_once() as moment:  # an entry does not say how far its model had come
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
    """With the streams that begin among them, and what stands apart from them."""
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
    if sealed:  # nobody can tell whose they are
        attached = {name.hex() for name in scan.attachment_names()}
    copied = (_copy_chunks(scan, bytes.fromhex(name), transaction) for name in sorted(attached))
    return Copied(commits, len(seen), len(attached), sum(copied))


def _copy_chunks(scan: Scan, name: bytes, transaction: Transaction) -> int:
    """How many bytes there are in them."""
    first = length = 0
    while chunks := scan.chunks(name, first, CHUNKS_AT_ONCE):
        transaction.put_chunks(chunks)
        first = chunks[-1].number + 1
        length += sum(len(chunk.content) for chunk in chunks)
    return length


def _keys(scan: Scan) -> Iterator[Key]:
    """Those of the rows that are copied."""
    end = scan.last_position()
    for key in scan.every(Key):
        if not has_types(key) or key.position <= end:
            yield key


def _copy_checkpoints(scan: Scan, transaction: Transaction) -> None:
    """All but the end of a backup: a log goes on from there."""
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
    """Make a file's content, or a folder's list of files, outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
