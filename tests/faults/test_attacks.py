"""Attacks by someone who can write to the database and knows its format: a head finds them, and a
log that is opened against its witness refuses them.

Each attack makes everything derived from the rows again, so that `verify` alone finds nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import turnlog
from tests.faults.forger import forge
from tests.unit.tables import Tables
from turnlog import BotUttered, SlotSet, Turnlog, UserUttered
from turnlog.audit.anchoring import KeptHead, check, head_in
from turnlog.audit.fault import Fault
from turnlog.audit.publishing import Publisher
from turnlog.audit.verify import verify
from turnlog.domain.commit import RepeatKey
from turnlog.errors import ProofError, Rewritten
from turnlog.proof.folder import TileFolder
from turnlog.proof.keys import COSIGNATURE, PLAIN, Signer
from turnlog.storage.lookups import repeat_lookup
from turnlog.storage.rows import Row
from turnlog.storage.urls import recorder

KEYS = [Signer.of("log", PLAIN, bytes([1] * 32)), Signer.of("w", COSIGNATURE, bytes([2] * 32))]
VERIFIERS = [key.verifier for key in KEYS]
VKEYS = [str(verifier) for verifier in VERIFIERS]
NAMES = ("alice", "bob", "carol")
TURNS = 90
ROWS = TURNS * len(NAMES)
NOW = 1_800_000_000.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path, written: Path) -> str:
    """A log of three conversations, whose heads are published."""
    if request.param == "sqlite":
        shutil.copytree(written, tmp_path, dirs_exist_ok=True)
        return f"sqlite:///{tmp_path}/chat.db"
    url = str(request.getfixturevalue("postgres_url"))
    write(url, tmp_path)
    return url


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same on SQLite, for copies."""
    folder = tmp_path_factory.mktemp("written")
    write(f"sqlite:///{folder}/chat.db?synchronous=OFF", folder)
    return folder


def write(url: str, folder: Path) -> None:
    clock = Clock()
    with turnlog.open(url, clock=clock) as log:
        for turn in range(TURNS):
            for name in NAMES:
                said = UserUttered(f"{name} says {turn}", message_id=f"{name} {turn}")
                log.record(name, said, SlotSet("n", turn), BotUttered("ok"))
            if turn == TURNS // 2:
                publish(log, folder, clock)
        publish(log, folder, clock)


def publish(log: Turnlog, folder: Path, clock: Clock) -> None:
    Publisher(log.store, KEYS, clock, TileFolder(folder / "heads")).publish()


def kept(folder: Path, *, tiles: bool) -> list[KeptHead]:
    files = sorted(file for file in (folder / "heads/checkpoints").rglob("*") if file.is_file())
    heads = [head_in(file, file.read_bytes(), VERIFIERS) for file in files]
    assert len(heads) == 2
    return heads if tiles else [head._replace(tiles=None) for head in heads]


def faults(url: str, folder: Path, *, tiles: bool = True) -> list[Fault]:
    """Faults that heads show in a log without other faults."""
    opened = recorder(url, create=False, readonly=True)
    try:
        assert verify(opened).faults == []
        found: list[Fault] = []
        check(opened, kept(folder, tiles=tiles), found.append)
        return found
    finally:
        opened.close()


def read_all(url: str, witness: Path) -> None:
    """Open a log against its witness and read all of it."""
    with turnlog.open(url, readonly=True, witness=witness, verifiers=VKEYS) as log:
        for name in NAMES:
            list(log.conversation(name).events())


# --- attacks ------------------------------------------------------------------------------------


def position_of(name: str, turn: int) -> int:
    return turn * len(NAMES) + NAMES.index(name) + 1


def edit(url: str, *, tree: bool = True) -> None:
    """Change one word of one message."""

    def edited(rows: list[Row]) -> list[Row]:
        at = position_of("bob", 70) - 1
        assert b"bob says 70" in rows[at].parts
        changed = rows[at].parts.replace(b"bob says 70", b"bob said 70")
        rows[at] = rows[at]._replace(parts=changed)
        return rows

    forge(url, edited, tree=tree)


def edit_without_the_tree(url: str) -> None:
    """Change the same word and leave the tree unchanged, so that the root agrees."""
    edit(url, tree=False)


def cut(url: str) -> None:
    forge(url, lambda rows: rows[:-5])


def remove(url: str) -> None:
    """Remove a conversation and number all positions again."""
    forge(url, lambda rows: [row for row in rows if row.conversation != "alice"])


def exchange(url: str) -> None:
    """Exchange two rows of different conversations, whose chains stay valid."""
    one, other = position_of("alice", 60) - 1, position_of("bob", 60) - 1

    def exchanged(rows: list[Row]) -> list[Row]:
        rows[one], rows[other] = rows[other], rows[one]
        return rows

    forge(url, exchanged)


def say_something_else(url: str) -> None:
    """Cut off the newest rows and record other rows, and more, in their place."""
    forge(url, lambda rows: rows[:-2])
    with turnlog.open(url, clock=lambda: NOW + ROWS) as log:
        for _ in range(4):
            log.record("carol", UserUttered("I agree"), BotUttered("noted"))


def put_in(url: str) -> None:
    """Insert a made-up conversation among the old ones."""
    with turnlog.open(url, clock=lambda: NOW) as log:
        log.record("mallory", UserUttered("I was here"))
    forge(url, lambda rows: [*rows[:50], rows[-1], *rows[50:-1]])


def backdate(url: str) -> None:
    """Record a message of yesterday after the rows that the heads cover."""
    with turnlog.open(url, clock=lambda: NOW - 86_400) as log:
        log.record("alice", UserUttered("I said so before"))


Attack = Callable[[str], None]

ATTACKS: list[tuple[Attack, str | None, str]] = [
    (edit, "bob", f"position {position_of('bob', 70)} is not"),
    (cut, None, f"ends at position {ROWS - 5}, but a head was signed at {ROWS}"),
    (remove, "bob", "position 1 is not"),
    (exchange, "bob", f"position {position_of('alice', 60)} is not"),
    (say_something_else, "carol", f"position {ROWS - 1} is not"),
    (put_in, "mallory", "position 51 is not"),
    (backdate, "alice", f"position {ROWS + 1} says"),
]
"""The attack, and the conversation and words in which the first fault names it."""

attacked = pytest.mark.parametrize(
    ("attack", "conversation", "what"), ATTACKS, ids=[attack.__name__ for attack, *_ in ATTACKS]
)


def test_an_untouched_log_agrees_and_is_read(url: str, tmp_path: Path) -> None:
    assert faults(url, tmp_path) == faults(url, tmp_path, tiles=False) == []
    read_all(url, tmp_path / "heads")


@attacked
def test_a_head_with_its_tiles_names_conversation_and_position(
    url: str, tmp_path: Path, attack: Attack, conversation: str | None, what: str
) -> None:
    attack(url)
    found = faults(url, tmp_path)
    assert found[0].conversation == conversation
    assert what in found[0].what


@attacked
def test_heads_without_tiles_find_it(
    url: str, tmp_path: Path, attack: Attack, conversation: str | None, what: str
) -> None:
    attack(url)
    found = faults(url, tmp_path, tiles=False)
    assert found
    if attack in (edit, exchange, say_something_else):
        begins, ends = (TURNS // 2 + 1) * len(NAMES) + 1, ROWS
        assert f"at one of the positions {begins} to {ends}" in found[0].what


@attacked
def test_opening_or_the_first_read_refuses(
    url: str, tmp_path: Path, attack: Attack, conversation: str | None, what: str
) -> None:
    attack(url)
    with pytest.raises(Rewritten):
        read_all(url, tmp_path / "heads")


def test_an_edited_row_is_refused_when_it_is_first_read(url: str, tmp_path: Path) -> None:
    """The tree is unchanged, so other conversations are read as before."""
    edit_without_the_tree(url)
    with turnlog.open(url, witness=tmp_path / "heads") as log:
        assert len(list(log.conversation("alice").events())) == 3 * TURNS
        with pytest.raises(Rewritten) as caught:
            list(log.conversation("bob").events())
        assert caught.value.conversation == "bob"
        with pytest.raises(Rewritten):
            log.record("bob", UserUttered("go on"))
        log.record("alice", UserUttered("go on"))
    with pytest.raises(Rewritten), turnlog.open(url, witness=tmp_path / "heads") as log:
        assert log.conversation("bob").slots


def test_verify_finds_by_the_tree_an_edit_that_left_it_unchanged(url: str, tmp_path: Path) -> None:
    """If the tiles next to the note are lost, the log's own tree still names the row."""
    edit_without_the_tree(url)
    opened = recorder(url, create=False, readonly=True)
    try:
        assert any("'tree'" in fault.what for fault in verify(opened).faults)
        found: list[Fault] = []
        check(opened, kept(tmp_path, tiles=False), found.append)
    finally:
        opened.close()
    assert found[0].conversation == "bob"
    assert f"position {position_of('bob', 70)} is not" in found[0].what


def test_another_log_in_its_place_is_refused_and_named(url: str, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    with turnlog.open(other) as log:
        log.record("alice", UserUttered("hello"))
    found = faults(other, tmp_path)
    assert {fault.what.partition(":")[2] for fault in found} == {" another log is in its place"}
    with pytest.raises(Rewritten, match="another log is in its place"):
        turnlog.open(other, witness=tmp_path / "heads")


def test_rows_of_another_log_are_found(url: str, tmp_path: Path) -> None:
    """The same conversation in another log: its digests were made with another log id."""
    other = f"sqlite:///{tmp_path}/other.db"
    with turnlog.open(other) as log:
        log.record("alice", UserUttered("alice says 0"))
        [row] = log.store.reader.tail(0, 1)

    def changed(rows: list[Row]) -> list[Row]:
        rows[0] = rows[0]._replace(skeleton=row.skeleton, parts=row.parts)
        return rows

    forge(url, changed)
    opened = recorder(url, create=False, readonly=True)
    try:
        found: list[Fault] = []
        check(opened, kept(tmp_path, tiles=True), found.append)
    finally:
        opened.close()
    assert (found[0].conversation, found[0].what[:20]) == ("alice", "position 1 is not th")
    with pytest.raises(Rewritten):
        read_all(url, tmp_path / "heads")


def test_an_older_copy_is_found_and_refused(tmp_path: Path) -> None:
    from turnlog.storage.copying import backup
    from turnlog.storage.replacing import restore_over

    path, clock = tmp_path / "chat.db", Clock()
    with turnlog.open(f"sqlite:///{path}", clock=clock) as log:
        log.record("alice", UserUttered("one"))
        backup(log.store, tmp_path / "old.db")
        log.record("alice", UserUttered("two"))
        publish(log, tmp_path, clock)
    restore_over(tmp_path / "old.db", path)
    with pytest.raises(Rewritten, match="ends at position 1, but a head was signed at 2"):
        turnlog.open(f"sqlite:///{path}", witness=tmp_path / "heads")


@pytest.mark.parametrize("how", ["removed", "moved"])
def test_a_table_of_keys_that_was_edited_is_found_and_refused(
    url: str, tmp_path: Path, how: str
) -> None:
    """A message that came twice must not be recorded twice."""
    opened = recorder(url)
    lookup = repeat_lookup(opened.genesis.secret, "bob", RepeatKey("bob 7", is_message=True))
    Tables(opened).edit_key(lookup, position=None if how == "removed" else 3)
    assert any("key" in fault.what for fault in verify(opened).faults)
    opened.close()
    with turnlog.open(url, witness=tmp_path / "heads") as log:
        with pytest.raises(Rewritten, match="table of keys"):
            log.record("bob", UserUttered("bob says 7", message_id="bob 7"))
        assert log.record("bob", UserUttered("new", message_id="bob new")).new
        assert not log.record("bob", UserUttered("new", message_id="bob new")).new
        assert not log.record("alice", UserUttered("alice says 7", message_id="alice 7")).new


def test_a_head_by_a_stranger_is_not_trusted(url: str, tmp_path: Path) -> None:
    stranger = Signer.of("s", PLAIN, bytes([3] * 32))
    with pytest.raises(ProofError, match="not signed by a key"):
        turnlog.open(url, witness=tmp_path / "heads", verifiers=[str(stranger.verifier)])


def test_a_log_without_a_head_at_its_witness_is_not_opened(url: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProofError, match="no head is kept there"):
        turnlog.open(url, witness=tmp_path / "empty")
    with turnlog.open("memory:", witness=tmp_path / "empty") as log:  # nothing to contradict
        log.record("alice", UserUttered("hi"))
