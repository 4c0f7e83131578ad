"""Headless Chromium from the npm package @sparticuz/chromium, driven by playwright."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tests.parts import INSTALLED, PartMissing, node

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

# not the package's own list, which turns off what the tests are about, such as CORS
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
UNPACK = 'import chromium from "@sparticuz/chromium"; await chromium.executablePath();'
FONTS = '<fontconfig><dir prefix="relative">fonts/fonts</dir></fontconfig>'


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with an empty profile, for the length of the block."""
    folder = installed()
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            launched = playwright.chromium.launch(
                executable_path=folder / "chromium", args=FLAGS, env=_environment(folder)
            )
        except Error as error:
            raise PartMissing(f"it does not start: {error}") from error
        with launched:
            yield launched


@contextmanager
def profile(user_data: Path) -> Iterator[BrowserContext]:
    """A browser that keeps its profile in `user_data`. The caller closes it."""
    folder = installed()
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch_persistent_context(
            user_data, executable_path=folder / "chromium", args=FLAGS, env=_environment(folder)
        ) as context,
    ):
        yield context


def installed() -> Path:
    """The folder with the unpacked browser, its libraries and its fonts."""
    if find_spec("playwright") is None:
        raise PartMissing("playwright is not installed")
    packages = node.installed()
    folder = INSTALLED / "chromium"
    with node.exclusive("chromium.lock"):
        stamp = folder / ".installed"
        wanted = node.LOCK_FILE.read_bytes()
        if not stamp.exists() or stamp.read_bytes() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            _unpack(packages, folder)
            stamp.write_bytes(wanted)
    return folder


def _unpack(packages: node.Node, folder: Path) -> None:
    try:
        # On the platform named here the package also unpacks the libraries a bare machine lacks.
        packages.run(UNPACK, TMPDIR=str(folder), AWS_EXECUTION_ENV="24.x")
    except subprocess.CalledProcessError as error:
        raise PartMissing(f"@sparticuz/chromium does not unpack: {error}") from error
    (folder / "fonts.conf").write_text(FONTS)


def _environment(folder: Path) -> dict[str, str | float | bool]:
    return {
        **os.environ,
        "LD_LIBRARY_PATH": str(folder / "al2023" / "lib"),
        "FONTCONFIG_FILE": str(folder / "fonts.conf"),
    }
