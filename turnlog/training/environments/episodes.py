"""Episodes: one recorded conversation, held again by a model from its first turn to its last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, Literal

import msgspec

from turnlog.domain import events as e
from turnlog.domain.conversation import Conversation
from turnlog.domain.plain import dumps
from turnlog.errors import FormatError
from turnlog.replay.record.calls import call_content
from turnlog.replay.record.turns import RecordedTurn, recorded_turns
from turnlog.replay.trying.results import RecordedResults
from turnlog.serializers.shared.json_value import parse

Reward = Literal["slots", "divergence"]
SET_SLOT = "set_slot"
ROUNDS = 20
"""The most times in a row that a model may call tools before it answers."""

_SET_SLOT = {
    "type": "function",
    "function": {
        "name": SET_SLOT,
        "description": "Note what is known of the user's wish.",
        "parameters": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "value": {}},
            "required": ["name", "value"],
        },
    },
}


class Observation(msgspec.Struct, frozen=True):
    """What a model sees next: chat messages in OpenAI's form, of the user or of tools.

    reward: from 0 to 1, once the episode is done.
    """

    messages: list[dict[str, Any]]
    done: bool = False
    reward: float | None = None


class _CalledFunction(msgspec.Struct, frozen=True):
    name: str
    arguments: Any = None


class _AssistantCall(msgspec.Struct, frozen=True):
    id: str
    function: _CalledFunction


class _AssistantMessage(msgspec.Struct, frozen=True):
    """The members that are read of an action."""

    content: Any = None
    tool_calls: list[_AssistantCall] | None = None


class Episode:
    """reward: what it measures; slots by default, if any were set.

    Raises FormatError for a conversation without a turn that can be held again.
    """

    def __init__(self, conversation: Conversation, reward: Reward | None) -> None:
        said = {message.event: message for message in conversation.messages()}
        self._id = conversation.id
        recorded = list(recorded_turns(conversation))
        self._turns = [t for t in recorded if t.reason is None and t.turn.first_event in said]
        if not self._turns:
            raise FormatError("has no turn that can be held again", conversation=conversation.id)
        self._begin = recorded[0].turn.first_event
        self._said = said
        self._results = RecordedResults(self._turns)
        self._goal = _goal(self._turns, conversation.slots)
        by_default: Reward = "slots" if self._goal else "divergence"
        self._reward = reward or by_default
        self._slots: dict[str, Any] = {}
        self._at = self._rounds = self._agreed = 0
        self._made: list[bytes] = []
        self._spoke = self._done = False
        self.tools: list[Any] = [*_tools(conversation)]
        if self._reward == "slots":
            self.tools.append(_SET_SLOT)

    def opening(self) -> list[dict[str, Any]]:
        """Instructions, and the bot's messages before the first message of the user."""
        first = self._turns[0].turn.first_event
        before = {"system": first, "developer": first, "assistant": self._begin}
        said = [
            message.as_openai()
            for number, message in self._said.items()
            if (number or 0) < before.get(message.role, 0)
        ]
        opening = [m for m in said if m.get("content") and not m.get("tool_calls")]
        return [*opening, self._question()]

    def _question(self) -> dict[str, Any]:
        return self._said[self._turns[self._at].turn.first_event].as_openai()

    def take(self, action: Mapping[str, Any]) -> Observation:
        """The record's reply to an assistant's message: results of its calls, or the next user
        message.
        """
        if self._done:
            raise FormatError("the episode is done; reset begins another", field="step")
        message = _read(action)
        self._spoke = self._spoke or bool(message.content)
        calls = message.tool_calls or []
        if calls and self._rounds < ROUNDS:
            self._rounds += 1
            return Observation([self._answered(call) for call in calls])
        return self._next_turn(is_stuck=bool(calls))

    def _next_turn(self, *, is_stuck: bool) -> Observation:
        agrees = not is_stuck and self._agrees(self._turns[self._at])
        self._agreed += agrees
        self._at += 1
        ends = self._reward == "divergence" and not agrees
        if is_stuck or ends or self._at == len(self._turns):
            self._done = True
            return Observation([], True, self._rewarded())
        self._made, self._spoke, self._rounds = [], False, 0
        return Observation([self._question()])

    def _agrees(self, recorded: RecordedTurn) -> bool:
        """Whether the calls are the recorded ones, in any order, and the model says something if
        the record does.
        """
        calls = Counter(call_content(call) for call, _ in recorded.calls)
        says = any(isinstance(event, e.BotUttered) and event.text for _, event in recorded.answer)
        return Counter(self._made) == calls and (self._spoke or not says)

    def _answered(self, call: _AssistantCall) -> dict[str, Any]:
        name, given = call.function.name, _arguments(call.function.arguments)
        if name == SET_SLOT and self._reward == "slots" and isinstance(given.get("name"), str):
            self._slots[given["name"]] = given.get("value")
            result: Any = "noted"
        else:
            result = self._result(e.ToolCalled(name, given))
        text = result if isinstance(result, str) else dumps(result).decode()
        return {"role": "tool", "tool_call_id": call.id, "content": text}

    def _result(self, call: e.ToolCalled) -> Any:
        content = call_content(call)
        turn = self._turns[self._at].turn.number
        found = self._results.of(call, turn, self._made.count(content))
        self._made.append(content)
        return {"error": "no result of such a call was recorded"} if found is None else found.result

    def _rewarded(self) -> float:
        if self._reward == "divergence":
            return self._agreed / len(self._turns)
        named = self._goal.keys() | {name for name, held in self._slots.items() if held is not None}
        reached = [n for n in named if n in self._goal and self._slots.get(n) == self._goal[n]]
        return len(reached) / len(named) if named else 1.0

    def state(self) -> dict[str, Any]:
        """Id, turn, reward so far and slots, as JSON values."""
        turn = self._turns[min(self._at, len(self._turns) - 1)].turn.number
        return {
            "episode_id": self._id,
            "turn": turn,
            "done": self._done,
            "reward": self._rewarded(),
            "slots": dict(self._slots),
        }


def _read(action: Mapping[str, Any]) -> _AssistantMessage:
    try:
        return msgspec.convert(action, _AssistantMessage)
    except msgspec.ValidationError as error:
        raise FormatError(f"not an assistant's message: {error}", field="step") from error


def _goal(turns: Iterable[RecordedTurn], slots: dict[str, Any]) -> dict[str, Any]:
    """Of the slots at the end of the record, those that were set in these turns."""
    events = chain.from_iterable(turn.turn.events for turn in turns)
    named = {event.name for event in events if isinstance(event, e.SlotSet)}
    return {name: value for name, value in slots.items() if name in named}


def _tools(conversation: Conversation) -> list[Any]:
    """The tools that were declared last."""
    given: list[Any] = []
    for event in conversation.events():
        if isinstance(event, e.SystemInstructed) and event.tools is not None:
            given = event.tools
    return given


def _arguments(given: Any) -> dict[str, Any]:
    """An object, or the object that a text is the JSON of; otherwise a value that no recorded call
    has.
    """
    if isinstance(given, str):
        try:
            given = parse(given.encode()) if given.strip() else {}
        except FormatError:
            given = {"": given}
    return dict(given) if isinstance(given, Mapping) else {"": given}
