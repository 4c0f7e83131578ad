"""The back end under test."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import pytest

from turnlog.storage.recorder import Recorder


class BackEnd(ABC):
    """`create` returns an empty log; `reopen` opens the last one again."""

    outlives = True
    """Whether a closed log can be opened again."""

    @abstractmethod
    def create(self) -> Recorder:
        """An empty log."""

    def reopen(self) -> Recorder:
        """The log of the last `create`, opened again."""
        raise NotImplementedError

    @pytest.fixture
    def recorder(self) -> Iterator[Recorder]:
        """An empty log, closed after the test."""
        recorder = self.create()
        yield recorder
        recorder.close()
