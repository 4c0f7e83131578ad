"""What OpenAI's own types let through and a training set must not hold.

A check gets the content of an example and yields the index of each message at fault, the field
and why. Others add theirs to CHECKS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from turnlog.errors import FormatError
from turnlog.serializers.shared.json_value import Unholdable, parse, raw_parts

MessageFault = tuple[int, str, str]
Content = Mapping[str, Any]

_INSTEAD = ("tool_calls", "function_call", "refusal", "audio")

ROLES = frozenset(("system", "developer", "user", "assistant", "tool", "function"))


def faults(content: Content) -> Iterator[MessageFault]:
    """The faults of an example: index of the message, field, why."""
    for check in CHECKS:
        yield from check(content)


def roles(content: Content) -> Iterator[MessageFault]:
    for index, message in enumerate(content["messages"]):
        if message.get("role") not in ROLES:
            yield index, f"messages[{index}].role", f"{message.get('role')!r:.60} is no role"


def somebody_answers(content: Content) -> Iterator[MessageFault]:
    if not any(message.get("role") == "assistant" for message in content["messages"]):
        yield 0, "messages", "no message is the assistant's"


def contents(content: Content) -> Iterator[MessageFault]:
    """What is said is a text, or parts; only calls need none, and only a tool may say nothing."""
    for index, message in enumerate(content["messages"]):
        held, field = message.get("content"), f"messages[{index}].content"
        if held is None and any(message.get(key) for key in _INSTEAD):
            continue
        if isinstance(held, list) and held and all(map(_is_part, held)):
            continue
        if not isinstance(held, str):
            yield index, field, f"must be a text or parts, not {held!r:.60}"
        elif not held.strip() and message.get("role") != "tool" and not message.get("tool_calls"):
            yield index, field, "nothing is said"


def _is_part(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("type"), str)


def weights(content: Content) -> Iterator[MessageFault]:
    for index, message in enumerate(content["messages"]):
        weight, field = message.get("weight", 1), f"messages[{index}].weight"
        if weight not in (0, 1):
            yield index, field, f"{weight!r:.60} is neither 0 nor 1"


def tools(content: Content) -> Iterator[MessageFault]:
    """Tools are function definitions, and where there are some, only those are called."""
    if (declared := content.get("tools")) is None:
        return
    names = [_name(tool) for tool in declared]
    if None in names:
        yield 0, f"tools[{names.index(None)}]", "is no function with a name"
    for index, at, call in _calls(content):
        name = call.get("function", {}).get("name")
        if name not in names:
            field = f"messages[{index}].tool_calls[{at}].function.name"
            yield index, field, f"{name!r:.60} is none of the tools"


def _name(tool: Any) -> str | None:
    function = tool.get("function") if isinstance(tool, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) and name else None


def call_ids(content: Content) -> Iterator[MessageFault]:
    """The calls of a message have ids of their own, and names."""
    for index, message in enumerate(content["messages"]):
        seen: set[str] = set()
        for at, call in enumerate(message.get("tool_calls") or ()):
            field = f"messages[{index}].tool_calls[{at}]"
            if call.get("id") in seen:
                yield index, f"{field}.id", f"{call.get('id')!r:.60} names two calls"
            if not call.get("function", {}).get("name"):
                yield index, f"{field}.function.name", "the function has no name"
            seen.add(call.get("id"))


def arguments(content: Content) -> Iterator[MessageFault]:
    """Arguments are the text of a JSON object."""
    for index, at, call in _calls(content):
        field = f"messages[{index}].tool_calls[{at}].function.arguments"
        text = call.get("function", {}).get("arguments")
        if not isinstance(text, str):
            yield index, field, f"must be JSON as text, not {text!r:.60}"
        elif not isinstance(_parsed(text), dict):
            yield index, field, f"{text!r:.60} is no JSON object"


def answers(content: Content) -> Iterator[MessageFault]:
    """A tool's answer answers a call made since the last other message; each call is answered."""
    waiting: list[Any] = []
    caller = 0
    for index, message in enumerate(content["messages"]):
        if message.get("role") == "tool":
            call_id = message.get("tool_call_id")
            if call_id in waiting:
                waiting.remove(call_id)
            else:
                field = f"messages[{index}].tool_call_id"
                yield index, field, f"{call_id!r:.60} answers no call"
            continue
        yield from _unanswered(waiting, caller)
        waiting = [call.get("id") for call in message.get("tool_calls") or ()]
        caller = index
    if caller < len(content["messages"]) - 1:
        yield from _unanswered(waiting, caller)


def _unanswered(waiting: list[Any], index: int) -> Iterator[MessageFault]:
    for call in waiting:
        yield index, f"messages[{index}].tool_calls", f"the call {call!r:.60} is not answered"


def _calls(content: Content) -> Iterator[tuple[int, int, Mapping[str, Any]]]:
    for index, message in enumerate(content["messages"]):
        for at, call in enumerate(message.get("tool_calls") or ()):
            yield index, at, call


def refuse_raw_arguments(content: Content, conversation: str) -> None:
    """Raise Unholdable for arguments that only raw JSON can say."""
    for index, at, call in _calls(content):
        field = f"messages[{index}].tool_calls[{at}].function.arguments"
        text = call.get("function", {}).get("arguments")
        for _, raw in raw_parts(_parsed(text)) if isinstance(text, str) else ():
            raise Unholdable(raw, conversation=conversation, field=field)


def _parsed(text: str) -> Any:
    """The value that a text is the JSON of; None for any other text."""
    try:
        return parse(text.encode())
    except FormatError:
        return None


CHECKS: list[Callable[[Content], Iterator[MessageFault]]] = [
    roles, somebody_answers, contents, weights, tools, call_ids, arguments, answers,
]  # fmt: skip
"""Every check an example must pass; a list, so that others can add to it."""
