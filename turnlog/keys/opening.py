"""Opens a log with its keys, or without keys if it is not sealed."""

from __future__ import annotations

from turnlog.domain.amounts import amount
from turnlog.domain.events import KeyStoreUsed
from turnlog.encoding.rows import TAGS, holds, is_commit
from turnlog.errors import Corrupt, StorageError
from turnlog.storage import urls
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Recorder

_TAGS = (TAGS[KeyStoreUsed],)


def recorder(
    url: str, *, keys: str | None = None, create: bool = True, readonly: bool = False
) -> Recorder:
    """The log's recorder, as `storage.urls.recorder` makes it, opened with the key store at `keys`.

    Raises StorageError, and writes nothing, if the log is sealed and `keys` is missing or names
    another key store, or if the log is not sealed and `keys` is passed.
    """
    below = urls.recorder(url, create=create, readonly=readonly)
    try:
        return _with_keys(below, keys)
    except BaseException:
        below.close()
        raise


def _with_keys(below: Recorder, keys: str | None) -> Recorder:
    store = named_store(below)
    if keys is None and store is None:
        return below
    if keys is None:
        raise StorageError(
            f"{below.url}: the log is sealed with the key store {store};"
            " name it with --keys, TURNLOG_KEYS or keys="
        )
    if store is None and (last := below.reader.last_position()):
        what = f"the log is not sealed and contains {amount(last, 'commit')}"
        how = "to seal it, export it as jsonl and import that with keys"
        raise StorageError(f"{below.url}: {what}; {how}")
    if store is None and below.readonly:
        return below
    return _sealed(below, keys, store)


def named_store(below: Recorder) -> str | None:
    """The id of the key store that the log is sealed with; None if it is not sealed.

    Also None for a read-only log that is damaged at its beginning: `verify` reports the damage.
    """
    try:
        return key_store_of(below.reader)
    except Corrupt:
        if below.readonly:
            return None
        raise


def _sealed(below: Recorder, url: str, store: str | None) -> Recorder:
    from turnlog.keys.recorder import SealedRecorder
    from turnlog.keys.urls import key_store

    keys = key_store(url, create=store is None)
    if store not in (None, keys.id.hex()):
        keys.close()
        what = f"is sealed with the key store {store}, and this one is {keys.id.hex()}"
        raise StorageError(f"{keys.url}: {below.url} {what}")
    recorder = SealedRecorder(below, keys)
    recorder.keys_address = url
    return recorder


def key_store_of(reader: Reader) -> str | None:
    """The id of the key store, as `named_store`. Raises Corrupt if the first row is unreadable."""
    for row in reader.tail(0, 1):
        if is_commit(row.topic) and holds(row.topic, row.skeleton, _TAGS):
            [event] = row.commit().events
            return event.store if isinstance(event, KeyStoreUsed) else None
    return None
