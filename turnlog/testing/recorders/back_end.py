"""The back end that a contract is held against."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import pytest

from turnlog.storage.recorder import Recorder


class BackEnd(ABC):
    """`create` gives an empty log; `reopen` opens what the last one stored once more."""

    outlives = True
    """Whether what was stored can be opened again."""

    @abstractmethod
    def create(self) -> Recorder: ...

    def reopen(self) -> Recorder:
        raise NotImplementedError

    @pytest.fixture
    def recorder(self) -> Iterator[Recorder]:
        recorder = self.create()
        yield recorder
        recorder.close()
