"""NaifJs's sessions are written as JavaScript writes them; Node.js is the judge."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import turnlog
from turnlog import (
    BotUttered,
    MessageRedacted,
    ThreadEnded,
    ThreadImported,
    ThreadStarted,
    UserUttered,
    VariableRemoved,
    VariableSet,
)
from turnlog.engine.importing import import_files
from turnlog.errors import FormatError
from turnlog.serializers.formats import codec, detect
from turnlog.serializers.naif.codec import NaifCodec
from turnlog.serializers.naif.javascript import parse, stringify

DOCUMENTED = """{
  "34824744": {

    "unit": "secondUnit",
    "state": "restart",

    "time": 1602775249799,
    "active": false,

    "variables": {
      "firstUnit": {
        "firstName": "Giorgio"
      }
    },

    "response": {
      "text": "Arrivederci Giorgio!",
      "speech": false,
      "time": 1602775251566,
      "stateid": "secondUnit.restart"
    },

    "request": {
      "text": "no",
      "speech": false,
      "time": 1602775251565
    }

  },

  "103034393": {

    "unit": "ascoltaeripeti",
    "state": "restart",

    "time": 1561539134,
    "active": false,

    "response": {
      "text": "Arrivederci Giorgio!",
      "speech": false,
      "time": 1602775251577,
      "stateid": "ascoltaeripeti.restart"
    },

    "request": {
      "text": "no",
      "speech": false,
      "time": 1602775251000
    },

    "variables": {
      "leggieripeti": { "word": "TASCHE", "retryNum": 5, "score": 0 },
      "ascoltaescrivi": { "word": "MERCATI", "retryNum": 5, "score": 0 }
    }
  }
}
"""
"""The two users of NaifJs's own documentation (doc/sessions.md, MIT)."""

JUDGE = """
import { readFileSync, writeFileSync } from "node:fs";
const texts = JSON.parse(readFileSync(process.argv[1], "utf8"));
const judged = texts.map((text) => JSON.stringify(JSON.parse(text), null, 2));
writeFileSync(process.argv[1], JSON.stringify(judged));
"""


def judged(node, folder: Path, texts: list[str]) -> list[str]:
    """Node.js's output for each text."""
    file = folder / "texts.json"
    file.write_text(json.dumps(texts))
    node.run(JUDGE, str(file))
    return json.loads(file.read_text())


def carried(text: str, folder: Path) -> str:
    """Imported into a log and exported again."""
    file = folder / "sessions.json"
    file.write_text(text)
    with turnlog.open("memory:") as log:
        done = import_files(log, [file], format="naif")
        assert not done.refused, done.refused
        return exported(log)


def exported(log: turnlog.Turnlog) -> str:
    writer = NaifCodec()
    dialogues = (log.conversation(id).dialogue() for id in log.ids())
    out = io.BytesIO()
    writer.write((example for d in dialogues for example in writer.examples(d)), out)
    return out.getvalue().decode()


# --- texts as a foreign program may have written them -------------------------------------------

numbers = st.one_of(
    st.sampled_from(
        [
            "0",
            "-0",
            "-0.0",
            "1.0",
            "1e-07",
            "1e-7",
            "1E21",
            "1e21",
            "123456789012345678901",
            "9007199254740993",
            "0.000001",
            "0.0000001",
            "1e400",
            "-1e400",
            "5e-324",
            "1.7976931348623157e308",
            "1561539134",
            "1602775249799",
            "100e-2",
            "12345678901234567890",
            "0.1e1",
            "-1e-7",
            "4.35",
            "1e5",
        ]
    ),
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
pieces = st.sampled_from(
    [
        r"\ud800",
        r"\udfff\ud83d",
        r"\ud83d\ude00",
        "😀",
        r"\u0000",
        r"\/",
        r"\b\f\n\r\t",
        "\u2028",
        "\x7f",
        r"\u001f",
        r"\"",
        r"\\",
        "é",
        "a",
        "0",
        "__proto__",
        " ",
    ]
)
strings = st.lists(pieces, max_size=4).map(lambda parts: f'"{"".join(parts)}"')
indices = st.sampled_from(
    [
        "0",
        "00",
        "1",
        "10",
        "2",
        "9",
        "4294967294",
        "4294967295",
        "4294967296",
        "9007199254740993",
        "-1",
        "-1001234",
        "1.5",
        "1e3",
    ]
).map(lambda text: f'"{text}"')
keys = strings | indices | st.sampled_from(['"unit"', '"time"', '"variables"', '"request"'])


def objects(values, names=keys, **size):
    members = st.lists(st.tuples(names, values), max_size=6, **size)
    return members.map(lambda pairs: "{" + ",".join(f"{k} :{v}" for k, v in pairs) + "}")


values = st.recursive(
    st.sampled_from(["null", "true", "false"]) | numbers | strings,
    lambda inner: objects(inner) | st.lists(inner, max_size=4).map(lambda v: f"[{', '.join(v)}]"),
    max_leaves=8,
)
messages = st.one_of(
    values,
    st.tuples(strings, numbers).map(lambda m: f'{{"text":{m[0]},"speech":false,"time":{m[1]}}}'),
)
parts = {
    '"unit"': strings | values,
    '"state"': strings | values,
    '"time"': numbers | values,
    '"active"': st.sampled_from(["true", "false"]) | values,
    '"variables"': objects(objects(values)) | values,
    '"request"': messages,
    '"response"': messages,
    '"7"': values,
    '"own"': values,
}
members = st.one_of(*(value.map(lambda v, name=name: (name, v)) for name, value in parts.items()))
entries = st.lists(members, max_size=8).map(
    lambda pairs: "{\n" + ",".join(f"{name}:\t{value}" for name, value in pairs) + "}"
)
files = objects(entries)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@example(['{"": {"unit": "", "state": "", "time": -1.8e305}}'])
@example([r'{"": {}, "\"\"": {}, "\ud800": {}, "\\ud800": {}, "\"\\ud800\"": {}}'])
@given(st.lists(files, min_size=1, max_size=8))
def test_sessions_are_written_as_javascript_writes_them(node, tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("naif")
    for text, expected in zip(texts, judged(node, folder, texts), strict=True):
        assert carried(text, folder) == expected


def test_the_documentations_two_users_round_trip_byte_for_byte(node, tmp_path):
    (expected,) = judged(node, tmp_path, [DOCUMENTED])
    assert carried(DOCUMENTED, tmp_path) == expected
    assert carried(expected, tmp_path) == expected


@settings(max_examples=300, deadline=None)
@given(values)
def test_a_written_file_reads_and_writes_back_the_same(text):
    once = stringify(parse(text), "  ")
    assert stringify(parse(once), "  ") == once
    assert stringify(parse(stringify(parse(text))), "  ") == once


# --- what the log knows of them -----------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path):
    with turnlog.open("memory:", clock=lambda: 1_700_000_000.0) as opened:
        file = tmp_path / "sessions.json"
        file.write_text(DOCUMENTED)
        assert import_files(opened, [file]).conversations == 2
        yield opened


def test_the_format_is_recognised(tmp_path):
    file = tmp_path / "sessions.json"
    file.write_text(DOCUMENTED)
    found = detect(file)
    assert found is not None
    assert found.name == "naif"


def test_a_session_is_a_thread_with_its_messages_times_and_variables(log):
    thread = log.conversation("103034393").state.thread
    assert (thread.unit, thread.state, thread.ended) == ("ascoltaeripeti", "restart", "end")
    assert thread.variables["leggieripeti"] == {"word": "TASCHE", "retryNum": 5, "score": 0}
    assert thread.entered == 1561539134.0
    assert log.conversation("34824744").state.thread.entered == 1602775249.799
    events = list(log.conversation("103034393").events())
    assert [type(e) for e in events[-4:]] == [UserUttered, BotUttered, ThreadEnded, ThreadImported]
    assert events[-1].timestamp == 1602775251.577


def test_the_same_file_again_is_unchanged_and_another_is_refused(log, tmp_path):
    file = tmp_path / "sessions.json"
    assert import_files(log, [file]).unchanged == 2
    file.write_text(DOCUMENTED.replace("TASCHE", "GATTO"))
    done = import_files(log, [file])
    assert [refused.conversation for refused in done.refused] == ["103034393"]


def test_only_changes_are_applied_to_the_entry(log):
    before = json.loads(exported(log))
    log.record(
        "34824744",
        ThreadStarted(unit="thirdUnit", state="ask"),
        VariableSet(unit="firstUnit", name="7", value=1.0),
        VariableSet(unit="thirdUnit", name="pi", value=3.14),
        VariableRemoved(unit="firstUnit", name="firstName"),
        UserUttered("ciao"),
        BotUttered("Ciao!"),
    )
    log.record("103034393", VariableRemoved(unit="leggieripeti"))
    after = json.loads(exported(log))
    entry = after["34824744"]
    assert list(entry) == list(before["34824744"])
    assert (entry["unit"], entry["state"], entry["active"]) == ("thirdUnit", "ask", True)
    assert entry["time"] == 1_700_000_000_000
    assert entry["variables"] == {"firstUnit": {"7": 1}, "thirdUnit": {"pi": 3.14}}
    assert entry["request"] == {"text": "ciao", "speech": False, "time": 1_700_000_000_000}
    assert entry["response"]["stateid"] == "thirdUnit.ask"
    assert list(after["103034393"]["variables"]) == ["ascoltaescrivi"]
    assert after["103034393"]["request"] == before["103034393"]["request"]


def test_a_session_begun_here_is_an_entry_as_naifjs_makes_one(log):
    log.record(
        "-100123", ThreadStarted(unit="u", state="s"), VariableSet(unit="u", name="n", value=1)
    )
    log.record("someone", UserUttered("no thread"))
    log.record("-100123", ThreadEnded())
    sessions = json.loads(exported(log))
    assert list(sessions) == ["34824744", "103034393", "-100123"]
    assert list(sessions["-100123"]) == ["unit", "state", "time", "active", "variables"]
    assert sessions["-100123"]["active"] is False


def test_a_redacted_request_does_not_leave(log):
    number = next(
        n for n, e in enumerate(log.conversation("34824744").events(), 1) if type(e) is UserUttered
    )
    log.record("34824744", MessageRedacted(message=number))
    assert json.loads(exported(log))["34824744"]["request"]["text"] == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"1": {"unit": "u", "state": "s"}, "2": {"unit"', "is not JSON"),
        ('{"1": {"unit": "u"}} x', "is not JSON"),
        ('{"1": {"time": NaN}}', "is not JSON"),
        ("[1]", "not an object of sessions"),
        ('{"1": ' + "[" * 2000 + "]" * 2000 + "}", "nested deeper"),
    ],
)
def test_a_corrupt_file_is_refused_whole(tmp_path, text, why):
    file = tmp_path / "sessions.json"
    file.write_text(text)
    with turnlog.open("memory:") as log:
        done = import_files(log, [file], format="naif")
        assert why in done.refused[0].why
        assert done.refused[0].file == str(file)
        assert list(log.ids()) == []


def test_bytes_that_are_not_utf_8_are_refused(tmp_path):
    file = tmp_path / "sessions.json"
    file.write_bytes(b'{"1": {"unit": "\xff"}}')
    with pytest.raises(FormatError, match="UTF-8"):
        list(codec("naif").read(file))


def test_an_entry_that_is_not_an_object_is_refused_by_name_and_the_rest_is_stored(tmp_path):
    file = tmp_path / "sessions.json"
    file.write_text('{"a": null, "b": {}, "c": 5, "": {"unit": "u", "state": "s"}}')
    with turnlog.open("memory:") as log:
        done = import_files(log, [file], format="naif")
        assert [refused.conversation for refused in done.refused] == ["a", "c"]
        assert json.loads(exported(log)) == {"b": {}, "": {"unit": "u", "state": "s"}}
