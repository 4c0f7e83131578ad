"""Given a kept replay, then it can be compared, and its divergences accepted."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import Ran, run
from turnlog import BotUttered, Event, SlotSet, UserUttered
from turnlog.bots import LoadedBot

BOT = """
from turnlog import SlotSet
version = {version!r}
async def bot(conversation, message):
    word, number = message.text.split()
    return [SlotSet("n", int(number)), {said}]
"""
SAID = 'f"{word}: {number} so far"'
OTHER = 'f"{word}: {number} in all"'


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TURNLOG_DB", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    url = "sqlite:///chat.db"
    with turnlog.open(url) as log:
        for id, word in (("a", "tea"), ("b", "cake"), ("c", "tea")):
            for number in (1, 2):
                log.record(id, *exchange(word, number))
    return url


def exchange(word: str, number: int) -> list[Event]:
    said = BotUttered(f"{word}: {number} so far")
    return [UserUttered(f"{word} {number}"), SlotSet("n", number), said]


@pytest.fixture
def replay(log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """A new bot each time, with these answers; its run is kept."""
    count = 0

    def replay(said: str, *options: object, out: str | None = None, version: str = "1") -> Ran:
        nonlocal count
        count += 1
        name = f"shop_{tmp_path.name}_{count}"
        (tmp_path / f"{name}.py").write_text(BOT.format(version=version, said=said))
        kept = ("--out", out) if out else ()
        which = options if options and not str(options[0]).startswith("-") else ("--all", *options)
        return run("replay", *which, "--bot", f"{name}:bot", "--db", log, *kept)

    monkeypatch.syspath_prepend(tmp_path)
    return replay


def lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


# --- runs -----------------------------------------------------------------------------------------


def test_a_run_contains_head_divergences_conversations_groups_and_an_end(
    replay: Callable[..., Ran],
):
    ran = replay(OTHER, "--json", "--mask", "x", out="run.jsonl", version="1.2")
    assert ran.status == 1
    head, *rest, end = lines("run.jsonl")
    assert (head["kind"], head["version"], head["position"]) == ("run", "1.2", 6)
    assert head["rules"]["masks"] == ["x"]
    printed = [line for line in rest if line["kind"] != "conversation"]
    assert printed == ran.lines
    assert [line["conversation"] for line in rest if line["kind"] == "conversation"] == [
        "a",
        "b",
        "c",
    ]
    assert end == {"kind": "end", "conversations": 3, "divergences": 6}


def test_first_shows_one_divergence_a_conversation_and_keeps_all(replay: Callable[..., Ran]):
    ran = replay(OTHER, "--json", "--first", out="run.jsonl")
    assert [line["kind"] for line in ran.lines] == ["text", "text", "text", "group"]
    assert lines("run.jsonl")[-1]["divergences"] == 6


def test_the_same_run_is_the_same_bytes_but_for_the_time(log: str, replay: Callable[..., Ran]):
    replay(OTHER, out="one.jsonl")
    bot = lines("one.jsonl")[0]["bot"]
    for jobs in (1, 2):
        run("replay", "--all", "--bot", bot, "--db", log, "--out", "two.jsonl", "--jobs", jobs)
        (head, *one), (other, *two) = (
            Path(f"{n}.jsonl").read_bytes().splitlines(True) for n in ("one", "two")
        )
        assert one == two
        assert {**json.loads(head), "time": 0} == {**json.loads(other), "time": 0}


def test_an_interrupted_replay_leaves_no_run(log: str, tmp_path: Path, replay: Callable[..., Ran]):
    Path("run.jsonl").write_text("an old one\n")
    ran = replay(SAID, "a", "zoe", out="run.jsonl")
    assert ran.status == 2
    assert "zoe" in ran.err
    assert Path("run.jsonl").read_text() == "an old one\n"
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_run_that_cannot_be_written_is_refused_by_name(replay: Callable[..., Ran]):
    ran = replay(SAID, out="no/such/run.jsonl")
    assert (ran.status, ran.out) == (2, "")
    assert "no/such/run.jsonl" in ran.err


def test_a_run_that_is_cut_off_anywhere_is_refused(replay: Callable[..., Ran]):
    replay(OTHER, out="run.jsonl")
    whole = Path("run.jsonl").read_bytes()
    ends = [i for i, byte in enumerate(whole) if byte == ord("\n")]
    for end in {0, *ends[:-1], *(end + 1 for end in ends[:-1]), *(end - 9 for end in ends)}:
        Path("cut.jsonl").write_bytes(whole[:end])
        ran = run("compare", "run.jsonl", "cut.jsonl")
        assert (ran.status, ran.out) == (2, ""), whole[:end][-80:]
        assert "cut.jsonl" in ran.err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("turnlog-run/1", "turnlog-run/2"), "turnlog-run/2"),
        (lambda text: text + text, "continues after its end"),
        (lambda text: text.split("\n", 1)[1], "is not a run"),
        (lambda text: "\n".join(text.split("\n")[:1] + text.split("\n")[2:]), "is incomplete"),
        (lambda text: text.replace('"turn":1', '"turn":"x"', 1), ":2: "),
        (lambda text: "[]\n", "is not a run"),
        (lambda text: "\x00\n", ":1: "),
    ],
)
def test_an_incomplete_run_is_refused(
    replay: Callable[..., Ran], change: Callable[[str], str], says: str
):
    replay(OTHER, out="run.jsonl")
    Path("bad.jsonl").write_text(change(Path("run.jsonl").read_text()))
    for ran in (run("compare", "bad.jsonl", "run.jsonl"),
                run("accept", "bad.jsonl", "--group", "text", "--note", "x")):  # fmt: skip
        assert (ran.status, ran.out) == (2, "")
        assert "bad.jsonl" in ran.err
        assert says in ran.err
    assert not Path("accepted.toml").exists()


def test_a_bots_version_comes_from_the_bot_or_its_module():
    async def bot(conversation: Any, message: Any) -> list[str]:
        return []

    assert LoadedBot(bot, {}, f"{__name__}:bot").version is None
    assert LoadedBot(bot, {}, "turnlog:bot").version == turnlog.__version__
    bot.version = 3  # type: ignore[attr-defined]
    assert LoadedBot(bot, {}, "turnlog:bot").version == "3"


# --- compare --------------------------------------------------------------------------------------

WORSE = 'f"{word}: {number} so far" if number == "1" else "?"'


@pytest.mark.parametrize(
    ("before", "after", "status", "counts"),
    [
        (SAID, SAID, 0, {}),
        (OTHER, OTHER, 0, {"same": 6}),
        (SAID, WORSE, 1, {"new": 3}),
        (WORSE, SAID, 0, {"gone": 3}),
        (WORSE, OTHER, 1, {"new": 3, "changed": 3}),
        (OTHER, f"{OTHER} + '!'", 1, {"changed": 6}),
    ],
)
def test_two_runs_are_compared_turn_by_turn(
    replay: Callable[..., Ran], before: str, after: str, status: int, counts: dict[str, int]
):
    replay(before, out="a.jsonl")
    replay(after, out="b.jsonl")
    Path("chat.db").rename("elsewhere.db")  # no log is read
    ran = run("compare", "a.jsonl", "b.jsonl", "--json")
    changes = [line["change"] for line in ran.lines if line["kind"] == "turn"]
    assert (ran.status, {change: changes.count(change) for change in set(changes)}) == (
        status,
        counts,
    )
    shown = run("compare", "a.jsonl", "b.jsonl")
    assert shown.status == status
    assert all(f"{change}: {count}" in shown.out for change, count in counts.items())


def test_a_group_is_new_changed_gone_or_the_same(replay: Callable[..., Ran]):
    replay("'same' if word == 'cake' else 'old' if number == '1' else 'more'", out="a.jsonl")
    replay("'same' if word == 'cake' else 'new' if number == '1' else SAID".replace("SAID", SAID),
           out="b.jsonl")  # fmt: skip
    found = run("compare", "a.jsonl", "b.jsonl", "--json").lines
    groups = [line for line in found if line["kind"] == "group"]
    changes = {
        line["group"].split()[-1]: (line["change"], line["before"], line["after"])
        for line in groups
    }
    assert changes == {
        "“new”": ("new", 0, 2), "“old”": ("gone", 2, 0),
        "“more”": ("gone", 2, 0), "“same”": ("same", 2, 2),
    }  # fmt: skip
    assert groups[0]["change"] == "new"


def test_conversations_of_only_one_run_are_reported(replay: Callable[..., Ran], log: str):
    replay(SAID, "a", "b", out="a.jsonl")
    replay(OTHER, "b", "c", out="b.jsonl")
    ran = run("compare", "a.jsonl", "b.jsonl", "--json")
    assert (ran.status, {line["conversation"] for line in ran.lines if line["kind"] == "turn"}) == (
        1,
        {"b"},
    )
    alone = [line for line in ran.lines if line["kind"] == "conversation"]
    assert [(line["conversation"], line["only"]) for line in alone] == [
        ("a", "before"),
        ("c", "after"),
    ]
    assert "only in A: 1 conversation (a)" in ran.err
    assert "only in B: 1 conversation (c)" in ran.err
    with turnlog.open(log) as written:
        written.record("b", *exchange("cake", 3))
    replay(SAID, "b", "--mask", "x", out="c.jsonl")
    ran = run("compare", "b.jsonl", "c.jsonl")
    assert ran.status == 0
    assert "replayed with different numbers of turns: 1 conversation (b)" in ran.err
    assert "different rules" in ran.err


def test_runs_with_nothing_in_common_are_not_a_success(replay: Callable[..., Ran]):
    replay(SAID, "a", out="a.jsonl")
    replay(SAID, "b", out="b.jsonl")
    ran = run("compare", "a.jsonl", "b.jsonl")
    assert (ran.status, ran.out) == (2, "")
    assert "have no conversation in common" in ran.err
    assert run("compare", "a.jsonl", "none.jsonl").status == 2


# --- accept ---------------------------------------------------------------------------------------


def accept(*options: object) -> Ran:
    return run("accept", "run.jsonl", "--group", "text", "--note", "wanted", *options)


def test_an_accepted_divergence_is_silent_until_it_changes(replay: Callable[..., Ran], log: str):
    replay(OTHER, out="run.jsonl")
    assert accept("--actor", "carla").status == 0
    quiet = replay(OTHER, "--accepted", "accepted.toml", "--json")
    assert (quiet.status, quiet.out) == (0, "")
    assert "accepted: 6 turns of 1 group" in quiet.err
    with turnlog.open(log) as written:
        written.record("d", *exchange("bun", 77))
    assert replay(OTHER, "--accepted", "accepted.toml").status == 0, "the same of another number"
    (entry,) = tomllib.loads(Path("accepted.toml").read_text())["accepted"]
    assert (entry["note"], entry["by"]) == ("wanted", "carla")
    other = replay(OTHER.replace("all", "total"), "--accepted", "accepted.toml")
    assert other.status == 1
    assert f"accepted, but no longer seen: {entry['group']}" in other.err
    some = replay(OTHER.replace("all", "total"), "a", "--accepted", "accepted.toml")
    assert "no longer seen" not in some.err, "only some were replayed"


def test_an_accepted_divergence_hides_no_other_in_its_turn(replay: Callable[..., Ran]):
    replay(OTHER, out="run.jsonl")
    accept()
    ran = replay(f'{OTHER}, SlotSet("seen", True)', "--accepted", "accepted.toml", "--json")
    assert ran.status == 1
    shown = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["kind"] for line in shown] == ["extra"] * 6 + ["group"]
    assert "accepted: 6 turns of 1 group" in ran.err


def test_a_number_that_changed_is_accepted_as_that_number(replay: Callable[..., Ran]):
    known = ("a", "c", "--accepted", "accepted.toml")
    replay('f"{word}: {int(number) + 1} so far"', "a", "c", out="run.jsonl")
    accept()
    assert replay('f"{word}: {int(number) + 1} so far"', *known).status == 0
    other = replay('f"{word}: {int(number) + 2} so far"', *known)
    assert other.status == 1
    assert "accepted, but different now: text" in other.err
    whatever = Path("accepted.toml").read_text().split("says = ")[0]
    Path("accepted.toml").write_text(whatever)
    assert replay('f"{word}: {int(number) + 2} so far"', *known).status == 0


def test_masked_text_does_not_change_what_is_accepted(replay: Callable[..., Ran]):
    mask = ("--mask", "at [0-9]+")
    replay('f"{word} at 1: {number} in all"', *mask, out="run.jsonl")
    accept()
    again = replay(
        'f"{word} at 2: {number} in all"', *mask, "--accepted", "accepted.toml", out="b.jsonl"
    )
    assert again.status == 0
    assert run("compare", "run.jsonl", "b.jsonl").status == 0


def test_a_run_keeps_accepted_divergences(replay: Callable[..., Ran]):
    replay(OTHER, out="run.jsonl")
    accept()
    replay(OTHER, "--accepted", "accepted.toml", out="again.jsonl")
    assert lines("run.jsonl")[1:] == lines("again.jsonl")[1:]


def test_accepting_again_adds_nothing(replay: Callable[..., Ran]):
    replay(OTHER, out="run.jsonl")
    accept()
    before = Path("accepted.toml").read_bytes()
    again = accept("--json")
    assert (again.status, again.json["accepted"]) == (0, [])
    assert len(again.json["known"]) == 1
    assert Path("accepted.toml").read_bytes() == before


@pytest.mark.parametrize(
    "before",
    [
        b"", b"# ours\n", b"# ours", b"\xef\xbb\xbf# ours\r\n[[accepted]]\r\ngroup = 'x' # why\r\n",
        b"[[accepted]]\nsays = []\ngroup = 'b'\n\n# after\n[[accepted]]\ngroup = 'a'\n\n\n",
    ],
)  # fmt: skip
def test_the_text_that_people_wrote_stays_unchanged(replay: Callable[..., Ran], before: bytes):
    replay(OTHER, out="run.jsonl")
    Path("ours.toml").write_bytes(before)
    assert accept("--into", "ours.toml").status == 0
    after = Path("ours.toml").read_bytes()
    assert after.startswith(before)
    assert (b"\r\n" in before) == (b"\r\n" in after[len(before) :])
    assert tomllib.loads(after.decode("utf-8-sig"))["accepted"][-1]["note"] == "wanted"
    assert replay(OTHER, "--accepted", "ours.toml").status == 0


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("accepted = []\n", "accepted.toml"),
        ("[[accepted]]\n", "group"),
        ("[[accept]]\n", "accept"),
        ("[[accepted]]\ngroup = 'a'\nnotes = 1\n", "notes"),
        ("what\n", "accepted.toml"),
    ],
)
def test_a_malformed_list_is_refused_and_left_unchanged(
    replay: Callable[..., Ran], before: str, says: str
):
    replay(OTHER, out="run.jsonl")
    Path("accepted.toml").write_text(before)
    ran = accept()
    assert (ran.status, ran.out) == (2, "")
    assert says in ran.err
    assert Path("accepted.toml").read_text() == before
    if before != "accepted = []\n":
        assert replay(OTHER, "--accepted", "accepted.toml").status == 2
    assert replay(OTHER, "--accepted", "none.toml").status == 2


def test_a_group_is_named_by_the_beginning_of_its_key(replay: Callable[..., Ran]):
    replay("'old' if word == 'cake' else 'new'", out="run.jsonl")
    ran = accept()
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.count(" text BotUttered") == 2
    assert run("accept", "run.jsonl", "--group", "slot", "--note", "x").status == 2
    assert not Path("accepted.toml").exists()
    (first, second) = (line["group"] for line in lines("run.jsonl") if line["kind"] == "group")
    both = run("accept", "run.jsonl", "--group", first, "--group", second, "--note", "x", "--json")
    assert both.json["accepted"] == [first, second]


HOSTILE = "\"]\n[[accepted]]\ngroup = 'all'\x7f\u202e\\ \U0001f600 '''"


def test_hostile_texts_are_one_entry_and_show(replay: Callable[..., Ran]):
    replay(repr(HOSTILE), "a", out="run.jsonl")
    assert run("accept", "run.jsonl", "--group", "text", "--note", HOSTILE).status == 0
    text = Path("accepted.toml").read_text()
    assert "\u202e" not in text
    (entry,) = tomllib.loads(text)["accepted"]
    assert (entry["note"], entry["actual"]) == (HOSTILE, HOSTILE)
    assert replay(repr(HOSTILE), "a", "--accepted", "accepted.toml").status == 0
