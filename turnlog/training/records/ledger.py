"""The log's record of an export: what went to whom, and who must learn of an erasure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from turnlog.domain.events import ConversationExported
from turnlog.engine.log import Turnlog
from turnlog.engine.upkeep import record
from turnlog.files import is_stream, sha256_of
from turnlog.serializers.shared.plain import dumps
from turnlog.training.plan import ExportPlan
from turnlog.training.records.manifest import header

NOT_NAMED = "not named"
STREAMS_AN_EVENT = 5_000


class Ledger:
    """recipient: None if unknown."""

    def __init__(self, log: Turnlog, recipient: str | None, actor: str) -> None:
        self._log = log
        self._recipient = recipient or NOT_NAMED
        self._actor = actor

    def export_id(self, plan: ExportPlan) -> str:
        """The same for the same plan and recipient."""
        said = dumps([header(plan), self._recipient])
        return hashlib.sha256(said).hexdigest()[:16]

    def record(self, plan: ExportPlan, streams: Iterable[int], manifest: BinaryIO) -> None:
        """Durable on return. streams: of the exported conversations. manifest: the written file; a
        stream has no digest.
        """
        manifest.flush()
        rest = iter(streams)
        parts = iter(lambda: tuple(islice(rest, STREAMS_AN_EVENT)), ())
        digest, id = _digest(manifest), self.export_id(plan)
        events = [
            ConversationExported(
                self._recipient, plan.format, None, digest, streams=part, export=id,
                actor=self._actor,
            )
            for part in parts
        ]  # fmt: skip
        if events:
            record(self._log, *events)


def _digest(manifest: BinaryIO) -> str | None:
    path = Path(manifest.name)
    return None if is_stream(path) else sha256_of(path)
