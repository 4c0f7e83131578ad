"""`dataset_info.json` and the files that it names, as LLaMA-Factory itself reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from tests.parts import llama_factory as part
from turnlog import BotUttered, SystemInstructed, ToolCalled, ToolReturned, UserUttered

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


@pytest.fixture
def db(tmp_path: Path) -> str:
    """Two conversations: one of words alone, one with instructions, tools and two calls at once."""
    url = f"sqlite:///{tmp_path}/log.db"
    with turnlog.open(url) as log:
        log.record("a", UserUttered("hi"), BotUttered("hello"), UserUttered("?"), BotUttered("!"))
        log.record("b", SystemInstructed("Be brief.", TOOLS), UserUttered("go"))
        log.record("b", ToolCalled("f", {"n": 1}, "1"), ToolCalled("f", {"n": 2}, "2"))
        log.record("b", ToolReturned("two", "2"), ToolReturned("one", "1"), BotUttered("done"))
    return url


def read(folder: Path, llama_factory: Path, cache: Path) -> list[dict[str, Any]]:
    """The examples as its loader gives them to what tokenizes them."""
    datasets = pytest.importorskip("datasets")
    parser, converter = part.imported(llama_factory)
    (described,) = parser.get_dataset_list(["train"], str(folder))
    file = str(folder / described.dataset_name)
    rows = datasets.load_dataset("json", data_files=[file], split="train", cache_dir=str(cache))
    convert = converter.get_dataset_converter(described.formatting, described, None)
    return [convert(row) for row in rows]


@pytest.mark.parametrize("format", ["sharegpt", "alpaca"])
def test_llama_factory_reads_every_example_with_all_that_it_says(
    db: str, tmp_path: Path, llama_factory: Path, format: str
) -> None:
    facts, out = tmp_path / "facts.toml", tmp_path / "data"
    facts.write_text('name = "x"\nlicense = "cc0-1.0"\n')
    asked = ("export", "--format", format, "--out", out, "--split", "train=1", "--card", facts)
    assert run("--db", db, *asked).status == 0
    found = read(out, llama_factory, tmp_path / "cache")
    texts = {
        tuple(m["content"] for m in (*row["_prompt"], *row["_response"])): row for row in found
    }
    called = json.dumps([{"name": "f", "arguments": {"n": n}} for n in (1, 2)])
    steps = ("go", called.replace(" ", ""), '["one","two"]', "done")
    of_tools = steps if format == "sharegpt" else ("go", "done")
    assert texts.keys() == {("hi", "hello", "?", "!"), of_tools}
    assert texts[of_tools]["_system"] == "Be brief."
    if format == "sharegpt":
        assert json.loads(texts[of_tools]["_tools"]) == TOOLS
        roles = [m["role"] for m in (*texts[of_tools]["_prompt"], *texts[of_tools]["_response"])]
        assert roles == ["user", "function", "observation", "assistant"]
