"""Session threads over HTTP, as in NaifJs: the client has the units, in any language.

A prompt with `wait` has a deadline that the server keeps: when it passes, the question is asked
again, up to `attempts` times, and then the thread ends as abandoned.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from litestar import Response, delete, get, post, put

from turnlog.domain import events as e
from turnlog.domain.history import History
from turnlog.domain.state import State, Thread
from turnlog.domain.values import check_value
from turnlog.engine.request import Command, Recorded
from turnlog.errors import UnknownConversation
from turnlog.serializers.shared import plain
from turnlog.server.services import Services


class ThreadState(msgspec.Struct, forbid_unknown_fields=True):
    """The unit and state that a thread enters."""

    unit: str
    state: str


class ThreadMessage(msgspec.Struct, forbid_unknown_fields=True):
    """A user's message. With message_id, it can be sent again without being recorded twice."""

    text: str
    message_id: str | None = None
    data: dict[str, Any] | None = None


class ThreadReply(msgspec.Struct, forbid_unknown_fields=True):
    """A message of the bot. wait: seconds for its answer; attempts: how often it is asked."""

    text: str | None = None
    data: dict[str, Any] | None = None
    wait: Annotated[float, msgspec.Meta(ge=0)] | None = None
    attempts: Annotated[int, msgspec.Meta(ge=1)] = 1


class ThreadEnd(msgspec.Struct, forbid_unknown_fields=True):
    """The end of a thread."""

    reason: str = "end"


@get("/sessions/{conversation:str}/thread")
async def thread(conversation: str, services: Services) -> Response[bytes]:
    """A thread's unit, state, armed prompts by token, and variables by unit."""
    return await _shown(services, conversation)


@post("/sessions/{conversation:str}/thread/start", status_code=200)
async def start(conversation: str, services: Services, data: ThreadState) -> Response[bytes]:
    """Begins a thread, or continues one, at a state."""

    def command(state: State, history: History) -> Iterable[e.Event]:
        if _running(state):
            return [e.StateEntered(unit=data.unit, state=data.state, by="start")]
        return [e.ThreadStarted(unit=data.unit, state=data.state)]

    await _perform(services, conversation, command)
    return await _shown(services, conversation)


@post("/sessions/{conversation:str}/thread/next", status_code=200)
async def next_state(conversation: str, services: Services, data: ThreadState) -> Response[bytes]:
    """Makes that state handle the next message; an ended thread runs again."""

    def command(state: State, history: History) -> Iterable[e.Event]:
        _there(conversation, state)
        if _running(state):
            return [e.StateEntered(unit=data.unit, state=data.state)]
        return [e.ThreadStarted(unit=data.unit, state=data.state)]

    await _perform(services, conversation, command)
    return await _shown(services, conversation)


@post("/sessions/{conversation:str}/thread/request", status_code=200)
async def request(conversation: str, services: Services, data: ThreadMessage) -> Response[bytes]:
    """Records a user's message, which answers every armed prompt."""
    await _thread(services, conversation)
    message = e.UserUttered(data.text, data.data, message_id=data.message_id, channel="sessions")
    await services.runner.hear(conversation, message)
    return await _shown(services, conversation)


@post("/sessions/{conversation:str}/thread/response", status_code=200)
async def response(conversation: str, services: Services, data: ThreadReply) -> Response[bytes]:
    """Records a message of the bot. With `wait`, it is a question with a deadline."""

    def command(state: State, history: History) -> Iterable[e.Event]:
        _there(conversation, state)
        yield e.BotUttered(data.text, data.data)
        if data.wait is not None:
            yield e.PromptArmed(
                token=f"{state.event}.http", due=services.clock() + data.wait, text=data.text,
                wait=data.wait, attempts=data.attempts,
            )  # fmt: skip

    await _perform(services, conversation, command)
    return await _shown(services, conversation)


@post("/sessions/{conversation:str}/thread/end", status_code=200)
async def end(conversation: str, services: Services, data: ThreadEnd) -> Response[bytes]:
    """Ends a thread and cancels its prompts; its state and variables stay."""

    def command(state: State, history: History) -> Iterable[e.Event]:
        prompts = _there(conversation, state).prompts
        if _running(state):
            for token in prompts:
                yield e.PromptCancelled(token=token, reason=data.reason)
            yield e.ThreadEnded(reason=data.reason)

    await _perform(services, conversation, command)
    return await _shown(services, conversation)


@put("/sessions/{conversation:str}/variables/{unit:str}/{name:str}", status_code=204)
async def set_variable(
    conversation: str, unit: str, name: str, services: Services, data: Any
) -> None:
    """Sets a variable of a unit."""
    check_value(conversation, f"variable {unit}.{name}", data)
    await _record(services, conversation, e.VariableSet(unit=unit, name=name, value=data))


@delete("/sessions/{conversation:str}/variables/{unit:str}/{name:str}")
async def remove_variable(conversation: str, unit: str, name: str, services: Services) -> None:
    """Removes a variable of a unit."""
    await _record(services, conversation, e.VariableRemoved(unit=unit, name=name))


@delete("/sessions/{conversation:str}/variables/{unit:str}")
async def remove_variables(conversation: str, unit: str, services: Services) -> None:
    """Removes every variable of a unit."""
    await _record(services, conversation, e.VariableRemoved(unit=unit))


async def _record(services: Services, conversation: str, event: e.Event) -> None:
    """Records an event of an existing thread."""

    def command(state: State, history: History) -> Iterable[e.Event]:
        _there(conversation, state)
        return [event]

    await _perform(services, conversation, command)


async def _perform(services: Services, conversation: str, command: Command) -> Recorded:
    return await services.runner.perform(conversation, command)


async def _thread(services: Services, conversation: str) -> Thread:
    return _there(conversation, (await services.log.conversation(conversation)).state)


async def _shown(services: Services, conversation: str) -> Response[bytes]:
    shown = plain.to_plain(await _thread(services, conversation))
    return Response(plain.dumps(shown), media_type="application/json")


def _there(conversation: str, state: State) -> Thread:
    """The thread. Raises UnknownConversation if the conversation never had one."""
    if state.thread is None:
        raise UnknownConversation(conversation)
    return state.thread


def _running(state: State) -> bool:
    thread = state.thread
    return thread is not None and thread.unit is not None and thread.ended is None


handlers = (
    thread, start, next_state, request, response, end,
    set_variable, remove_variable, remove_variables,
)  # fmt: skip
