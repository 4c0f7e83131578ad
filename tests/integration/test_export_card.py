"""The card of a data set: the files for people and loaders next to the data."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

import turnlog
from tests.command_line import run
from turnlog import BotUttered, MessageUnderstood, UserIdentified, UserUttered
from turnlog.domain.events import Intent
from turnlog.training.card.card import Card
from turnlog.training.card.facts import Facts
from turnlog.training.plan import ExportPlan
from turnlog.training.write import export

FACTS = """
name = "Table talk"
description = "Who books tables, and how."
license = "cc-by-4.0"
creator = "The turnlog authors"
citation = "Table talk, 2026."
url = "https://example.org/table-talk"
version = "1.0.0"
published = "2026-11-26"
"""


@pytest.fixture
def db(tmp_path: Path) -> str:
    """Twelve people who book, one turn longer each; every other one in German."""
    url = f"sqlite:///{tmp_path}/log.db"
    with turnlog.open(url, clock=lambda: 1000.0) as log:
        for number in range(12):
            id, extra = f"c{number}", {"language": "de-AT"} if number % 2 else None
            log.record(id, UserIdentified(f"p{number}"))
            for turn in range(number + 1):
                intent = MessageUnderstood(Intent("book" if turn else "greet|hello"))
                said = " ".join(f"w{number}x{turn}y{word}" for word in range(5))
                log.record(id, UserUttered(said, extra=extra), intent, BotUttered(f"so {said}"))
    return url


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    path = tmp_path / "facts.toml"
    path.write_text(FACTS)
    return path


def written(db: str, facts: Path, out: Path, format: str = "trl", *more: Any) -> Path:
    parts = ("--split", "train=0.7,test=0.3") if "--split" not in more else ()
    asked = ("export", "--format", format, "--out", out, *parts, "--card", facts, "--skip-faulty")
    ran = run("--db", db, *asked, *more)
    assert ran.status == 0, ran.err
    return out


def metadata(folder: Path) -> dict[str, Any]:
    _, head, _ = (folder / "README.md").read_text().split("---\n", 2)
    held: dict[str, Any] = yaml.safe_load(head)
    return held


def rows_of(folder: Path, title: str) -> list[list[str]]:
    section = (folder / "README.md").read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_the_card_counts_what_was_written(db: str, facts: Path, tmp_path: Path) -> None:
    folder = written(db, facts, tmp_path / "data")
    held = metadata(folder)
    assert (held["pretty_name"], held["license"], held["language"]) == (
        "Table talk", "cc-by-4.0", ["de"],
    )  # fmt: skip
    assert held["size_categories"] == ["n<1K"]
    parts = rows_of(folder, "Parts")
    chats = {
        part: [json.loads(line) for line in (folder / f"{part}.jsonl").read_text().splitlines()]
        for part in ("train", "test")
    }
    words = {
        part: sorted(
            sum(len(message["content"].split()) for message in chat["messages"]) for chat in held
        )
        for part, held in chats.items()
    }
    for row, part in zip(parts, ("train", "test"), strict=True):
        count = len(words[part])
        assert count > 1
        assert row == [
            part, f"{part}.jsonl", str(count), str(count),
            str(words[part][(count - 1) // 2] // 11), str(words[part][-1] // 11),
            str(sum(words[part])), str(words[part][(count - 1) // 2]),
            str(words[part][-(-95 * count // 100) - 1]), str(words[part][-1]),
        ]  # fmt: skip
    assert rows_of(folder, "Roles")[0][:3] == ["assistant", "78", "50.0%"]
    assert [row[:2] for row in rows_of(folder, "Intents")] == [
        ["book", "66"], [r"greet\|hello", "12"],
    ]  # fmt: skip
    assert rows_of(folder, "Languages") == [["de-AT", "6"]]
    assert (folder / "lengths.svg").read_text().startswith("<svg ")


@pytest.mark.parametrize("format", ["trl", "openai", "sharegpt", "alpaca", "parquet"])
def test_data_sets_are_loaded_by_the_card(
    db: str, facts: Path, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = written(db, facts, tmp_path / "data", format)
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    noted = json.loads((folder / "manifest.json").read_bytes())["files"]
    assert {part: len(rows) for part, rows in loaded.items()} == {
        name.partition(".")[0]: file["examples"] for name, file in noted.items()
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what it imports is behind its own
def test_croissant_has_no_warnings(
    db: str, facts: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    folder = written(db, facts, tmp_path / "data", "trl", "--standard", "--type", "completion")
    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    issues = dataset.metadata.ctx.issues
    assert (issues.errors, issues.warnings, caplog.messages) == (set(), set(), [])
    found = list(dataset.records("test"))
    lines = (folder / "test.jsonl").read_text().splitlines()
    assert [record["test/prompt"].decode() for record in found] == [
        json.loads(line)["prompt"] for line in lines
    ]
    check_digests(folder)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("format", "column"),
    [("trl", "messages"), ("parquet", "messages"), ("sharegpt", "conversations")],
)
def test_croissant_gives_the_messages(
    db: str, facts: Path, tmp_path: Path, format: str, column: str
) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    folder = written(db, facts, tmp_path / "data", format)
    dataset = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    assert dataset.metadata.ctx.issues.warnings == set()
    noted = json.loads((folder / "manifest.json").read_bytes())["files"]
    for name, file in noted.items():
        part = name.partition(".")[0]
        found = [record[f"{part}/{column}"] for record in dataset.records(part)]
        assert (len(found), all(b"w" in str(each).encode() for each in found)) == (
            file["examples"], True,
        )  # fmt: skip
    check_digests(folder)


def check_digests(folder: Path) -> None:
    described = json.loads((folder / "croissant.json").read_text())["distribution"]
    assert described
    for file in described:
        digest = hashlib.sha256((folder / file["contentUrl"]).read_bytes()).hexdigest()
        assert digest == file["sha256"]


def test_llama_factory_reads_only_existing_columns(db: str, facts: Path, tmp_path: Path) -> None:
    folder = written(db, facts, tmp_path / "data", "sharegpt")
    info = json.loads((folder / "dataset_info.json").read_text())
    assert info["train"] == {
        "file_name": "train.json", "formatting": "sharegpt",
        "columns": {"messages": "conversations"},
    }  # fmt: skip
    folder = written(db, facts, tmp_path / "other", "alpaca", "--split", "all=1")
    assert json.loads((folder / "dataset_info.json").read_text()) == {
        "all": {
            "file_name": "all.json",
            "columns": {
                "prompt": "instruction", "query": "input", "response": "output",
                "history": "history",
            },
        }
    }  # fmt: skip
    assert not (written(db, facts, tmp_path / "trl") / "dataset_info.json").exists()


def test_the_same_export_has_the_same_card(db: str, facts: Path, tmp_path: Path) -> None:
    one, two = (
        written(db, facts, tmp_path / name, "trl", "--unrecorded") for name in ("one", "two")
    )
    for name in ("README.md", "croissant.json", "lengths.svg"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert run("--db", db, "export", "--verify", one / "manifest.json").status == 0


@pytest.mark.parametrize(
    "name", ["README.md", "croissant.json", "lengths.svg", "dataset_info.json"]
)
def test_verify_finds_a_changed_card(db: str, facts: Path, tmp_path: Path, name: str) -> None:
    folder = written(db, facts, tmp_path / "data", "sharegpt")
    verify = ("--db", db, "export", "--verify", folder / "manifest.json", "--json")
    assert run(*verify).status == 0
    (folder / name).write_text((folder / name).read_text() + "\n")
    ran = run(*verify)
    what = "the file has changed since it was written"
    assert [(x["file"], x["what"]) for x in ran.json["findings"]] == [(name, what)]
    (folder / name).unlink()
    assert [x["what"] for x in run(*verify).json["findings"]] == ["file does not exist"]


def test_the_card_says_what_was_omitted(db: str, facts: Path, tmp_path: Path) -> None:
    folder = written(db, facts, tmp_path / "data")
    out = tmp_path / "less"
    asked = ("export", folder / "manifest.json", "--without", "p11", "--out", out)
    ran = run("--db", db, *asked, "--card", facts)
    assert ran.status == 0, ran.err
    card = (out / "README.md").read_text()
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert f"SHA-256 `{digest}`, without 1 example of a person" in card
    assert "p11" not in card
    assert sum(int(row[3]) for row in rows_of(out, "Parts")) == 11


def test_a_tokenizer_counts_instead_of_words(db: str, tmp_path: Path) -> None:
    with turnlog.open(db) as log:
        plan = ExportPlan("trl", log.store.reader.last_position(), split={"all": 1.0})
        export(log, plan, tmp_path / "data", card=Card(Facts("x"), len, "characters"))
    (row,) = rows_of(tmp_path / "data", "Parts")
    assert int(row[6].replace(",", "")) == sum(
        len(message["content"])
        for line in (tmp_path / "data" / "all.jsonl").read_text().splitlines()
        for message in json.loads(line)["messages"]
    )


BAD = {
    "no name": ("license = 'mit'", "missing required field `name`"),
    "an unknown fact": ("name = 'x'\nlicence = 'mit'", "unknown field `licence`"),
    "a name that is a number": ("name = 3", "Expected `str`, got `int` - at `$.name`"),
    "no TOML": ("name = ", "Invalid value"),
    "no UTF-8": (b"\xff", "facts.toml"),
}


@pytest.mark.parametrize("kind", BAD)
def test_facts_that_cannot_be_read_stop_the_export(db: str, tmp_path: Path, kind: str) -> None:
    text, why = BAD[kind]
    path = tmp_path / "facts.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    asked = ("--format", "trl", "--out", tmp_path / "data", "--split", "all=1", "--card", path)
    ran = run("--db", db, "export", *asked)
    assert (ran.status, (tmp_path / "data").exists()) == (2, False)
    assert why in ran.err


def test_a_card_needs_a_folder_of_rows(db: str, facts: Path, tmp_path: Path) -> None:
    asked = ("export", "--out", tmp_path / "x", "--card", facts, "--format")
    ran = run("--db", db, *asked, "trl")
    assert (ran.status, "--split train=1" in ran.err) == (2, True)
    ran = run("--db", db, *asked, "rasa-nlu", "--split", "all=1")
    assert (ran.status, "'rasa-nlu' has no rows" in ran.err) == (2, True)
    assert not (tmp_path / "x").exists()
