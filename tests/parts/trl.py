"""TRL, with the chat templates that it ships: without PyTorch, which only training needs.

Its functions on data need `transformers`, which is of the extra `test-formats`.
"""

from importlib.util import find_spec
from pathlib import Path

from tests.parts import PartMissing, wheels

VERSION = "1.16.0"


def installed() -> Path:
    """The folder to put on the path; filled on first use."""
    if find_spec("transformers") is None:
        raise PartMissing("no transformers: scripts/install test-formats")
    return wheels.installed("trl", VERSION)
