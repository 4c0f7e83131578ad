"""What is installed is what is in the tree."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.parts import ROOT


def test_the_wheel_holds_exactly_the_files_of_the_tree(tmp_path: Path) -> None:
    with zipfile.ZipFile(built_wheel(tmp_path)) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = (path for path in (ROOT / "turnlog").rglob("*") if path.is_file())
    tree = {path.relative_to(ROOT).as_posix() for path in files}
    assert packed == {name for name in tree if "/__pycache__/" not in name}


def built_wheel(folder: Path) -> Path:
    """Build from a copy: a build leaves its own files behind."""
    source = folder / "source"
    shutil.copytree(
        ROOT / "turnlog", source / "turnlog", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    return wheel
