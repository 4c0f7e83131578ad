"""OpenAI chat messages, a conversation a line; tau-bench and tau2-bench trajectories on import.

`{"messages": […], "tools": […], "id": …}`; tau-bench is an array of objects with `traj`,
tau2-bench an object whose `simulations` have `messages`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from turnlog.domain import events as e
from turnlog.domain.conversation import Dialogue
from turnlog.errors import FormatError
from turnlog.serializers import json_stream
from turnlog.serializers.codec import SNIFFED, Example
from turnlog.serializers.document import DocumentCodec, member, write_lines
from turnlog.serializers.json_stream import Element
from turnlog.serializers.json_value import parse
from turnlog.serializers.openai_messages import Messages

_LINES = re.compile(rb'\{[^\n]*?"messages"\s*:\s*\[|\{\s*"tools"\s*:\s*\[\s*\{\s*"type"')
_TAU = re.compile(rb'\[\s*\{\s*"(?:task_id|traj|messages|trial|id)"\s*:')
_TAU2 = re.compile(rb'\{.*?"simulations"\s*:\s*\[|\{.*?"info"\s*:\s*\{.*?"num_trials"', re.DOTALL)
_APART = frozenset(("messages", "traj", "tools", "id"))


class OpenaiCodec(DocumentCodec):
    """Options: ids, whether the conversation's id is written beside its messages (it is)."""

    name = "openai"
    suffix = ".jsonl"
    reads = writes = True
    id_fields = ("id", "task_id")

    def sniff(self, head: bytes, path: Path) -> bool:
        head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if head.startswith(b"["):
            return bool(_TAU.match(head)) and (b'"traj"' in head or b'"role"' in head[:SNIFFED])
        return bool(_LINES.match(head) or _TAU2.match(head))

    def elements(self, file: BinaryIO) -> Iterator[Element | FormatError]:
        head = file.read(SNIFFED).removeprefix(b"\xef\xbb\xbf").lstrip()
        file.seek(0)
        keep = self.limits.conversation_bytes
        if head.startswith(b"["):
            yield from json_stream.elements(file, keep)
        elif _TAU2.match(head) and not _LINES.match(head):
            yield from json_stream.elements(file, keep, below=("simulations",))
        else:
            yield from json_stream.lines(file, keep)

    def dialogue(self, value: Any, element: Element, path: Path) -> Dialogue:
        if not isinstance(value, dict):
            raise FormatError(f"an object with `messages` was expected, not {value!r:.60}")
        name = _name(value) or f"{path.name}:{element.line}"
        field = "traj" if "traj" in value else "messages"
        messages = Messages()
        events = [
            *messages.opening(_opening(value)),
            *messages.events(member(value, field, list), field),
        ]
        return Dialogue(name, tuple(events))

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        from turnlog.serializers.openai_writer import example

        yield from example(dialogue, ids=self.options.get("ids", True))

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        write_lines(examples, out)


def _name(value: Mapping[str, Any]) -> str | None:
    if isinstance(given := value.get("id"), str | int) and given != "":
        return str(given)
    if "traj" in value and "task_id" in value:
        return f"{value['task_id']}-{value.get('trial', 0)}"
    return None


def _opening(value: Mapping[str, Any]) -> Iterator[e.Event]:
    """What stands beside the messages."""
    extra = {key: held for key, held in value.items() if key not in _APART}
    if extra:
        yield e.ConversationAnnotated(extra=extra)
    tools = value.get("tools")
    if isinstance(tools, str):
        tools = parse(tools.encode())
    if tools is not None and not isinstance(tools, list):
        raise FormatError(f"a list was expected, not {tools!r:.60}", field="tools")
    if tools is not None:
        yield e.SystemInstructed(tools=tools)
