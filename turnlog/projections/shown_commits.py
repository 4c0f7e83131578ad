"""Commits of the log as views may show them."""

from __future__ import annotations

from collections.abc import Iterable

from turnlog.domain.commit import Commit
from turnlog.domain.redactions import Redactions
from turnlog.encoding.rows import is_commit
from turnlog.projections.heads import Heads
from turnlog.projections.history import StoredHistory
from turnlog.projections.live_head import LiveHead
from turnlog.projections.stream_rows import StreamRows
from turnlog.storage.contents import StoredContents
from turnlog.storage.reader import Reader
from turnlog.storage.rows import Row


def shown_commits(reader: Reader, heads: Heads, rows: Iterable[Row]) -> list[Commit]:
    """The commits in rows of the log, without redacted content and restricted conversations."""
    contents = StoredContents(reader, heads.recorder)
    commits = [(row, row.commit(contents)) for row in rows if is_commit(row.topic)]
    known = heads.known(reader, dict.fromkeys(row.conversation for row, _ in commits))
    redactions: dict[int, Redactions] = {}
    for row in {row.stream: row for row, _ in commits}.values():
        newest = known.get(row.conversation)
        if newest is not None and (newest.stream != row.stream or newest.state.redacted):
            history = StoredHistory(StreamRows.of(reader, heads, row))
            redactions[row.stream] = history.redactions()
    return [
        commit.shown(hiding) if (hiding := redactions.get(row.stream)) else commit
        for row, commit in commits
        if not _is_restricted(known.get(row.conversation))
    ]


def _is_restricted(head: LiveHead | None) -> bool:
    return head is not None and head.state.restricted
