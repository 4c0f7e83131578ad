"""Rasa's and Rasa X's SQL tracker store: the rows of the `events` table in order of their id."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from turnlog.domain.dialogue import Dialogue
from turnlog.errors import FormatError
from turnlog.extras import needed
from turnlog.serializers.rasa.source import ENVELOPE_DEPTH, Place, RasaCodec
from turnlog.serializers.shared.codec import url_of
from turnlog.serializers.shared.json_value import parse

_SQLITE = b"SQLite format 3\x00"


class _Table(NamedTuple):
    """A store's table. sender: the column of the conversation's id. kept: columns that add to the
    event, with their value in nearly every row, which is not stored.
    """

    name: str
    sender: str
    kept: Mapping[str, Any] = {}


_TABLES = (
    _Table("events", "sender_id"),
    _Table(
        "conversation_event", "conversation_id",
        {"is_flagged": 0, "evaluation": None, "rasa_environment": "production"},
    ),
)  # fmt: skip


class RasaSqlCodec(RasaCodec):
    """A SQLite file, or a database URL: `sqlite:///FILE`, `postgresql://…`."""

    name = "rasa-sql"

    def sniff(self, head: bytes, path: Path) -> bool:
        """Recognises a SQLite file with a table of Rasa's events."""
        if not head.startswith(_SQLITE):
            return False
        try:
            with closing(_sqlite(str(path))) as connection:
                return _table(connection, _SQLITE_TABLES) is not None
        except (sqlite3.Error, FormatError):
            return False

    def read(self, path: Path) -> Iterator[Dialogue | FormatError]:
        """One dialogue a sender, in order of their first rows. The database is only read."""
        source = str(path)
        try:
            connection, tables = _connected(source)
            with closing(connection):
                table = _table(connection, tables)
                if table is None:
                    raise FormatError("has no table of Rasa's events", file=source)
                yield from self._conversations(connection, table, source)
        except _errors() as error:
            why = " ".join(str(error).split())
            raise FormatError(f"the database cannot be read: {why}", file=source) from error

    def _conversations(
        self, connection: Any, table: _Table, source: str
    ) -> Iterator[Dialogue | FormatError]:
        names = f"SELECT {table.sender} FROM {table.name} GROUP BY 1 ORDER BY min(id)"
        mark = "?" if isinstance(connection, sqlite3.Connection) else "%s"
        rows = f"SELECT * FROM {table.name} WHERE {table.sender} = {mark} ORDER BY id"
        for (name,) in _fetched(connection, names):
            place = Place(source, field=f"{table.name} rows")
            try:
                objects = [
                    _event(row, table, depth=self.limits.depth + ENVELOPE_DEPTH)
                    for row in _dicts(connection, rows, (name,))
                ]
                yield self.dialogue(name, objects, place)
            except FormatError as error:
                yield _named(error, source, name)


def _named(error: FormatError, source: str, name: Any) -> FormatError:
    error.file = error.file or source
    error.conversation = error.conversation or str(name)
    error.args = (str(error),)
    return error


def _event(row: Mapping[str, Any], table: _Table, depth: int) -> Any:
    """The event of a row: its `data`, or its columns without that."""
    data = row.get("data")
    field = f"{table.name}.data, id {row.get('id')}"
    try:
        event = parse(data.encode(), depth=depth) if isinstance(data, str) else data
    except FormatError as error:
        error.field = field
        raise
    if event is None:
        event = {"event": row.get("type_name"), "timestamp": row.get("timestamp")}
    if not isinstance(event, dict):
        raise FormatError(f"{event!r:.60} is not an event", field=field)
    if "event" not in event and row.get("type_name"):
        event = {"event": row["type_name"], **event}
    says = {column: row[column] for column in table.kept if column in row}
    return event | {column: v for column, v in says.items() if v != table.kept[column]}


# --- databases ----------------------------------------------------------------------------------

_SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_TABLES_OF_SCHEMA = "SELECT table_name FROM information_schema.tables"


def _connected(source: str) -> tuple[Any, str]:
    url = url_of(Path(source))
    if url is None:
        return _sqlite(source), _SQLITE_TABLES
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return _sqlite(rest if Path(rest).exists() else f"/{rest.lstrip('/')}"), _SQLITE_TABLES
    if scheme.partition("+")[0] in ("postgresql", "postgres"):
        with needed("postgres", "PostgreSQL"):
            import psycopg

        return psycopg.connect(f"postgresql://{rest}"), _TABLES_OF_SCHEMA
    why = (
        f"{scheme!r} databases cannot be read; known: sqlite, postgresql, redis; "
        "export it to a file"
    )
    raise FormatError(why, file=source)


def _sqlite(path: str) -> sqlite3.Connection:
    """A read-only connection. A write-ahead log that cannot be opened is left alone."""
    file = Path(path)
    if not file.is_file():
        raise FormatError("file does not exist", file=path)
    uri = file.resolve().as_uri()
    try:
        connection = sqlite3.connect(f"{uri}?mode=ro", uri=True)
        connection.execute(_SQLITE_TABLES).fetchall()
    except sqlite3.OperationalError:
        connection = sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True)
    return connection


def _errors() -> tuple[type[Exception], ...]:
    try:
        import psycopg
    except ImportError:
        return (sqlite3.Error,)
    return (sqlite3.Error, psycopg.Error)


def _table(connection: Any, tables: str) -> _Table | None:
    there = {name for (name,) in _fetched(connection, tables)}
    return next((table for table in _TABLES if table.name in there), None)


def _fetched(connection: Any, statement: str) -> Sequence[Any]:
    rows: Sequence[Any] = connection.execute(statement).fetchall()
    return rows


def _dicts(connection: Any, statement: str, parameters: Sequence[Any]) -> Iterable[dict[str, Any]]:
    cursor = connection.execute(statement, parameters)
    columns = [column[0] for column in cursor.description]
    return (dict(zip(columns, row, strict=True)) for row in cursor)
