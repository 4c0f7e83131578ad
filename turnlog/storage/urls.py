"""Which back end a database URL names."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

from turnlog.errors import StorageError
from turnlog.storage.memory import MemoryRecorder
from turnlog.storage.recorder import Recorder
from turnlog.storage.sqlite import SqliteRecorder


def recorder(url: str) -> Recorder:
    """`sqlite:///relative.db`, `sqlite:////absolute.db`, `memory:`.

    SQLite takes `?synchronous=NORMAL` (default FULL) and `?timeout=SECONDS` (default 30).
    """
    parts = urlsplit(url)
    if url == "memory:":
        return MemoryRecorder()
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        options = dict(parse_qsl(parts.query))
        return SqliteRecorder(
            unquote(parts.path[1:]),
            synchronous=options.get("synchronous", "FULL"),
            timeout=float(options.get("timeout", 30)),
        )
    raise StorageError(
        f"{url!r} is no database URL: sqlite:///FILE, postgresql://… or memory: are understood"
    )
