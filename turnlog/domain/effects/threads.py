"""The effects of session threads."""

from __future__ import annotations

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.effects.effect import Effects
from turnlog.domain.state import PATH_KEPT, Prompt, State, Thread


def _thread_started(state: State, event: e.ThreadStarted) -> None:
    variables = state.thread.variables if state.thread else {}
    here = f"{event.unit}.{event.state}"
    state.thread = Thread(
        event.unit, event.state, entered=event.timestamp, variables=variables, path=(here,)
    )


def _state_entered(state: State, event: e.StateEntered) -> None:
    thread = state.thread or Thread()
    path = thread.path
    if event.by == "back":
        path = path[:-1]
    elif event.by == "start":
        path = (*path, f"{event.unit}.{event.state}")[-PATH_KEPT:]
    state.thread = replace(
        thread, unit=event.unit, state=event.state, entered=event.timestamp, path=path
    )


def _prompt_armed(state: State, event: e.PromptArmed) -> None:
    thread = state.thread or Thread()
    prompt = Prompt(
        event.due, event.attempt, event.text, event.wait, event.attempts, event.on_timeout
    )
    state.thread = replace(thread, prompts={**thread.prompts, event.token: prompt}, asked=prompt)


def _prompt_closed(
    state: State, event: e.PromptAnswered | e.PromptTimedOut | e.PromptCancelled
) -> None:
    if (thread := state.thread) is not None and event.token in thread.prompts:
        prompts = {token: p for token, p in thread.prompts.items() if token != event.token}
        state.thread = replace(thread, prompts=prompts)


def _thread_ended(state: State, event: e.ThreadEnded) -> None:
    state.thread = replace(state.thread or Thread(), ended=event.reason, prompts={})


def _variable_set(state: State, event: e.VariableSet) -> None:
    thread = state.thread or Thread()
    unit = {**thread.variables.get(event.unit, {}), event.name: event.value}
    state.thread = replace(thread, variables={**thread.variables, event.unit: unit})


def _variable_removed(state: State, event: e.VariableRemoved) -> None:
    thread = state.thread or Thread()
    variables = {**thread.variables}
    unit = variables.pop(event.unit, {})
    if event.name is not None:
        variables[event.unit] = {name: v for name, v in unit.items() if name != event.name}
    state.thread = replace(thread, variables=variables)


EFFECTS: Effects = {
    e.ThreadStarted: _thread_started,
    e.StateEntered: _state_entered,
    e.PromptArmed: _prompt_armed,
    e.PromptAnswered: _prompt_closed,
    e.PromptTimedOut: _prompt_closed,
    e.PromptCancelled: _prompt_closed,
    e.ThreadEnded: _thread_ended,
    e.VariableSet: _variable_set,
    e.VariableRemoved: _variable_removed,
}
