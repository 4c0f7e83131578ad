"""The steps of a trajectory: one for each message, with the results of its calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.message_parts import Media, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from turnlog.domain.messages import Message, messages
from turnlog.domain.plain import dumps
from turnlog.errors import FormatError
from turnlog.serializers.atif.metrics import metrics_of
from turnlog.serializers.atif.reader import BESIDE, ROLES
from turnlog.serializers.openai.check import why_not_an_object
from turnlog.serializers.openai.text_chat import call_arguments

Numbered = tuple[int, e.Event]

_SOURCES = {**{role: source for source, role in ROLES.items()}, "developer": "system"}
_MIMES = {
    "image": ("image/jpeg", "image/png", "image/gif", "image/webp"),
    "audio": ("audio/wav", "audio/mpeg", "audio/mp4", "audio/aac", "audio/ogg", "audio/flac",
              "audio/webm", "audio/aiff"),
}  # fmt: skip


class Steps:
    """The steps that events of a dialogue form. lost: what has no place in them, by name. openers:
    numbers of the events that begin a message; their `extra` is the message's.

    Steps that begin before event `past` are copies from another trajectory and say so. Raises
    FormatError, naming conversation and turn, for events that no step can hold.
    """

    def __init__(self, dialogue: Dialogue, events: Sequence[Numbered], past: int = 0) -> None:
        self.steps: list[dict[str, Any]] = []
        self.lost: Counter[str] = Counter()
        self.openers: set[int] = set()
        self.last_event = events[-1][0] if events else 0
        self._dialogue = dialogue
        self._past = past
        self._events = dict(events)
        self._made: dict[str | None, dict[str, Any]] = {}
        for message in messages(events):
            self._take(message)

    @property
    def noted(self) -> dict[str, int]:
        """What anyone who trains on it should know, although nothing is lost."""
        source = self.steps[-1]["source"]
        return {} if source == "agent" else {f"trajectory that ends with a {source} step": 1}

    def _take(self, message: Message) -> None:
        self.openers.add(message.event or 0)
        try:
            if message.role == "tool":
                self._observe(message)
            else:
                self._step(message)
        except FormatError as error:
            error.conversation, error.turn = self._dialogue.name, self._turn(message)
            raise

    def _turn(self, message: Message) -> int:
        return max(
            turn.number
            for turn in self._dialogue.turns()
            if turn.first_event <= (message.event or 0)
        )

    def _step(self, message: Message) -> None:
        first = self._events[message.event or 0]
        beside = dict(message.metadata.get(BESIDE) or {})
        calls = [part for part in message.parts if isinstance(part, ToolCall) and not part.server]
        step: dict[str, Any] = {"step_id": len(self.steps) + 1}
        if first.timestamp is not None:
            step["timestamp"] = _iso(first.timestamp)
        step["source"] = _source(message.role)
        step["message"] = self._said(message, beside.pop("durations", {}))
        step |= _of_the_agent(message) if message.role == "assistant" else {}
        self.steps.append(step)
        extras = beside.pop("tool_calls", {})
        if calls:
            step["tool_calls"] = [self._call(call, step, extras) for call in calls]
        extra = {**_extra(message, first), **beside.pop("extra", {})}
        step |= {**beside, **({"extra": extra} if extra else {})}
        if (message.event or 0) < self._past:
            step["is_copied_context"] = True
        if not (step["message"] or calls or "reasoning_content" in step or message.text == ""):
            raise FormatError("contains nothing that a trajectory can hold")

    def _said(self, message: Message, durations: Mapping[str, Any]) -> str | list[Any]:
        shown = [part for part in message.parts if isinstance(part, Text | Refusal | Media)]
        if len(shown) < 2 and not any(isinstance(part, Media) for part in shown):
            return "".join(part.text for part in shown if not isinstance(part, Media))
        parts = []
        for at, part in enumerate(shown):
            if (content := _content(part)) is None:
                self.lost[f"{getattr(part, 'kind', 'text')} without a path or of another type"] += 1
                continue
            if str(at) in durations:
                content["source"]["duration_sec"] = durations[str(at)]
            parts.append(content)
        return parts

    def _call(
        self, call: ToolCall, step: dict[str, Any], extras: Mapping[str | None, Any]
    ) -> dict[str, Any]:
        given = call_arguments(call)
        if not isinstance(given, dict):
            why = why_not_an_object(given) or "is a text"
            raise FormatError(
                f"arguments of {call.name!r}: {given!r:.60} {why}", field="tool_calls"
            )
        self._made[call.id] = step
        written = {"tool_call_id": call.id, "function_name": call.name, "arguments": given}
        return written | ({"extra": extras[call.id]} if call.id in extras else {})

    def _observe(self, message: Message) -> None:
        """Adds a result to the step that made the call."""
        (result,) = (part for part in message.parts if isinstance(part, ToolResult))
        beside = dict(message.metadata.get(BESIDE) or {})
        extra = dict(beside.pop("extra", {}))
        written: dict[str, Any] = {}
        step = self.steps[-1] if self.steps else None
        if beside.pop("source_call_id", result.call_id) is not None:
            step = self._made.get(result.call_id)
            written["source_call_id"] = result.call_id
        if step is None:
            raise FormatError(
                f"{result.call_id!r:.60} does not answer a call", field="source_call_id"
            )
        if result.content is not None:
            written["content"] = self._result_text(result.content)
        extra |= {"is_error": True} if result.is_error else {}
        written |= {**beside, **({"extra": extra} if extra else {})}
        step.setdefault("observation", {"results": []})["results"].append(written)

    def _result_text(self, content: Any) -> str | list[Any]:
        if isinstance(content, str):
            return content
        if isinstance(content, list) and content and all(map(_is_content, content)):
            return content
        self.lost["result that is not a text"] += 1
        return dumps(content).decode()


def _iso(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat().replace("+00:00", "Z")


def _source(role: str) -> str:
    if role not in _SOURCES:
        raise FormatError(f"{role!r:.60} is not a role", field="source")
    return _SOURCES[role]


def _of_the_agent(message: Message) -> dict[str, Any]:
    thoughts = [part.text or "" for part in message.parts if isinstance(part, Reasoning)]
    found = {
        "model_name": message.model,
        "reasoning_content": "".join(thoughts) if thoughts else None,
        "metrics": None if message.usage is None else metrics_of(message.usage),
    }
    return {name: held for name, held in found.items() if held is not None}


def _extra(message: Message, first: e.Event) -> dict[str, Any]:
    """The parts of the message that a step has no member for."""
    held = {k: v for k, v in message.metadata.items() if k not in (BESIDE, "content")}
    found = {"name": message.name, "finish_reason": message.finish}
    if isinstance(first, e.AgentUttered):
        found["author"] = message.author
    return {**held, **{k: v for k, v in found.items() if v is not None}}


def _content(part: Part) -> dict[str, Any] | None:
    """None if ATIF has no place for it: it has no path, or a type that ATIF does not know."""
    if not isinstance(part, Media):
        return {"type": "text", "text": part.text} if isinstance(part, Text | Refusal) else None
    if part.uri is None or part.mime not in _MIMES.get(part.kind, ()):
        return None
    return {"type": part.kind, "source": {"media_type": part.mime, "path": part.uri}}


def _is_content(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in ("text", "image", "audio")
