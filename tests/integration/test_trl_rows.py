"""Every type of TRL's data sets, from made-up chats, read by TRL's functions and `datasets`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

import turnlog
from tests.chats import as_templates_take_them, chats
from tests.integration.test_chat_templates import Template, module, outcome, templates
from tests.integration.test_openai_types import judge
from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.serializers.formats import codec
from turnlog.training.plan import ExportPlan
from turnlog.training.verify import verify
from turnlog.training.write import export

MADE_UP = 40
COLUMNS = {
    "language": {"messages"},
    "prompt": {"prompt"},
    "completion": {"prompt", "completion"},
    "preference": {"prompt", "chosen", "rejected"},
    "unpaired": {"prompt", "completion", "label"},
    "stepwise": {"prompt", "completions", "labels"},
}
FORMS = pytest.mark.parametrize("standard", [False, True], ids=["conversational", "standard"])


def judged(dialogue: Dialogue, random: Random) -> Dialogue:
    """The same with some of its answers edited, regenerated or rated."""
    found: list[e.Event] = []
    for number, event in enumerate(dialogue.events, 1):
        if isinstance(event, e.BotUttered) and event.text and event.cause is None:
            found += random.choice(
                ([], [e.MessageEdited(number, f"better than {number}")],
                 [e.MessageRegenerated(number, f"other than {number}")],
                 [e.MessageRated(number, "up")], [e.MessageRated(number, -1)])
            )  # fmt: skip
    return Dialogue(dialogue.name, (*dialogue.events, *found))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[dict[str, Any], Dialogue]]:
    """Made-up chats in their source form, and imported and judged."""
    lines = list(chats(Random(11), MADE_UP))
    file = tmp_path_factory.mktemp("chats") / "chats.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    dialogues = [each for each in codec("openai").read(file) if isinstance(each, Dialogue)]
    return list(zip(lines, dialogues, strict=True))


@pytest.fixture
def rows(sources: Any, tmp_path: Path) -> Any:
    """Exports all of them: the file."""

    def write(type: str, standard: bool) -> Path:
        path = tmp_path / "rows.jsonl"
        write_judged(sources, path, "trl", type=type, standard=standard)
        return path

    return write


def write_judged(sources: Any, path: Path, format: str, **settings: Any) -> None:
    random = Random(5)
    with turnlog.open("memory:") as log:
        for _, dialogue in sources:
            log.import_dialogue(judged(dialogue, random))
        plan = ExportPlan(format, log.store.reader.last_position(), settings=settings)
        totals = export(log, plan, path)
        assert (totals.faulty, totals.refused, totals.nothing) == ([], [], [])
        assert list(verify(log, path.with_name(f"{path.name}.manifest.json"))) == []


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@FORMS
@pytest.mark.parametrize("type", COLUMNS)
def test_trl_knows_the_form_and_datasets_loads_each_row(
    trl: Path, type: str, standard: bool, rows: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    path = rows(type, standard)
    written = lines(path)
    columns = {"text"} if standard and type == "language" else COLUMNS[type]
    assert written
    for row in written:
        assert row.keys() - {"tools", "evidence"} == columns
        assert ("evidence" in row) == (type in ("preference", "unpaired", "stepwise"))
        assert module("trl.data_utils").is_conversational(row) != standard
        assert not (standard and "tools" in row)
        texts = (text for name in columns if standard for text in listed(row[name]))
        assert all(text.strip() for text in texts)
    cache = str(tmp_path / "cache")
    loaded = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=cache)
    assert [{name: row[name] for name in columns} for row in loaded] == [
        {name: row[name] for name in columns} for row in written
    ]


def listed(held: Any) -> list[str]:
    """The texts of a column; a label has none."""
    return [text for text in (held if isinstance(held, list) else [held]) if isinstance(text, str)]


@pytest.mark.parametrize("type", ["prompt", "completion"])
def test_each_answer_is_rendered_as_that_of_the_source(
    trl: Path, type: str, sources: Any, rows: Any
) -> None:
    expected = [
        (cut, line.get("tools"))
        for line, _ in sources
        for cut in cuts(as_templates_take_them(line["messages"]))
    ]
    every = codec("trl", type=type)
    written = [one.content for _, dialogue in sources for one in every.examples(dialogue)]
    for theirs, ours in zip(expected, written, strict=True):
        wanted = {name: theirs[0][name] for name in COLUMNS[type]}
        for template in templates(trl)[::6]:
            made = {name: held for name, held in ours.items() if name != "tools"}
            assert outcome(template, made, ours.get("tools")) == outcome(
                template, wanted, theirs[1]
            )


def cuts(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A chat, cut before and after each run of the assistant's messages."""
    answers = [at for at, one in enumerate(messages) if one["role"] == "assistant"]
    ends = [at for at, after in pairwise([*answers, -1]) if after != at + 1]
    begins = [at for before, at in pairwise([-2, *answers]) if before != at - 1]
    for begin, end in zip(begins, ends, strict=True):
        yield {"prompt": messages[:begin], "completion": messages[begin : end + 1]}


def test_trl_renders_pairs_and_unpairs_them(trl: Path, rows: Any) -> None:
    written = lines(rows("preference", False))
    functions = module("trl.data_utils")
    qwen = next(one for one in templates(trl) if one.name == "qwen2_5")
    for row in written:
        made = functions.apply_chat_template(
            {name: row[name] for name in COLUMNS["preference"]}, qwen, tools=row.get("tools")
        )
        for name in ("chosen", "rejected"):
            assert made["prompt"] + made[name] == whole(qwen, row, name)
        assert functions.maybe_extract_prompt(row) == row
        implicit = {name: row["prompt"] + row[name] for name in ("chosen", "rejected")}
        assert functions.extract_prompt(implicit)["prompt"] == row["prompt"]


def whole(template: Template, row: dict[str, Any], name: str) -> str:
    return template.apply_chat_template(row["prompt"] + row[name], tools=row.get("tools"))


def test_unpaired_rows_equal_those_that_trl_unpairs(trl: Path, rows: Any) -> None:
    pairs = lines(rows("preference", True))
    datasets = pytest.importorskip("datasets")
    unpaired = module("trl.data_utils").unpair_preference_dataset(datasets.Dataset.from_list(pairs))
    assert list(unpaired["evidence"]) == [row["evidence"] for row in pairs] * 2
    unpaired = unpaired.remove_columns("evidence")
    written = lines(rows("unpaired", True))
    for row in written:
        del row["evidence"]
    kept = [row for row in written if row in list(unpaired)]
    assert len(kept) >= len(pairs) * 2
    assert all(row in written for row in unpaired)


def test_openais_preferences_are_of_its_types(sources: Any, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    write_judged(sources, path, "openai-dpo")
    written = lines(path)
    assert written
    for row in written:
        asked = row["input"]["messages"]
        judge(asked)
        assert asked[-1]["role"] in ("user", "tool", "function")
        for name in ("preferred_output", "non_preferred_output"):
            judge(row[name])
            assert {message["role"] for message in row[name]} == {"assistant"}
        assert row["preferred_output"] != row["non_preferred_output"]
