"""Trajectories of agents, a document each or one a line, as Harbor and its tools exchange them."""

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

    A file of one trajectory is a document of it. It is read in whatever layout.
    """

    name = "atif"
    suffix = ".jsonl"
    reads = writes = True
    id_fields = ("trajectory_id", "session_id")

    def sniff(self, head: bytes, path: Path) -> bool:
        keys = begins_with(head, "{") | begins_with(head, "[", "{")
        return "schema_version" in keys and _SNIFF.search(head) is not None

    def elements(self, file: BinaryIO) -> Iterator[Element | FormatError]:
        head = file.read(SNIFFED).removeprefix(b"\xef\xbb\xbf").lstrip()
        file.seek(0)
        if not head:
            return
        read = json_stream.elements if head.startswith(b"[") else json_stream.documents
        yield from read(file, self.limits.conversation_bytes)

    def dialogue(self, value: Any, element: Element, path: Path) -> Dialogue:
        version = member(value, "schema_version", str)
        found = _VERSION.match(version)
        if found is None or found[1] != "1":
            raise FormatError(f"{version!r:.60} is not a version 1 of ATIF", field="schema_version")
        ids = (value.get(field) for field in self.id_fields)
        name = next((id for id in ids if isinstance(id, str) and id), None)
        return Dialogue(name or f"{path.name}:{element.line}", tuple(events_of(value)))

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        yield from trajectories(dialogue)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        write_lines(examples, out)
