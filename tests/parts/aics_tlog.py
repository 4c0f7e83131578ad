"""aics-tlog, an independent verifier of transparency logs, in a separate environment."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.parts import PartMissing, own_python

VERSION = "0.2.1"
_IS_NEW_ENOUGH = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 12))"


def installed() -> Path:
    """The Python that has it; made on first use."""
    return own_python.made(f"aics-tlog-{VERSION}", [f"aics-tlog=={VERSION}"], python=_python())


def _python() -> str:
    """A Python 3.12 or newer. A name on the PATH may be a shim without a program."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    named = (shutil.which(name) for name in ("python3.13", "python3.12", "python3"))
    found = sorted(pyenv.glob("3.1[2-9]*/bin/python"))
    for python in map(str, filter(None, [*named, *found])):
        asked = subprocess.run([python, "-c", _IS_NEW_ENOUGH], capture_output=True, check=False)
        if asked.returncode == 0:
            return python
    raise PartMissing("no Python 3.12 or newer with venv")
