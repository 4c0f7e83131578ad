"""Generated messages: with every kind of part, and in the shapes of four frameworks."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from turnlog.domain.events import Usage
from turnlog.domain.message import Message
from turnlog.domain.message_parts import (
    Media,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from turnlog.domain.plain import dumps
from turnlog.testing.strategies import objects, structs, texts, values

maybe = st.none() | texts
ids = st.sampled_from(["call_1", "call_2", "call_3"])
names = st.sampled_from(["search", "book", "naïve name 😀"])


def parts(kind: type[Any], /, **fields: Any) -> st.SearchStrategy[Any]:
    return st.builds(kind, **fields)


text = parts(Text, text=texts)
reasoning = parts(Reasoning, text=maybe, signature=maybe, opaque=values)
refusal = parts(Refusal, text=texts)
media = parts(
    Media, kind=st.sampled_from(["image", "audio", "video", "file"]), mime=maybe, sha256=maybe,
    uri=maybe, name=maybe, content=st.none() | st.binary(max_size=40),
)  # fmt: skip
opaque = parts(Opaque, source=texts, kind=texts, content=values)


def called(arguments: Any, raw: bool) -> dict[str, Any]:
    return {"arguments": arguments, "raw": dumps(arguments).decode() + " " if raw else None}


parsed = st.builds(called, st.none() | objects | st.lists(values, max_size=2), st.booleans())
broken = texts.map(lambda text: {"arguments": text, "raw": text})
calls = st.builds(
    lambda given, **fields: ToolCall(**given, **fields),
    parsed | broken, id=ids, name=names, server=st.booleans(), signature=maybe,
)  # fmt: skip
results = parts(ToolResult, call_id=ids, name=st.none() | names, content=values,
                is_error=st.booleans())  # fmt: skip

FOR_ALL = [text, reasoning, refusal, media, opaque]
PARTS = {
    "system": FOR_ALL, "developer": FOR_ALL, "user": FOR_ALL, "tool": [*FOR_ALL, results],
    "assistant": [*FOR_ALL, calls, results],
}  # fmt: skip

metadata = st.dictionaries(
    texts.filter(lambda key: key not in ("new_message", "name", "role", "content")),
    values,
    max_size=2,
)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Of any role, with any parts in any order, and every optional field."""
    role = draw(st.sampled_from(list(PARTS)))
    held = draw(st.lists(st.one_of(PARTS[role]), max_size=5))
    if role == "tool":
        held.insert(draw(st.integers(0, len(held))), draw(results))
    name = draw(maybe)
    if role == "tool":
        name = next(part.name for part in held if isinstance(part, ToolResult))
    authors = st.none() | st.sampled_from(["agent", "weather_agent"]) | texts
    return Message(
        role, tuple(held), id=draw(maybe), name=name,
        author=draw(authors.filter(lambda author: author not in ("user", "system", "tool"))),
        usage=draw(st.none() | structs(Usage)), model=draw(maybe),
        finish=draw(maybe | st.just("broken_off")), metadata=draw(metadata),
    )  # fmt: skip


# --- four frameworks ----------------------------------------------------------------------------


def one(role: str, *held: st.SearchStrategy[Any], **fields: Any) -> st.SearchStrategy[Message]:
    return st.builds(Message, st.just(role), st.tuples(*held), **fields)


def some(role: str, *held: st.SearchStrategy[Any], **fields: Any) -> st.SearchStrategy[Message]:
    several = st.lists(st.one_of(*held), min_size=1, max_size=4).map(tuple)
    return st.builds(Message, st.just(role), several, **fields)


def returned(**fields: Any) -> st.SearchStrategy[Message]:
    found = st.builds(ToolResult, call_id=ids, name=names, **fields)
    return found.map(lambda result: Message("tool", (result,), name=result.name))


image = st.builds(Media, st.just("image"), st.just("image/png"), content=st.binary(max_size=9))
link = st.builds(Media, st.just("image"), uri=st.just("https://example.org/a.png"))
plain_calls = st.builds(ToolCall, ids, names, objects)
failed_calls = st.builds(lambda text: ToolCall("call_1", "search", text, text), texts)
exact_calls = st.builds(
    lambda id, name, given: ToolCall(id, name, given, raw=dumps(given).decode() + "\n"),
    ids, names, objects,
)  # fmt: skip
usages = st.builds(Usage, input=st.integers(0, 9), output=st.integers(0, 9))

langgraph = st.lists(st.one_of(
    one("system", text), one("user", text), some("user", text, image, link),
    some("assistant", text, reasoning, plain_calls, failed_calls, id=maybe, usage=usages),
    some("assistant", plain_calls, id=maybe, model=texts, finish=st.just("tool_calls")),
    returned(content=values, is_error=st.booleans()),
), max_size=8)  # fmt: skip
"""Content as a text or as blocks, calls with bad JSON, a status of results, ids that are None."""

pydantic_ai = st.lists(st.one_of(
    one("system", text), some("user", text, image, link, opaque),
    some("assistant", text, reasoning, plain_calls, exact_calls, failed_calls, model=texts,
         usage=usages, finish=maybe),
    returned(content=values, is_error=st.booleans()),
    one("user", text, metadata=st.just({"part": "retry-prompt"})),
), max_size=8)  # fmt: skip
"""Arguments as a text or an object, signatures, prompts to retry, images as bytes."""

openai_agents = st.lists(st.one_of(
    one("developer", text), one("user", text), some("user", text, link, image),
    one("assistant", reasoning), one("assistant", text, id=texts), one("assistant", exact_calls),
    one("assistant", refusal), one("assistant", opaque, id=texts),
    some("assistant", st.builds(ToolCall, ids, names, objects, server=st.just(True)), opaque),
    returned(content=texts),
), max_size=8)  # fmt: skip
"""An item a message; arguments exact to the byte; types of items that only OpenAI knows."""

adk = st.lists(st.one_of(
    some("user", text, image, author=st.none() | st.just("user")),
    some("assistant", text, reasoning,
         st.builds(ToolCall, ids, names, objects, signature=maybe),
         author=st.sampled_from(["root_agent", "weather_agent"]), id=texts, usage=usages,
         metadata=st.just({"branch": "root_agent.weather_agent"})),
    returned(content=objects),
), max_size=8)  # fmt: skip
"""No instructions; the author is an agent; results are objects; calls have signatures too."""

FRAMEWORKS = {
    "langgraph": langgraph, "pydantic-ai": pydantic_ai, "openai-agents": openai_agents, "adk": adk,
}  # fmt: skip


# --- OpenAI's chat messages, as files have them -------------------------------------------------

_contents = st.lists(st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": texts}),
    st.fixed_dictionaries({"type": st.just("image_url"), "image_url": st.fixed_dictionaries(
        {"url": st.sampled_from(["http://x/y", "data:image/png;base64,aGk=", "data:,"])})}),
    st.fixed_dictionaries({"type": st.just("input_audio"), "input_audio": objects}),
    objects,
), min_size=1, max_size=3)  # fmt: skip
_content = texts | _contents
_calls = st.lists(st.fixed_dictionaries({
    "id": ids, "type": st.just("function"),
    "function": st.fixed_dictionaries(
        {"name": names, "arguments": texts | objects.map(lambda o: dumps(o).decode())}),
}), max_size=2)  # fmt: skip
_named = {"name": texts}

chats = st.lists(st.one_of(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "developer", "user"]),
                           "content": _content}, optional=_named),
    st.fixed_dictionaries({"role": st.just("assistant"), "content": st.none() | _content},
                          optional={**_named, "tool_calls": _calls, "weight": st.just(1),
                                    "refusal": texts}),
    st.fixed_dictionaries({"role": st.sampled_from(["tool", "function"]), "content": _content,
                           "tool_call_id": ids}, optional=_named),
), max_size=6)  # fmt: skip
