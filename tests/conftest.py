"""Fixtures for the real parts. Each starts on first use; a missing one skips its tests."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests import parts
from tests.parts import aics_tlog as aics_part
from tests.parts import chromium as chromium_part
from tests.parts import llama_factory as llama_part
from tests.parts import node as node_part
from tests.parts import openenv as openenv_part
from tests.parts import postgres as postgres_part
from tests.parts import promptfoo as promptfoo_part
from tests.parts import rasa_schemas as rasa_part
from tests.parts import trl as trl_part
from tests.parts import valkey as valkey_part
from tests.parts import verifiers as verifiers_part

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

    from tests.parts.node import Node
    from tests.parts.server import Server

# The long form tries other examples each time.
FIXED = os.environ.get("TURNLOG_FAULTS") != "long"
hypothesis.settings.register_profile("ci", deadline=None, derandomize=FIXED, print_blob=True)
hypothesis.settings.load_profile("ci")

NOT_HAD = re.compile(r"part not had: (.+?): (.*)", re.DOTALL)


@contextmanager
def needing(part: str) -> Iterator[None]:
    """Skip the test where the part is missing."""
    try:
        yield
    except parts.PartMissing as missing:
        pytest.skip(f"part not had: {part}: {missing}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One PostgreSQL server for all tests; those that crash it start their own."""
    with needing("postgres"), postgres_part.running() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Server) -> Iterator[str]:
    """An empty PostgreSQL database."""
    url = postgres_part.fresh_database(postgres.url)
    yield url
    postgres_part.drop_database(url)


@pytest.fixture
def valkey() -> Iterator[Server]:
    """An empty Valkey server for one test, to be killed, paused and restarted at will."""
    with needing("valkey"), valkey_part.running() as server:
        yield server


@pytest.fixture
def valkey_url(valkey: Server) -> str:
    return valkey.url


@pytest.fixture(scope="session")
def node() -> Node:
    """Node.js with the packages of tests/parts/package.json."""
    with needing("node"):
        return node_part.installed()


@pytest.fixture(scope="session")
def rasa_schemas() -> Path:
    """The folder of the schemas that Rasa checks its training files with."""
    with needing("rasa schemas"):
        return rasa_part.installed()


@pytest.fixture(scope="session")
def trl() -> Path:
    """The folder of TRL's package, which can be imported."""
    with needing("trl"):
        folder = trl_part.installed()
    sys.path.append(str(folder))
    return folder / "trl"


@pytest.fixture(scope="session")
def llama_factory() -> Path:
    """The folder of LLaMA-Factory's package."""
    with needing("llama-factory"):
        return llama_part.installed()


@pytest.fixture(scope="session")
def promptfoo() -> Node:
    """Node.js with promptfoo."""
    with needing("promptfoo"):
        return promptfoo_part.installed()


@pytest.fixture(scope="session")
def aics_python() -> Path:
    """A Python that has aics-tlog."""
    with needing("aics-tlog"):
        return aics_part.installed()


@pytest.fixture(scope="session")
def verifiers_python() -> Path:
    """A Python that has verifiers, and what turnlog needs."""
    with needing("verifiers"):
        return verifiers_part.installed()


@pytest.fixture(scope="session")
def openenv_python() -> Path:
    """A Python that has OpenEnv, and what turnlog needs."""
    with needing("openenv"):
        return openenv_part.installed()


@pytest.fixture(scope="session")
def _chromium_installed() -> None:
    with needing("chromium"):
        chromium_part.installed()


@pytest.fixture
def chromium(_chromium_installed: None) -> Iterator[Browser]:
    """A browser for one test, for tests that are not coroutines: its interface blocks."""
    with needing("chromium"), chromium_part.browser() as browser:
        yield browser


@pytest.fixture
def chromium_profile(
    _chromium_installed: None, tmp_path: Path
) -> Callable[[], AbstractContextManager[BrowserContext]]:
    """Opens a browser that keeps its profile: the next block finds what one block stored."""
    return partial(chromium_part.profile, tmp_path / "profile")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real conversations: next to the repository, or the value of TURNLOG_DATA."""
    default = parts.ROOT.parent / "shared" / "data"
    folder = Path(os.environ.get("TURNLOG_DATA", default))
    with needing("shared data"):
        if not folder.is_dir():
            raise parts.PartMissing(f"no folder {folder}; TURNLOG_DATA names another")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each part that was missing and how many tests were skipped for it."""
    tests: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    for report in terminalreporter.getreports("skipped"):
        if isinstance(report.longrepr, tuple) and (match := NOT_HAD.search(report.longrepr[2])):
            part, reasons[part] = match[1], match[2]
            tests[part] += 1
    if tests:
        terminalreporter.section("parts not had:")
    for part, count in sorted(tests.items()):
        terminalreporter.line(f"{part}: {count} tests skipped: {reasons[part]}")


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a new log on each back end."""
    if request.param == "postgres":
        found: str = request.getfixturevalue("postgres_url")
        return found
    return {"memory": "memory:"}.get(request.param, f"sqlite:///{tmp_path}/chat.db")
