"""Heads: signed, stored elsewhere and compared with the log; turns proven without the log."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import turnlog
from tests.command_line import Ran, run
from turnlog import BotUttered, MessageRedacted, SlotSet, UserUttered
from turnlog.errors import Rewritten


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two conversations, a key, and a head with its tiles."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNLOG_DB", "sqlite:///chat.db")
    record("alice", "bob", turns=3)
    assert run("keygen", "--out", "key").status == 0
    assert run("head", "--key", "key", "--out", "note", "--tiles", "published").status == 0
    return tmp_path


def record(*names: str, turns: int = 1) -> None:
    with turnlog.open("sqlite:///chat.db") as log:
        for turn in range(turns):
            for name in names:
                said = f"{name} says {turn}"
                log.record(name, UserUttered(said), SlotSet("n", turn), BotUttered("ok"))


def verify(*more: str) -> Ran:
    return run("verify", "--json", "--verifier", "key.pub", *more)


def test_a_log_that_only_grew_is_anchored(folder: Path) -> None:
    record("carol")
    ran = verify("--head", "note")
    assert (ran.status, ran.err) == (0, "")
    assert ran.json["anchored"] == {"heads": 1, "position": 6, "after": 1}


def test_an_older_copy_is_found_and_not_signed_again(folder: Path) -> None:
    shutil.copy("chat.db", "old.db")
    record("carol")
    assert run("head", "--key", "key", "--out", "newer", "--tiles", "published").status == 0
    shutil.copy("old.db", "chat.db")
    Path("chat.db-highwater").unlink()
    ran = verify("--head", "note", "--head", "newer")
    assert ran.status == 1
    assert any("ends at position 6, but a head was signed at 7" in f["what"] for f in faults(ran))
    ran = run("head", "--key", "key", "--tiles", "published")
    assert (ran.status, ran.out) == (2, "")
    assert "the log ends at position 6, but a head was signed at 7" in ran.err


def faults(ran: Ran) -> list[dict[str, object]]:
    found: list[dict[str, object]] = ran.json["faults"]
    return found


def test_another_log_is_not_signed(folder: Path) -> None:
    with turnlog.open("sqlite:///other.db") as log:
        log.record("alice", UserUttered("hello"))
    ran = run("head", "--key", "key", "--tiles", "published", "--db", "sqlite:///other.db")
    assert (ran.status, ran.out) == (2, "")
    ran = run("verify", "--head", "note", "--verifier", "key.pub", "--db", "sqlite:///other.db")
    assert "another log is in its place" in ran.out
    assert ran.status == 1


def test_a_key_is_never_overwritten(folder: Path) -> None:
    before = Path("key").read_text()
    assert run("keygen", "--out", "key").status == 2
    Path("key").unlink()
    ran = run("keygen", "--out", "key")
    assert (ran.status, Path("key").exists()) == (2, False)
    assert "key.pub: file already exists" in ran.err
    Path("key").write_text(before)
    assert Path("key").read_text().startswith("PRIVATE+KEY+key+")


def test_only_its_owner_can_read_a_private_key(folder: Path) -> None:
    assert Path("key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (lambda note: note.replace("\n7\n", "\n8\n"), "is invalid: it was changed"),
        (lambda note: note.replace("key", "kex"), "not signed by a key of a log"),
        (lambda note: note[:-20], "not a signed note"),
        (lambda note: "", "not a signed note"),
        (lambda note: note.replace("\n\n", "\n"), "not a signed note"),
    ],
)
def test_a_changed_head_is_refused(folder: Path, what, why: str) -> None:
    Path("note").write_text(what(Path("note").read_text()))
    ran = verify("--head", "note")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("turnlog: note: ")
    assert why in ran.err


def test_checking_a_head_needs_keys(folder: Path) -> None:
    ran = run("verify", "--head", "note")
    assert (ran.status, ran.out) == (2, "")
    assert "--verifier" in ran.err


def test_several_keys_sign_and_any_of_them_verifies(folder: Path) -> None:
    assert run("keygen", "--out", "next").status == 0
    assert run("head", "--key", "key", "--key", "next", "--out", "both").status == 0
    assert verify("--head", "both").status == 0
    assert run("verify", "--head", "both", "--verifier", "next.pub").status == 0
    assert run("head", "--key", "next", "--out", "later").status == 0
    assert run("verify", "--head", "later", "--verifier", "key.pub").status == 2
    keys = "--verifier", "key.pub", "--verifier", "next.pub"
    assert run("verify", "--head", "later", "--head", "note", *keys).status == 0


def test_a_read_only_log_has_the_same_head_and_is_not_written(folder: Path) -> None:
    from turnlog.projections.tree import Tree

    record("carol", turns=2)
    with turnlog.open("sqlite:///chat.db", readonly=True) as log:
        before = log.store.reader.checkpoint("tree")
        folded = Tree(log.store).checkpoint()
        assert log.store.reader.checkpoint("tree") == before
    with turnlog.open("sqlite:///chat.db") as log:
        assert Tree(log.store).checkpoint() == folded
        assert Tree(log.store).size == 9


def test_an_empty_log_has_a_head_of_its_genesis_row(tmp_path: Path, monkeypatch) -> None:
    from turnlog.projections.tree import Tree

    with turnlog.open("memory:") as log:
        empty = Tree(log.store).checkpoint()
        assert empty.size == 1
        log.record("alice", UserUttered("hi"))
        grown = Tree(log.store)
        assert grown.size == 2
        assert grown.checkpoint(1) == empty


def test_verify_finds_a_tree_that_differs_from_the_rows(folder: Path) -> None:
    with closing(sqlite3.connect("chat.db")) as connection:
        connection.execute("UPDATE models SET value = zeroblob(35) WHERE model = 'tree'")
        connection.commit()
    ran = run("verify", "--json")
    assert ran.status == 1
    assert any("'tree'" in str(fault["what"]) for fault in faults(ran))


# --- proofs -------------------------------------------------------------------------------------


def check(*more: str) -> Ran:
    return run("check-proof", "p", "--json", "--verifier", "key.pub", *more)


def prove(id: str = "alice", turn: int = 2, *more: str) -> Ran:
    return run("prove", id, "--turn", turn, "--key", "key", "--out", "p", "--json", *more)


def test_a_turn_is_proven_without_the_log(folder: Path) -> None:
    assert prove().json == {**prove().json, "conversation": "alice", "turn": 2, "position": 3}
    Path("chat.db").unlink()
    ran = check("--head", "note")
    assert ran.status == 0
    shown = [(event["event"], event["type"], event["says"]) for event in ran.json["events"]]
    assert [(n, kind) for n, kind, _ in shown] == [
        (4, "UserUttered"), (5, "SlotSet"), (6, "BotUttered"),
    ]  # fmt: skip
    assert shown[0][2]["text"] == "alice says 1"


def test_a_redacted_event_is_proven_and_not_shown(folder: Path) -> None:
    with turnlog.open("sqlite:///chat.db") as log:
        log.record("alice", MessageRedacted(4))
    assert prove().status == 0
    assert "alice says 1" not in Path("p.json").read_text()
    withheld = [event.get("withheld", "") for event in check().json["events"]]
    assert withheld[0] == "redacted"


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["events"][0]["says"].update(text="alice says so"),
        lambda s: s["events"].pop(),
        lambda s: s["events"].append(s["events"][0]),
        lambda s: s["events"].reverse(),
        lambda s: s["events"][0].update(salt="AAAA"),
        lambda s: s["events"][0].update(bytes="wA=="),
        lambda s: s["events"][0].update(bytes="no base64!"),
        lambda s: s["events"][0].update(type="BotUttered"),
        lambda s: s.update(conversation="bob"),
        lambda s: s.update(turn=1),
        lambda s: s.update(log="turnlog/00"),
        lambda s: s["streams"][0].update(life=2),
        lambda s: s["streams"].clear(),
        lambda s: s["streams"][0].update(name="AAAA"),
    ],
)
def test_a_changed_sidecar_is_refused(folder: Path, change) -> None:
    prove()
    sidecar = json.loads(Path("p.json").read_text())
    change(sidecar)
    Path("p.json").write_text(json.dumps(sidecar))
    ran = check()
    assert (ran.status, ran.json["ok"]) == (1, False)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.replace("extra ", "extra AAAA"),
        lambda p: "\n".join(line for line in p.split("\n") if not line.startswith("extra ")),
        lambda p: p.replace("index 3", "index 2"),
        lambda p: p.replace("index 3", "index 03"),
        lambda p: p.replace("index 3", "index 999999999999999999999999"),
        lambda p: p.replace("index 3\n", "index 3\n" + "A" * 43 + "=\n"),
        lambda p: p.replace("tlog-proof@v1", "tlog-proof@v2"),
        lambda p: p.partition("\n\n")[0],
        lambda p: "",
        lambda p: "\udcff",
    ],
)
def test_a_changed_proof_is_refused(folder: Path, change) -> None:
    prove()
    Path("p").write_text(change(Path("p").read_text()), errors="surrogateescape")
    ran = check()
    assert (ran.status, ran.json["ok"], ran.err) == (1, False, "")


def test_rows_of_another_shape_are_refused() -> None:
    from turnlog.encoding.binary import encode
    from turnlog.errors import InvalidProof
    from turnlog.proof.turn_proof import ProvenRows

    row = [bytes(32), 1, "t1", b"", b""]
    assert ProvenRows.decode(encode([bytes(32), [row]])).digest()
    for shape in (
        [bytes(31), [row]],
        [bytes(32), []],
        [bytes(32), [[bytes(33), *row[1:]]]],
        [bytes(32), [[*row[:2], "t2", *row[3:]]]],
        [bytes(32), [[b"", *row[1:]]]],
        [bytes(32)],
        "rows",
    ):
        with pytest.raises(InvalidProof):
            ProvenRows.decode(encode(shape))
    with pytest.raises(InvalidProof):
        ProvenRows.decode(encode([bytes(32), [[row[0], 2**63, *row[2:]]]])).digest()


def test_a_proof_under_another_head_than_the_stored_one_is_refused(folder: Path) -> None:
    record("carol")
    prove()
    assert check().status == 0
    ran = check("--head", "note")
    assert ran.status == 1
    assert "prove --head" in ran.json["what"]
    assert run("prove", "alice", "--turn", "2", "--head", "note", "--out", "p").status == 0
    assert check("--head", "note").status == 0


def test_a_proof_contains_nothing_of_the_neighbours_of_its_turn(folder: Path) -> None:
    """Other turns, people and keys of the same commit, and anything from which to guess them."""
    from turnlog.domain.dialogue import Dialogue
    from turnlog.encoding.rows import openings

    said = [UserUttered(f"canary {n}", message_id=f"id-canary {n}") for n in range(60)]
    with turnlog.open("sqlite:///chat.db") as log:
        log.import_dialogue(Dialogue("group", tuple(said)))
        log.record("group", UserUttered("canary 60"), BotUttered("canary 61"), key="key-canary")
        *_, imported, recorded = log.store.reader.tail(0, 100)
    for turn, row, shown in ((31, imported, b"canary 30"), (61, recorded, b"canary 60")):
        assert prove("group", turn).status == 0
        assert check().status == 0
        files = contents(Path("p")) + contents(Path("p.json"))
        assert shown in files
        for number in set(range(61)) - {turn - 1}:
            assert b"canary %d\xc0" % number not in files
        assert b"key-canary" not in files
        others = [salt for salt, what in openings(row.commitments, row.parts).values()
                  if shown not in what and b"canary 61" not in what]  # fmt: skip
        assert others
        assert [salt for salt in (*others, row.parts[:16]) if salt in files] == []


def contents(file: Path) -> bytes:
    """The bytes of a file, and the decoded bytes of all base64 in it."""
    import re
    from base64 import b64decode
    from binascii import Error

    found = file.read_bytes()
    for text in re.findall(rb"[A-Za-z0-9+/]{8,}={0,2}", found):
        try:
            found += b64decode(text)
        except Error:
            continue
    return found


def test_a_proof_under_a_new_head_shows_that_it_continues_the_stored_one(folder: Path) -> None:
    record("alice", "carol")
    asked = "prove", "alice", "--turn", 4, "--key", "key", "--head", "note", "--out", "p"
    assert run(*asked).status == 0
    ran = check("--head", "note")
    assert (ran.status, ran.json["size"]) == (0, 9)
    sidecar = json.loads(Path("p.json").read_text())
    sidecar["goes_on"][0]["path"].reverse()
    Path("p.json").write_text(json.dumps(sidecar))
    assert check("--head", "note").status == 1
    assert check().status == 0


def test_a_missing_turn_is_not_proven(folder: Path) -> None:
    assert prove(turn=9).status == 2
    assert prove("stranger").status == 2
    record("alice")
    ran = run("prove", "alice", "--turn", "4", "--head", "note", "--out", "p")
    assert ran.status == 2
    assert "after the head of size 7" in ran.err


def test_a_log_that_differs_from_a_head_proves_nothing_under_it(folder: Path) -> None:
    from turnlog.audit.publishing import check_continues
    from turnlog.projections.tree import Tree

    with turnlog.open("sqlite:///chat.db") as log:
        tree = Tree(log.store)
        other = tree.checkpoint()._replace(root=bytes(32))
        with pytest.raises(Rewritten):
            check_continues(tree, other)


def test_a_server_signs_the_rows_as_it_wrote_them(folder: Path) -> None:
    """The server knows what it acknowledged, so its head finds an edit made in between."""
    from turnlog.audit.publishing import Publisher
    from turnlog.proof.folder import TileFolder
    from turnlog.proof.keys import signer_in
    from turnlog.storage.recent_digests import RecentDigests

    with turnlog.open("sqlite:///chat.db") as log:
        log.store.recent = RecentDigests()
        log.record("carol", UserUttered("I never said so"))
        log.record("dave", UserUttered("hello"))
        with closing(sqlite3.connect("chat.db")) as connection:
            said = "CAST(replace(parts, 'never', 'often') AS BLOB)"
            connection.execute(f"UPDATE rows_t1 SET parts = {said} WHERE position = 7")
            connection.commit()
        keys = [signer_in(Path("key"))]
        note = Publisher(log.store, keys, log.clock, TileFolder(Path("published"))).publish()
        assert log.store.recent.get(8) is None
    Path("newer").write_text(str(note))
    found = [fault["what"] for fault in faults(verify("--head", "newer"))]
    assert any("position 7 is not the row that was signed" in str(f) for f in found)


# --- erasure ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sealed", [False, True])
def test_heads_and_proofs_outlive_an_erasure(
    folder: Path, sealed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sealed:
        monkeypatch.setenv("TURNLOG_DB", "sqlite:///sealed.db")
        monkeypatch.setenv("TURNLOG_KEYS", "sqlite:///keys.db")
        with turnlog.open("sqlite:///sealed.db", keys="sqlite:///keys.db") as log:
            for name in ("alice", "bob"):
                log.record(name, UserUttered(f"{name} says 0"))
                log.record(name, UserUttered(f"{name} says 1"))
        assert run("head", "--key", "key", "--out", "note", "--tiles", "sealed").status == 0
    assert prove("bob", 2).status == 0
    assert run("prove", "alice", "--turn", 2, "--head", "note", "--out", "before").status == 0
    ran = run("erase", "alice", "--reason", "asked for", "--actor", "dpo")
    assert ran.status == 0, ran.err
    assert verify("--head", "note").status == 0
    old = run("check-proof", "before", "--head", "note", "--verifier", "key.pub", "--json")
    assert old.json["events"][0]["says"]["text"] == "alice says 1"
    assert check().status == 0
    assert run("head", "--key", "key", "--out", "newer").status == 0
    assert verify("--head", "note", "--head", "newer").status == 0
    place = "sealed" if sealed else "published"
    keys = "sqlite:///keys.db" if sealed else None
    with turnlog.open(os.environ["TURNLOG_DB"], witness=place, keys=keys) as log:
        assert list(log.conversation("bob").events())
        assert list(log.ids()) == ["bob"]


def test_an_erased_event_is_proven_to_have_existed(folder: Path) -> None:
    ran = run("erase", "alice", "--event", 4, "--reason", "asked for", "--actor", "dpo")
    assert ran.status == 0, ran.err
    assert prove().status == 0
    assert "alice says 1" not in Path("p.json").read_text()
    assert [event.get("withheld") for event in check().json["events"]] == ["erased", None, None]
