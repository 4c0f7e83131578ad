"""The real servers and programs that tests run against, each started on demand.

A part comes from PyPI or npm as an ordinary user, listens on the loopback interface alone and
ends with the process that started it. Where one cannot be had, it raises `PartMissing`.
"""

from pathlib import Path

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / ".parts"


class PartMissing(Exception):
    """A part is not available on this machine. The message says why in one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(" ".join(reason.split())[:300])
