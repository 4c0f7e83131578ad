"""Trajectories to events, by way of the message model.

Members that the log has no field for are stored under `atif` in the `extra` of their event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.message import Message
from turnlog.domain.message_parts import Media, Part, Reasoning, Text, ToolCall, ToolResult
from turnlog.domain.message_recording import Recording
from turnlog.errors import FormatError, InvalidMessage
from turnlog.serializers.atif.metrics import usage_of
from turnlog.serializers.shared.document import member

ROLES = {"system": "system", "user": "user", "agent": "assistant"}
SUBAGENTS = "subagent_trajectories"
BESIDE = "atif"
"""The key in `extra` of what no field of an event holds."""

_ROOT = frozenset(("schema_version", "session_id", "trajectory_id", "steps", SUBAGENTS))
_STEP = frozenset((
    "step_id", "source", "message", "timestamp", "model_name", "reasoning_content", "tool_calls",
    "observation", "metrics", "extra",
))  # fmt: skip
_RESULT = frozenset(("source_call_id", "content", "extra"))


def events_of(value: Mapping[str, Any]) -> Iterator[e.Event]:
    """The events of a trajectory. Raises FormatError, naming the field, for anything else."""
    recording = Recording()
    for event in _beside(value):
        recording.pass_over(1)
        yield event
    for index, step in enumerate(member(value, "steps", list)):
        with _within(f"steps[{index}]"):
            for message in _messages(step):
                yield from _recorded(recording, message, step)


@contextmanager
def _within(place: str) -> Iterator[None]:
    """Adds the place to the fault."""
    try:
        yield
    except (FormatError, InvalidMessage) as error:
        field = place + (f".{error.field}" if error.field else "")
        raise FormatError(error.why, field=field) from error


def _beside(value: Mapping[str, Any]) -> Iterator[e.Event]:
    """The members next to the steps: the agent, its tools, and trajectories of other agents."""
    root = {key: held for key, held in value.items() if key not in _ROOT and held is not None}
    _object(value, "extra")  # raises for anything but an object
    agent = dict(member(value, "agent", dict))
    tools = agent.pop("tool_definitions", None)
    ids = [value[key] for key in ("session_id", "trajectory_id") if value.get(key) is not None]
    if len(set(ids)) > 1:
        root["session_id"] = ids[0]
    yield e.ConversationAnnotated(extra={BESIDE: {**root, "agent": agent}})
    for other in _list(value, SUBAGENTS):
        yield e.ConversationAnnotated(extra={BESIDE: {SUBAGENTS: [other]}})
    if tools is not None:
        yield e.SystemInstructed(tools=member({"tools": tools}, "tools", list))


def _recorded(recording: Recording, message: Message, step: Mapping[str, Any]) -> Iterator[e.Event]:
    time = _seconds(step["timestamp"]) if step.get("timestamp") is not None else None
    if message.role == "tool":
        time = None
    for event in recording.take(message):
        yield event if time is None else replace(event, timestamp=time)


def _seconds(time: Any) -> float:
    """Seconds of an ISO 8601 time; UTC unless it names a zone."""
    try:
        read = datetime.fromisoformat(time)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{time!r:.60} is not a time", field="timestamp") from error
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _messages(step: Any) -> Iterator[Message]:
    """What a step says, followed by the results."""
    source = member(step, "source", str)
    if source not in ROLES:
        raise FormatError(
            f"unknown source {source!r:.60}; known: {', '.join(ROLES)}", field="source"
        )
    made = _list(step, "tool_calls")
    calls = [_call(call, f"tool_calls[{n}]") for n, call in enumerate(made)]
    rest = _rest(step, _STEP)
    extra = dict(_object(step, "extra"))
    finish = extra.pop("finish_reason", None)
    rest |= {"extra": extra} if extra else {}
    beside = {
        call["tool_call_id"]: call["extra"]
        for call in step.get("tool_calls") or ()
        if call.get("extra")
    }
    rest |= {"tool_calls": beside} if beside else {}
    parts = [*_thoughts(step), *_said(step), *calls]
    if durations := _durations(step["message"]):
        rest["durations"] = durations
    yield Message(
        ROLES[source],
        tuple(parts),
        usage=_usage(step),
        model=_text(step, "model_name"),
        finish=finish,
        metadata={BESIDE: rest} if rest else {},
    )
    yield from _results(step, calls)


def _usage(step: Mapping[str, Any]) -> e.Usage | None:
    if step.get("metrics") is None:
        return None
    metrics = member(step, "metrics", dict)
    with _within("metrics"):
        return usage_of(metrics)


def _list(value: Any, field: str) -> list[Any]:
    return [] if value.get(field) is None else list(member(value, field, list))


def _object(value: Any, field: str) -> dict[str, Any]:
    return {} if value.get(field) is None else dict(member(value, field, dict))


def _text(value: Any, field: str) -> str | None:
    return None if value.get(field) is None else str(member(value, field, str))


def _rest(value: Mapping[str, Any], read: frozenset[str]) -> dict[str, Any]:
    return {key: held for key, held in value.items() if key not in read and held is not None}


# --- what a step says ---------------------------------------------------------------------------


def _call(call: Any, field: str) -> ToolCall:
    with _within(field):
        id, name = (member(call, field, str) for field in ("tool_call_id", "function_name"))
        return ToolCall(id, name, member(call, "arguments", dict))


def _thoughts(step: Mapping[str, Any]) -> Iterator[Part]:
    if step.get("reasoning_content") is not None:
        yield Reasoning(member(step, "reasoning_content", str))


def _said(step: Mapping[str, Any]) -> Iterator[Part]:
    """Omits an empty text if the step does something else."""
    message = member(step, "message", (str, list))
    does = step.get("tool_calls") or step.get("reasoning_content") is not None
    for index, part in enumerate([message] if isinstance(message, str) else message):
        with _within(f"message[{index}]"):
            said = Text(part) if isinstance(message, str) else _content(part)
        if said != Text("") or not does:
            yield said
    if message == [] and not does:
        yield Text("")


def _content(part: Any) -> Part:
    kind = member(part, "type", str)
    if kind == "text":
        return Text(member(part, "text", str))
    if kind not in ("image", "audio"):
        raise FormatError(f"unknown type {kind!r:.60}; known: text, image, audio", field="type")
    source = member(part, "source", dict)
    return Media(kind, member(source, "media_type", str), uri=member(source, "path", str))


def _durations(message: Any) -> dict[str, Any]:
    """Seconds of the sounds that give their duration, by their place in the message."""
    sources = enumerate(part.get("source") or {} for part in message if isinstance(part, dict))
    return {str(at): held["duration_sec"] for at, held in sources if "duration_sec" in held}


# --- what came of it ----------------------------------------------------------------------------


def _results(step: Mapping[str, Any], calls: list[ToolCall]) -> Iterator[Message]:
    """Results that name no call belong to the calls in order, if there are as many."""
    results = _list(_object(step, "observation"), "results")
    unnamed = all(isinstance(r, dict) and r.get("source_call_id") is None for r in results)
    paired = [call.id for call in calls] if unnamed and len(results) == len(calls) else ()
    known = {call.id for call in calls}
    for at, result in enumerate(results):
        with _within(f"observation.results[{at}]"):
            id = paired[at] if paired else _text(result, "source_call_id")
            if id is not None and id not in known:
                raise FormatError(
                    f"{id!r:.60} is not the id of a call in this step", field="source_call_id"
                )
            yield _result(result, id)


def _result(result: Mapping[str, Any], id: str | None) -> Message:
    rest, extra = _rest(result, _RESULT), _object(result, "extra")
    failed = extra.pop("is_error", None) is True
    rest |= {"extra": extra} if extra else {}
    if id is None:
        rest["source_call_id"] = None
    content = ToolResult(id, None, result.get("content"), failed)
    return Message("tool", (content,), metadata={BESIDE: rest} if rest else {})
