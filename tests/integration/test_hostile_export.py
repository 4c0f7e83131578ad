"""Forty hostile texts in every place of a conversation: they come out as texts, and no file with
such a name is outside the folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import turnlog
from tests.command_line import run
from tests.unit.test_audit_report import HOSTILE
from turnlog import BotUttered, SlotSet, UserUttered
from turnlog.domain import events as e
from turnlog.serializers.formats import codec

FORMATS = [
    "jsonl", "openai", "trl", "sharegpt", "alpaca", "promptfoo", "parquet", "sgd", "multiwoz",
    "rasa-stories", "rasa-nlu", "rasa-e2e", "rasa-tracker", "rasa-dialogue",
]  # fmt: skip

TEXTS = [text for text in HOSTILE if text.strip()]


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "data").mkdir()
    (tmp_path / "out").mkdir()
    url = f"sqlite:///{tmp_path}/data/log.db?synchronous=OFF"
    monkeypatch.setenv("TURNLOG_DB", url)
    monkeypatch.chdir(tmp_path / "out")
    with turnlog.open(url, clock=lambda: 1000.0) as log:
        for number, text in enumerate(TEXTS):
            record(log, f"{number} {text}", text)
    return url


def record(log: turnlog.Turnlog, id: str, text: str) -> None:
    """The text in every place that a person, a bot or a tool can fill."""
    entity = e.Entity(text, text, 0, len(text), {"role": text})
    log.record(
        id, UserUttered(text), e.MessageUnderstood(e.Intent(text), (entity,)),
        e.ToolCalled(text, {text: text}, call_id=text), e.ToolReturned(text, call_id=text),
        SlotSet(f"s.semi.{text}", [text]), e.ActionExecuted(text), BotUttered(text, {text: text}),
    )  # fmt: skip


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("format", FORMATS)
def test_hostile_texts_round_trip_unchanged(db, tmp_path, format):
    before = files(tmp_path)
    ran = run("export", "--format", format, "--out", "x", "--json")
    assert ran.status == 0, ran.err
    assert ran.json["faulty"] == []
    assert {n for n in files(tmp_path) - before if "log.db" not in n} == {
        "out/x", "out/x.manifest.json",
    }  # fmt: skip
    found = strings(loaded(tmp_path / "out" / "x", format))
    missing = [text for text in TEXTS if text not in found]
    assert len(missing) == len(ran.json["nothing"])
    assert run("export", "--verify", "x.manifest.json").status == 0


def loaded(path: Path, format: str) -> Any:
    if format.startswith("rasa-") and codec(format).suffix == ".yml":
        return yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    if format == "parquet":
        return pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()
    text = path.read_bytes().decode()
    try:
        return json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.split("\n") if line]


def strings(value: Any) -> set[str]:
    """Every text in a document: the lines of NLU examples, and JSON in texts, too."""
    if isinstance(value, str):
        lines = {line.removeprefix("- ") for line in value.splitlines()}
        return {value, *lines, *_inner(value)}
    if isinstance(value, dict):
        return strings(list(value.keys())) | strings(list(value.values()))
    if isinstance(value, list):
        return set().union(*map(strings, value)) if value else set()
    return set()


def _inner(text: str) -> set[str]:
    try:
        inner = json.loads(text)
    except ValueError:
        return set()
    return strings(inner) if isinstance(inner, dict | list) else set()


def test_nothing_hostile_is_printed(db):
    ran = run("export", "--format", "rasa-nlu", "--out", "x")
    with turnlog.open(db) as log:
        log.record("bad \x1b[2J‮", UserUttered("\x1b]0;x\x07 ‮"), BotUttered(" "))
    refused = run("export", "--format", "openai", "--out", "y")
    assert refused.status == 2
    for printed in (ran.err, ran.out, refused.err):
        assert not any(ord(c) < 32 and c != "\n" for c in printed)
        assert not any(c in printed for c in "‪‫‬‭‮⁦⁧⁨⁩")


def test_no_hostile_name_leaves_the_folder(db, tmp_path):
    before = files(tmp_path)
    for text in HOSTILE:
        ran = run("export", "--format", "jsonl", "--out", "x", "--split", f"{text}=1.0")
        assert ran.status == (0 if text.isalnum() and text.isascii() else 2), text
        assert "Traceback" not in ran.err
    new = {name for name in files(tmp_path) - before if "log.db" not in name}
    assert new
    assert all(name.startswith("out/x/") for name in new)
