"""The back end that a database URL names."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from turnlog.domain.values import is_text
from turnlog.errors import NoSuchLog, StorageError
from turnlog.extras import needed
from turnlog.storage.memory import MemoryRecorder
from turnlog.storage.recorder import Recorder
from turnlog.storage.shown_url import without_password
from turnlog.storage.sqlite import SqliteRecorder
from turnlog.storage.sqlite_readonly import ReadonlySqliteRecorder

SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")
SQLITE_OPTIONS = ("synchronous", "timeout")
LONGEST_TIMEOUT = 10**6


def recorder(url: str, *, create: bool = True, readonly: bool = False) -> Recorder:
    """Opens `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://…` or `memory:`.

    SQLite accepts `?synchronous=NORMAL` (default FULL) and `?timeout=SECONDS` (default 30);
    PostgreSQL accepts `?timeout=SECONDS` (default 10), `?pooled=1` behind PgBouncer, and libpq's
    options. Without `create`, raises NoSuchLog if the log does not exist. With `readonly`, too, and
    nothing in the log changes.
    """
    if not is_text(url) or "\0" in url:
        raise StorageError(f"{url!r:.80} is not a database URL")
    opened = _opened(url, create=create, readonly=readonly)
    opened.address = url
    return opened


def _opened(url: str, *, create: bool, readonly: bool) -> Recorder:
    parts = urlsplit(url)
    if url == "memory:":
        if not create:
            raise NoSuchLog(url)
        return MemoryRecorder()
    if (path := sqlite_path(url)) is not None:
        options = _sqlite_options(url, path, parts.query)
        synchronous = options.get("synchronous", "FULL").upper()
        if synchronous not in SYNCHRONOUS:
            why = f"synchronous={synchronous} must be one of {', '.join(SYNCHRONOUS)}"
            raise _wrong(url, f"{why}")
        timeout = _seconds(url, options.get("timeout", "30"))
        if readonly:
            return ReadonlySqliteRecorder(path, timeout=timeout)
        return SqliteRecorder(path, synchronous=synchronous, timeout=timeout, create=create)
    if parts.scheme in ("postgresql", "postgres"):
        return _postgres(url, create=create and not readonly, readonly=readonly)
    understood = "sqlite:///FILE, postgresql://… or memory: are understood"
    raise StorageError(f"{without_password(url)!r} is not a database URL: {understood}")


def _wrong(url: str, why: str) -> StorageError:
    return StorageError(f"{without_password(url)!r}: {why}")


def _sqlite_options(url: str, path: str, query: str) -> dict[str, str]:
    if path == ":memory:":
        raise StorageError(
            f"{without_password(url)!r}: a log in memory is 'memory:'; this would be a file"
        )
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options.keys() - SQLITE_OPTIONS:
        known = " and ".join(SQLITE_OPTIONS)
        raise _wrong(url, f"SQLite has no option {name!r}, but {known}")
    return options


def sqlite_path(url: str) -> str | None:
    """The file of a SQLite log; None for any other URL."""
    parts = urlsplit(url)
    is_file = parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1
    return unquote(parts.path[1:]) if is_file else None


def _seconds(url: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise StorageError(
            f"{without_password(url)!r}: timeout={text} is not a number of seconds"
        ) from error
    if not 0 <= seconds <= LONGEST_TIMEOUT:
        raise StorageError(
            f"{without_password(url)!r}: timeout={text} is not between 0 and {LONGEST_TIMEOUT:,}"
        )
    return seconds


def _postgres(url: str, *, create: bool, readonly: bool) -> Recorder:
    with needed("postgres", "PostgreSQL"):
        from turnlog.storage.postgres import PostgresRecorder
    address = libpq_url(url)
    return PostgresRecorder(
        address.url,
        timeout=address.timeout,
        pooled=address.pooled,
        create=create,
        readonly=readonly,
    )


class PostgresAddress(NamedTuple):
    """A log in PostgreSQL. url: as libpq understands it. timeout: seconds. pooled: behind
    PgBouncer.
    """

    url: str
    timeout: float
    pooled: bool


def libpq_url(url: str) -> PostgresAddress:
    """A PostgreSQL URL, split from turnlog's own options in it."""
    base, _, query = url.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    timeout = _seconds(url, options.pop("timeout", "10"))
    pooled = _switch(url, "pooled", options.pop("pooled", "0"))
    # libpq reads a plus sign literally, so spaces must be quoted
    kept = "?" + urlencode(options, quote_via=quote) if options else ""
    return PostgresAddress(base + kept, timeout, pooled)


def _switch(url: str, name: str, text: str) -> bool:
    if text not in ("0", "1"):
        raise _wrong(url, f"{name}={text} must be 0 or 1")
    return text == "1"
