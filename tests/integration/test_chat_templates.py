"""What `trl` and `parquet` write is rendered as the source is, by TRL's functions and templates.

Each of the chat templates that TRL ships renders the exported messages exactly as it renders those
that were imported, or refuses both for the same reason. With TURNLOG_FAULTS=long 5,000 made-up
chats and all of the shared ones are rendered, else some of each.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from tests.adapters import oasst
from tests.chats import as_templates_take_them, chats
from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.serializers.formats import codec

LONG = os.environ.get("TURNLOG_FAULTS") == "long"
SEED = Random().randrange(2**32) if LONG else 7
MADE_UP = 5_000 if LONG else 60
EACH = 1 if LONG else 20
"""Of the shared conversations every how many-th is rendered."""

TEMPLATES = 72
HOLDING_TOOLS = 45
"""How many of the templates render a call with its arguments."""

_SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<u>", "pad_token": "<p>"}


class Source(NamedTuple):
    """What was imported: the dialogue, its messages as they were there, and the tools."""

    dialogue: Dialogue
    messages: list[dict[str, Any]]
    tools: list[Any] | None = None


def made_up(shared_data: Path, tmp_path: Path) -> Iterator[Source]:
    lines = list(chats(Random(SEED), MADE_UP))
    file = tmp_path / "chats.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for line, dialogue in zip(lines, codec("openai").read(file), strict=True):
        assert isinstance(dialogue, Dialogue), dialogue
        yield Source(dialogue, line["messages"], line.get("tools"))


def tau(shared_data: Path, tmp_path: Path) -> Iterator[Source]:
    (file,) = (shared_data / "tau_bench").glob("gpt-4o-airline_subset.json")
    sources = {f"{one['task_id']}-{one['trial']}": one for one in json.loads(file.read_text())}
    for dialogue in read("openai", file):
        yield Source(dialogue, sources[dialogue.name]["traj"])


def tau2(shared_data: Path, tmp_path: Path) -> Iterator[Source]:
    for file in sorted((shared_data / "tau2_bench").glob("*.json")):
        sources = {one["id"]: one for one in json.loads(file.read_text())["simulations"]}
        for dialogue in read("openai", file):
            yield Source(dialogue, list(map(standard, of_tau2(sources[dialogue.name]["messages"]))))


def of_tau2(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Without the calls of the user's side, which no model that answers sees."""
    for message in messages:
        called = message["role"] == "user" and message.get("tool_calls")
        if not called and message.get("requestor") != "user":
            yield message


def standard(message: dict[str, Any]) -> dict[str, Any]:
    """One of tau2's messages as the chat API has it."""
    made = {name: message.get(name) for name in ("role", "content")}
    if message["role"] == "tool":
        made["tool_call_id"] = message["id"]
    if message.get("tool_calls"):
        made["tool_calls"] = message["tool_calls"]
    return made


def sgd(shared_data: Path, tmp_path: Path) -> Iterator[Source]:
    file = shared_data / "sgd/train/dialogues_subset.json"
    sources = {one["dialogue_id"]: one["turns"] for one in json.loads(file.read_text())}
    for dialogue in read("sgd", file):
        said = [(turn["speaker"] == "USER", turn["utterance"]) for turn in sources[dialogue.name]]
        yield Source(dialogue, list(map(spoken, said)))


def multiwoz(shared_data: Path, tmp_path: Path) -> Iterator[Source]:
    file = shared_data / "multiwoz21/val_subset.json"
    sources = json.loads(file.read_text())
    for dialogue in read("multiwoz", file):
        said = [
            (at % 2 == 0, turn["text"]) for at, turn in enumerate(sources[dialogue.name]["log"])
        ]
        yield Source(dialogue, list(map(spoken, said)))


def trees(shared_data: Path, tmp_path: Path) -> Iterator[Source]:
    for dialogue in oasst.dialogues(shared_data):
        said = [(isinstance(each, e.UserUttered), each.text) for each in dialogue.events]  # type: ignore[attr-defined]
        if len(said) > 1:
            yield Source(dialogue, list(map(spoken, said)))


def spoken(said: tuple[bool, str]) -> dict[str, Any]:
    return {"role": "user" if said[0] else "assistant", "content": said[1]}


def read(format: str, file: Path) -> Iterator[Dialogue]:
    for dialogue in codec(format).read(file):
        assert isinstance(dialogue, Dialogue), dialogue
        yield dialogue


SOURCES: dict[str, Callable[[Path, Path], Iterator[Source]]] = {
    "made up": made_up, "tau": tau, "tau2": tau2, "sgd": sgd, "multiwoz": multiwoz, "oasst": trees,
}  # fmt: skip


class Template:
    """What TRL's functions take for a tokenizer, with one of its chat templates."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._source = path.read_text()

    def apply_chat_template(
        self, messages: Any, tools: Any = None, tokenize: bool = False, **options: Any
    ) -> str:
        rendered, _ = module("transformers.utils.chat_template_utils").render_jinja_template(
            [messages], tools=tools, chat_template=self._source, **_SPECIAL, **options
        )
        return str(rendered[0])


module = cache(import_module)
"""A module of a part, which linters may not have."""


@cache
def templates(trl: Path) -> list[Template]:
    return [Template(path) for path in sorted((trl / "chat_templates").glob("*.jinja"))]


def outcome(template: Template, example: dict[str, Any], tools: Any) -> tuple[str, str]:
    """What TRL makes of an example with a template, or why the template refuses it."""
    try:
        made = module("trl.data_utils").apply_chat_template(example, template, tools=tools)
    except Exception as error:  # whatever a template runs into
        return type(error).__name__, str(error)
    return "", json.dumps(made)


def test_trl_ships_the_templates_and_most_hold_tools(trl: Path) -> None:
    call = {"id": "call00001", "type": "function",
            "function": {"name": "weather", "arguments": {"city": "Rome"}}}  # fmt: skip
    said = [
        {"role": "user", "content": "rain?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
    ]
    found = [outcome(template, {"messages": said}, None) for template in templates(trl)]
    assert len(found) == TEMPLATES
    assert sum("Rome" in text for refused, text in found if not refused) == HOLDING_TOOLS


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", SOURCES)
def test_every_template_renders_the_export_as_it_renders_the_source(
    trl: Path, shared_data: Path, tmp_path: Path, name: str
) -> None:
    seen: Counter[str] = Counter()
    step = 1 if name == "made up" else EACH
    for source in [*SOURCES[name](shared_data, tmp_path)][::step]:
        (example,) = codec("trl").examples(source.dialogue)
        written = json.loads(json.dumps(example.content))
        expected = as_templates_take_them(source.messages)
        seen["conversations"] += 1
        for template in templates(trl):
            theirs = outcome(template, {"messages": expected}, source.tools)
            ours = outcome(template, {"messages": written["messages"]}, written.get("tools"))
            assert ours == theirs, (SEED, source.dialogue.name, template.name)
            seen["refused" if theirs[0] else "rendered"] += 1
    print(f"\n{name} (seed {SEED}): {dict(seen)}")
    assert seen["rendered"] > seen["conversations"] * TEMPLATES / 2
