"""Keys that go with an erasure, of a log that is sealed, and that stay gone (ADR 19)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from turnlog.domain.events import ErasureRecorded
from turnlog.domain.streams import UPKEEP
from turnlog.domain.subjects import CONVERSATION, Subject
from turnlog.encoding.rows import TAGS, holds, is_commit
from turnlog.engine.erasure.plan import ErasurePlan
from turnlog.engine.erasure.unfinished import unfinished
from turnlog.errors import StorageError
from turnlog.storage.reader import Reader

logger = logging.getLogger(__name__)

_TAGS = (TAGS[ErasureRecorded],)
_ROWS_AT_ONCE = 500


def subjects_of(log: Any, plan: ErasurePlan) -> tuple[bytes, ...]:
    """Those whose keys an erasure destroys; none where the log is not sealed.

    What a hold keeps stays, and of a conversation that others are in, what it is itself.
    """
    if log.keys is None or plan.of == "event":  # a key is not that of one event
        return ()
    found, kept = set[bytes](), set[bytes]()
    for conversation in plan.whole:
        found.update(log.keys.subjects_in(conversation))
    if plan.of == "person":
        for name in plan.names:
            found.update(log.keys.subjects_of(name))
        for conversation in _shared(log, plan):
            kept.update(log.keys.living(conversation, Subject(CONVERSATION)))
    for conversation in plan.held:
        kept.update(log.keys.subjects_in(conversation))
    return tuple(sorted(found - kept))


def _shared(log: Any, plan: ErasurePlan) -> Iterator[str]:
    for number in plan.events:
        stream = log.store.reader.stream_of(number)
        if stream is not None and stream.name is not None:
            yield stream.conversation


@contextmanager
def destroyed(log: Any, subjects: Sequence[bytes], whole: Sequence[str]) -> Iterator[None]:
    """What is written within, or by another process from now on, is not sealed under their keys.

    They are destroyed in the end. whole: conversations that go; what is derived of them just before
    they do is sealed under other keys, which go too.
    """
    if not subjects or log.keys is None:
        yield
        return
    log.keys.retire(subjects)
    yield
    made = (subject for name in whole for subject in log.keys.subjects_in(name))
    log.keys.destroy([*subjects, *made])


def destroy_again(log: Any) -> None:
    """What the log says is erased is destroyed once more, in a key store that was put back.

    What goes wrong on the way is logged, and tried again when the log is opened next.
    """
    reader = log.store.beneath.reader
    try:
        under_way = unfinished(reader).open  # whose keys are needed until it is done
        kept = under_way.event.subjects if under_way else ()
        gone = [subject for subject in _erased(reader) if subject not in kept]
        if back := log.keys.not_destroyed(gone):
            logger.warning("%s: keys of what was erased are there again", log.keys.url)
            log.keys.destroy(back)
    except StorageError as error:
        logger.warning("%s: keys cannot be destroyed: %s", log.keys.url, error)


def _erased(reader: Reader) -> Iterator[bytes]:
    """All subjects of erasures that are recorded; their records are in clear."""
    stream, after = reader.stream(UPKEEP), 0
    while stream and (rows := reader.rows(stream.stream, after, None, _ROWS_AT_ONCE)):
        for row in rows:
            if is_commit(row.topic) and holds(row.topic, row.skeleton, _TAGS):
                for event in row.commit().events:
                    if isinstance(event, ErasureRecorded):
                        yield from event.subjects
        after = rows[-1].version
