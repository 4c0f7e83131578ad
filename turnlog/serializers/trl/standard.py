"""Rows in TRL's standard form: texts instead of messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

_BETWEEN = "\n\n"
_ANSWERS = ("completion", "chosen", "rejected")
_WRITTEN = frozenset(("role", "content"))


def texts(columns: dict[str, Any]) -> tuple[dict[str, Any] | None, Counter[str]]:
    """The columns as texts, `User: …` and `Assistant: …` in turn; and what they cannot hold.

    A prompt ends where the assistant's words begin. Tools, calls and results have no place; a row
    whose answer consists of nothing else is None.
    """
    lost: Counter[str] = Counter()
    made = dict(_column(name, held, lost) for name, held in columns.items())
    answers = [made.get(name, " ") for name in _ANSWERS] + made.get("completions", [])
    if all(answers):
        return made, +lost
    return None, Counter({"answer without words": 1})


def _column(name: str, held: Any, lost: Counter[str]) -> tuple[str, Any]:
    if name == "messages":
        return "text", _transcript(held, lost)
    if name == "prompt":
        return name, f"{_transcript(held, lost)}{_BETWEEN}Assistant:"
    if name == "completions":
        return name, [_answer([step], lost) for step in held]
    return name, _answer(held, lost) if name in _ANSWERS else held


def _transcript(messages: Iterable[dict[str, Any]], lost: Counter[str]) -> str:
    said = ((message["role"], _words(message, lost)) for message in messages)
    return _BETWEEN.join(f"{role.capitalize()}: {words}" for role, words in said if words)


def _answer(messages: Iterable[dict[str, Any]], lost: Counter[str]) -> str:
    words = [words for message in messages if (words := _words(message, lost))]
    return f" {_BETWEEN.join(words)}" if words else ""


def _words(message: dict[str, Any], lost: Counter[str]) -> str:
    if message["role"] == "tool":
        lost["tool answer"] += 1
        return ""
    lost.update({"tool call": len(message.get("tool_calls", ()))})
    beyond = (key for key in message if key not in _WRITTEN and key != "tool_calls")
    lost.update(f"{message['role']}.{key}" for key in beyond)
    content: str = message["content"] or ""
    return content
