"""OpenAI chat messages, a conversation a line; tau-bench and tau2-bench trajectories on import.

`{"messages": […], "tools": […], "id": …}`; tau-bench is an array of objects with `traj`,
tau2-bench an object whose `simulations` have `messages`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.errors import FormatError
from turnlog.serializers.openai.messages import Messages
from turnlog.serializers.openai.writer import example
from turnlog.serializers.shared import json_stream
from turnlog.serializers.shared.codec import SNIFFED, Example
from turnlog.serializers.shared.document import DocumentCodec, member, write_lines
from turnlog.serializers.shared.json_head import begins_with
from turnlog.serializers.shared.json_stream import Element
from turnlog.serializers.shared.json_value import parse

_APART = frozenset(("messages", "traj", "tools", "id"))


class OpenaiCodec(DocumentCodec):
    """Options: `ids`, whether to write the conversation's id next to its messages (default true);
    `trim`, to end with the assistant's last message.
    """

    name = "openai"
    suffix = ".jsonl"
    reads = writes = True
    writes_json = True
    id_fields = ("id", "task_id")
    settings = frozenset(("ids", "trim"))

    def sniff(self, head: bytes, path: Path) -> bool:
        """Recognises lines with messages, and tau-bench's and tau2-bench's layouts."""
        return any(layout(head) for layout in (_lines, _tau, _tau2))

    def elements(self, file: BinaryIO) -> Iterator[Element | FormatError]:
        """The conversations of any of the three layouts."""
        head = file.read(SNIFFED)
        file.seek(0)
        keep = self.limits.conversation_bytes
        if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
            yield from json_stream.elements(file, keep)
        elif _tau2(head) and not _lines(head):
            yield from json_stream.elements(file, keep, below=("simulations",))
        elif _is_pretty_printed(head):
            yield from json_stream.documents(file, keep)
        else:
            yield from json_stream.lines(file, keep)

    def dialogue(self, value: Any, element: Element, path: Path) -> Dialogue:
        """A conversation without an id takes the file's name, in a folder its path, and its
        line.
        """
        if not isinstance(value, dict):
            raise FormatError(f"expected an object with `messages`, not {value!r:.60}")
        name = _name(value) or f"{self.file_name(path)}:{element.line}"
        field = "traj" if "traj" in value else "messages"
        messages = Messages()
        events = [
            *messages.opening(_opening(value)),
            *messages.events(member(value, field, list), field),
        ]
        return Dialogue(name, tuple(events))

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """One example: the chat; empty without messages."""
        ids, trim = self.options.get("ids", True), self.options.get("trim", False)
        yield from example(dialogue, ids=ids, trim=trim)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """One conversation a line."""
        write_lines(examples, out)


def _is_pretty_printed(head: bytes) -> bool:
    """Whether an object continues in a second line, which JSON lines never do."""
    first, _, rest = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    return first.strip() == b"{" or rest[:1] in (b" ", b"\t")


def _lines(head: bytes) -> bool:
    keys = begins_with(head, "{")
    return "messages" in keys or ("tools" in keys and b'"function"' in head)


def _tau(head: bytes) -> bool:
    keys = begins_with(head, "[", "{")
    return "traj" in keys or "messages" in keys or {"task_id", "reward"} <= keys


def _tau2(head: bytes) -> bool:
    keys = begins_with(head, "{")
    return "simulations" in keys or ("info" in keys and b'"num_trials"' in head)


def _name(value: Mapping[str, Any]) -> str | None:
    if isinstance(id := value.get("id"), str | int) and id != "":
        return str(id)
    if "traj" in value and "task_id" in value:
        return f"{value['task_id']}-{value.get('trial', 0)}"
    return None


def _opening(value: Mapping[str, Any]) -> Iterator[e.Event]:
    """The members next to the messages."""
    extra = {key: held for key, held in value.items() if key not in _APART}
    if extra:
        yield e.ConversationAnnotated(extra=extra)
    tools = value.get("tools")
    if isinstance(tools, str):
        tools = parse(tools.encode())
    if tools is not None and not isinstance(tools, list):
        raise FormatError(f"expected a list, not {tools!r:.60}", field="tools")
    if tools is not None:
        yield e.SystemInstructed(tools=tools)
