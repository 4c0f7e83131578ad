"""Dialogues to trajectories: a step for each message, with the results of its calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.message_parts import Media, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from turnlog.domain.messages import Message, messages
from turnlog.domain.plain import dumps
from turnlog.errors import FormatError
from turnlog.serializers.atif.metrics import metrics_of
from turnlog.serializers.atif.reader import BESIDE, ROLES, SUBAGENTS
from turnlog.serializers.openai.chat import HELD_WITH_REASONING
from turnlog.serializers.openai.text_chat import call_arguments
from turnlog.serializers.shared.codec import Example
from turnlog.serializers.shared.document import refuse_raw_example
from turnlog.serializers.shared.losses import Held, lost

VERSION = "ATIF-v1.8"

_SOURCES = {**{role: source for source, role in ROLES.items()}, "developer": "system"}
_HELD: Held = {
    **{kind: fields | {"timestamp", "versions"} for kind, fields in HELD_WITH_REASONING.items()},
    e.ToolReturned: HELD_WITH_REASONING[e.ToolReturned] | {"is_error"},
    e.AnswerMeasured: frozenset(("message", "usage", "model", "finish")),
    e.AgentStarted: frozenset(("agent",)),
}
_MIMES = {
    "image": ("image/jpeg", "image/png", "image/gif", "image/webp"),
    "audio": ("audio/wav", "audio/mpeg", "audio/mp4", "audio/aac", "audio/ogg", "audio/flac",
              "audio/webm", "audio/aiff"),
}  # fmt: skip


def trajectory(dialogue: Dialogue) -> Iterator[Example]:
    """Nothing where nothing was said. Raises FormatError, naming conversation and turn, for what
    no trajectory can say.
    """
    steps = _Steps(dialogue)
    for message in messages(dialogue.numbered()):
        steps.take(message)
    if not steps.steps:
        return
    ids = {"session_id": dialogue.name, "trajectory_id": dialogue.name}
    content = {"schema_version": VERSION, **ids, **_root(dialogue), "steps": steps.steps}
    others = [other for beside in _beside(dialogue) for other in beside.get(SUBAGENTS, ())]
    content |= {SUBAGENTS: others} if others else {}
    example = Example.of(dialogue, content, +steps.lost, steps.noted)
    refuse_raw_example(example)
    yield example


def _beside(dialogue: Dialogue) -> Iterator[Mapping[str, Any]]:
    for event in dialogue.events:
        if isinstance(event, e.ConversationAnnotated):
            beside = (event.extra or {}).get(BESIDE)
            yield beside if isinstance(beside, dict) else {}


def _root(dialogue: Dialogue) -> dict[str, Any]:
    """What stands beside the steps, as it came; else what the events say of the agent."""
    root = {key: held for beside in _beside(dialogue) for key, held in beside.items()}
    root.pop(SUBAGENTS, None)
    agent = root.pop("agent", None) or _agent(dialogue)
    tools = [event.tools for event in dialogue.events if isinstance(event, e.SystemInstructed)]
    given = next((each for each in reversed(tools) if each is not None), None)
    return {"agent": {**agent, **({} if given is None else {"tool_definitions": given})}, **root}


def _agent(dialogue: Dialogue) -> dict[str, Any]:
    events = dialogue.events
    names = (event.agent for event in events if isinstance(event, e.AgentStarted))
    versions = [event.versions for event in events if event.versions is not None]
    code = (each.code for each in versions if each.code is not None)
    model = next((each.model for each in versions if each.model is not None), None)
    agent = {"name": next(names, "unknown"), "version": next(code, "unknown")}
    return agent if model is None else {**agent, "model_name": model}


class _Steps:
    """Gathers the steps, and which of them made which call."""

    def __init__(self, dialogue: Dialogue) -> None:
        self.steps: list[dict[str, Any]] = []
        self.lost = Counter(loss for event in dialogue.events for loss in _lost(event))
        self._dialogue = dialogue
        self._events = dict(dialogue.numbered())
        self._made: dict[str, dict[str, Any]] = {}

    @property
    def noted(self) -> dict[str, int]:
        """What whoever trains on it should know, though nothing is lost."""
        source = self.steps[-1]["source"]
        return {} if source == "agent" else {f"trajectory that ends with a {source} step": 1}

    def take(self, message: Message) -> None:
        """Raises FormatError for what no trajectory can say."""
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
        step["source"] = _SOURCES[message.role]
        step["message"] = self._said(message, beside.pop("durations", {}))
        step |= _of_the_agent(message) if message.role == "assistant" else {}
        self.steps.append(step)
        extras = beside.pop("tool_calls", {})
        if calls:
            step["tool_calls"] = [self._call(call, step, extras) for call in calls]
        extra = {**_extra(message, first), **beside.pop("extra", {})}
        step |= {**beside, **({"extra": extra} if extra else {})}
        if not (step["message"] or calls or "reasoning_content" in step or message.text == ""):
            raise FormatError("says nothing that a trajectory can hold")

    def _said(self, message: Message, durations: Mapping[str, Any]) -> str | list[Any]:
        shown = [part for part in message.parts if isinstance(part, Text | Refusal | Media)]
        if not any(isinstance(part, Media) for part in shown):
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
        self, call: ToolCall, step: dict[str, Any], extras: Mapping[str, Any]
    ) -> dict[str, Any]:
        given = call_arguments(call)
        if not isinstance(given, dict):
            raise FormatError(f"arguments of {call.name!r} are no JSON object", field="tool_calls")
        self._made[call.id] = step
        written = {"tool_call_id": call.id, "function_name": call.name, "arguments": given}
        return written | ({"extra": extras[call.id]} if call.id in extras else {})

    def _observe(self, message: Message) -> None:
        """A result stands in the step that made the call."""
        (result,) = (part for part in message.parts if isinstance(part, ToolResult))
        beside = dict(message.metadata.get(BESIDE) or {})
        extra = dict(beside.pop("extra", {}))
        written: dict[str, Any] = {}
        step = self.steps[-1] if self.steps else None
        if beside.pop("source_call_id", result.call_id) is not None:
            step = self._made.get(result.call_id or "")
            written["source_call_id"] = result.call_id
        if step is None:
            raise FormatError(f"{result.call_id!r:.60} answers no call", field="source_call_id")
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
        self.lost["result that is no text"] += 1
        return dumps(content).decode()


def _lost(event: e.Event) -> Iterator[str]:
    by_user = isinstance(event, e.ToolCalled | e.ToolReturned) and event.actor == "user"
    if by_user:
        yield f"{type(event).__name__} of the user's side"
        return
    yield from lost(event, _HELD)
    if isinstance(event, e.ConversationAnnotated):
        yield from (f"ConversationAnnotated.extra.{k}" for k in event.extra or () if k != BESIDE)


def _iso(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat().replace("+00:00", "Z")


def _of_the_agent(message: Message) -> dict[str, Any]:
    thoughts = [part.text or "" for part in message.parts if isinstance(part, Reasoning)]
    found = {
        "model_name": message.model,
        "reasoning_content": "".join(thoughts) if thoughts else None,
        "metrics": None if message.usage is None else metrics_of(message.usage),
    }
    return {name: held for name, held in found.items() if held is not None}


def _extra(message: Message, first: e.Event) -> dict[str, Any]:
    """What the message says that a step has no member for."""
    held = {k: v for k, v in message.metadata.items() if k not in (BESIDE, "content")}
    found = {"name": message.name, "finish_reason": message.finish}
    if isinstance(first, e.AgentUttered):
        found["author"] = message.author
    return {**held, **{k: v for k, v in found.items() if v is not None}}


def _content(part: Part) -> dict[str, Any] | None:
    """None where ATIF has no place for it: without a path, or of a type it does not have."""
    if not isinstance(part, Media):
        return {"type": "text", "text": part.text} if isinstance(part, Text | Refusal) else None
    if part.uri is None or part.mime not in _MIMES.get(part.kind, ()):
        return None
    return {"type": part.kind, "source": {"media_type": part.mime, "path": part.uri}}


def _is_content(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in ("text", "image", "audio")
