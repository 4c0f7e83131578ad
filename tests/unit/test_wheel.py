"""The installed package contains the files of the tree and does what the README says."""

import email
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.docs.test_docs import type_in
from tests.parts import ROOT

FILES = (
    "setup.cfg", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE",
    "CHANGELOG.md", "CONTRIBUTING.md",
)  # fmt: skip


def test_the_wheel_contains_exactly_the_files_of_the_tree(tmp_path: Path) -> None:
    with zipfile.ZipFile(built_wheel(tmp_path)) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = (path for path in (ROOT / "turnlog").rglob("*") if path.is_file())
    tree = {path.relative_to(ROOT).as_posix() for path in files}
    assert packed == {name for name in tree if "/__pycache__/" not in name}


def test_the_readme_works_where_only_the_wheel_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = installed(built_wheel(tmp_path), tmp_path / "fresh")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("TURNLOG_DB", raising=False)
    monkeypatch.setenv("PATH", f"{fresh}{os.pathsep}{os.environ['PATH']}")
    type_in(f"$ python -c 'import turnlog; print(turnlog.__file__)'\n{fresh.parent}...\n")
    blocks = re.findall(r"```(python|console)\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert [language for language, _ in blocks] == ["python", "console"]
    for language, block in blocks:
        if language == "python":
            subprocess.run([fresh / "python", "-c", block], check=True, timeout=60)
        else:
            type_in(block)


def test_the_metadata_names_the_author_and_its_links_are_absolute(
    tmp_path: Path,
) -> None:
    with zipfile.ZipFile(built_wheel(tmp_path)) as wheel:
        [name] = [name for name in wheel.namelist() if name.endswith("/METADATA")]
        metadata = email.message_from_bytes(wheel.read(name))
    assert all(metadata[field] for field in ("Author", "Keywords", "Classifier", "Project-URL"))
    text = str(metadata.get_payload())
    links = re.findall(r"\]\(([^)]+)\)|src(?:set)?=\"([^\"]+)", text)
    assert len(links) > 15
    assert [link for link in links if not "".join(link).startswith("https://")] == []


def test_the_source_archive_has_tests_docs_and_changes(tmp_path: Path) -> None:
    build("sdist", tmp_path)
    [archive] = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    wanted = {"CHANGELOG.md", "tests/conftest.py", "docs/speed.md", "docs/inspector-dark.png"}
    assert wanted <= names
    assert [name for name in names if "__pycache__" in name] == []


def installed(wheel: Path, folder: Path) -> Path:
    """A fresh environment with the wheel in it, and the packages it needs from this one."""
    venv.create(folder, symlinks=True)
    python = str(folder / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index"]
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True, capture_output=True)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def built_wheel(folder: Path) -> Path:
    build("wheel", folder)
    [wheel] = folder.glob("*.whl")
    return wheel


def build(what: str, folder: Path) -> None:
    """Build from a copy: a build leaves its own files behind."""
    source = folder / "source"
    for name in ("turnlog", "tests", "docs"):
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=leave)
    for name in FILES:
        shutil.copy(ROOT / name, source)
    code = f"from setuptools import build_meta; build_meta.build_{what}({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
