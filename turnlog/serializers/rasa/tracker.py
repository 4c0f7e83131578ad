"""Rasa's tracker as JSON: the output of `current_state()`, of Rasa's HTTP API and of its stores."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.fold import replay
from turnlog.errors import FormatError
from turnlog.serializers.rasa.source import Place, RasaCodec
from turnlog.serializers.rasa.state import current_state
from turnlog.serializers.rasa.writer import to_rasa
from turnlog.serializers.shared.codec import Example
from turnlog.serializers.shared.document import as_line, write_array

_EVENT = re.compile(rb'"event"\s*:\s*"')
_NOT_OURS = re.compile(rb'"py/object"|"event"\s*:\s*\{|"tracker"\s*:\s*\{|"\$oid"')


class RasaTrackerCodec(RasaCodec):
    """A tracker, an array or lines of them, or the bare array of one conversation's events.

    A conversation is named by `sender_id` or `name`; bare events by the file.
    """

    name = "rasa-tracker"
    suffix = ".json"
    writes = whole = True

    def sniff(self, head: bytes, path: Path) -> bool:
        """Recognises events with an `event` key, or `latest_event_time`."""
        begins = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")
        if not begins or _NOT_OURS.search(head):
            return False
        return _EVENT.search(head) is not None or b'"latest_event_time"' in head

    def read(self, path: Path) -> Iterator[Dialogue | FormatError]:
        """One dialogue a tracker, or a single one of bare events."""
        documents = self.documents(path)
        first = next(documents, None)
        if first is None:
            return
        every = itertools.chain((first,), documents)
        if is_event(first[0]):
            objects = [value for value, _ in every]
            yield self.dialogue(path.stem, objects, Place(str(path), field=""))
            return
        for value, place in every:
            try:
                yield self._tracker(value, place)
            except FormatError as error:
                yield error

    def _tracker(self, value: Any, place: Place) -> Dialogue:
        if not isinstance(value, dict) or "events" not in value:
            why = "not a tracker: it has no events"
            raise FormatError(why, file=place.file, line=place.line, field="events")
        name = value.get("sender_id", value.get("name", Path(place.file).stem))
        return self.dialogue(name, value["events"], place)

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """One example: the tracker with its events."""
        dialogue = self.last_turns(dialogue)
        lost = Counter[str]()
        events = list(to_rasa(dialogue.events, dialogue.first_event, lost))
        content: dict[str, Any] = {"sender_id": dialogue.name}
        if dialogue.first_event == 1:
            content = current_state(dialogue.name, replay(dialogue.events), dialogue.events)
        content["events"] = events
        yield Example.of(dialogue, content, lost)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """One conversation as an object, several as an array of them."""
        rest = iter(examples)
        some = list(itertools.islice(rest, 2))
        if len(some) == 1:
            out.write(as_line(some[0].content))
        else:
            write_array(itertools.chain(some, rest), out)


def is_event(value: Any) -> bool:
    """Whether a document is an event rather than a tracker."""
    return isinstance(value, dict) and isinstance(value.get("event"), str) and "events" not in value
