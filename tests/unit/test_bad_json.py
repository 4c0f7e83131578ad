"""Broken and hostile files: messages name file, line and field, and everything else is read."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from tests.command_line import run
from tests.integration.test_command_byte_order_marks import FILES
from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.values import RawJson
from turnlog.errors import FormatError
from turnlog.serializers import formats
from turnlog.serializers.formats import codec, detect
from turnlog.serializers.shared.codec import Codec, Limits
from turnlog.serializers.shared.json_value import Unholdable

DEEP = 100_000


def line(name: str, event: str = '{"type":"UserUttered","text":"hi"}') -> str:
    return f'{{"format":"turnlog/1","conversation":"{name}","events":[{event}]}}'


def uttered(rest: str) -> str:
    return f'{{"type":"UserUttered",{rest}}}'


def read(path: Path, name: str, **options: Any) -> tuple[list[Dialogue], list[FormatError]]:
    """What a codec yields of a file: dialogues, and errors with the one that ends it."""
    dialogues, errors = [], []
    try:
        for item in codec(name, **options).read(path):
            (errors if isinstance(item, FormatError) else dialogues).append(item)
    except FormatError as error:
        errors.append(error)
    return dialogues, errors


BROKEN_LINES = {
    "truncated": (line("x")[:40], None, "column"),
    "no JSON at all": ("hello", None, "column 1"),
    "another format": ('{"messages":[]}', "format", "missing"),
    "a newer version": (line("x").replace("turnlog/1", "turnlog/2"), "format", "newer"),
    "a foreign format": (line("x").replace("turnlog/1", "spss"), "format", "expected turnlog/1"),
    "a duplicate key": (
        line("x", uttered('"text":"a","text":"b"')),
        "text",
        "duplicate key",
    ),
    "nesting": (
        line("x", uttered('"data":{"a":' + "[" * DEEP + "]" * DEEP + "}")),
        "events",
        "deeper",
    ),
    "unclosed nesting": ("[" * DEEP, None, "deeper"),
    "a NUL byte": (line("x", uttered('"text":"a\0b"')), None, "control character"),
    "no events": ('{"format":"turnlog/1","conversation":"x"}', "events", "missing"),
    "an array": ("[1]", "format", "expected an object"),
    "an unknown member": (line("x")[:-1] + ',"more":1}', "more", "unknown member"),
    "an id without characters": (line(""), "conversation", "at least one"),
    "an id that is a number": (line("x").replace('"x"', "7"), "conversation", "7"),
    "an id with a lone surrogate": (line("\\ud800"), "conversation", "RawJson"),
    "an unknown event": (line("x", '{"type":"Nonsense"}'), "events[0].type", "Nonsense"),
    "an event without a type": (line("x", "{}"), "events[0].type", "unknown event type"),
    "a text that is a number": (line("x", uttered('"text":7')), "events[0].text", "int"),
    "a number where none can be": (
        line("x", '{"type":"MessageEdited","message":NaN}'),
        "events[0].message",
        "null",
    ),
    "bytes that are not UTF-8": (line("x", uttered('"text":"\udcff"')), None, "UTF-8"),
}


@pytest.mark.parametrize("kind", BROKEN_LINES)
def test_a_broken_line_is_named_and_all_others_are_read(tmp_path: Path, kind: str) -> None:
    broken, field, why = BROKEN_LINES[kind]
    path = tmp_path / "log.jsonl"
    text = f"{line('before')}\n\n{broken}\n{line('after')}\n"
    path.write_bytes(text.encode(errors="surrogateescape"))
    dialogues, (error,) = read(path, "jsonl")
    assert [dialogue.name for dialogue in dialogues] == ["before", "after"]
    assert (error.file, error.line, error.field) == (str(path), 3, field)
    assert why in error.why
    assert "\n" not in str(error)
    assert len(str(error)) < len(str(path)) + 300


KEPT = {
    "NaN": uttered('"data":{"x":NaN}'),
    "infinity": uttered('"data":{"x":[-Infinity,1e999]}'),
    "5,000 digits": uttered('"data":{"x":' + "9" * 5000 + "}"),
    "5,000 decimals": uttered('"data":{"x":0.' + "3" * 5000 + "}"),
    "beyond 64 bits": uttered('"data":{"x":18446744073709551616}'),
    "a lone surrogate": uttered('"data":{"x":"\\ud800\\u00e9"}'),
    "one in a key": uttered('"data":{"x":{"\\udfff":1}}'),
    "one in a text": uttered('"text":"a\\ud83dz"'),
    "a time that is not a number": uttered('"text":"a","timestamp":NaN'),
    "a NUL": uttered('"text":"a\\u0000b"'),
    "unknown fields": uttered('"text":"a","extra":{"stray":[1.0,1,true,null]}'),
}


@pytest.mark.parametrize("kind", KEPT)
def test_valid_json_round_trips_unchanged(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(line("x", KEPT[kind]) + "\n")
    (dialogue,), errors = read(path, "jsonl")
    assert not errors
    again = tmp_path / "again.jsonl"
    jsonl = codec("jsonl")
    with again.open("wb") as out:
        jsonl.write(jsonl.examples(dialogue), out)
    assert literal(again.read_bytes()) == literal(path.read_bytes())


def literal(text: bytes) -> Any:
    """JSON with its numbers and odd strings as they are written."""
    return json.loads(text, parse_float=str, parse_int=str, parse_constant=str)


def test_a_text_with_a_lone_surrogate_can_be_shown(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(line("x", KEPT["one in a text"]))
    (dialogue,), _ = read(path, "jsonl")
    assert dialogue.events == (e.UserUttered("a\ufffdz", extra={"text": RawJson(b'"a\\ud83dz"')}),)
    at = "--db", f"sqlite:///{tmp_path}/log.db"
    assert run("import", path, *at).status == 0
    assert "\\ud83dz" in run("log", "x", *at).out


@pytest.mark.parametrize("name", ["openai", "trl", "sharegpt", "alpaca", "promptfoo"])
def test_no_model_is_trained_on_half_a_character(tmp_path: Path, name: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(line("x", KEPT["one in a text"]))
    (dialogue,), _ = read(path, "jsonl")
    dialogue = replace(dialogue, events=(*dialogue.events, e.BotUttered("ok")))
    with pytest.raises(Unholdable, match="ud83d"):
        list(codec(name).examples(dialogue))


def test_a_role_that_no_format_has_is_named() -> None:
    dialogue = Dialogue("x", (e.SystemInstructed("hi", role="robot"), e.BotUttered("ok")))
    for name in ("openai", "trl", "atif"):
        with pytest.raises(FormatError, match="'robot' is not a role"):
            list(codec(name).examples(dialogue))


@pytest.mark.parametrize("limit", ["conversation_bytes", "event_bytes"])
def test_an_oversized_value_is_named(tmp_path: Path, limit: str) -> None:
    path = tmp_path / "log.jsonl"
    big = line("big", uttered('"text":"' + "x" * 5000 + '"'))
    path.write_text(f"{line('before')}\n{big}\n{line('after')}\n")
    dialogues, (error,) = read(path, "jsonl", limits=Limits(**{limit: 1000}))
    assert [dialogue.name for dialogue in dialogues] == ["before", "after"]
    assert (error.line, error.conversation) == (2, "big")
    assert "more than 1,000" in error.why


# --- one document ---------------------------------------------------------------------------------


def sgd(name: str, **turn: Any) -> dict[str, Any]:
    turn = {"speaker": "USER", "utterance": "hi", "frames": [], **turn}
    return {"dialogue_id": name, "services": [], "turns": [turn]}


def multiwoz(text: str = "hi", metadata: Any = None) -> dict[str, Any]:
    log = [{"text": text, "metadata": {}}, {"text": "yes", "metadata": metadata or {}}]
    return {"goal": {}, "log": log}


def chat(name: str) -> dict[str, Any]:
    said = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    return {"task_id": name, "trial": 0, "traj": said}


DOCUMENTS = {
    "sgd": json.dumps([sgd("a"), sgd("b"), sgd("c")], indent=1),
    "multiwoz": json.dumps({"a": multiwoz(), "b": multiwoz(), "c": multiwoz()}, indent=1),
    "openai": json.dumps([chat("a"), chat("b"), chat("c")], indent=1),
}


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("chunk", [1, 7, 1 << 16])
def test_a_document_gives_every_conversation_that_is_complete_before_it_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, chunk: int
) -> None:
    monkeypatch.setattr("turnlog.serializers.shared.json_stream.CHUNK_BYTES", chunk)
    monkeypatch.setattr("turnlog.serializers.shared.json_stream.AT_ONCE_BYTES", 0)
    text = DOCUMENTS[name]
    path = tmp_path / "data.json"
    path.write_text(text)
    whole, errors = read(path, name)
    assert [len(whole), errors] == [3, []]
    ends = [text.index(f'"{c}"') for c in "bc"]
    for cut in range(1, len(text) - 1, 3 if chunk > 1 else 11):
        path.write_text(text[:cut])
        dialogues, (error,) = read(path, name)
        assert dialogues == whole[: len(dialogues)]
        assert len(dialogues) >= sum(cut > end for end in ends)
        assert error.file == str(path)
        assert error.line == text[:cut].count("\n") + 1


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_is_broken_inside_names_the_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "data.json"
    text = DOCUMENTS[name]
    at = text.rindex('"hi"')
    path.write_text(text[:at] + "oops" + text[at + 4 :])
    dialogues, (error,) = read(path, name)
    assert len(dialogues) == 2
    assert (error.file, error.line) == (str(path), text[:at].count("\n") + 1)


ODD = {
    "a duplicate key": ('"hi"', '"hi","odd":1,"odd":2', "odd"),
    "nesting": ('"hi"', '"hi","odd":' + "[" * DEEP + "]" * DEEP, None),
    "NaN": ('"hi"', '"hi","odd":NaN', "odd"),
    "5,000 digits": ('"hi"', '"hi","odd":' + "9" * 5000, "odd"),
    "a lone surrogate": ('"hi"', '"\\ud800"', None),
    "a number for a text": ('"hi"', "7", None),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_one_odd_conversation_does_not_affect_others(tmp_path: Path, name: str, kind: str) -> None:
    found, odd, field = ODD[kind]
    path = tmp_path / "data.json"
    head, second, third = DOCUMENTS[name].split(found)[0], *DOCUMENTS[name].split(found)[1:3]
    rest = DOCUMENTS[name].split(found)[3]
    path.write_text(f"{head}{found}{second}{odd}{third}{found}{rest}")
    dialogues, (error,) = read(path, name)
    assert len(dialogues) == 2
    assert error.file == str(path)
    assert error.line is not None
    assert (error.conversation or "").startswith("b")
    assert field is None or field in (error.field or "")
    assert field is not None or kind == "nesting" or error.field is not None


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_conversation_over_the_limit_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "data.json"
    path.write_text(
        DOCUMENTS[name].replace('"hi"', f'"{"x" * 9000}"', 2).replace("x" * 9000, "hi", 1)
    )
    dialogues, (error,) = read(path, name, limits=Limits(conversation_bytes=2000))
    assert len(dialogues) == 2
    assert (error.conversation or "").startswith("b")
    assert "more than 2,000 bytes" in error.why


def test_a_duplicate_dialogue_id_in_an_object_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    one = json.dumps(multiwoz())
    path.write_text(f'{{"a": {one},\n"a": {one},\n"b": {one}}}')
    dialogues, (error,) = read(path, "multiwoz")
    assert [dialogue.name for dialogue in dialogues] == ["a", "b"]
    assert (error.line, error.field) == (2, "a")


@pytest.mark.parametrize(
    "text", ["", " ", "[", "{", "[]", "{}", "null", "[1,", '{"a"', "\0", "\ufeff"]
)
@pytest.mark.parametrize("name", ["jsonl", "openai", "sgd", "multiwoz"])
def test_a_nearly_empty_file_gives_no_unexpected_error(
    tmp_path: Path, name: str, text: str
) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    dialogues, _ = read(path, name)
    assert dialogues == []
    assert detect(path) is None


def test_reading_takes_the_memory_of_one_conversation(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = tmp_path / "data.json"
        one = json.dumps(sgd("x", utterance="y" * 20_000))
        path.write_text("[" + ",".join([one] * count) + "]")
        tracemalloc.start()
        for dialogue in codec("sgd").read(path):
            assert isinstance(dialogue, Dialogue)
        reached = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return reached

    assert peak(600) < 1.2 * peak(60) + 100_000


def test_a_conversation_refused_for_its_size_is_not_kept_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text('[{"dialogue_id":"x","services":["' + "y" * 30_000_000 + '"]}]')
    tracemalloc.start()
    ((), (error,)) = read(path, "sgd", limits=Limits(conversation_bytes=1_000_000))
    reached = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.conversation == "x"
    assert reached < 5_000_000


@pytest.mark.parametrize("name", ["jsonl", "openai", "sgd", "multiwoz"])
def test_a_file_of_another_format_is_refused_by_name(tmp_path: Path, name: str) -> None:
    files = {**DOCUMENTS, "jsonl": line("a"), "text": "Dear all,\nhello", "image": "\x89PNG\0"}
    for kind in files.keys() - {name}:
        path = tmp_path / f"{kind}.json"
        path.write_text(files[kind])
        dialogues, errors = read(path, name)
        assert dialogues == []
        assert errors
        assert all(error.file == str(path) and error.line for error in errors)
        assert "text" not in kind or detect(path) is None


def test_a_trajectory_is_named_by_its_own_id_and_not_that_of_a_call(tmp_path: Path) -> None:
    path = tmp_path / "tau.json"
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    path.write_text(json.dumps([{"traj": [*said, {"role": "odd"}], "task_id": 7, "trial": 1}]))
    ((), (error,)) = read(path, "openai")
    assert (error.conversation, error.field) == ("7", "traj[1].role")


def test_a_format_of_a_third_party_plugs_in_by_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lines(Codec):
        name = "lines"
        reads = True

        def sniff(self, head: bytes, path: Path) -> bool:
            return head.startswith(b"> ")

        def read(self, path: Path) -> Iterator[Dialogue | FormatError]:
            yield Dialogue(path.name, (e.UserUttered(path.read_text()[2:]),))

    def points(group: str) -> list[Any]:
        assert group == "turnlog.codecs"
        return [SimpleNamespace(name="lines", load=lambda: Lines)]

    monkeypatch.setattr("turnlog.serializers.formats.entry_points", points)
    monkeypatch.setattr("turnlog.serializers.formats._plugins", formats._plugins.__wrapped__)
    (path := tmp_path / "x.txt").write_text("> hello")
    found = detect(path)
    assert found is not None
    assert list(found.read(path)) == [Dialogue("x.txt", (e.UserUttered("hello"),))]
    with pytest.raises(FormatError, match=r"unknown format 'odd'; known: jsonl, .*lines"):
        codec("odd")
    with pytest.raises(FormatError, match="cannot be written"):
        found.examples(Dialogue("x", ()))


@pytest.mark.parametrize("name", ["openai", "sgd", "multiwoz"])
def test_raw_json_is_refused_where_others_must_read_it(name: str) -> None:
    raw = RawJson(b'"\\ud800"')
    events = (
        e.UserUttered("hi"),
        e.SlotSet("a.semi.b", [raw]),
        e.ToolCalled("f", {"x": raw}, call_id="1"),
        e.ToolReturned("ok", call_id="1"),
        e.BotUttered("yes"),
    )
    with pytest.raises(
        FormatError, match=r"conversation 'x': .*(format cannot hold|no JSON object)"
    ):
        list(codec(name).examples(Dialogue("x", events)))


@pytest.mark.parametrize("name", ["atif", "rasa-tracker"])
def test_memory_for_a_small_file_is_small(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.json").write_bytes(FILES[name])
    tracemalloc.start()
    try:
        assert read(tmp_path / "x.json", name)[1] == []
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()
