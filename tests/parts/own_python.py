"""Separate environments, for what conflicts with the packages of the tests."""

import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import requires
from pathlib import Path

from tests.parts import INSTALLED, PartMissing
from tests.parts.node import exclusive


def made(part: str, *installs: Sequence[str], python: str = sys.executable) -> Path:
    """The Python of the environment with a name; made on first use.

    installs: the arguments of each call of pip.
    """
    folder = INSTALLED / part
    own, stamp = folder / "bin" / "python", folder / "installed"
    with exclusive(f"{part}.lock"):
        if not stamp.exists() or stamp.read_text() != str(installs):
            _run(part, python, "-m", "venv", "--clear", folder)
            for given in installs:
                _run(part, own, "-m", "pip", "install", "-q", "--no-compile", *given)
            stamp.write_text(str(installs))
    return own


def of_turnlog() -> list[str]:
    """turnlog's own dependencies, for programs that import it from the checkout."""
    return [needed for needed in requires("turnlog") or () if "extra ==" not in needed]


def _run(part: str, *command: str | Path) -> None:
    try:
        subprocess.run(command, check=True, timeout=300, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise PartMissing(f"pip has no {part}: {error.stderr[-200:]}") from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise PartMissing(f"pip cannot download {part}: {error}") from error
