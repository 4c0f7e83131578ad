"""jsonpickle's Dialogues: every version read, written so that jsonpickle itself agrees."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import needing
from tests.parts import jsonpickle as jsonpickle_part
from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.errors import FormatError
from turnlog.serializers.formats import detect
from turnlog.serializers.rasa.dialogue import PREFIXES, RasaDialogueCodec
from turnlog.serializers.rasa.writer import to_rasa
from turnlog.serializers.shared.codec import Limits

OLDEST, NEWEST = "1.5.2", "4.1.1"

DECODE = """
import json, sys, types
sys.path.insert(0, sys.argv[1])
import jsonpickle
text = sys.stdin.read()
for path in set(__import__("re").findall(r'"py/object": ?"([\\w.]+)"', text)):
    module, _, name = path.rpartition(".")
    if not name[:1].isupper():
        continue
    made = types.ModuleType(module)
    made = sys.modules.setdefault(module, made)
    parts = module.split(".")
    for end in range(1, len(parts)):
        parent = sys.modules.setdefault(".".join(parts[:end]), types.ModuleType(parts[end - 1]))
        setattr(parent, parts[end], sys.modules.setdefault(".".join(parts[:end + 1]), made))
    setattr(made, name, type(name, (), {"__module__": module}))

def plain(value):
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "__dict__"):
        return {"class": type(value).__name__, **plain(vars(value))}
    return value

json.dump(plain(jsonpickle.decode(text)), sys.stdout)
"""


def decoded(text: str, version: str) -> Any:
    """The real jsonpickle's reading of a document, by version, in a separate process."""
    with needing("jsonpickle"):
        folder = jsonpickle_part.installed(version)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DECODE, str(folder)],
        input=text, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def read(file: Path) -> tuple[RasaDialogueCodec, Dialogue]:
    found = detect(file)
    assert isinstance(found, RasaDialogueCodec)
    (dialogue,) = found.read(file)
    assert isinstance(dialogue, Dialogue), dialogue
    return found, dialogue


def pickled(dialogue: Dialogue, **options: Any) -> str:
    codec = RasaDialogueCodec(**options)
    out = io.BytesIO()
    codec.write(codec.examples(dialogue), out)
    return out.getvalue().decode()


@pytest.fixture
def rasa(shared_data: Path) -> Path:
    return shared_data / "rasa"


def history(rasa: Path) -> list[Path]:
    return sorted((rasa / "jsonpickle_history").glob("*.json"))


def test_all_33_dumps_are_read_event_by_event(rasa):
    files = history(rasa)
    assert len(files) == 33
    for file in files:
        _, dialogue = read(file)
        source = json.loads(file.read_text())
        assert dialogue.name == source["name"]
        back = json.loads(pickled(dialogue, prefix=PREFIXES[0]))
        assert len(back["events"]) == len(source["events"])
        assert not any(isinstance(event, e.Unknown) for event in dialogue.events)
        for one, other in zip(back["events"], source["events"], strict=True):
            other = _resolved(other)
            names = [part.pop("py/object").rpartition(".")[2] for part in (one, other)]
            assert names[0].removeprefix("Legacy") == names[1]
            assert one == other, file.name


def _resolved(event: dict[str, Any]) -> dict[str, Any]:
    """With its parse_data's references put in place."""
    parsed = event.get("parse_data")
    if isinstance(parsed, dict):
        held = {k: event[k] if "py/id" in str(parsed[k]) else parsed[k] for k in parsed}
        return {**event, "parse_data": held}
    return event


def test_a_wrong_hand_edited_reference_is_noted(rasa):
    noted = {file.name: [n.field for n in read(file)[0].notes] for file in history(rasa)}
    wrong = {name: fields for name, fields in noted.items() if any("parse" in f for f in fields)}
    assert len(wrong) == 3
    assert sum(len(fields) for fields in wrong.values()) == 5


def test_all_versions_of_jsonpickle_give_the_same_dialogue(rasa):
    files = sorted((rasa / "jsonpickle_versions").glob("*.json"))
    assert len(files) >= 6
    dialogues = [read(file)[1] for file in files]
    assert all(dialogue == dialogues[0] for dialogue in dialogues)
    said = [event for event in to_rasa(dialogues[0].events) if event["event"] == "user"]
    assert [event["parse_data"]["entities"][0]["value"] for event in said] == [
        "v0", "v1", "v2", "v3",
    ]  # fmt: skip
    for file in files:
        assert not read(file)[0].notes


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_jsonpickle_itself_reads_what_is_written_and_finds_the_same_events(rasa, version):
    files = history(rasa)[::4]
    assert (len(files), len(PREFIXES)) == (9, 3)
    for file in files:
        _, dialogue = read(file)
        for prefix in PREFIXES:
            text = pickled(dialogue, prefix=prefix)
            assert "py/id" not in text
            assert f'"{prefix}.conversation.Dialogue"' in text
            found = decoded(text, version)
            written = json.loads(text)
            assert found["name"] == dialogue.name
            for one, other in zip(found["events"], written["events"], strict=True):
                path = other.pop("py/object")
                assert path == f"{prefix}.events.{one.pop('class')}"
                assert one == other


def test_a_trackers_events_survive_the_pickle(rasa, tmp_path):
    source = json.loads((rasa / "rasa_3.6.21" / "real_3.6.21_tracker_ALL.json").read_text())
    tracker = tmp_path / "tracker.json"
    odd = [
        {"event": "reminder", "timestamp": 1.0, "intent": "i", "entities": None, "name": "n",
         "date_time": "2020-01-02T03:04:05.000006", "kill_on_user_msg": True},
        {"event": "reminder", "timestamp": 1.0, "intent": "i", "entities": None, "name": "n",
         "date_time": "2020-01-02T03:04:05+02:00", "kill_on_user_msg": True},
        {"event": "form_validation", "timestamp": 1.0, "validate": False},
        {"event": "topic", "timestamp": 1.0, "topic": "t"},
    ]  # fmt: skip
    tracker.write_text(json.dumps({"sender_id": "u1", "events": source["events"] + odd}))
    (before,) = detect(tracker).read(tracker)  # type: ignore[union-attr]
    file = tmp_path / "pickled.json"
    for prefix in PREFIXES:
        file.write_text(pickled(before, prefix=prefix))
        assert read(file)[1] == before


def test_the_last_turns_alone_can_be_written(rasa):
    _, dialogue = read(next(f for f in history(rasa) if "moodbot" in f.name))
    found = json.loads(pickled(dialogue, turns=1))
    kinds = [event["py/object"].rpartition(".")[2] for event in found["events"]]
    assert kinds[0] == "UserUttered"
    assert kinds.count("UserUttered") == 1


def test_tags_that_jsonpickle_would_execute_are_not_written():
    bad = e.SlotSet("n", {"x": [{"py/reduce": [{"py/function": "os.system"}]}]})
    with pytest.raises(FormatError, match="command to jsonpickle's decoder"):
        pickled(Dialogue("d", (bad,)))


def test_an_unknown_prefix_is_refused():
    with pytest.raises(FormatError, match="prefix"):
        pickled(Dialogue("d", ()), prefix="os")


# --- hostile documents --------------------------------------------------------------------------

EVENT = "rasa.core.events.SlotSet"
RUN = {"py/reduce": [{"py/function": "os.mkdir"}, {"py/tuple": ["CANARY"]}]}


def slot(value: Any) -> dict[str, Any]:
    event = {"py/object": EVENT, "key": "n", "timestamp": 1.0, "value": value}
    return {"py/object": "rasa.core.conversation.Dialogue", "name": "d", "events": [event]}


def event(**fields: Any) -> dict[str, Any]:
    whole = slot(None)
    whole["events"] = [{"py/object": EVENT, "key": "n", **fields}]
    return whole


def nested(depth: int) -> str:
    return json.dumps(slot("HERE")).replace('"HERE"', "[" * depth + "]" * depth)


HOSTILE: dict[str, Any] = {
    "reduce": slot(RUN),
    "reduce at the top": RUN,
    "reduce as an event": {**slot(1), "events": [RUN]},
    "reduce as the name": {**slot(1), "name": RUN},
    "reduce eval": slot({"py/reduce": [{"py/type": "builtins.eval"}, {"py/tuple": ["1"]}]}),
    "reduce in a state": event(**{"py/state": RUN}),
    "popen": slot({"py/object": "subprocess.Popen", "py/newargs": ["CANARY"]}),
    "popen as an event": {**slot(1), "events": [{"py/object": "subprocess.Popen"}]},
    "popen as the dialogue": {"py/object": "subprocess.Popen", "name": "d", "events": []},
    "object of a module not loaded": slot({"py/object": "antigravity.Fly"}),
    "an event's name elsewhere": slot({"py/object": "os.events.SlotSet"}),
    "a name with a tail": slot({"py/object": EVENT + "\n.x"}),
    "state": event(**{"py/state": {"key": "n"}}),
    "setstate": slot({"py/object": "logging.Logger", "py/state": [1]}),
    "newargs": event(**{"py/newargs": {"py/tuple": [1]}}),
    "newargsex": event(**{"py/newargsex": [{"py/tuple": [1]}, {}]}),
    "initargs": event(**{"py/initargs": [1]}),
    "property setter": slot({"py/object": "http.cookiejar.FileCookieJar", "filename": "CANARY"}),
    "repr": slot({"py/repr": "os/os.mkdir('CANARY')"}),
    "function": slot({"py/function": "os.system"}),
    "type": slot({"py/type": "antigravity.Fly"}),
    "module": slot({"py/mod": "antigravity"}),
    "iterator": slot({"py/iterator": [1]}),
    "ref": slot({"py/ref": "/"}),
    "b64": slot({"py/b64": "AAAA"}),
    "b85": slot({"py/b85": "0000"}),
    "set": slot({"py/set": [1]}),
    "seq": event(**{"py/seq": [1]}),
    "bytes": slot({"py/bytes": "=00"}),
    "default factory": slot(
        {"py/object": "collections.defaultdict", "default_factory": {"py/type": "antigravity.F"}}
    ),
    "a datetime that reduces": slot({"py/object": "datetime.datetime", "__reduce__": [RUN, [1]]}),
    "a datetime whose zone reduces": slot(
        {"py/object": "datetime.datetime",
         "__reduce__": [{"py/type": "datetime.datetime"}, ["B+QBAgMEBQAABg==", RUN]]}
    ),
    "a datetime of nonsense": slot(
        {"py/object": "datetime.datetime", "__reduce__": [{"py/type": "datetime.datetime"}, ["x"]]}
    ),
    "reference to what holds it": slot([[{"py/id": 3}], {"py/id": 2}]),
    "reference to the document": slot({"py/id": 0}),
    "reference to nothing": slot({"py/id": 99}),
    "reference that is not a number": slot({"py/id": RUN}),
    "references that grow": slot(
        [["x"] * 10, *([{"py/id": 3 + n}] * 10 for n in range(20))]
    ),
    "no dialogue": {"py/object": EVENT, "key": "n", "value": 1},
    "events that are none": {**slot(1), "events": {"py/tuple": RUN}},
    "nesting": nested(150),
    "nesting without end": nested(100_000),
    "broken": '{"py/object": "rasa.core.conversation.Dialogue", "name": ',
    "50 MB of text": lambda: json.dumps(slot("x" * 50_000_000)),
    "50 MB of values": lambda: json.dumps(slot([1] * 16_000_000)),
    "70 MB": lambda: json.dumps(slot("x" * 70_000_000)),
}  # fmt: skip

READ = """
import os, sys, pathlib
import turnlog.serializers.formats, turnlog.serializers.shared.codec
import turnlog.serializers.rasa.dialogue as codec, turnlog.errors
# One-time work, such as msgspec's inspection of its own types, is done before.
assert turnlog.serializers.formats.detect(pathlib.Path(sys.argv[1]))
small = turnlog.serializers.shared.codec.Limits(event_bytes=1)
assert list(codec.RasaDialogueCodec(small).read(pathlib.Path(sys.argv[1])))
before = set(sys.modules)
def audited(event, arguments):
    if event in ("os.system", "subprocess.Popen", "exec", "os.mkdir", "os.exec", "import"):
        print("EXECUTED", event, str(arguments)[:200])
sys.addaudithook(audited)
for name in sorted(os.listdir(sys.argv[1] + ".d")):
    try:
        found = list(codec.RasaDialogueCodec().read(pathlib.Path(sys.argv[1] + ".d", name)))
    except turnlog.errors.FormatError as error:
        found = [error]
    clear = len(found) == 1 and isinstance(found[0], turnlog.errors.FormatError)
    print("CLEAR" if clear and len(str(found[0])) < 400 else "NOT CLEAR", name, str(found[0])[:300])
print("IMPORTED", sorted(set(sys.modules) - before))
"""


def test_no_hostile_document_executes_or_imports_anything(tmp_path):
    assert len(HOSTILE) >= 25
    folder = tmp_path / "any.json.d"
    folder.mkdir()
    canary = tmp_path / "canary"
    for name, document in HOSTILE.items():
        made = document() if callable(document) else document
        text = made if isinstance(made, str) else json.dumps(made)
        (folder / f"{name}.json").write_text(text.replace("CANARY", str(canary)))
    any_ = tmp_path / "any.json"
    any_.write_text(json.dumps(slot(1)))
    done = subprocess.run(
        [sys.executable, "-c", READ, str(any_)],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert sum(line.startswith("CLEAR") for line in lines) == len(HOSTILE), done.stdout[:6000]
    assert not [line for line in lines if line.startswith("EXECUTED")]
    assert lines[-1] == "IMPORTED []"
    assert not canary.exists()


def test_a_document_that_is_not_hostile_is_read(tmp_path):
    file = tmp_path / "fine.json"
    file.write_text(json.dumps(slot({"py/tuple": [1, {"a": 2}]})))
    assert read(file)[1].events[0].value == [1, {"a": 2}]  # type: ignore[attr-defined]


def test_a_removed_class_keeps_its_type(tmp_path):
    file = tmp_path / "vanished.json"
    document = slot(1)
    gone = {"py/object": "rasa_core.events.Vanished", "with": {"its": "fields"}, "timestamp": 2.0}
    document["events"].append(gone)
    file.write_text(json.dumps(document))
    _, dialogue = read(file)
    kept = dialogue.events[1]
    assert isinstance(kept, e.Unknown)
    assert kept.name == "rasa_core.events.Vanished"
    back = json.loads(pickled(dialogue, prefix="rasa_core"))["events"][1]
    assert back == gone


def test_a_limit_is_a_setting(tmp_path):
    file = tmp_path / "big.json"
    file.write_text(json.dumps(slot("x" * 2000)))
    (refused,) = RasaDialogueCodec(Limits(event_bytes=1000)).read(file)
    assert isinstance(refused, FormatError)
    assert "1,000" in str(refused)
