"""The README and the docs: their snippets run, their links work, no command is missing.

Blocks marked `python` are run in order, in one namespace a page. Blocks marked `console` are typed
into a shell: lines after `$ ` (continued after `> `), then the output, where `...` matches
anything. `# status N` says that the command exits with N.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

from tests.parts import ROOT
from turnlog.cli.app import COMMANDS
from turnlog.projections import PROJECTIONS

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
named = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

_STATUS = re.compile(r"# status (\d+)\s*$", re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def typed(example: Example) -> None:
    """Type a console block into a shell and compare its output with the block."""
    type_in(example.parsed)


def type_in(block: str) -> None:
    for command, expected in _commands(block):
        ran = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False
        )
        status = _STATUS.search(command)
        assert ran.returncode == int(status[1] if status else 0), f"$ {command}\n{ran.stderr}"
        printed = ran.stdout + ran.stderr
        alike = OutputChecker().check_output(
            expected or "", printed, ELLIPSIS | NORMALIZE_WHITESPACE
        )
        assert alike, f"$ {command}\nprinted:\n{printed}\nbut the page says:\n{expected}"


def _commands(block: str) -> list[tuple[str, str]]:
    """Each command, with its continuation lines, and its expected output."""
    found: list[tuple[str, str]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif line.startswith("> ") and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", "")
        else:
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


SNIPPETS = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser(language="console", evaluator=typed),
        SkipParser(),
    ]
)


@named
def test_every_snippet_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # 2 s each of no use to a page
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if page.name == "README.md" and page.parent == ROOT:  # it is typed unchanged
        monkeypatch.delenv("TURNLOG_DB", raising=False)
    else:
        monkeypatch.setenv("TURNLOG_DB", "sqlite:///chat.db")
    registered = dict(PROJECTIONS)
    for example in SNIPPETS.parse(page).examples():
        example.evaluate()
    for name in PROJECTIONS.keys() - registered.keys():  # a page registers its own read model
        del PROJECTIONS[name]


def test_there_are_snippets_to_run() -> None:
    assert sum(len(list(SNIPPETS.parse(page).examples())) for page in PAGES) > 30


def test_every_link_leads_to_a_file() -> None:
    links = [(page, target) for page in PAGES for target in _LINK.findall(page.read_text())]
    assert len(links) > 40
    assert [link for link in links if not (link[0].parent / link[1]).exists()] == []


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text()
    missing = [name for name in COMMANDS if not re.search(rf"`turnlog {name}[ `]", text)]
    assert missing == []


def test_every_folder_is_on_the_map() -> None:
    readme = (ROOT / "README.md").read_text()
    folders = [path.parent.name for path in (ROOT / "turnlog").glob("*/__init__.py")]
    assert len(folders) > 15
    assert [name for name in folders if f"`turnlog/{name}`" not in readme] == []


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    records = sorted(path.name for path in (ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert [name for name in records if name not in index] == []
    numbers = [name[:4] for name in records]
    assert len(numbers) == len(set(numbers)), "two decisions have one number"
