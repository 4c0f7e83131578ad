"""OpenEnv: recorded conversations as an environment for its servers and clients."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from importlib.metadata import version
from typing import Any

from turnlog.engine.log import Turnlog
from turnlog.extras import needed
from turnlog.training.environments.episodes import Observation as Seen
from turnlog.training.environments.episodes import Reward
from turnlog.training.environments.recorded_environment import RecordedEnvironment

with needed("openenv", "an environment of OpenEnv"):
    from openenv.core.env_server import (  # pyright: ignore[reportMissingImports]
        Action,
        Environment,
        Observation,
        State,
        create_fastapi_app,
    )
    from openenv.core.env_server.types import (  # pyright: ignore[reportMissingImports]
        EnvironmentMetadata,
    )
    from pydantic import Field


class AssistantAction(Action, extra="ignore"):  # type: ignore[misc,call-arg]
    """An assistant's message in OpenAI's form; other members are ignored."""

    content: Any = None
    tool_calls: list[dict[str, Any]] | None = None


class ChatObservation(Observation):  # type: ignore[misc]
    """What comes next: messages of the user or of tools. tools: what can be called, on reset."""

    messages: list[dict[str, Any]] = Field(default_factory=list)
    tools: list[dict[str, Any]] = Field(default_factory=list)


class EpisodeState(State):  # type: ignore[misc]
    """episode_id: the conversation; None before the first reset. reward: if the episode
    ended now.
    """

    turn: int = 0
    done: bool = False
    reward: float = 0.0
    slots: dict[str, Any] = Field(default_factory=dict)


class OpenEnvironment(Environment):  # type: ignore[misc]
    """A `RecordedEnvironment` as a session of OpenEnv's server."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, held: RecordedEnvironment) -> None:
        super().__init__()
        self._held = held
        self._steps: int | None = None

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **_: Any
    ) -> ChatObservation:
        """Begins an episode; see `RecordedEnvironment.reset`. `episode_id` is the conversation."""
        seen = self._held.reset(seed, episode_id)
        self._steps = 0
        return _shown(seen, tools=self._held.tools)

    def step(
        self, action: AssistantAction, timeout_s: float | None = None, **_: Any
    ) -> ChatObservation:
        """Takes the assistant's message; see `RecordedEnvironment.step`. `timeout_s` has no
        effect.
        """
        seen = self._held.step({"content": action.content, "tool_calls": action.tool_calls})
        self._steps = (self._steps or 0) + 1
        return _shown(seen)

    @property
    def state(self) -> EpisodeState:
        """Empty before the first reset."""
        if self._steps is None:
            return EpisodeState()
        return EpisodeState(step_count=self._steps, **self._held.state)

    def get_metadata(self) -> EnvironmentMetadata:
        """Name, description and turnlog's version."""
        return EnvironmentMetadata(
            name="turnlog",
            description="Recorded conversations: their users and tools answer the model.",
            version=version("turnlog"),
        )


def app(
    log: Turnlog,
    ids: Iterable[str] | None = None,
    reward: Reward | None = None,
    *,
    sessions: int = 64,
) -> Any:
    """A FastAPI application that serves `environment(log, ids, reward)` by OpenEnv's protocol.

    sessions: how many may be open concurrently. It serves the words of recorded people to anyone
    who can reach it.
    """
    held = RecordedEnvironment(log, ids, reward)
    return create_fastapi_app(
        lambda: OpenEnvironment(copy(held)),  # each session has its own episode
        AssistantAction,
        ChatObservation,
        sessions,
        env_name="turnlog",
        state_cls=EpisodeState,
    )


def _shown(seen: Seen, tools: Iterable[Any] = ()) -> ChatObservation:
    return ChatObservation(
        messages=seen.messages, done=seen.done, reward=seen.reward, tools=[*tools]
    )
