from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.parts import turnlog as turnlog_part

if TYPE_CHECKING:
    from tests.parts.server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    """A server with the booking bot, for tests that kill and restart it."""
    with turnlog_part.running() as running:
        yield running
