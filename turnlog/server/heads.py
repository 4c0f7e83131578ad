"""Signs and publishes heads of the log while it is served."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from turnlog.audit.publishing import Publisher
from turnlog.errors import InvalidKey, TurnlogError
from turnlog.proof.checkpoint import LogCheckpoint
from turnlog.proof.folder import TileFolder
from turnlog.proof.keys import signer_in
from turnlog.proof.witness_client import is_url
from turnlog.server.services import Services
from turnlog.server.settings import Settings
from turnlog.storage.recent_digests import RecentDigests

logger = logging.getLogger(__name__)


@asynccontextmanager
async def publishing(services: Services) -> AsyncIterator[None]:
    """Publishes a head at intervals during the block, and one at its end.

    Raises InvalidKey for a key that cannot sign.
    """
    if not services.settings.heads:
        yield
        return
    publishers, ended = _publishers(services), asyncio.Event()
    task = asyncio.create_task(_publish_until(ended, publishers, services))
    try:
        yield
    finally:
        ended.set()
        await task


def _publishers(services: Services) -> list[Publisher]:
    """A publisher for each folder, or one without a folder. Each asks all witnesses."""
    settings = services.settings
    if not settings.head_keys:
        raise InvalidKey("--heads needs a key that signs: --key F; `keygen` makes one")
    services.log.sync.store.recent = RecentDigests()
    signers = [signer_in(Path(file)) for file in settings.head_keys]
    witnesses, folders = _sorted(settings)
    return [
        Publisher(services.log.sync.store, signers, services.clock, folder, witnesses)
        for folder in (folders or (None,))
    ]


def _sorted(settings: Settings) -> tuple[list[str], list[TileFolder]]:
    """The witnesses and the folders among the places of heads."""
    witnesses = [place for place in settings.heads if is_url(place)]
    folders = [TileFolder(Path(place)) for place in settings.heads if not is_url(place)]
    return witnesses, folders


async def _publish_until(
    ended: asyncio.Event, publishers: list[Publisher], services: Services
) -> None:
    while not ended.is_set():
        await _publish(publishers, services)
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), services.settings.every)
    await _publish(publishers, services)


async def _publish(publishers: list[Publisher], services: Services) -> None:
    """Publishes a head. A failure is logged each time, and the server continues."""
    for publisher in publishers:
        try:
            note = await asyncio.to_thread(publisher.publish)
        except TurnlogError as error:
            services.metrics.head_failures.inc()
            logger.error("cannot publish a head: %s", error)
        except Exception:
            services.metrics.head_failures.inc()
            logger.exception("cannot publish a head")
        else:
            services.metrics.head_size.set(LogCheckpoint.parse(note.text).size)
