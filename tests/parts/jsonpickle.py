"""jsonpickle of a given version, from PyPI, in a separate folder: the judge of its format."""

import subprocess
import sys
from pathlib import Path

from tests.parts import INSTALLED, PartMissing


def installed(version: str) -> Path:
    """The folder to put on the path."""
    folder = INSTALLED / f"jsonpickle-{version}"
    if not (folder / "jsonpickle").is_dir():
        asked: list[str | Path] = [
            "install",
            "--quiet",
            "--no-deps",
            "--target",
            folder,
            f"jsonpickle=={version}",
        ]
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *asked]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise PartMissing(done.stderr or "pip failed")
    return folder
