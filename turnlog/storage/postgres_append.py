"""A commit as one statement: a function of the database, which takes the writers' lock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from turnlog.storage.postgres_connection import Integers, Texts
from turnlog.storage.rows import Key, Row, Stream

LOCK: LiteralString = "pg_advisory_xact_lock(1953854062, hashtext(current_schema()))"

FUNCTION: LiteralString = f"""
CREATE FUNCTION turnlog_append_t1(
    streams bigint[], lives bigint[], owners bytea[], names bytea[], lookups bytea[],
    row_streams bigint[], versions bigint[], topics bytea[], previouses bytea[],
    skeletons bytea[], commitments bytea[], parts bytea[], digests bytea[],
    key_lookups bytea[], key_rows bigint[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    newest bigint;
BEGIN
    PERFORM {LOCK};
    SELECT coalesce(max(position), 0) INTO newest FROM turnlog_rows_t1;
    IF cardinality($1) > 0 THEN
        INSERT INTO turnlog_streams
            SELECT unnest($1), unnest($2), unnest($3), unnest($4), unnest($5);
    END IF;
    INSERT INTO turnlog_rows_t1
        SELECT newest + generate_subscripts($6, 1), unnest($6), unnest($7), unnest($8),
            unnest($9), unnest($10), unnest($11), unnest($12), unnest($13);
    FOR place IN 1 .. cardinality($6) LOOP
        CONTINUE WHEN $6[place] = ANY ($1);
        PERFORM FROM turnlog_rows_t1
            WHERE stream = $6[place] AND version = $7[place] - 1 AND digest = $9[place];
        IF NOT FOUND THEN
            RAISE unique_violation
                USING MESSAGE = 'version ' || $7[place] || ' does not follow from what is there';
        END IF;
    END LOOP;
    INSERT INTO turnlog_keys SELECT unnest($14), newest + unnest($15);
    NOTIFY turnlog;
    RETURN newest + 1;
END
$$;
"""
"""The function refuses rows if their streams differ from what the caller knows: if their versions
exist, or if the row that they follow is missing because the server lost its newest rows.

Arrays are unnested in the select list, because in FROM each would be stored first.
"""

APPEND: LiteralString = (
    "SELECT turnlog_append_t1(%b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b)"
)

PREPARED = "turnlog_append"
PREPARE: LiteralString = (
    f"PREPARE {PREPARED} AS SELECT"
    " turnlog_append_t1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
)


def appended(
    rows: Sequence[Row], streams: Sequence[Stream], keys: Sequence[Key], secret: bytes
) -> list[Integers | Texts]:
    """The function's arguments: rows without positions, and keys with the number of their row."""
    before = rows[0].position - 1
    return [
        Integers(stream.stream for stream in streams),
        Integers(stream.life for stream in streams),
        Texts(stream.owner for stream in streams),
        Texts(stream.name for stream in streams),
        Texts(stream.lookup(secret) for stream in streams),
        Integers(row.stream for row in rows),
        Integers(row.version for row in rows),
        Texts(row.topic.encode() for row in rows),
        Texts(row.previous for row in rows),
        Texts(row.skeleton for row in rows),
        Texts(row.commitments for row in rows),
        Texts(row.parts for row in rows),
        Texts(row.digest() for row in rows),
        Texts(key.lookup for key in keys),
        Integers(key.position - before for key in keys),
    ]
