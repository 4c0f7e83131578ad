"""aics-tlog, a verifier of transparency logs by others, in an environment of its own."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.parts import INSTALLED, PartMissing
from tests.parts.node import exclusive

VERSION = "0.2.1"
_IS_NEW_ENOUGH = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 12))"


def installed() -> Path:
    """The Python that has it, made first where it is not there."""
    folder = INSTALLED / f"aics-tlog-{VERSION}"
    python = folder / "bin" / "python"
    with exclusive("aics-tlog.lock"):
        if not (folder / "installed").exists():
            _run(_python(), "-m", "venv", "--clear", folder)
            _run(python, "-m", "pip", "install", "-q", f"aics-tlog=={VERSION}")
            (folder / "installed").touch()
    return python


def _python() -> str:
    """One of Python 3.12 or newer; a name on the PATH may be a shim with nothing behind it."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    named = (shutil.which(name) for name in ("python3.13", "python3.12", "python3"))
    found = sorted(pyenv.glob("3.1[2-9]*/bin/python"))
    for python in map(str, filter(None, [*named, *found])):
        asked = subprocess.run([python, "-c", _IS_NEW_ENOUGH], capture_output=True, check=False)
        if asked.returncode == 0:
            return python
    raise PartMissing("there is no Python 3.12 or newer with venv")


def _run(*command: str | Path) -> None:
    try:
        subprocess.run(command, check=True, timeout=300, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise PartMissing(f"pip has no aics-tlog {VERSION}: {error.stderr[-200:]}") from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise PartMissing(f"pip gets no aics-tlog {VERSION}: {error}") from error
