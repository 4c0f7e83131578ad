"""Opens the key store that a URL names."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from turnlog.errors import NoSuchLog, StorageError
from turnlog.extras import needed
from turnlog.keys.kms import kms
from turnlog.keys.store import KeyStore
from turnlog.keys.tables import KeyTables
from turnlog.storage.shown_url import without_password
from turnlog.storage.urls import sqlite_path


def key_store(url: str, *, create: bool) -> KeyStore:
    """`sqlite:///keys.db`, `postgresql://…` or `memory:`, optionally with `?kms=NAME:ADDRESS`.

    Without `create`, raises StorageError if the store does not exist.
    """
    base, options = _split(url)
    try:
        tables = _tables(base, create=create)
    except NoSuchLog as error:
        raise StorageError(f"{without_password(url)}: key store does not exist") from error
    try:
        return KeyStore(tables, kms(options.get("kms")))
    except BaseException:
        tables.close()
        raise


def _split(url: str) -> tuple[str, dict[str, str]]:
    """The URL without the option `kms`, and all options."""
    base, _, query = url.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    rest = "&".join(part for part in query.split("&") if part and not part.startswith("kms="))
    return (f"{base}?{rest}" if rest else base), options


def _tables(url: str, *, create: bool) -> KeyTables:
    from turnlog.keys.sqlite import SqliteKeyTables

    if url == "memory:":
        return SqliteKeyTables(":memory:", create=True)
    if (path := sqlite_path(url)) is not None and not urlsplit(url).query:
        return SqliteKeyTables(path, create=create)
    if urlsplit(url).scheme in ("postgresql", "postgres"):
        with needed("postgres", "PostgreSQL"):
            from turnlog.keys.postgres import PostgresKeyTables
        return PostgresKeyTables(url, create=create)
    raise StorageError(
        f"{without_password(url)!r} is not a key store URL; use sqlite:///FILE, postgresql://…"
        " or memory:, with ?kms=NAME:ADDRESS if a KMS wraps its data key"
    )
