from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.conftest import needing
from tests.parts import ROOT, PartMissing
from tests.parts import turnlog as turnlog_part

if TYPE_CHECKING:
    from tests.parts.server import Server

CLIENT = ROOT / "turnlog/server/static/vendor/socket.io.js"


@pytest.fixture(scope="session")
def _page_built() -> None:
    with needing("chat page"):
        if not CLIENT.exists():
            done = subprocess.run([ROOT / "scripts/page"], capture_output=True, text=True)
            if done.returncode:
                raise PartMissing(f"scripts/page: {done.stderr}")


@pytest.fixture
def server(_page_built: None) -> Iterator[Server]:
    """A server with the booking bot, to be killed and started again at will."""
    with turnlog_part.running() as running:
        yield running
