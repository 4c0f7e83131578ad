"""Trajectories: judged by the independent `atif` package, and round trips."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from atif import Trajectory

import turnlog
from tests.adapters import oasst
from tests.chats import chats
from tests.command_line import run
from turnlog import BotUttered, ToolCalled, ToolReturned, UserUtteranceReverted, UserUttered
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.plain import dumps
from turnlog.errors import FormatError
from turnlog.serializers.formats import codec, detect

Source = Callable[[Path, Path], Iterable[Dialogue]]


def files(pattern: str) -> Source:
    def read(shared_data: Path, tmp_path: Path) -> Iterable[Dialogue]:
        for path in sorted(shared_data.glob(pattern)):
            yield from held(path)

    return read


def held(path: Path) -> Iterable[Dialogue]:
    reader = detect(path)
    assert reader is not None
    for dialogue in reader.read(path):
        assert isinstance(dialogue, Dialogue)
        yield dialogue


def made_up(shared_data: Path, tmp_path: Path) -> Iterable[Dialogue]:
    path = tmp_path / "chats.jsonl"
    path.write_text("".join(json.dumps(chat) + "\n" for chat in chats(Random(5), 300)))
    return held(path)


SOURCES: dict[str, tuple[Source, int]] = {
    "tau": (files("tau_bench/*.json"), 100),
    "tau2": (files("tau2_bench/*.json"), 58),
    "oasst": (lambda shared_data, tmp_path: oasst.dialogues(shared_data), 309),
    "made up": (made_up, 300),
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_judge_takes_every_trajectory_and_it_comes_back_equal(
    shared_data: Path, tmp_path: Path, source: str
) -> None:
    read, number = SOURCES[source]
    written = []
    faults: Counter[str] = Counter()
    for dialogue in read(shared_data, tmp_path):
        try:
            written += list(codec("atif").examples(dialogue))
        except FormatError as error:
            faults[error.why] += 1
    assert (len(written), faults) == (number, Counter())
    for example in written:
        judged = Trajectory.model_validate_json(dumps(example.content), strict=True)
        assert judged.to_json_dict() == json.loads(dumps(example.content))
    again = list(round_trip(written, tmp_path))
    assert [exported(dialogue) for dialogue in again] == [
        json.loads(dumps(example.content)) for example in written
    ]


def round_trip(examples: Iterable[Any], tmp_path: Path) -> Iterable[Dialogue]:
    out = io.BytesIO()
    codec("atif").write(examples, out)
    path = tmp_path / "written.jsonl"
    path.write_bytes(out.getvalue())
    return held(path)


# --- trajectories of others -----------------------------------------------------------------------


RUNS = 10
"""Of SWE-agent in the shared data; another file is a demonstration without a run."""


def swe_agent(path: Path) -> dict[str, Any]:
    """A run of SWE-agent as its converters to ATIF write it: a command a step."""
    steps: list[dict[str, Any]] = [{"step_id": 1, "source": "user", "message": "Mend it."}]
    for number, step in enumerate(json.loads(path.read_text())["trajectory"], 2):
        call = {
            "tool_call_id": f"c{number}",
            "function_name": "bash",
            "arguments": {"command": step["action"]},
        }
        result = {"source_call_id": call["tool_call_id"], "content": step["observation"]}
        steps.append(
            {
                "step_id": number,
                "source": "agent",
                "message": step["response"],
                "reasoning_content": step["thought"],
                "tool_calls": [call],
                "observation": {"results": [result]},
            }
        )
    return document(steps, trajectory_id=path.parent.name + path.stem)


def document(steps: list[dict[str, Any]], **members: Any) -> dict[str, Any]:
    ids = {"session_id": "s1", "trajectory_id": "s1"}
    agent = {"name": "mender", "version": "1.2", "model_name": "m-1"}
    return {"schema_version": "ATIF-v1.8", **ids, "agent": agent, "steps": steps, **members}


def imported(path: Path, content: dict[str, Any], *, indent: int | None = None) -> Dialogue:
    path.write_text(json.dumps(content, indent=indent))
    (dialogue,) = held(path)
    return dialogue


def exported(dialogue: Dialogue) -> dict[str, Any]:
    (example,) = codec("atif").examples(dialogue)
    content: dict[str, Any] = json.loads(dumps(example.content))
    return content


def judged(content: dict[str, Any]) -> dict[str, Any]:
    return Trajectory.model_validate_json(dumps(content), strict=True).to_json_dict()


def test_runs_of_swe_agent_round_trip_unchanged(shared_data: Path, tmp_path: Path) -> None:
    paths = sorted(shared_data.glob("swe_agent/**/*.traj"))
    runs = [path for path in paths if "trajectory" in json.loads(path.read_text())]
    assert len(runs) == RUNS
    for path in runs:
        content = swe_agent(path)
        content["trajectory_id"] += str(runs.index(path))
        assert judged(content) == content
        assert exported(imported(tmp_path / "x.json", content, indent=2)) == content


FULL = document(
    [
        {"step_id": 1, "source": "system", "message": "Be brief.", "extra": {"cached": True}},
        {
            "step_id": 2,
            "timestamp": "2026-01-02T03:04:05.250000Z",
            "source": "user",
            "message": [
                {"type": "text", "text": "What is this?"},
                {"type": "image", "source": {"media_type": "image/png", "path": "images/1.png"}},
                {
                    "type": "audio",
                    "source": {"media_type": "audio/wav", "path": "a.wav", "duration_sec": 2.5},
                },
            ],
            "is_copied_context": True,
        },
        {
            "step_id": 3,
            "timestamp": "2026-01-02T03:04:06Z",
            "source": "agent",
            "model_name": "m-2",
            "reasoning_effort": "high",
            "message": "",
            "reasoning_content": "Ask a colleague.",
            "tool_calls": [
                {"tool_call_id": "a", "function_name": "look", "arguments": {"at": [1, None]}},
                {
                    "tool_call_id": "b",
                    "function_name": "ask",
                    "arguments": {},
                    "extra": {"timeout": 3},
                },
            ],
            "observation": {
                "results": [
                    {"source_call_id": "b", "subagent_trajectory_ref": [{"trajectory_id": "t2"}]},
                    {
                        "source_call_id": "a",
                        "content": [{"type": "text", "text": "a cat"}],
                        "extra": {"is_error": True, "score": 0.5},
                    },
                    {"content": "the disk is full"},
                ]
            },
            "metrics": {
                "prompt_tokens": 120,
                "completion_tokens": 18,
                "cached_tokens": 20,
                "cost_usd": 0.002,
                "completion_token_ids": [1, 2],
                "logprobs": [-0.5, -0.25],
                "extra": {"reasoning_tokens": 7, "kv": "x"},
            },
            "llm_call_count": 2,
        },
        {"step_id": 4, "source": "agent", "message": "A cat.", "extra": {"finish_reason": "stop"}},
        {"step_id": 5, "source": "system", "message": "", "observation": {"results": [{}]}},
    ],
    session_id="run-7",
    agent={
        "name": "mender",
        "version": "1.2",
        "tool_definitions": [{"type": "function", "function": {"name": "look"}}],
        "extra": {"shell": "bash"},
    },
    notes="Step 5 is the watchdog's.",
    final_metrics={"total_prompt_tokens": 120, "total_steps": 5},
    continued_trajectory_ref="t.cont-1.json",
    extra={"task": "cats"},
    subagent_trajectories=[
        document([{"step_id": 1, "source": "agent", "message": "hm"}], trajectory_id="t2")
    ],
)


def test_a_trajectory_with_every_member_round_trips_unchanged(tmp_path: Path) -> None:
    assert judged(FULL) == FULL
    dialogue = imported(tmp_path / "x.json", FULL)
    (example,) = codec("atif").examples(dialogue)
    assert (json.loads(dumps(example.content)), example.lost) == (FULL, {})
    assert imported(tmp_path / "y.json", exported(dialogue)).events == dialogue.events


def test_further_members_of_a_call_are_counted() -> None:
    called = ToolCalled("f", {}, "1", cause=2, extra={"x": 1})
    events = UserUttered("hi"), BotUttered("a"), called, ToolReturned("ok", "1")
    (example,) = codec("atif").examples(Dialogue("c", events))
    assert example.lost == {"ToolCalled.extra": 1}
    assert "extra" not in example.content["steps"][1]


@pytest.mark.parametrize("source", ["system", "user", "agent"])
def test_texts_of_a_message_stay_separate(tmp_path: Path, source: str) -> None:
    parts = [{"type": "text", "text": text} for text in ("", "one", "two")]
    for message in ([], parts[:1], parts[1:2], parts):
        content = document([{"step_id": 1, "source": source, "message": message}])
        dialogue = imported(tmp_path / "x.json", content)
        assert imported(tmp_path / "y.json", exported(dialogue)).events == dialogue.events
    assert exported(dialogue)["steps"][0]["message"] == parts


def test_an_empty_file_has_no_trajectory(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"")
    assert list(codec("atif").read(tmp_path / "x.jsonl")) == []


def test_results_without_a_call_id_belong_to_the_calls_in_order(tmp_path: Path) -> None:
    calls = [{"tool_call_id": id, "function_name": "f", "arguments": {}} for id in "ab"]
    results = [{"content": "one"}, {"content": "two"}]
    step = {"step_id": 1, "source": "agent", "message": "", "tool_calls": calls}
    content = document([{**step, "observation": {"results": results}}])
    written = exported(imported(tmp_path / "x.json", content))
    found = written["steps"][0]["observation"]["results"]
    assert [(each["source_call_id"], each["content"]) for each in found] == [
        ("a", "one"),
        ("b", "two"),
    ]


def test_an_empty_id_stays_empty(tmp_path: Path) -> None:
    call = {"tool_call_id": "", "function_name": "f", "arguments": {}}
    result = {"source_call_id": "", "content": "one"}
    step = {"step_id": 1, "source": "agent", "message": "", "tool_calls": [call]}
    content = document([{**step, "observation": {"results": [result]}}])
    assert judged(content) == content
    dialogue = imported(tmp_path / "x.json", content)
    assert exported(dialogue) == content
    (chat,) = codec("openai").examples(dialogue)
    called, answered = chat.content["messages"]
    assert (called["tool_calls"][0]["id"], answered["tool_call_id"]) == ("", "")


def test_a_rewound_trajectory_is_continued_in_its_replacement(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path}/log.db"
    with turnlog.open(db) as log:
        log.record("c", UserUttered("one"), BotUttered("first"))
        log.record("c", UserUttered("two"), BotUttered("second"), UserUtteranceReverted())
        log.record("c", UserUttered("three"), BotUttered("third"))
        log.checkout("c", turn=1)
        log.checkout("c", turn=1)
        log.record("c", UserUttered("four"), BotUttered("fourth"))
    out = tmp_path / "out.jsonl"
    asked = ("--db", db, "export", "--format", "atif", "--out", out, "--ids", "keep")
    assert run(*asked).status == 0
    assert said(out) == [("c", None, ["one", "first", "four", "fourth"])]
    ran = run(*asked, "--include", "rewound", "--json")
    assert (ran.status, ran.json["lost"], ran.json["examples"]) == (0, {}, 3)
    assert said(out) == [
        ("c~1", "c~2", ["one", "first", "two", "second"]),
        ("c~2", "c", ["(one)", "(first)", "three", "third"]),
        ("c", None, ["(one)", "(first)", "four", "fourth"]),
    ]
    again = tmp_path / "again.jsonl"
    assert run("--db", f"sqlite:///{tmp_path}/x.db", "import", out).status == 0
    asked = ("export", "--format", "atif", "--out", again, "--ids", "keep")
    assert run("--db", f"sqlite:///{tmp_path}/x.db", *asked).status == 0
    assert sorted(again.read_text().splitlines()) == sorted(out.read_text().splitlines())
    assert run("--db", db, "export", "--verify", f"{out}.manifest.json").status == 0


def test_a_fork_names_the_trajectory_and_the_turn_that_it_continues(tmp_path: Path) -> None:
    db, out = f"sqlite:///{tmp_path}/log.db", tmp_path / "out.jsonl"
    with turnlog.open(db) as log:
        log.record("m", UserUttered("one"), BotUttered("first"))
        log.record("m", UserUttered("two"), BotUttered("second"))
        log.fork("m", turn=1, as_="f")
        log.record("f", UserUttered("three"), BotUttered("third"))
    asked = ("--db", db, "export", "--format", "atif", "--out", out)
    assert run(*asked, "--ids", "keep").status == 0
    origin, fork = (json.loads(line) for line in out.read_text().splitlines())
    assert "extra" not in origin
    assert fork["extra"] == {"fork": {"origin": "m", "turn": 1}}
    assert [step["message"] for step in fork["steps"]] == ["three", "third"]
    assert exported(imported(tmp_path / "x.json", judged(fork))) == fork
    assert run(*asked).status == 0
    origin, fork = (json.loads(line) for line in out.read_text().splitlines())
    assert fork["extra"]["fork"]["origin"] == origin["trajectory_id"] != "m"
    assert run(*asked, "f").status == 0
    assert "extra" not in json.loads(out.read_text())


def said(path: Path) -> list[tuple[str, str | None, list[str]]]:
    """Each trajectory's id, its continuation and its texts, copies in parentheses."""
    found = []
    for line in path.read_text().splitlines():
        held = Trajectory.model_validate_json(line, strict=True)
        texts = [f"({s.message})" if s.is_copied_context else str(s.message) for s in held.steps]
        found.append((str(held.trajectory_id), held.continued_trajectory_ref, texts))
    return found


BAD = {
    "no agent": ({"agent": None}, "agent: cannot be None"),
    "another version": (
        {"schema_version": "ATIF-v2.0"},
        "schema_version: 'ATIF-v2.0' is not version 1",
    ),
    "steps no list": ({"steps": {}}, "steps: cannot be {}"),
    "a step no object": ({"steps": [3]}, "steps[0].source: expected an object"),
    "an unknown source": (
        {"steps": [{"source": "tool", "message": ""}]},
        "steps[0].source: unknown source 'tool'; known: system, user, agent",
    ),
    "arguments a text": (
        {
            "steps": [
                {
                    "source": "agent",
                    "message": "",
                    "tool_calls": [{"tool_call_id": "a", "function_name": "f", "arguments": "{}"}],
                }
            ]
        },
        "steps[0].tool_calls[0].arguments: cannot be '{}'",
    ),
    "a result of no call": (
        {
            "steps": [
                {
                    "source": "agent",
                    "message": "",
                    "observation": {"results": [{"source_call_id": "z", "content": "x"}]},
                }
            ]
        },
        "steps[0].observation.results[0].source_call_id: 'z' is not the id of a call in this step",
    ),
    "metrics a list": (
        {"steps": [{"source": "agent", "message": "", "metrics": []}]},
        "steps[0].metrics: cannot be []",
    ),
    "tokens a text": (
        {"steps": [{"source": "agent", "message": "", "metrics": {"prompt_tokens": "9"}}]},
        "steps[0].metrics.prompt_tokens: cannot be '9'",
    ),
    "a part of no kind": (
        {"steps": [{"source": "user", "message": [{"type": "video"}]}]},
        "steps[0].message[0].type: unknown type 'video'; known: text, image, audio",
    ),
    "extra a text": (
        {"steps": [{"source": "user", "message": "hi", "extra": "x"}]},
        "steps[0].extra: cannot be 'x'",
    ),
    "a model that is not a text": (
        {"steps": [{"source": "agent", "message": "hi", "model_name": 3}]},
        "steps[0].model_name: cannot be 3",
    ),
    "an invalid time": (
        {"steps": [{"source": "user", "message": "hi", "timestamp": "noon"}]},
        "steps[0].timestamp: 'noon' is not a time",
    ),
    "extra of all a text": ({"extra": "x"}, "extra: cannot be 'x'"),
    "others no list": ({"subagent_trajectories": {}}, "subagent_trajectories: cannot be {}"),
}


@pytest.mark.parametrize("kind", BAD)
def test_an_invalid_trajectory_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    members, why = BAD[kind]
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**document([]), **members}))
    (found,) = codec("atif").read(path)
    assert isinstance(found, FormatError)
    assert why in str(found)
