"""What OpenAI's own types let through and a training set must not hold.

A check gets the content of an example and yields the index of each message at fault, the field
and why. Others add theirs to CHECKS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from turnlog.errors import FormatError
from turnlog.serializers.json_value import parse

Fault = tuple[int, str, str]
Content = Mapping[str, Any]

ROLES = frozenset(("system", "developer", "user", "assistant", "tool", "function"))


def faults(content: Content) -> Iterator[Fault]:
    """The faults of an example: index of the message, field, why."""
    for check in CHECKS:
        yield from check(content)


def roles(content: Content) -> Iterator[Fault]:
    for index, message in enumerate(content["messages"]):
        if message.get("role") not in ROLES:
            yield index, f"messages[{index}].role", f"{message.get('role')!r:.60} is no role"


def somebody_answers(content: Content) -> Iterator[Fault]:
    if not any(message.get("role") == "assistant" for message in content["messages"]):
        yield 0, "messages", "no message is the assistant's"


def arguments(content: Content) -> Iterator[Fault]:
    """Arguments are the text of a JSON object."""
    for index, at, call in _calls(content):
        field = f"messages[{index}].tool_calls[{at}].function.arguments"
        given = call.get("function", {}).get("arguments")
        if not isinstance(given, str):
            yield index, field, f"must be JSON as text, not {given!r:.60}"
        elif not _is_object(given):
            yield index, field, f"{given!r:.60} is no JSON object"


def answers(content: Content) -> Iterator[Fault]:
    """A tool's answer answers a call made since the last other message; each call is answered."""
    waiting: list[Any] = []
    asked = 0
    for index, message in enumerate(content["messages"]):
        if message.get("role") == "tool":
            given = message.get("tool_call_id")
            if given in waiting:
                waiting.remove(given)
            else:
                field = f"messages[{index}].tool_call_id"
                yield index, field, f"{given!r:.60} answers no call"
            continue
        yield from _unanswered(waiting, asked)
        waiting = [call.get("id") for call in message.get("tool_calls") or ()]
        asked = index
    if asked < len(content["messages"]) - 1:
        yield from _unanswered(waiting, asked)


def _unanswered(waiting: list[Any], index: int) -> Iterator[Fault]:
    for call in waiting:
        yield index, f"messages[{index}].tool_calls", f"the call {call!r:.60} is not answered"


def _calls(content: Content) -> Iterator[tuple[int, int, Mapping[str, Any]]]:
    for index, message in enumerate(content["messages"]):
        for at, call in enumerate(message.get("tool_calls") or ()):
            yield index, at, call


def _is_object(text: str) -> bool:
    try:
        return isinstance(parse(text.encode()), dict)
    except FormatError:
        return False


CHECKS: list[Callable[[Content], Iterator[Fault]]] = [roles, somebody_answers, arguments, answers]
"""Every check an example must pass; a list, so that others can add to it."""
