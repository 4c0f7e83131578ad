"""Environments: recorded conversations that a model holds again, to learn from its reward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from turnlog.engine.log import Turnlog
from turnlog.errors import FormatError, UnknownConversation
from turnlog.training.environments.episodes import Episode, Observation, Reward


class RecordedEnvironment:
    """The recorded user and the recorded results of tools answer; nothing is stored.

    It has OpenEnv's `reset`, `step` and `state`. ids: None for every conversation. reward: `slots`
    compares the slots that were set in these turns, with their last recorded values, with those
    that the model set with the tool `set_slot`, and is the share that are equal. `divergence` is
    the share of turns before the first in which the model makes other calls than the recorded ones,
    or says nothing although the record does; that turn ends the episode. The default is slots, if
    any were set.
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
            raise FormatError("an environment needs at least one conversation", field="ids")

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> Observation:
        """Begins an episode: of that conversation, or of one that the seed chooses.

        Raises UnknownConversation, or FormatError for a conversation without a turn that can be
        held again. The seed chooses such a conversation only if there are no others, which raises
        too.
        """
        self._episode = self._begun(episode_id) if episode_id is not None else self._drawn(seed)
        return Observation(self._episode.opening())

    def _begun(self, id: str) -> Episode:
        return Episode(self._log.conversation(id), self._reward)

    def _drawn(self, seed: int | None) -> Episode:
        """Draws until a conversation can be held, so that the choice depends only on the seed."""
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
        """Continues after an assistant's message: `content`, and `tool_calls` if it calls.

        Raises FormatError for anything else and leaves the episode unchanged.
        """
        return self._held.take(action)

    @property
    def state(self) -> dict[str, Any]:
        """The episode's conversation, turn, reward so far, and the slots that were set."""
        return self._held.state()

    @property
    def tools(self) -> list[Any]:
        """The tools that can be called."""
        return self._held.tools

    @property
    def _held(self) -> Episode:
        if self._episode is None:
            raise FormatError("no episode has begun; call reset first", field="step")
        return self._episode
