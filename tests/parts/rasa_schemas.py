"""The schemas with which Rasa checks its training files, from the wheel of rasa 3.6.21."""

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.parts import INSTALLED, PartMissing
from tests.parts.node import exclusive

VERSION = "3.6.21"
FILES = {
    "stories.yml": "rasa/shared/utils/schemas/stories.yml",
    "domain.yml": "rasa/shared/utils/schemas/domain.yml",
    "extensions.py": "rasa/shared/utils/pykwalify_extensions.py",
    "nlu.yml": "rasa/shared/nlu/training_data/schemas/nlu.yml",
    "responses.yml": "rasa/shared/nlu/training_data/schemas/responses.yml",
}


def installed() -> Path:
    """The folder of the files; downloaded on first use."""
    folder = INSTALLED / f"rasa-{VERSION}"
    with exclusive("rasa.lock"):
        if not all((folder / name).exists() for name in FILES):
            folder.mkdir(exist_ok=True)
            _download(folder)
    return folder


def _download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
    which = ["--python-version", "3.10", "--only-binary=:all:", f"rasa=={VERSION}"]
    try:
        subprocess.run(
            [*command, *which, "--dest", str(folder)],
            check=True,
            timeout=300,
            capture_output=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        raise PartMissing(f"pip has no rasa {VERSION}: {error.stderr[-200:]}") from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise PartMissing(f"pip cannot download rasa {VERSION}: {error}") from error
    (wheel,) = folder.glob("rasa-*.whl")
    with zipfile.ZipFile(wheel) as files:
        for name, path in FILES.items():
            (folder / name).write_bytes(files.read(path))
    wheel.unlink()
