"""Worker processes that share work; their results come in the order of one process."""

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
"""Pieces of work, for each process, that are begun before they are needed."""

P = TypeVar("P")
R = TypeVar("R")


def in_order(
    jobs: int,
    work: Callable[[P], R],
    pieces: Iterable[P],
    begin: Callable[..., None] | None = None,
    given: tuple[Any, ...] = (),
) -> Iterator[R]:
    """The results of pieces of work, in order; takes no more pieces than are needed.

    begin: called in each process before its first piece, with the given arguments. All are
    picklable.
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
    """Ctrl-C is left to the parent process; when that ends, the workers end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if begin is not None:
        begin(*given)


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)
