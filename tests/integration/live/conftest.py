from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.parts import turnlog as turnlog_part

if TYPE_CHECKING:
    from tests.parts.server import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server with the booking bot and no authentication; sessions keep apart."""
    with turnlog_part.running() as running:
        yield running


@pytest.fixture(scope="session")
def naming_server() -> Iterator[Server]:
    """A server whose clients name their session ids."""
    with turnlog_part.running("--client-ids") as running:
        yield running


@pytest.fixture(scope="session")
def chosen_server() -> Iterator[Server]:
    """A server whose bot is named by the conversation's id, up to its dash."""
    bot = "tests.integration.live.bots:chosen"
    with turnlog_part.running("--client-ids", "--bot-timeout", "1", bot=bot) as running:
        yield running
