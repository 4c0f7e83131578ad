"""Operations on whole threads: copy, prune, hide, delete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from langgraph.checkpoint.base import BaseCheckpointSaver

from turnlog.agents.checkpoints import EVERY, of_run, threads
from turnlog.agents.langgraph.bodies import HIDDEN, Hidden, stored
from turnlog.agents.langgraph.thread import GraphThread
from turnlog.agents.langgraph.threads import GraphThreads
from turnlog.domain.events import Event
from turnlog.engine.log import Turnlog
from turnlog.errors import UnknownConversation


class Upkeep(BaseCheckpointSaver[int]):
    """Deletes, copies and prunes threads. What was recorded stays in the log."""

    log: Turnlog
    _threads: GraphThreads

    def delete_thread(self, thread_id: str) -> None:
        """Deletes the conversation. Its id can be used again."""
        try:
            self.log.delete(thread_id)
        except UnknownConversation:
            return

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Hides the checkpoints of runs. Checkpoints that continue from them stay complete."""
        planned = partial(_without_runs, frozenset(run_ids))
        for id in threads(self.log, [of_run(run) for run in run_ids]):
            self._threads.record(id, planned, None, begins=False)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Forks the conversation: the copy has all checkpoints up to now.

        The past is shared: what is redacted or deleted in the source is hidden in the copy. Raises
        InvalidEvent if the target's id was ever used.
        """
        try:
            self.log.fork(source_thread_id, as_=target_thread_id)
        except UnknownConversation:
            return

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Hides all checkpoints but the newest of each namespace, or with `delete` all of them.

        They stay in the log: checkpoints that continue from them, and delta channels, stay
        complete.
        """
        if strategy not in ("keep_latest", "delete"):
            raise ValueError(f"strategy must be 'keep_latest' or 'delete', not {strategy!r:.40}")
        for id in thread_ids:
            self._threads.record(id, partial(_pruned, strategy), None, begins=False)

    def _every_thread(self) -> Iterator[str]:
        """The threads that have checkpoints, the most recently continued first."""
        return threads(self.log, [EVERY])


def _without_runs(runs: frozenset[str], thread: GraphThread) -> Sequence[Event]:
    of_runs = (each for each in thread.listed() if each.metadata.get("run_id") in runs)
    keys = [(each.ns, each.id) for each in of_runs]
    return [stored(Hidden(keys), HIDDEN)] if keys else ()


def _pruned(strategy: str, thread: GraphThread) -> Sequence[Event]:
    listed = [(each.ns, each.id) for each in thread.listed()]
    newest = dict(reversed(listed))
    kept = [] if strategy == "delete" else [*newest.items()]
    if len(kept) == len(listed):
        return ()
    if not kept:
        return [stored(Hidden(upto=thread.event + 1), HIDDEN)]
    return [stored(Hidden([key for key in listed if key not in kept]), HIDDEN)]
