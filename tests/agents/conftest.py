"""Fixtures of the tests of doors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from turnlog.agents.langgraph import TurnlogSaver


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'chat.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def durable_url(request: pytest.FixtureRequest) -> str:
    """A log on disk that several processes can share."""
    fixture = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture
def saver(sqlite_url: str) -> Iterator[TurnlogSaver]:
    with TurnlogSaver(sqlite_url) as opened:
        yield opened
