"""Importing files and folders: what is stored, extended, left alone and refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnlog
from turnlog import Turnlog, UserUtteranceReverted
from turnlog.engine.importing import Imported, import_files
from turnlog.errors import FormatError

HELLO = {"type": "UserUttered", "text": "hello"}
PEOPLE = {"type": "SlotSet", "name": "people", "value": 2}
BACK = {"type": "UserUtteranceReverted"}


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Turnlog]:
    url = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/chat.db"}.get(request.param)
    if url is None:
        url = request.getfixturevalue("postgres_url")
    with turnlog.open(url) as opened:
        yield opened


def line(id: str, *events: dict[str, object]) -> str:
    return json.dumps({"format": "turnlog/1", "conversation": id, "events": events})


def jsonl(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{one}\n" for one in lines))
    return path


def counts(done: Imported) -> tuple[int, int, int, int, int]:
    return done.conversations, done.events, done.unchanged, done.extended, len(done.refused)


def test_a_repeated_import_is_unchanged_and_a_longer_one_extends(log, tmp_path) -> None:
    short = jsonl(tmp_path / "short.jsonl", line("a", HELLO), line("b", HELLO, PEOPLE))
    long = jsonl(tmp_path / "long.jsonl", line("a", HELLO, PEOPLE, BACK, HELLO))
    assert counts(import_files(log, [short])) == (2, 3, 0, 0, 0)
    assert counts(import_files(log, [short])) == (0, 0, 2, 0, 0)
    assert counts(import_files(log, [long])) == (0, 3, 0, 1, 0)
    assert counts(import_files(log, [long])) == (0, 0, 1, 0, 0)
    assert (log.conversation("a").turn, log.conversation("a").slots) == (2, {})


def test_an_extension_resolves_as_the_whole_would(log, tmp_path) -> None:
    whole = (HELLO, PEOPLE, HELLO, {**PEOPLE, "value": 3}, BACK, PEOPLE)
    for end in range(1, len(whole) + 1):
        import_files(log, [jsonl(tmp_path / "a.jsonl", line("in-parts", *whole[:end]))])
    import_files(log, [jsonl(tmp_path / "b.jsonl", line("at-once", *whole))])
    one, other = log.conversation("in-parts"), log.conversation("at-once")
    assert list(one.events()) == list(other.events())
    assert one.state == other.state


def test_a_rewind_without_actions_retracts_one_message(log, tmp_path) -> None:
    events = (HELLO, PEOPLE, HELLO, BACK, BACK, BACK)
    for end, slots in ((4, {"people": 2}), (5, {}), (6, {})):
        import_files(log, [jsonl(tmp_path / "a.jsonl", line("a", *events[:end]))])
        assert log.conversation("a").slots == slots
    (last,) = log.conversation("a").events(after=5)
    assert isinstance(last, UserUtteranceReverted)
    assert last.to == 5


def test_an_undo_without_an_action_is_refused_by_name_unless_it_is_rasas(log, tmp_path) -> None:
    path = jsonl(tmp_path / "a.jsonl", line("a", HELLO, {"type": "ActionReverted"}))
    done = import_files(log, [path])
    assert counts(done) == (0, 0, 0, 0, 1)
    assert (done.refused[0].conversation, done.refused[0].field) == ("a", "ActionReverted")
    said = {"event": "user", "text": "hello", "timestamp": 1.0}
    for kind in ("undo", "rewind"):
        tracker = {"sender_id": kind, "events": [said, {"event": kind, "timestamp": 2.0}]}
        path = tmp_path / f"{kind}.json"
        path.write_text(json.dumps(tracker))
        assert counts(import_files(log, [path])) == (1, 2, 0, 0, 0)
        assert counts(import_files(log, [path])) == (0, 0, 1, 0, 0)
        _, back = log.conversation(kind).events()
        assert (back.to, back.extra) == (0, None)


@pytest.mark.parametrize(
    "other",
    [(PEOPLE,), (HELLO, {**PEOPLE, "value": 2.0}), (HELLO, {**PEOPLE, "value": True}), (HELLO,)],
)
def test_a_conversation_that_differs_from_the_stored_one_is_refused_by_name(
    log, tmp_path, other
) -> None:
    import_files(log, [jsonl(tmp_path / "a.jsonl", line("a", HELLO, PEOPLE))])
    path = jsonl(tmp_path / "b.jsonl", line("a", *other), line("new", HELLO))
    done = import_files(log, [path])
    assert counts(done) == (1, 1, 0, 0, 1)
    assert (done.refused[0].conversation, done.refused[0].file) == ("a", str(path))
    assert len(list(log.conversation("a").events())) == 2


def test_a_deleted_conversation_does_not_come_back(log, tmp_path) -> None:
    path = jsonl(tmp_path / "a.jsonl", line("a", HELLO))
    import_files(log, [path])
    log.delete("a")
    done = import_files(log, [path])
    assert counts(done) == (0, 0, 0, 0, 1)
    assert "was deleted" in done.refused[0].why
    assert "a" not in log


def test_a_dry_run_counts_the_same_and_stores_nothing(log, tmp_path) -> None:
    import_files(log, [jsonl(tmp_path / "a.jsonl", line("a", HELLO), line("gone", HELLO))])
    log.delete("gone")
    files = [
        jsonl(
            tmp_path / "b.jsonl", line("a", HELLO, PEOPLE), line("b", HELLO), line("gone", HELLO)
        ),
        jsonl(tmp_path / "c.jsonl", line("b", HELLO, PEOPLE), line("b", PEOPLE), line("a", HELLO)),
    ]
    before = log.store.reader.last_position()
    dry = import_files(log, files, dry_run=True)
    assert log.store.reader.last_position() == before
    assert dry == import_files(log, files)
    assert counts(dry) == (1, 3, 0, 2, 3)


def test_a_prefix_precedes_every_id(log, tmp_path) -> None:
    import_files(log, [jsonl(tmp_path / "a.jsonl", line("a", HELLO))], id_prefix="zh-")
    assert list(log.ids()) == ["zh-a"]


def test_a_folder_is_walked_and_unrecognised_files_are_listed(log, tmp_path) -> None:
    jsonl(tmp_path / "in" / "a.jsonl", line("a", HELLO))
    jsonl(tmp_path / "in" / "deep" / "b.jsonl", line("b", HELLO))
    (tmp_path / "in" / "readme.txt").write_text("nothing of ours")
    (tmp_path / "in" / "empty").write_bytes(b"")
    done = import_files(log, [tmp_path / "in"])
    assert counts(done) == (2, 2, 0, 0, 0)
    assert done.skipped == [str(tmp_path / "in" / name) for name in ("empty", "readme.txt")]


def test_an_unrecognised_file_named_on_the_command_line_is_refused(log, tmp_path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing of ours")
    done = import_files(log, [path])
    assert [(refused.file, refused.why) for refused in done.refused] == [
        (str(path), "no format recognises this file")
    ]


def test_a_missing_path_is_an_error_before_anything_is_stored(log, tmp_path) -> None:
    there = jsonl(tmp_path / "a.jsonl", line("a", HELLO))
    with pytest.raises(FormatError, match=r"nowhere\.jsonl: file does not exist"):
        import_files(log, [there, tmp_path / "nowhere.jsonl"])
    assert list(log.ids()) == []


def test_a_broken_line_is_refused_by_number_and_the_rest_is_stored(log, tmp_path) -> None:
    bad = line("bad", HELLO, {"type": "SlotSet", "value": 1})
    path = jsonl(tmp_path / "a.jsonl", line("a", HELLO), "{broken", bad, line("z", HELLO))
    done = import_files(log, [path])
    assert counts(done) == (2, 2, 0, 0, 2)
    assert [(refused.line, refused.conversation) for refused in done.refused] == [
        (2, None),
        (3, "bad"),
    ]
    assert "name" in done.refused[1].why


def test_the_end_of_a_conversation_alone_is_refused(log, tmp_path) -> None:
    log.record("a", turnlog.UserUttered("one"), turnlog.UserUttered("two"))
    dialogue = log.conversation("a").dialogue(turns=1)
    with pytest.raises(FormatError, match="begins with event 2"):
        log.import_dialogue(turnlog.Dialogue("b", dialogue.events, 2, 1))


def test_unknown_types_are_counted(log, tmp_path) -> None:
    unknown = {"type": "Unknown", "name": "weather", "content": {"sun": 1}}
    done = import_files(log, [jsonl(tmp_path / "a.jsonl", line("a", HELLO, unknown, unknown))])
    assert dict(done.unknown) == {"weather": 2}


def test_a_conversation_without_events_is_refused(log, tmp_path) -> None:
    done = import_files(log, [jsonl(tmp_path / "a.jsonl", line("b", HELLO), line("a"))])
    assert counts(done) == (1, 1, 0, 0, 1)
    (refused,) = done.refused
    assert (refused.line, refused.conversation, refused.why) == (2, "a", "has no events")


def test_files_of_the_same_name_in_a_folder_do_not_share_ids(log, tmp_path) -> None:
    said = [json.dumps({"messages": [{"role": "user", "content": text}]}) for text in "abc"]
    for folder, text in zip(("", "one", "two"), said, strict=True):
        jsonl(tmp_path / folder / "x.jsonl", text)
    assert counts(import_files(log, [tmp_path])) == (3, 3, 0, 0, 0)
    ids = {head.conversation for head, _ in log.heads()}
    assert ids == {"x.jsonl:1", "one/x.jsonl:1", "two/x.jsonl:1"}


def test_crosswoz_is_not_taken_for_multiwoz(log, tmp_path) -> None:
    goal = [[1, "hotel", "name", "", False]]
    folder = tmp_path / "in"
    jsonl(folder / "x.json", json.dumps({"1": {"goal": goal, "messages": []}}))
    jsonl(folder / "y.json", json.dumps({"1": {"goal": {}, "log": [{"text": "hi"}]}}))
    done = import_files(log, [folder])
    assert (done.conversations, [Path(path).name for path in done.skipped]) == (1, ["x.json"])


def test_two_dumps_of_one_name_collide_and_the_message_names_the_remedy(log, tmp_path) -> None:
    for folder, text in (("one", "hi"), ("two", "ho")):
        (tmp_path / folder).mkdir()
        tracker = {"sender_id": "moodbot", "events": [{"event": "user", "text": text}]}
        (tmp_path / folder / "dump.json").write_text(json.dumps(tracker))
    done = import_files(log, [tmp_path / "one", tmp_path / "two"], format="rasa-tracker")
    assert done.conversations == 1
    assert "--id-prefix" in done.refused[0].why
    again = import_files(log, [tmp_path / "two"], format="rasa-tracker", id_prefix="two-")
    assert (again.conversations, list(log.ids())) == (1, ["moodbot", "two-moodbot"])


@pytest.mark.parametrize("url", ["mongodb://localhost/rasa", "dynamodb://table"])
def test_an_unsupported_url_is_named_whole(log, url: str) -> None:
    (refused,) = import_files(log, [Path(url)]).refused
    assert refused.file == url
    assert repr(url.partition(":")[0]) in refused.why
