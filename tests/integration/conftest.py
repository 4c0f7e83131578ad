"""Fixtures for tests of commands."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def working_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a log in the folder in which commands run."""
    url = f"sqlite:///{tmp_path / 'log.db'}?synchronous=OFF"
    monkeypatch.setenv("TURNLOG_DB", url)
    monkeypatch.chdir(tmp_path)
    return url
