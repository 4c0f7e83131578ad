"""Trajectories of agents, as Harbor and its tools exchange them: one document, or one a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from turnlog.domain.dialogue import Dialogue
from turnlog.errors import FormatError
from turnlog.serializers.atif.reader import events_of
from turnlog.serializers.atif.writer import trajectories
from turnlog.serializers.shared import json_stream
from turnlog.serializers.shared.codec import SNIFFED, Example
from turnlog.serializers.shared.document import DocumentCodec, member, write_lines
from turnlog.serializers.shared.json_head import begins_with
from turnlog.serializers.shared.json_stream import Element

_VERSION = re.compile(r"ATIF-v([0-9]+)\.([0-9]+)\Z")
_SNIFF = re.compile(rb'"schema_version"\s*:\s*"ATIF-v')


class AtifCodec(DocumentCodec):
    """`{"schema_version": "ATIF-v1.8", "agent": {…}, "steps": […]}`, one a line.

    Reads a single trajectory in any layout, lines, and an array.
    """

    name = "atif"
    suffix = ".jsonl"
    reads = writes = True
    id_fields = ("trajectory_id", "session_id")

    def sniff(self, head: bytes, path: Path) -> bool:
        """Recognises a `schema_version` of ATIF in the first object."""
        keys = begins_with(head, "{") | begins_with(head, "[", "{")
        return "schema_version" in keys and _SNIFF.search(head) is not None

    def elements(self, file: BinaryIO) -> Iterator[Element | FormatError]:
        """The trajectories of an array, or of lines and documents in any layout."""
        head = file.read(SNIFFED).removeprefix(b"\xef\xbb\xbf").lstrip()
        file.seek(0)
        if not head:
            return
        read = json_stream.elements if head.startswith(b"[") else json_stream.documents
        yield from read(file, self.limits.conversation_bytes)

    def dialogue(self, value: Any, element: Element, path: Path) -> Dialogue:
        """Any version 1.x of ATIF. A trajectory without an id takes the file's name and its
        line.
        """
        version = member(value, "schema_version", str)
        found = _VERSION.match(version)
        if found is None or found[1] != "1":
            raise FormatError(f"{version!r:.60} is not version 1 of ATIF", field="schema_version")
        ids = (value.get(field) for field in self.id_fields)
        name = next((id for id in ids if isinstance(id, str) and id), None)
        return Dialogue(name or f"{self.file_name(path)}:{element.line}", tuple(events_of(value)))

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """One trajectory, and one more for each time that events were rewound."""
        yield from trajectories(dialogue)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """One trajectory a line."""
        write_lines(examples, out)
