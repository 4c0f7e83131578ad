"""MultiWOZ 2.1: an object of dialogues, each with a goal and a log.

The metadata of log[2k+1] is the state after the user's message log[2k]; events record the changes.
Slots are named `domain.part.slot`, where part is `semi` or `book`. (github.com/budzianowski/
multiwoz; ConvLab-2 for dialog_act and span_info)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.errors import FormatError
from turnlog.serializers.multiwoz.acts import annotated
from turnlog.serializers.multiwoz.metadata import Metadata
from turnlog.serializers.multiwoz.writer import example, write
from turnlog.serializers.shared import json_stream
from turnlog.serializers.shared.codec import Example
from turnlog.serializers.shared.document import DocumentCodec, member
from turnlog.serializers.shared.extra import take
from turnlog.serializers.shared.json_head import begins_with
from turnlog.serializers.shared.json_stream import Element
from turnlog.serializers.shared.states import changes

_TURN = {"text": ("text", str)}
_WHOLE = {"goal": ("goal", dict)}
_GOAL = re.compile(rb'"goal"\s*:\s*\{')
_APART = frozenset(("metadata", "dialog_act", "span_info"))


class MultiwozCodec(DocumentCodec):
    """The files `data.json` and `*_subset.json`."""

    name = "multiwoz"
    keeps_ids = True
    suffix = ".json"
    reads = writes = True

    def sniff(self, head: bytes, path: Path) -> bool:
        """Recognises an object whose first member has a `log`, or a `goal` that is an object; in
        CrossWOZ it is a list.
        """
        keys = begins_with(head, "{", "{")
        return "log" in keys or ("goal" in keys and _GOAL.search(head) is not None)

    def elements(self, file: BinaryIO) -> Iterator[Element | FormatError]:
        """The members of the object."""
        return json_stream.elements(file, self.limits.conversation_bytes, of="{")

    def dialogue(self, value: Any, element: Element, path: Path) -> Dialogue:
        """A dialogue with an event for each change of its state."""
        if element.key is None:
            raise FormatError("expected an object of dialogues")
        return Dialogue(element.key, tuple(_LogReader().events(value)))

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """One example: the dialogue; empty for one without messages of the user."""
        if any(isinstance(event, e.UserUttered) for event in dialogue.events):
            yield example(dialogue)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """One JSON object."""
        write(examples, out)


class _LogReader:
    """Turns a dialogue into events and tracks the state known so far."""

    def __init__(self) -> None:
        self.metadata = Metadata()
        self.number = 0
        self.message = 0

    def events(self, value: Any) -> Iterator[e.Event]:
        log = member(value, "log", list)
        whole = {key: held for key, held in value.items() if key != "log"}
        if whole:
            self.number += 1
            yield e.ConversationAnnotated(**take(whole, _WHOLE))
        for index, turn in enumerate(log):
            try:
                for event in self._turn(turn, user=index % 2 == 0):
                    self.number += 1
                    yield event
            except FormatError as error:
                raise FormatError(error.why, field=f"log[{index}].{error.field}") from error

    def _turn(self, turn: Any, user: bool) -> Iterator[e.Event]:
        text = member(turn, "text", str)
        metadata = turn.get("metadata", {})
        rest = {key: held for key, held in turn.items() if key not in _APART}
        if not user and metadata:
            yield from self._state(metadata)
        elif metadata or (not user and self.metadata.has_content):
            rest["metadata"] = metadata
        yield (e.UserUttered if user else e.BotUttered)(**take(rest, _TURN))
        self.message = self.number
        annotation = annotated(turn, text, self.message)
        if annotation is not None:
            yield annotation

    def _state(self, tree: Any) -> Iterator[e.Event]:
        slots_before = self.metadata.slots
        frames = self.metadata.follow(tree)
        if frames:
            yield e.MessageAnnotated(frames=frames, message=self.message)
        yield from changes(slots_before, self.metadata.slots)
