"""Which ids were erased: an import of them is refused."""

from __future__ import annotations

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import ErasureRecorded
from turnlog.domain.streams import UPKEEP
from turnlog.encoding.rows import TAGS, holds
from turnlog.errors import InvalidEvent
from turnlog.projections.persons import names_in
from turnlog.storage.lookups import commitment_of
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Recorder

_ROWS_AT_ONCE = 500
_RECORDS = frozenset([TAGS[ErasureRecorded]])


class ErasedIds:
    """Reads the log's own stream once, then only its new events."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._version = 0
        self._ids: set[str] = set()

    def check(self, dialogue: Dialogue) -> None:
        """Raise InvalidEvent for a conversation that would bring erased content back.

        If the id began again on a live channel, that conversation is compared with the file
        instead.
        """
        reader = self._recorder.reader
        self._read(reader)
        if not self._ids or reader.stream(dialogue.name) is not None:
            return
        people = [name for event in dialogue.events for name in names_in(event)]
        for name in dict.fromkeys((dialogue.name, *people)):
            if commitment_of(reader.secret, name) in self._ids:
                field = "conversation" if name == dialogue.name else "user"
                why = "was erased, and an import does not bring it back"
                raise InvalidEvent(dialogue.name, field, why)

    def holds(self, id: str) -> bool:
        """Whether a conversation or a person with this name was erased."""
        reader = self._recorder.reader
        self._read(reader)
        return commitment_of(reader.secret, id) in self._ids

    def _read(self, reader: Reader) -> None:
        if (stream := reader.stream(UPKEEP)) is None:
            return
        while rows := reader.rows(stream.stream, self._version, None, _ROWS_AT_ONCE):
            for row in rows:
                if holds(row.topic, row.skeleton, _RECORDS):
                    for event in row.commit().events:
                        self._ids.update(event.ids if isinstance(event, ErasureRecorded) else ())
            self._version = rows[-1].version
