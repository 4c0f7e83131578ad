"""TRL, with the chat templates that it ships: without PyTorch, which only training needs.

Its functions on data need `transformers`, which is of the extra `test-formats`.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.parts import INSTALLED, PartMissing
from tests.parts.node import exclusive

VERSION = "1.16.0"


def installed() -> Path:
    """The folder to put on the path, filled first where it is empty."""
    if find_spec("transformers") is None:
        raise PartMissing("no transformers: scripts/install test-formats")
    folder = INSTALLED / f"trl-{VERSION}"
    with exclusive("trl.lock"):
        if not (folder / "trl").is_dir():
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    which = ["--no-deps", "--target", str(folder), f"trl=={VERSION}"]
    try:
        subprocess.run([*pip, *which], check=True, timeout=300, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise PartMissing(f"pip has no trl {VERSION}: {error.stderr[-200:]}") from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise PartMissing(f"pip gets no trl {VERSION}: {error}") from error
