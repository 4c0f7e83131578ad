"""Checks for what OpenAI's own types permit and a training set must not contain.

A check receives the content of an example as it is written and yields the index of each faulty
message, the field and the reason. Third parties add theirs to CHECKS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from turnlog.errors import FormatError
from turnlog.serializers.openai.parts import says_nothing, why_not
from turnlog.serializers.shared.json_value import Broken, Unholdable, parse, raw_parts

MessageFault = tuple[int, str, str]
Content = Mapping[str, Any]

_INSTEAD = ("tool_calls", "function_call", "refusal", "audio")
_TEXTS = ("name", "refusal", "reasoning_content")

_SPEAKERS = frozenset(("system", "developer", "user", "assistant"))
ROLES = _SPEAKERS | {"tool", "function"}


def faults(content: Content) -> Iterator[MessageFault]:
    """The faults of an example: index of the message, field, why."""
    has_words_alone = "tools" not in content and all(map(_is_words, content["messages"]))
    for check in CHECKS:
        if not (has_words_alone and check in _OF_MORE_THAN_WORDS):
            yield from check(content)


def _is_words(message: Mapping[str, Any]) -> bool:
    """Whether a message consists of a text only."""
    held = message.get("content")
    is_alone = len(message) == 2 and message.get("role") in _SPEAKERS
    return is_alone and isinstance(held, str) and bool(held.strip())


def roles(content: Content) -> Iterator[MessageFault]:
    """Every role is known."""
    for index, message in enumerate(content["messages"]):
        if message.get("role") not in ROLES:
            yield index, f"messages[{index}].role", f"{message.get('role')!r:.60} is not a role"


def somebody_answers(content: Content) -> Iterator[MessageFault]:
    """At least one message is the assistant's."""
    if not any(message.get("role") == "assistant" for message in content["messages"]):
        yield 0, "messages", "no message of the assistant"


def contents(content: Content) -> Iterator[MessageFault]:
    """Contents are texts or parts; only calls need none, and only a tool may say nothing."""
    for index, message in enumerate(content["messages"]):
        held = message.get("content")
        if (is_text := isinstance(held, str)) and held.strip():
            continue
        field = f"messages[{index}].content"
        if held is None and _says_otherwise(message):
            continue
        if isinstance(held, list) and held:
            yield from _parts(index, message)
        elif not is_text:
            yield index, field, f"must be a text or parts, not {held!r:.60}"
        elif not _may_say_nothing(message):
            yield index, field, "the message is empty"


def _parts(index: int, message: Mapping[str, Any]) -> Iterator[MessageFault]:
    field, role = f"messages[{index}].content", message.get("role")
    wrong = [(at, why_not(role, part)) for at, part in enumerate(message["content"])]
    found = [(index, f"{field}[{at}]", why) for at, why in wrong if why]
    yield from found
    if not found and says_nothing(message["content"]) and not _may_say_nothing(message):
        yield index, field, "the message is empty"


def _may_say_nothing(message: Mapping[str, Any]) -> bool:
    return message.get("role") in ("tool", "function") or _says_otherwise(message)


def _says_otherwise(message: Mapping[str, Any]) -> bool:
    """Whether the assistant calls, refuses or is heard, which needs no content."""
    return message.get("role") == "assistant" and any(message.get(key) for key in _INSTEAD)


def members(content: Content) -> Iterator[MessageFault]:
    """Members next to the content have the type that they have everywhere."""
    for index, message in enumerate(content["messages"]):
        if len(message) == 2:  # role and content
            continue
        for name in _TEXTS:
            if not isinstance(held := message.get(name, ""), str):
                yield index, f"messages[{index}].{name}", f"must be a text, not {held!r:.60}"
        audio = message.get("audio", {"id": ""})
        if not isinstance(audio, dict) or not isinstance(audio.get("id"), str):
            yield index, f"messages[{index}].audio", f"{audio!r:.60} has no id"


def weights(content: Content) -> Iterator[MessageFault]:
    """Weights are 0 or 1."""
    for index, message in enumerate(content["messages"]):
        if (weight := message.get("weight", 1)) not in (0, 1):
            yield index, f"messages[{index}].weight", f"{weight!r:.60} is neither 0 nor 1"


def tools(content: Content) -> Iterator[MessageFault]:
    """Tools are function definitions; if there are any, only those are called."""
    if (declared := content.get("tools")) is None:
        return
    names = [_name(tool) for tool in declared]
    if None in names:
        yield 0, f"tools[{names.index(None)}]", "not a function with a name"
    for index, field, function in _functions(content):
        name = function.get("name")
        if name not in names:
            yield index, f"{field}.name", f"{name!r:.60} is not one of the tools"


def _name(tool: Any) -> str | None:
    function = tool.get("function") if isinstance(tool, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) and name else None


def parameters(content: Content) -> Iterator[MessageFault]:
    """The parameters of a tool are a schema of an object."""
    for at, tool in enumerate(content.get("tools") or ()):
        if _name(tool) is not None:
            held = tool["function"].get("parameters", {})
            if not isinstance(held, dict):
                yield 0, f"tools[{at}].function.parameters", f"{held!r:.60} is not a schema"


def call_ids(content: Content) -> Iterator[MessageFault]:
    """Only the assistant's messages have calls, with distinct ids, and names."""
    for index, message in enumerate(content["messages"]):
        if not (calls := message.get("tool_calls")):
            continue
        if message.get("role") != "assistant":
            yield index, f"messages[{index}].tool_calls", "not allowed in a message of this role"
        seen: set[str] = set()
        for at, call in enumerate(calls):
            if call.get("id") in seen:
                field = f"messages[{index}].tool_calls[{at}].id"
                yield index, field, f"{call.get('id')!r:.60} is the id of two calls"
            seen.add(call.get("id"))
    for index, field, function in _functions(content):
        if not isinstance(name := function.get("name"), str) or not name:
            yield index, f"{field}.name", "the function has no name"


def arguments(content: Content) -> Iterator[MessageFault]:
    """Arguments are a JSON object, or the text of one."""
    for index, field, function in _functions(content):
        held = function.get("arguments")
        if (why := why_not_an_object(held)) is not None:
            yield index, f"{field}.arguments", f"{held!r:.60} {why}"


def answers(content: Content) -> Iterator[MessageFault]:
    """A tool's message answers a call made since the last other message; each call is answered."""
    waiting: list[Any] = []
    caller = 0
    for index, message in enumerate(content["messages"]):
        if (answered := _answered(message)) is not None:
            member, call = answered
            if call in waiting:
                waiting.remove(call)
            else:
                yield (
                    index,
                    f"messages[{index}].{member}",
                    f"{call[1]!r:.60} does not answer a call",
                )
            continue
        yield from _unanswered(waiting, caller)
        waiting = list(_asked(message))
        caller = index
    if caller < len(content["messages"]) - 1:
        yield from _unanswered(waiting, caller)


def _answered(message: Mapping[str, Any]) -> tuple[str, tuple[str, Any]] | None:
    """The call that a tool's message answers: by id, or in the API's first form by name."""
    if message.get("role") == "tool":
        return "tool_call_id", ("id", message.get("tool_call_id"))
    if message.get("role") == "function":
        return "name", ("name", message.get("name"))
    return None


def _asked(message: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for call in message.get("tool_calls") or ():
        yield "id", call.get("id")
    if isinstance(called := message.get("function_call"), dict):
        yield "name", called.get("name")


def _unanswered(waiting: list[Any], index: int) -> Iterator[MessageFault]:
    for form, call in waiting:
        member = "tool_calls" if form == "id" else "function_call"
        yield index, f"messages[{index}].{member}", f"the call {call!r:.60} is not answered"


def _functions(content: Content) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """The calls: index of the message, field, and the function with its arguments."""
    for index, message in enumerate(content["messages"]):
        if len(message) == 2:  # role and content
            continue
        for at, call in enumerate(message.get("tool_calls") or ()):
            function = call.get("function", {})
            yield index, f"messages[{index}].tool_calls[{at}].function", function
        if (called := message.get("function_call")) is not None:
            field = f"messages[{index}].function_call"
            yield index, field, called if isinstance(called, dict) else {}


def refuse_raw_arguments(content: Content, conversation: str) -> None:
    """Raises Unholdable for arguments that JSON cannot say; a number of any length is JSON."""
    for _, field, function in _functions(content):
        text = function.get("arguments")
        for _, raw in raw_parts(_parsed(text)) if isinstance(text, str) else ():
            if not raw.json.lstrip(b"-")[:1].isdigit():
                field = f"{field}.arguments"
                raise Unholdable(raw, conversation=conversation, field=field)


def why_not_an_object(held: Any) -> str | None:
    """Why arguments are not a JSON object, or the text of one; None if they are."""
    try:
        value = parse(held.encode()) if isinstance(held, str) else held
    except Broken:
        value = None
    except FormatError as error:
        return f"cannot be read: {error.why}" + (f" {error.field!r}" if error.field else "")
    return None if isinstance(value, dict) else "is not a JSON object"


def _parsed(text: str) -> Any:
    """The value that a text is the JSON of; None for any other text."""
    try:
        return parse(text.encode())
    except FormatError:
        return None


CHECKS: list[Callable[[Content], Iterator[MessageFault]]] = [
    roles, somebody_answers, contents, members, weights, tools, parameters, call_ids, arguments,
    answers,
]  # fmt: skip
"""Every check that an example must pass; a list, so that third parties can add theirs."""

_OF_MORE_THAN_WORDS = frozenset(CHECKS) - {somebody_answers}
"""Checks that find nothing in messages that consist of a text only."""
