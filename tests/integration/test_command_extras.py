"""A missing extra: the command says which `pip install` helps, and exits with 2."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog.errors import MissingExtra

WITHOUT: list[tuple[str, str, list[str]]] = [
    ("pyarrow", "parquet", ["export", "--format", "parquet", "--out", "x"]),
    ("phonenumbers", "redact", ["export", "--format", "openai", "--redact", "--out", "x"]),
    ("yaml", "rasa", ["export", "--format", "rasa-nlu", "--out", "x"]),
    ("yaml", "rasa", ["export", "--format", "rasa-stories", "--out", "x"]),
    ("yaml", "rasa", ["export", "--format", "rasa-e2e", "--out", "x"]),
    ("yaml", "rasa", ["import", "tracker.json", "--domain", "domain.yml"]),
    ("redis", "rasa", ["import", "redis://localhost/0"]),
    ("psycopg", "postgres", ["import", "postgresql://localhost/x", "--format", "rasa-sql"]),
    ("psycopg", "postgres", ["list", "--db", "postgresql://localhost/x"]),
    ("litestar", "server", ["serve"]),
]
"""A package, the extra that brings it, and a command that needs it."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNLOG_DB", "sqlite:///log.db")
    (tmp_path / "domain.yml").write_text("slots:\n  city:\n    type: text\n")
    (tmp_path / "tracker.json").write_text(
        '{"sender_id":"a","latest_event_time":1.0,'
        '"events":[{"event":"user","text":"hi","timestamp":1.0}]}'
    )
    with turnlog.open("sqlite:///log.db") as log:
        understood = turnlog.MessageUnderstood(intent=turnlog.Intent("greet"))
        log.record("alice", turnlog.UserUttered("hi"), understood, turnlog.BotUttered("hello"))
    return tmp_path


@pytest.mark.parametrize(("package", "extra", "arguments"), WITHOUT)
def test_a_missing_package_is_named_with_what_helps(
    package: str, extra: str, arguments: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(OURS[extra])]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    ran = run(*arguments)
    said = ran.out + ran.err
    assert ran.status == 2, said
    assert f"pip install 'turnlog[{extra}]'" in said
    assert "unexpected" not in said
    assert not (folder / "x").exists()


OURS = {
    "parquet": ("turnlog.serializers.parquet",),
    "redact": ("turnlog.training.privacy.personal",),
    "rasa": ("turnlog.serializers.rasa.yaml",),
    "postgres": ("turnlog.storage.postgres",),
    "server": ("turnlog.server.",),
}
"""Modules of ours that hold a package from an import before."""


@pytest.mark.parametrize(("format", "extra"), [("parquet", "parquet"), ("rasa-nlu", "rasa")])
def test_a_package_that_is_not_installed_has_no_version(
    format: str, extra: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> Any:
        if name != "turnlog":
            raise PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr("turnlog.training.records.manifest.version", version)
    ran = run("export", "--format", format, "--out", "x")
    assert ran.status == 2
    assert f"pip install 'turnlog[{extra}]'" in ran.err


def test_it_is_an_import_error_too() -> None:
    error = MissingExtra("the server", "server", "litestar")
    assert isinstance(error, ImportError)
    assert str(error) == (
        "the server needs: pip install 'turnlog[server]' (litestar is not installed)"
    )
