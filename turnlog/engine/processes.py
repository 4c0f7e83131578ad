"""Other processes that share work, whose results come in the order of one process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import Any, TypeVar

AHEAD = 3
"""Pieces of work, for each process, that are begun before they are asked for."""

P = TypeVar("P")
R = TypeVar("R")


def in_order(
    jobs: int,
    work: Callable[[P], R],
    pieces: Iterable[P],
    begin: Callable[..., None] | None = None,
    given: tuple[Any, ...] = (),
) -> Iterator[R]:
    """What becomes of pieces of work, in their order; no more of them are taken than is needed.

    begin: called in each process before its first piece, with what is given. All are picklable.
    """
    rest = iter(pieces)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _begin, (begin, given)) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            while True:
                wanted = jobs * AHEAD - len(waiting)
                waiting.extend(pool.submit(work, piece) for piece in islice(rest, wanted))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()


def _begin(begin: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    """Ctrl-C is for the process that gave the work; whatever ends that one, ends these."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if begin is not None:
        begin(*given)


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)
