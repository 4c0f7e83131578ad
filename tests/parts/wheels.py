"""Packages of PyPI without their dependencies, each in a folder to put on the path."""

import subprocess
import sys
from pathlib import Path

from tests.parts import INSTALLED, PartMissing
from tests.parts.node import exclusive


def installed(name: str, version: str) -> Path:
    """The folder; filled on first use."""
    folder = INSTALLED / f"{name}-{version}"
    with exclusive(f"{name}.lock"):
        if not (folder / name).is_dir():
            _install(folder, name, version)
    return folder


def _install(folder: Path, name: str, version: str) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    which = ["--no-deps", "--target", str(folder), f"{name}=={version}"]
    try:
        subprocess.run([*pip, *which], check=True, timeout=300, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise PartMissing(f"pip has no {name} {version}: {error.stderr[-200:]}") from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise PartMissing(f"pip cannot download {name} {version}: {error}") from error
