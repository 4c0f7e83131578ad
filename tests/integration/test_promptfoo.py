"""Exported tests in promptfoo itself: its validation, and its verdicts on a model's answers."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.made_up_model import MadeUpModel, made_up_model
from tests.parts.node import Node
from turnlog import BotUttered, SystemInstructed, ToolCalled, ToolReturned, UserUttered
from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.serializers.formats import codec
from turnlog.serializers.shared.codec import Example

JUDGE = """
import fs from "node:fs";
const { AtomicTestCaseSchema, evaluate } = await import("promptfoo");
const [file, apiBaseUrl] = process.argv.slice(-2);
const tests = fs.readFileSync(file, "utf8").trim().split("\\n").map((line) => JSON.parse(line));
const faults = tests.map((test) => AtomicTestCaseSchema.safeParse(test).error?.message);
const providers = [{ id: "openai:chat:made-up-1", config: { apiBaseUrl, apiKey: "none" } }];
const suite = { prompts: ["{{messages}}"], providers, tests: `file://${file}` };
const run = async () => {
  const ran = await evaluate({ ...suite, writeLatestResults: false },
                             { maxConcurrency: 1, cache: false });
  const { results } = await ran.toEvaluateSummary();
  return results.sort((a, b) => a.testIdx - b.testIdx).map((each) => each.success);
};
const as_recorded = await run(), otherwise = await run();
console.log("\\n" + JSON.stringify({ faults: faults.filter(Boolean), as_recorded, otherwise }));
process.exit(0);
"""
"""Each test twice: with what the model is given to say first, and with what it says after."""

TEMPLATES = (
    "{{ env.HOME }}", "{{messages}} {% if", "a {# b", "#}", '{{{ "x\\y" }}}\n{%%}', "{% raw %}",
    "file:///etc/hostname", "package:os:y", ' {"a": [1]} ', "é\\u007b{\n",
)  # fmt: skip


def tools(says: str = "Finds.") -> SystemInstructed:
    function = {"name": "f", "description": says, "parameters": {"type": "object"}}
    return SystemInstructed(tools=[{"type": "function", "function": function}])


def call(id: str, arguments: dict[str, Any]) -> dict[str, Any]:
    function = {"name": "f", "arguments": json.dumps(arguments)}
    return {"id": id, "type": "function", "function": function}


def talks(text: str) -> Iterator[tuple[list[e.Event], list[dict[str, Any]]]]:
    """A conversation with that text everywhere, and what a model says to each of its tests."""
    given = {"b": [1, None, {"z": 1.5, "a": text}], "a": text}
    words, called = {"content": text}, {"tool_calls": [call("x", {"a": text, "b": given["b"]})]}
    events = [
        tools(), UserUttered(text), ToolCalled("f", given, "1"), ToolReturned(text, "1"),
        BotUttered(text), UserUttered("and?"), BotUttered(text), ToolCalled("f", given, "2"),
        ToolReturned("ok", "2"),
    ]  # fmt: skip
    yield events, [called, words, {**words, **called}]


def examples(*events: e.Event) -> list[Example]:
    return list(codec("promptfoo").examples(Dialogue("c", events)))


def prompts(found: Sequence[Example]) -> list[Any]:
    return [json.loads(each.content["vars"]["messages"]) for each in found]


@pytest.fixture
def model() -> Iterator[MadeUpModel]:
    with made_up_model() as model:
        yield model


def judged(node: Node, found: Sequence[Example], model: MadeUpModel, tmp_path: Path) -> Any:
    out = io.BytesIO()
    codec("promptfoo").write(found, out)
    path = tmp_path / "tests.jsonl"
    path.write_bytes(out.getvalue())
    quiet = dict.fromkeys(("DISABLE_TELEMETRY", "DISABLE_UPDATE", "DISABLE_REMOTE_GENERATION"), "1")
    quiet |= {"CONFIG_DIR": str(tmp_path), "REQUEST_BACKOFF_MS": "1"}
    settings = {f"PROMPTFOO_{name}": held for name, held in quiet.items()}
    printed = node.run(JUDGE, str(path), model.url, **settings, NO_PROXY="*", no_proxy="*")
    return json.loads(printed.splitlines()[-1])


def test_a_model_that_answers_as_recorded_passes_and_any_other_fails(
    promptfoo: Node, model: MadeUpModel, tmp_path: Path
) -> None:
    """Any text of the conversation reaches the model unchanged."""
    found, says = [], []
    for text in ("Is it far?", *TEMPLATES):
        for events, answers in talks(text):
            found += examples(*events)
            says += answers
    other = [{"content": "Not that."}, {"tool_calls": [call("x", {"a": 1})]}]
    model.says.extend([*says, *(other[at % 2] for at in range(len(says)))])
    assert judged(promptfoo, found, model, tmp_path) == {
        "faults": [],
        "as_recorded": [True] * len(says),
        "otherwise": [False] * len(says),
    }
    assert [asked["messages"] for asked in model.asked] == prompts(found) * 2
    assert all(asked["tools"] == tools().tools for asked in model.asked)


# --- what is in a test, without promptfoo ---------------------------------------------------------


def test_each_answer_not_of_weight_0_is_a_test() -> None:
    found = examples(
        SystemInstructed("Be brief."), UserUttered("one"), BotUttered("1"), UserUttered("two"),
        BotUttered("no", extra={"weight": 0}), UserUttered("three"), BotUttered("a"),
        BotUttered("b"), UserUttered("four"),
    )  # fmt: skip
    assert [each.content["assert"] for each in found] == [
        [{"type": "equals", "value": "1"}],
        [{"type": "equals", "value": "a\n\nb"}],
    ]
    assert [len(prompt) for prompt in prompts(found)] == [2, 6]
    assert not any("weight" in message for message in prompts(found)[1])
    assert found[1].content["metadata"] == {"conversation": "c", "turn": 3, "event": 7}
    assert [(each.first_event, each.last_event) for each in found] == [(1, 3), (1, 8)]
    assert [each.lost for each in found] == [
        {"answer of weight 0": 1, "message joined to the one before": 1}, {},
    ]  # fmt: skip


def test_a_refusal_and_a_call_in_the_first_form_are_asserted(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    called = {"role": "assistant", "content": None, "function_call": call("", {"a": 1})["function"]}
    chat = [
        {"role": "user", "content": "go"}, called,
        {"role": "function", "name": "f", "content": "ok"},
        {"role": "assistant", "content": None, "refusal": "No."},
    ]  # fmt: skip
    path.write_text(json.dumps({"messages": chat}))
    (dialogue,) = codec("openai").read(path)
    assert isinstance(dialogue, Dialogue)
    first, second = codec("promptfoo").examples(dialogue)
    assert first.content["assert"][0]["value"] == [{"name": "f", "arguments": {"a": 1}}]
    assert second.content["assert"] == [{"type": "equals", "value": "No."}]


def test_tools_with_template_characters_are_omitted_and_counted() -> None:
    found = examples(tools("{{ env.KEY }}"), UserUttered("hi"), BotUttered("hello"))
    (example,) = found
    assert "options" not in example.content
    assert example.lost == {"tools that promptfoo would take for templates": 1}
