"""Training data: what of the log counts, split, written, and traced back to its events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnlog.engine.log import Turnlog
    from turnlog.training.environments.episodes import Reward
    from turnlog.training.environments.recorded_environment import RecordedEnvironment


def environment(
    log: Turnlog, ids: Iterable[str] | None = None, reward: Reward | None = None
) -> RecordedEnvironment:
    """An environment made of recorded conversations.

    See `turnlog.training.environments.recorded_environment`.
    """
    from turnlog.training.environments.recorded_environment import RecordedEnvironment

    return RecordedEnvironment(log, ids, reward)
