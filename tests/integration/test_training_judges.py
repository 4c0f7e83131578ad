"""Every format on real conversations, each with its own judge.

The judges: the types of the `openai` package and stricter checks, `datasets`, Rasa's own YAML
schemas, and a check that the sides take turns. With TURNLOG_FAULTS=long Rasa's schemas judge
every story, else every tenth: they take 20 ms for each.
"""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

import turnlog
from tests.adapters import oasst, star
from tests.chats import chats
from tests.command_line import run
from tests.integration.test_openai_types import judge
from turnlog.domain.dialogue import Dialogue

IMPORTED = {
    "sgd": "sgd/train/dialogues_subset.json",
    "multiwoz": "multiwoz21/val_subset.json",
    "tau": "tau_bench/gpt-4o-airline_subset.json",
    "tau2": "tau2_bench",
}
ADAPTED = {"oasst": oasst.dialogues, "star": star.dialogues}
CONVERSATIONS = {"sgd": 500, "multiwoz": 300, "tau": 100, "tau2": 58, "oasst": 309, "star": 120}

MADE_UP = 200
CONVERSATIONS["made up"] = MADE_UP

corpora = pytest.mark.parametrize("corpus", ["sgd", "multiwoz", "tau", "tau2", "oasst"])
chatty = pytest.mark.parametrize("corpus", ["tau2", "sgd", "multiwoz", "tau", "oasst", "made up"])
annotated = pytest.mark.parametrize("corpus", ["sgd", "multiwoz"])


@pytest.fixture(scope="module")
def corpus_db(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The database of a data set, filled when first asked for."""
    filled: dict[str, str] = {}

    def url(corpus: str) -> str:
        if corpus not in filled:
            db = f"sqlite:///{tmp_path_factory.mktemp(corpus)}/log.db?synchronous=OFF"
            if corpus == "made up":
                assert run("import", made_up(tmp_path_factory), "--db", db).status == 0
            elif corpus in IMPORTED:
                assert run("import", shared_data / IMPORTED[corpus], "--db", db).status == 0
            else:
                _bring_in(db, ADAPTED[corpus](shared_data))
            filled[corpus] = db
        return filled[corpus]

    return url


def made_up(folders: pytest.TempPathFactory) -> Path:
    """A file of made-up chats."""
    file = folders.mktemp("chats") / "chats.jsonl"
    lines = (json.dumps(chat) + "\n" for chat in chats(Random(3), MADE_UP))
    file.write_text("".join(lines))
    return file


def _bring_in(db: str, dialogues: Iterable[Dialogue]) -> None:
    with turnlog.open(db) as log:
        for dialogue in dialogues:
            log.writer.submit(log.import_request(dialogue))
        log.writer.flush()


@pytest.fixture
def exported(
    corpus_db: Callable[[str], str], tmp_path: Path
) -> Callable[[str, str], tuple[Path, dict[str, Any]]]:
    """Export a data set: the file, and what the command said."""

    def export(corpus: str, format: str) -> tuple[Path, dict[str, Any]]:
        out = tmp_path / f"{corpus}.{format}"
        ran = run("export", "--format", format, "--out", out, "--json", "--db", corpus_db(corpus))
        assert ran.status == 0, ran.err
        assert ran.json["faulty"] == []
        return out, ran.json

    return export


@corpora
def test_chat_messages_are_of_openais_types_and_stricter(corpus, exported):
    out, report = exported(corpus, "openai")
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    for line in lines:
        judge(line["messages"])
        assert list(strictly_wrong(line["messages"])) == [], line["id"]
    assert len(lines) + len(report["nothing"]) == CONVERSATIONS[corpus]
    assert report["nothing"] == []


def strictly_wrong(messages: list[dict[str, Any]]) -> Iterator[str]:
    """Faults that OpenAI's types permit."""
    calls: Counter[str] = Counter()
    if not any(message["role"] == "assistant" for message in messages):
        yield "no answer"
    for message in messages:
        if message["role"] == "tool":
            calls[message["tool_call_id"]] -= 1
            if calls[message["tool_call_id"]] < 0:
                yield f"orphan {message['tool_call_id']}"
        elif any(calls.values()):
            yield f"unanswered {calls}"
        for call in message.get("tool_calls", ()):
            calls[call["id"]] += 1
            if not isinstance(json.loads(call["function"]["arguments"]), dict):
                yield f"arguments {call}"
        if not message["content"] and message["role"] != "tool" and "tool_calls" not in message:
            yield f"empty {message}"
        if message.keys() - {"role", "content", "name", "tool_calls", "tool_call_id"}:
            yield f"more than the types have: {sorted(message)}"


@chatty
@pytest.mark.parametrize("format", ["openai", "trl", "parquet"])
def test_datasets_reads_back_what_was_written(corpus, format, exported, loaded):
    out, report = exported(corpus, format)
    rows = loaded(out)
    assert len(rows) == report["examples"] == CONVERSATIONS[corpus]
    source = exported(corpus, "trl")[0] if format == "parquet" else out
    written = [json.loads(line) for line in source.read_text().splitlines()]
    if format == "openai":
        assert [without_nulls(row) for row in rows] == [without_nulls(row) for row in written]
    else:
        assert [row["messages"] for row in rows] == [line["messages"] for line in written]
        assert [row.get("tools") for row in rows] == [line.get("tools") for line in written]


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], list[Any]]:
    """The rows of a file as `datasets` reads them."""
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()

    def load(out: Path) -> list[Any]:
        kind = "parquet" if out.suffix == ".parquet" else "json"
        cache = str(tmp_path / "cache")
        return list(
            datasets.load_dataset(kind, data_files=str(out), split="train", cache_dir=cache)
        )

    return load


def part(name: str) -> Any:
    """A reader that may be missing."""
    return pytest.importorskip(name, reason=f"part not had: {name}: scripts/install test-formats")


def by_pyarrow(path: Path) -> list[Any]:
    from pyarrow import parquet

    rows: list[Any] = parquet.read_table(path).to_pylist()
    return rows


def by_duckdb(path: Path) -> list[Any]:
    duckdb = part("duckdb")
    found = duckdb.sql(f"select conversation, messages, tools from read_parquet('{path}')")
    assert list(map(str, found.types)) == ["VARCHAR", "JSON[]", "JSON[]"]
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def by_polars(path: Path) -> list[Any]:
    rows: list[Any] = part("polars").read_parquet(path).to_dicts()
    return rows


@chatty
@pytest.mark.parametrize("read", [by_pyarrow, by_duckdb, by_polars])
def test_parquet_holds_the_messages_of_trl(corpus, read, exported):
    rows = read(exported(corpus, "parquet")[0])
    trl = [json.loads(line) for line in exported(corpus, "trl")[0].read_text().splitlines()]
    for row, line in zip(rows, trl, strict=True):
        assert list(map(json.loads, row["messages"])) == line["messages"]
        tools = row["tools"] and list(map(json.loads, row["tools"]))
        assert tools == line.get("tools")


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(held) for key, held in value.items() if held is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@chatty
def test_the_sides_of_sharegpt_strictly_take_turns(corpus, exported):
    out, report = exported(corpus, "sharegpt")
    examples = json.loads(out.read_text())
    for example in examples:
        said = example["conversations"]
        assert len(said) >= 2
        assert len(said) % 2 == 0
        for place, message in enumerate(said):
            sides = ("gpt", "function_call") if place % 2 else ("human", "observation")
            assert message["from"] in sides
            assert isinstance(message["value"], str)
            if message["from"] == "function_call":
                assert json.loads(message["value"])
        for before, message in pairwise(said):
            if message["from"] == "observation":
                assert before["from"] == "function_call"
        assert said[0]["from"] == "human"
    assert len(examples) + len(report["nothing"]) == CONVERSATIONS[corpus]


@chatty
def test_alpaca_has_an_instruction_an_output_and_pairs(corpus, exported):
    out, report = exported(corpus, "alpaca")
    examples = json.loads(out.read_text())
    for example in examples:
        assert example.keys() <= {"instruction", "input", "output", "system", "history"}
        for question, answer in [
            *example["history"],
            (example["instruction"], example["output"]),
        ]:
            assert question.strip()
            assert answer.strip()
    assert len(examples) + len(report["nothing"]) == CONVERSATIONS[corpus]


@pytest.mark.parametrize(
    ("format", "corpus", "schema"),
    [
        ("rasa-stories", "sgd", "stories.yml"),
        ("rasa-stories", "multiwoz", "stories.yml"),
        ("rasa-stories", "star", "stories.yml"),
        ("rasa-e2e", "sgd", "stories.yml"),
        ("rasa-e2e", "multiwoz", "stories.yml"),
        ("rasa-nlu", "sgd", "nlu.yml"),
        ("rasa-nlu", "multiwoz", "nlu.yml"),
        ("rasa-domain", "sgd", "domain.yml"),
        ("rasa-domain", "star", "domain.yml"),
    ],
)
def test_rasas_own_schemas_accept_it(corpus, format, schema, exported, rasa_schemas):
    key = schema.removesuffix(".yml")
    out, report = exported(corpus, format)
    document = yaml.load(out.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    assert document["version"] == "3.1"
    assert len(report["nothing"]) == (4 if corpus == "star" else 0), "four wizards did nothing"
    if key == "stories":
        assert len(document[key]) + len(report["nothing"]) == CONVERSATIONS[corpus]
        step = 1 if os.environ.get("TURNLOG_FAULTS") == "long" else 10
        document[key] = document[key][::step]
    accept(rasa_schemas, schema, document)


RASA = ("tracker_history", "rasa_3.6.21", "helpdesk-assistant", "kairon", "botfront")


def test_rasas_own_trackers_become_training_files(shared_data, tmp_path, rasa_schemas):
    db = f"sqlite:///{tmp_path}/log.db?synchronous=OFF"
    run("import", *(shared_data / "rasa" / folder for folder in RASA), "--db", db)
    for format, schema in (
        ("rasa-stories", "stories.yml"),
        ("rasa-e2e", "stories.yml"),
        ("rasa-nlu", "nlu.yml"),
        ("rasa-domain", "domain.yml"),
    ):
        out = tmp_path / format
        ran = run("export", "--format", format, "--out", out, "--json", "--db", db)
        assert ran.status == 0, ran.err
        assert ran.json["examples"] > 50
        accept(rasa_schemas, schema, yaml.safe_load(out.read_bytes()))


def accept(folder: Path, schema: str, document: Any) -> None:
    """Raises the errors of Rasa's validation."""
    core = pytest.importorskip("pykwalify.core")
    logging.getLogger("pykwalify").setLevel(logging.CRITICAL)
    rules = [yaml.safe_load((folder / name).read_text()) for name in (schema, "responses.yml")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # how pykwalify loads them
        validation = core.Core(
            source_data=document,
            schema_data={**rules[0], **rules[1]},
            extensions=[str(folder / "extensions.py")],
        )
    validation.validate(raise_exception=True)


def test_rasas_schema_refuses_an_invalid_story(rasa_schemas):
    from pykwalify.errors import SchemaError

    with pytest.raises(SchemaError):
        accept(rasa_schemas, "stories.yml", {"stories": [{"story": "x", "steps": [{"intent": 5}]}]})
    with pytest.raises(SchemaError):
        accept(rasa_schemas, "domain.yml", {"slots": {"city": {"type": "text"}}})
    with pytest.raises(SchemaError):
        accept(rasa_schemas, "domain.yml", {"responses": {"utter_x": [{"buttons": []}]}})


@annotated
def test_import_export_import_is_equal_and_its_goals_are_all_met(
    corpus, exported, tmp_path, shared_data
):
    out, _ = exported(corpus, corpus)
    again = f"sqlite:///{tmp_path}/again.db?synchronous=OFF"
    assert run("import", out, "--format", corpus, "--db", again).status == 0
    twice = tmp_path / "twice.json"
    assert run("export", "--format", corpus, "--out", twice, "--db", again).status == 0
    assert twice.read_bytes() == out.read_bytes()
    source = by_id(corpus, json.loads((shared_data / IMPORTED[corpus]).read_text()))
    written = by_id(corpus, json.loads(out.read_text()))
    assert goal_accuracy(corpus, source, written) == 1.0
    name = next(id for id, dialogue in written.items() if any(goals(corpus, dialogue)))
    change_a_slot(corpus, written[name])
    assert goal_accuracy(corpus, source, written) < 1.0


def by_id(corpus: str, document: Any) -> dict[str, Any]:
    return document if corpus == "multiwoz" else {d["dialogue_id"]: d for d in document}


def goals(corpus: str, dialogue: Any) -> list[dict[str, Any]]:
    """The state after each turn, read off the file."""
    if corpus == "multiwoz":
        return [
            {
                f"{domain}.{part}.{slot}": value
                for domain, parts in turn["metadata"].items()
                for part in ("semi", "book")
                for slot, value in parts.get(part, {}).items()
                if slot != "booked" and value not in ("", "not mentioned", [])
            }
            for turn in dialogue["log"]
            if turn["metadata"]
        ]
    return [
        {
            f"{frame['service']}.{slot}": values
            for frame in turn["frames"]
            for slot, values in frame["state"]["slot_values"].items()
        }
        for turn in dialogue["turns"]
        if turn["speaker"] == "USER"
    ]


def goal_accuracy(corpus: str, expected: dict[str, Any], written: dict[str, Any]) -> float:
    """Share of the turns at which every slot is as expected."""
    assert expected.keys() == written.keys()
    met = [
        one == other
        for id, dialogue in expected.items()
        for one, other in zip(goals(corpus, dialogue), goals(corpus, written[id]), strict=True)
    ]
    return sum(met) / len(met)


def change_a_slot(corpus: str, dialogue: Any) -> None:
    if corpus == "multiwoz":
        turn = next(turn for turn in dialogue["log"] if turn["metadata"])
        next(iter(turn["metadata"].values()))["semi"]["planted"] = "another"
    else:
        frame = next(f for turn in dialogue["turns"] for f in turn["frames"] if "state" in f)
        frame["state"]["slot_values"]["planted"] = ["another"]
