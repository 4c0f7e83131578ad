"""Keys that an erasure destroys in a sealed log, and that stay destroyed (ADR 19)."""

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
    """The subjects whose keys an erasure destroys; none in an unsealed log.

    Keys under a hold stay, as does the own key of a conversation with other people.
    """
    if log.keys is None or plan.of == "event":  # an event has no key of its own
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
    """New events, from any process, are not sealed under their keys from here on.

    The keys are destroyed at the end. whole: conversations to be erased; data derived from them
    until then is sealed under other keys, which are destroyed too.
    """
    if not subjects or log.keys is None:
        yield
        return
    log.keys.retire(subjects)
    yield
    made = (subject for name in whole for subject in log.keys.subjects_in(name))
    log.keys.destroy([*subjects, *made])


def destroy_again(log: Any) -> None:
    """Destroy again, in a restored key store, the keys of everything that the log says is erased.

    Errors are logged, and the next opening of the log tries again.
    """
    reader = log.store.beneath.reader
    try:
        under_way = unfinished(reader).open  # their keys are needed until it is done
        kept = under_way.event.subjects if under_way else ()
        gone = [subject for subject in _erased(reader) if subject not in kept]
        if back := log.keys.not_destroyed(gone):
            logger.warning("%s: the key store has keys of erased content again", log.keys.url)
            log.keys.destroy(back)
    except StorageError as error:
        logger.warning("%s: cannot destroy keys: %s", log.keys.url, error)


def _erased(reader: Reader) -> Iterator[bytes]:
    """All subjects of recorded erasures; these records are not sealed."""
    stream, after = reader.stream(UPKEEP), 0
    while stream and (rows := reader.rows(stream.stream, after, None, _ROWS_AT_ONCE)):
        for row in rows:
            if is_commit(row.topic) and holds(row.topic, row.skeleton, _TAGS):
                for event in row.commit().events:
                    if isinstance(event, ErasureRecorded):
                        yield from event.subjects
        after = rows[-1].version
