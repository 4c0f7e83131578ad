"""Environments: recorded conversations that a model holds once more, to learn from its reward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from turnlog.engine.log import Turnlog
from turnlog.errors import FormatError, UnknownConversation
from turnlog.training.environments.episodes import Episode, Observation, Reward


class RecordedEnvironment:
    """The recorded user and the recorded results of tools answer; nothing is stored.

    It has `reset`, `step` and `state`, as OpenEnv's environments. ids: None for every conversation.
    reward: `slots` is the share which are equal of the slots that were set in these turns, as the
    record ends with them, and of those that the model set, with the tool `set_slot`; `divergence`
    the share of turns before the first in which the model's calls are not the recorded ones, or it
    says nothing where the record does, which ends the episode. By default slots, where there are
    any.
    """

    def __init__(
        self, log: Turnlog, ids: Iterable[str] | None = None, reward: Reward | None = None
    ) -> None:
        self._log = log
        self._ids = sorted(set(log.ids(trials=False) if ids is None else ids))
        self._not_held: set[str] = set()
        self._reward: Reward | None = reward
        self._episode: Episode | None = None
        if not self._ids:
            raise FormatError("an environment is of at least one conversation", field="ids")

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> Observation:
        """Begin an episode: of that conversation, else of one that the seed chooses.

        Raises UnknownConversation, or FormatError for one of which no turn can be held again. The
        seed chooses none of these, unless there are no others.
        """
        self._episode = self._begun(episode_id) if episode_id is not None else self._drawn(seed)
        return Observation(self._episode.opening())

    def _begun(self, id: str) -> Episode:
        return Episode(self._log.conversation(id), self._reward)

    def _drawn(self, seed: int | None) -> Episode:
        """Drawn again until one can be held, so that it depends on nothing but the seed."""
        random = Random(seed)
        while True:
            id = random.choice(self._ids)
            if id in self._not_held:
                continue
            try:
                return self._begun(id)
            except (FormatError, UnknownConversation):
                self._not_held.add(id)
                if len(self._not_held) == len(self._ids):
                    self._not_held.clear()
                    raise

    def step(self, action: Mapping[str, Any]) -> Observation:
        """Go on behind an assistant's message: `content`, and `tool_calls` where it calls.

        Raises FormatError for what is no such message; the episode is where it was.
        """
        return self._held.take(action)

    @property
    def state(self) -> dict[str, Any]:
        """Of the episode: its conversation, turn, reward so far, and the slots that were set."""
        return self._held.state()

    @property
    def tools(self) -> list[Any]:
        """Those that can be called."""
        return self._held.tools

    @property
    def _held(self) -> Episode:
        if self._episode is None:
            raise FormatError("reset comes before anything else", field="step")
        return self._episode
