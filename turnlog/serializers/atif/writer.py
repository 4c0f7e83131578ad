"""Dialogues to trajectories: one each, and one more for each time that events were rewound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.rewinds import kept
from turnlog.domain.traits import Rewind
from turnlog.serializers.atif.reader import BESIDE, SUBAGENTS
from turnlog.serializers.atif.steps import Numbered, Steps
from turnlog.serializers.openai.chat import HELD_WITH_REASONING, without_users_calls
from turnlog.serializers.shared.codec import Example
from turnlog.serializers.shared.document import refuse_raw_example
from turnlog.serializers.shared.losses import Held, lost

VERSION = "ATIF-v1.8"
_CONTINUED = "continued_trajectory_ref"

_HELD: Held = {
    **{kind: fields | {"timestamp", "versions"} for kind, fields in HELD_WITH_REASONING.items()},
    e.ToolReturned: HELD_WITH_REASONING[e.ToolReturned] | {"is_error"},
    e.AnswerMeasured: frozenset(("message", "usage", "model", "finish", "timestamp")),
    e.AgentStarted: frozenset(("agent",)),
}
_OPENING: Held = {kind: fields | {"extra"} for kind, fields in _HELD.items()}
"""Of the first event of a message, whose `extra` is the message's."""
_BESIDE_STEPS = (e.ConversationAnnotated, e.SystemInstructed)
_WITHIN: Held = {
    kind: fields if kind in _BESIDE_STEPS else (fields | {"cause"}) - {"extra"}
    for kind, fields in _HELD.items()
}
"""Of all other events: a step exists because of its first event, which causes them."""


def trajectories(dialogue: Dialogue) -> Iterator[Example]:
    """Empty for a dialogue without messages. Rewound events form a separate trajectory, which the
    next one continues: it begins with copies of the steps that both have.

    Raises FormatError, naming conversation and turn, for what no trajectory can hold.
    """
    every = [Steps(dialogue, events, past) for past, events in _stretches(dialogue)]
    written = [steps for steps in every if steps.steps]
    losses = _lost(dialogue, set[int]().union(*(steps.openers for steps in every)))
    for at, steps in enumerate(written):
        name, beside = _name(dialogue, at, len(written)), _root(dialogue)
        if at + 1 < len(written):
            beside[_CONTINUED] = _name(dialogue, at + 1, len(written))
        ids = {"session_id": dialogue.name, "trajectory_id": name}
        content = {"schema_version": VERSION, **ids, **beside, "steps": steps.steps}
        others = [other for held in _beside(dialogue) for other in held.get(SUBAGENTS, ())]
        content |= {SUBAGENTS: others} if others else {}
        counted, losses = +(losses + steps.lost), Counter()
        bounds = dialogue.first_event, steps.last_event
        example = Example(dialogue.name, *bounds, content, dict(counted), steps.noted)
        refuse_raw_example(example)
        yield example


def _name(dialogue: Dialogue, at: int, count: int) -> str:
    """The last trajectory, the one that counts, has the conversation's id."""
    return dialogue.name if at + 1 == count else f"{dialogue.name}~{at + 1}"


def _stretches(dialogue: Dialogue) -> Iterator[tuple[int, list[Numbered]]]:
    """What counted at each rewind and what counts at the end, each with the number of the last
    event that an earlier stretch contains.
    """
    numbered, past = list(dialogue.numbered()), 0
    cuts = [n for n, event in numbered if isinstance(event, Rewind) and event.to is not None]
    ends = [*cuts, dialogue.last_event + 1]
    before = ((end, numbered[: end - dialogue.first_event]) for end in ends)
    stretches = [(end, [*kept(reversed(events))][::-1]) for end, events in before]
    for (end, events), (_, following) in zip(stretches, [*stretches[1:], (0, [])], strict=True):
        if not {n for n, _ in events} <= {n for n, _ in following}:
            yield past, events
            past = end


def _lost(dialogue: Dialogue, openers: Container[int]) -> Counter[str]:
    """openers: numbers of the events that begin messages."""
    opening = [event for n, event in dialogue.numbered() if n in openers]
    rest = (event for n, event in dialogue.numbered() if n not in openers)
    others, of_user = without_users_calls(rest)
    losses = of_user + lost(opening, _OPENING)
    losses += lost((x for x in others if not isinstance(x, Rewind)), _WITHIN)
    annotations = (x.extra or {} for x in others if isinstance(x, e.ConversationAnnotated))
    names = (name for extra in annotations for name in extra if name != BESIDE)
    losses.update(f"ConversationAnnotated.extra.{name}" for name in names)
    return losses


def _beside(dialogue: Dialogue) -> Iterator[Mapping[str, Any]]:
    for event in dialogue.events:
        if isinstance(event, e.ConversationAnnotated):
            beside = (event.extra or {}).get(BESIDE)
            yield beside if isinstance(beside, dict) else {}


def _root(dialogue: Dialogue) -> dict[str, Any]:
    """The members next to the steps, as imported; otherwise what the events say of the agent."""
    root = {key: held for beside in _beside(dialogue) for key, held in beside.items()}
    root.pop(SUBAGENTS, None)
    agent = root.pop("agent", None) or _agent(dialogue)
    tools = [event.tools for event in dialogue.events if isinstance(event, e.SystemInstructed)]
    given = next((each for each in reversed(tools) if each is not None), None)
    if dialogue.origin is not None:
        fork = {"origin": dialogue.origin, "turn": dialogue.origin_turn}
        root["extra"] = {**(root.get("extra") or {}), "fork": fork}
    return {"agent": {**agent, **({} if given is None else {"tool_definitions": given})}, **root}


def _agent(dialogue: Dialogue) -> dict[str, Any]:
    events = dialogue.events
    names = (event.agent for event in events if isinstance(event, e.AgentStarted))
    versions = [event.versions for event in events if event.versions is not None]
    code = (each.code for each in versions if each.code is not None)
    model = next((each.model for each in versions if each.model is not None), None)
    agent = {"name": next(names, "unknown"), "version": next(code, "unknown")}
    return agent if model is None else {**agent, "model_name": model}
