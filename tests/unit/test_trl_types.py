"""TRL's six types of data set, standard and conversational, and OpenAI's preferences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import turnlog
from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.errors import FormatError
from turnlog.serializers.formats import codec
from turnlog.training.plan import ExportPlan
from turnlog.training.running.making import UNLEARNT
from turnlog.training.write import export

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function",
        "function": {"name": "weather", "arguments": {"city": "Rome"}}}  # fmt: skip
QUESTION = {"role": "user", "content": "rain?"}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "yes"}
RAIN = {"role": "assistant", "content": "It rains."}
THANKS = {"role": "user", "content": "thanks"}
WELCOME = {"role": "assistant", "content": "Welcome!"}
TALK = (
    e.SystemInstructed(tools=[TOOL]),
    e.UserUttered("rain?"),
    e.ToolCalled("weather", {"city": "Rome"}, "c1"),
    e.ToolReturned("yes", "c1"),
    e.BotUttered("It rains."),
    e.UserUttered("thanks"),
    e.BotUttered("Welcome!"),
)


def exported(folder: Path, *events: e.Event, format: str = "trl", **settings: Any) -> list[Any]:
    """The rows of an export of one conversation, without the evidence."""
    rows = written(folder, *events, format=format, **settings)
    return [{name: held for name, held in row.items() if name != "evidence"} for row in rows]


def written(folder: Path, *events: e.Event, format: str = "trl", **settings: Any) -> list[Any]:
    out = folder / "examples.jsonl"
    with turnlog.open("memory:") as log:
        log.import_dialogue(Dialogue("c", events))
        position = log.store.reader.last_position()
        totals = export(log, ExportPlan(format, position, settings=settings), out)
        assert totals.faulty == []
    return [json.loads(line) for line in out.read_text().splitlines()]


def noted(folder: Path) -> list[Any]:
    """The manifest's entries of the last export."""
    entries: list[Any] = json.loads((folder / "examples.jsonl.manifest.json").read_text())[
        "examples"
    ]
    return entries


def evidence(folder: Path) -> list[list[tuple[str, int]]]:
    return [[(x["kind"], x["event"]) for x in entry["evidence"]] for entry in noted(folder)]


def test_language_is_a_whole_conversation(tmp_path):
    said = [QUESTION, CALLED, RESULT, RAIN, THANKS, WELCOME]
    assert exported(tmp_path, *TALK) == [{"messages": said, "tools": [TOOL]}]
    assert exported(tmp_path, *TALK, type="language", standard=True) == [
        {"text": "User: rain?\n\nAssistant: It rains.\n\nUser: thanks\n\nAssistant: Welcome!"}
    ]


def test_a_prompt_precedes_each_answer(tmp_path):
    prompts = [[QUESTION], [QUESTION, CALLED, RESULT], [QUESTION, CALLED, RESULT, RAIN, THANKS]]
    rows = exported(tmp_path, *TALK, type="prompt")
    assert rows == [{"prompt": prompt, "tools": [TOOL]} for prompt in prompts]
    assert [entry["events"] for entry in noted(tmp_path)] == [[1, 3], [1, 5], [1, 7]]
    texts = exported(tmp_path, *TALK, type="prompt", standard=True)
    assert texts[0] == {"prompt": "User: rain?\n\nAssistant:"}


def test_a_completion_is_an_answer_not_of_weight_0(tmp_path):
    rows = exported(tmp_path, *TALK, type="completion")
    assert [row["completion"] for row in rows] == [[CALLED], [RAIN], [WELCOME]]
    assert rows[1]["prompt"] == [QUESTION, CALLED, RESULT]
    *said, welcome = TALK
    unlearnt = (*said[:4], e.BotUttered("It rains.", extra={"weight": 0}), *said[5:], welcome)
    rows = exported(tmp_path, *unlearnt, type="completion")
    assert [row["completion"] for row in rows] == [[CALLED], [WELCOME]]
    assert rows[1]["prompt"][3] == {**RAIN, "weight": 0}
    texts = exported(tmp_path, *TALK, type="completion", standard=True)
    assert [text["completion"] for text in texts] == [" It rains.", " Welcome!"]
    assert texts[1] == {
        "prompt": "User: rain?\n\nAssistant: It rains.\n\nUser: thanks\n\nAssistant:",
        "completion": " Welcome!",
    }


REWRITTEN = (
    *TALK,
    e.MessageRegenerated(7, "You are welcome."),
    e.MessageEdited(7, "Any time!"),
    e.MessageEdited(2, "rain, please?"),
)
ASKED = {"role": "user", "content": "rain, please?"}
PROMPT = [ASKED, CALLED, RESULT, RAIN, THANKS]


def answer(text: str) -> list[Any]:
    return [{"role": "assistant", "content": text}]


def test_a_preference_has_the_last_answer_and_each_before_it(tmp_path):
    rows = exported(tmp_path, *REWRITTEN, type="preference")
    assert rows == [
        {"prompt": PROMPT, "chosen": answer("Any time!"), "rejected": answer(rejected),
         "tools": [TOOL]}
        for rejected in ("Welcome!", "You are welcome.")
    ]  # fmt: skip
    assert evidence(tmp_path) == [[("MessageRegenerated", 8)], [("MessageEdited", 9)]]
    assert [entry["events"] for entry in noted(tmp_path)] == [[1, 7], [1, 7]]
    (text, _) = exported(tmp_path, *REWRITTEN, type="preference", standard=True)
    assert (text["chosen"], text["rejected"]) == (" Any time!", " Welcome!")
    assert text["prompt"].endswith("User: thanks\n\nAssistant:")


@pytest.mark.parametrize("standard", [False, True])
def test_a_row_names_its_evidence(tmp_path, standard):
    rows = written(tmp_path, *REWRITTEN, type="preference", standard=standard)
    assert [row["evidence"] for row in rows] == [["MessageRegenerated 8"], ["MessageEdited 9"]]
    assert "evidence" not in written(tmp_path, *REWRITTEN, type="completion")[0]


def test_openais_preferences_have_the_same_pairs(tmp_path):
    first, _ = exported(tmp_path, *REWRITTEN, format="openai-dpo")
    text = '{"city":"Rome"}'
    called = {**CALL, "function": {"name": "weather", "arguments": text}}
    assert first == {
        "input": {
            "messages": [ASKED, {**CALLED, "tool_calls": [called]}, RESULT, RAIN, THANKS],
            "tools": [TOOL],
        },
        "preferred_output": answer("Any time!"),
        "non_preferred_output": answer("Welcome!"),
    }


RATED = (*TALK, e.MessageRated(3, "up"), e.MessageRated(5, 1), e.MessageRated(7, "thumbs_down"))


def test_unpaired_rows_are_both_of_each_pair_and_rated_answers(tmp_path):
    rows = exported(tmp_path, *REWRITTEN, e.MessageRated(5, -1), type="unpaired")
    labels = [(row["completion"][0]["content"], row["label"]) for row in rows]
    assert labels == [
        ("It rains.", False), ("Any time!", True), ("Welcome!", False), ("You are welcome.", False),
    ]  # fmt: skip
    assert rows[0]["prompt"] == [ASKED, CALLED, RESULT]
    (text,) = exported(tmp_path, *TALK, e.MessageRated(5, "👍"), type="unpaired", standard=True)
    assert text == {
        "prompt": "User: rain?\n\nAssistant:",
        "completion": " It rains.",
        "label": True,
    }


def test_a_rating_applies_to_the_answer_at_that_time(tmp_path):
    said = (*TALK, e.MessageRated(7, "down"), e.MessageEdited(7, "Any time!"))
    rows = exported(tmp_path, *said, e.MessageRated(7, None), type="unpaired")
    labels = [(row["completion"][0]["content"], row["label"]) for row in rows]
    assert labels == [("Any time!", True), ("Welcome!", False)]
    edited, rated = ("MessageEdited", 9), ("MessageRated", 8)
    assert evidence(tmp_path) == [[edited], [rated, edited]]


@pytest.mark.parametrize("rating", [3, 0.5, "hm", None])
def test_a_rating_that_says_neither_is_not_a_verdict(tmp_path, rating):
    assert exported(tmp_path, *TALK, e.MessageRated(5, rating), type="unpaired") == []


def test_one_of_several_stars_is_not_good(tmp_path):
    said = (*TALK, e.MessageRated(5, 1), e.MessageRated(7, 4), e.MessageRated(3, "down"))
    rows = exported(tmp_path, *said, type="unpaired")
    assert [(row["completion"], row["label"]) for row in rows] == [([CALLED], False)]


def test_an_answer_of_weight_0_is_never_the_better_one(tmp_path):
    *said, welcome = TALK
    unlearnt = (*said, replace(welcome, extra={"weight": 0}))
    better = e.MessageEdited(7, "Any time!")
    assert exported(tmp_path, *unlearnt, better, type="preference") == []
    manifest = json.loads((tmp_path / "examples.jsonl.manifest.json").read_text())
    assert manifest["noted"][UNLEARNT] == 1
    assert exported(tmp_path, *unlearnt, e.MessageRated(7, "up"), type="unpaired") == []
    assert exported(tmp_path, *unlearnt, e.MessageRated(7, "up"), type="stepwise") == []
    (row,) = exported(tmp_path, *unlearnt, e.MessageRated(7, "down"), type="unpaired")
    assert row["label"] is False
    again = (*unlearnt, e.HistoryContinued(6), e.BotUttered("Any time!"))
    (row,) = exported(tmp_path, *again, type="preference")
    assert row["rejected"] == [{**WELCOME, "weight": 0}]


def test_the_last_rating_counts(tmp_path):
    (row,) = exported(tmp_path, *TALK, e.MessageRated(5, 1), e.MessageRated(5, -1), type="unpaired")
    assert row["label"] is False


def test_steps_are_the_judged_messages_of_a_turn(tmp_path):
    rows = exported(tmp_path, *RATED, type="stepwise")
    assert rows == [
        {"prompt": [QUESTION], "completions": [CALLED, RAIN], "labels": [True, True],
         "tools": [TOOL]},
        {"prompt": [QUESTION, CALLED, RESULT, RAIN, THANKS], "completions": [WELCOME],
         "labels": [False], "tools": [TOOL]},
    ]  # fmt: skip
    assert evidence(tmp_path) == [
        [("MessageRated", 8), ("MessageRated", 9)], [("MessageRated", 10)]
    ]  # fmt: skip
    texts = exported(tmp_path, *RATED, type="stepwise", standard=True)
    assert texts[0] == {
        "prompt": "User: rain?\n\nAssistant: It rains.\n\nUser: thanks\n\nAssistant:",
        "completions": [" Welcome!"],
        "labels": [False],
    }


BRANCHES = (
    e.UserUttered("rain?"),
    e.BotUttered("Yes."),
    e.HistoryContinued(1, branch="b"),
    e.BotUttered("No."),
    e.HistoryContinued(1, branch="c"),
    e.BotUttered("Maybe."),
)


def test_an_answer_between_two_others_has_no_label(tmp_path):
    stars = (e.MessageRated(n, rating) for n, rating in ((2, 1), (4, 5), (6, 3)))
    rows = exported(tmp_path, *BRANCHES, *stars, type="unpaired")
    labels = {(row["completion"][0]["content"], row["label"]) for row in rows}
    assert labels == {("No.", True), ("Yes.", False)}
    manifest = json.loads((tmp_path / "examples.jsonl.manifest.json").read_text())
    assert manifest["lost"] == {"answer that is better than one and worse than another": 1}


def test_answers_on_several_branches_are_judged_each(tmp_path):
    rated = (e.MessageRated(2, 1), e.MessageRated(4, -1), e.MessageRated(6, -1))
    rows = exported(tmp_path, *BRANCHES, *rated, type="stepwise")
    assert [(row["completions"], row["labels"]) for row in rows] == [
        (answer("Yes."), [True]), (answer("No."), [False]), (answer("Maybe."), [False]),
    ]  # fmt: skip


def test_steps_end_before_one_without_a_judgement(tmp_path):
    said = (*TALK, e.MessageRated(5, 1), e.MessageRated(7, 1))
    rows = exported(tmp_path, *said, type="stepwise")
    assert [row["completions"] for row in rows] == [[WELCOME]]


def test_rewound_and_redacted_answers_are_not_in_pairs(tmp_path):
    edited = e.MessageEdited(7, "Any time!")
    redacted = (*TALK, edited, e.MessageRedacted(message=7))
    assert exported(tmp_path, *redacted, type="preference") == []
    rewound = (*TALK, edited, e.UserUtteranceReverted(5))
    assert exported(tmp_path, *rewound, type="preference") == []


def test_a_forks_pair_has_its_whole_prompt(tmp_path):
    with turnlog.open("memory:") as log:
        log.import_dialogue(Dialogue("c", TALK[:5]))
        log.fork("c", event=5, as_="d")
        log.record("d", *TALK[5:], e.MessageEdited(8, "Any time!"))
        position = log.store.reader.last_position()
        plan = ExportPlan("trl", position, settings={"type": "preference"})
        export(log, plan, tmp_path / "examples.jsonl")
    (row,) = [json.loads(line) for line in (tmp_path / "examples.jsonl").read_text().splitlines()]
    assert len(row["prompt"]) == 5


def test_an_unknown_type_is_named():
    with pytest.raises(FormatError, match="--type: unknown type 'reward'; known: lang"):
        list(codec("trl", type="reward").examples(Dialogue("c", TALK)))


@pytest.mark.parametrize(
    ("format", "name"), [("sgd", "trim"), ("openai", "type"), ("jsonl", "turns")]
)
def test_an_unknown_setting_is_refused(format, name):
    with pytest.raises(FormatError, match=f"unknown setting of the format '{format}'"):
        ExportPlan(format, 0, settings={name: 1}).codec()
