"""The witness cosigns logs that only grow, over HTTP and from cron, and refuses all others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import uvicorn

import turnlog
from tests.command_line import run
from turnlog import UserUttered
from turnlog.audit.publishing import Publisher
from turnlog.errors import ProofError, Rewritten
from turnlog.projections.tree import Tree
from turnlog.proof import merkle
from turnlog.proof.checkpoint import LogCheckpoint, checked, signed
from turnlog.proof.folder import TileFolder
from turnlog.proof.keys import COSIGNATURE, PLAIN, Signer
from turnlog.proof.note import Note
from turnlog.proof.witness import CosigningRefused, Submission, Witness, hash_of
from turnlog.proof.witness_client import cosigned, newest
from turnlog.server.heads import publishing
from turnlog.server.main import listening_on
from turnlog.server.services import Services
from turnlog.server.settings import Settings
from turnlog.server.witness import application

LOG, NEXT, STRANGER = (Signer.of(name, PLAIN, bytes([n] * 32)) for n, name in enumerate("lns", 1))
WITNESS = Signer.of("witness", COSIGNATURE, bytes([9] * 32))
NOW = 1_800_000_000.0
ORIGIN = "turnlog/00"


class Leaves:
    """A tree of made-up leaves. fork: the first leaf that differs from other trees."""

    def __init__(self, fork: int = 1000) -> None:
        self.fork = fork

    def node(self, level: int, index: int) -> bytes:
        if level == 0:
            return merkle.leaf(b"%d %d" % (index, index >= self.fork))
        return merkle.parent(self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1))

    def head(self, size: int, *signers: Signer) -> Note:
        head = LogCheckpoint(ORIGIN, size, merkle.root(self.node, size))
        return signed(head, signers or [LOG], lambda: NOW)

    def submission(self, old: int, size: int, *signers: Signer) -> bytes:
        path = merkle.consistency(self.node, old, size)
        return str(Submission(old, tuple(path), self.head(size, *signers))).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for signer in (LOG, NEXT):
        (tmp_path / f"{signer.verifier.name}.pub").write_text(f"{signer.verifier}\n")
    return tmp_path


@pytest.fixture
def witness(folder: Path) -> Witness:
    return Witness(folder, [WITNESS], lambda: NOW)


def refused(witness: Witness, content: bytes) -> tuple[int, int | None]:
    with pytest.raises(CosigningRefused) as caught:
        witness.cosign(content)
    return caught.value.status, caught.value.size


def test_the_witness_cosigns_a_continuing_head_with_the_time(witness: Witness) -> None:
    leaves = Leaves()
    for old, size in ((0, 3), (3, 3), (3, 20)):
        (made,) = witness.cosign(leaves.submission(old, size))
        note = leaves.head(size).with_signatures([made])
        seen = checked(note, [LOG.verifier, WITNESS.verifier])
        assert (seen.signers, seen.times) == (("l", "witness"), (int(NOW),))
        kept = witness.newest(hash_of(ORIGIN))
        assert str(kept) == str(note)


def test_the_witness_refuses_as_specified(witness: Witness, folder: Path) -> None:
    leaves, fork = Leaves(), Leaves(fork=5)
    assert refused(witness, leaves.submission(0, 3, STRANGER)) == (404, None)
    witness.cosign(leaves.submission(0, 10))
    assert refused(witness, leaves.submission(0, 12, STRANGER)) == (403, None)
    assert refused(witness, leaves.submission(0, 12)) == (409, 10)
    assert refused(witness, leaves.submission(4, 12)) == (409, 10)
    assert refused(witness, leaves.submission(9, 9)) == (409, 10)
    assert refused(witness, fork.submission(10, 12)) == (422, None)
    assert refused(witness, fork.submission(10, 10)) == (422, None)
    assert refused(witness, leaves.submission(10, 12)[:-3] + b"\n") == (400, None)
    assert refused(witness, b"old 10\n") == (400, None)
    assert refused(witness, b"\xff") == (400, None)
    assert refused(witness, leaves.submission(10, 12).replace(b"old 10", b"old 010")) == (400, None)
    above = str(Submission(13, (), leaves.head(12))).encode()
    assert refused(witness, above) == (400, None)
    damaged = leaves.submission(10, 12).replace(b"\n12\n", b"\n13\n")
    assert refused(witness, damaged) == (403, None)
    assert len(list((folder / hash_of(ORIGIN)).glob("refused-*"))) == 2
    witness.cosign(leaves.submission(10, 12))


def test_a_head_of_size_zero_has_the_root_of_an_empty_tree(witness: Witness) -> None:
    wrong = signed(LogCheckpoint(ORIGIN, 0, bytes(32)), [LOG], lambda: NOW)
    assert refused(witness, str(Submission(0, (), wrong)).encode()) == (422, None)
    assert refused(witness, Leaves().submission(0, 3).replace(b"old 0\n", b"old 0\nAAAA\n")) == (
        422, None,
    )  # fmt: skip
    witness.cosign(Leaves().submission(0, 0))
    witness.cosign(Leaves().submission(0, 4))


def test_a_key_takes_over_by_signing_with_the_one_before(witness: Witness) -> None:
    leaves = Leaves()
    witness.cosign(leaves.submission(0, 3, LOG))
    assert refused(witness, leaves.submission(3, 4, NEXT)) == (403, None)
    witness.cosign(leaves.submission(3, 4, LOG, NEXT))
    witness.cosign(leaves.submission(4, 5, NEXT))
    assert refused(witness, leaves.submission(5, 6, LOG)) == (403, None)


def test_one_of_two_simultaneous_requests_gets_a_conflict(witness: Witness) -> None:
    leaves, outcomes = Leaves(), list[object]()
    witness.cosign(leaves.submission(0, 3))

    def ask(size: int) -> None:
        try:
            outcomes.append(len(witness.cosign(leaves.submission(3, size))))
        except CosigningRefused as error:
            outcomes.append(error.status)

    threads = [threading.Thread(target=ask, args=(size,)) for size in range(4, 12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["1", *["409"] * 7]


# --- over HTTP ----------------------------------------------------------------------------------


@pytest.fixture
def service(witness: Witness) -> Iterator[str]:
    """The URL of the witness, served by this process."""
    config = uvicorn.Config(application(witness), log_config=None, lifespan="off", ws="none")
    server, listening = uvicorn.Server(config), listening_on("127.0.0.1", 0)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def test_a_head_is_cosigned_over_http_from_any_earlier_size(service: str) -> None:
    leaves = Leaves()
    assert newest(service, ORIGIN) is None
    for size in (3, 9, 9):
        note = cosigned(service, leaves.head(size), consistency(leaves, size))
        assert checked(note, [LOG.verifier, WITNESS.verifier]).times == (int(NOW),)
        assert newest(service, ORIGIN) == str(note).encode()


def consistency(leaves: Leaves, size: int):
    return lambda old: merkle.consistency(leaves.node, old, size)


def test_the_witness_reports_a_log_that_was_set_back_or_rewritten(service: str) -> None:
    leaves, fork = Leaves(), Leaves(fork=5)
    cosigned(service, leaves.head(9), consistency(leaves, 9))
    with pytest.raises(Rewritten, match="cosigned a head of size 9, the log has 4"):
        cosigned(service, leaves.head(4), consistency(leaves, 4))
    with pytest.raises(Rewritten, match="does not continue"):
        cosigned(service, fork.head(12), consistency(fork, 12))


def test_an_unreachable_witness_is_named(service: str) -> None:
    with pytest.raises(ProofError, match=r"127\.0\.0\.1:9"):
        cosigned("http://127.0.0.1:9", Leaves().head(3), consistency(Leaves(), 3))
    with pytest.raises(ProofError, match="404"):
        cosigned(service, Leaves().head(3, STRANGER), consistency(Leaves(), 3))
    with pytest.raises(ProofError, match=r"405|404"):
        cosigned(f"{service}elsewhere", Leaves().head(3), consistency(Leaves(), 3))


@pytest.mark.parametrize(
    "answer",
    [b"\xff\n", b"no signature\n", "\N{EM DASH} w AAAA\n".encode(), "\N{EM DASH} w".encode()],
)
def test_a_witness_with_a_made_up_answer_is_refused(answer: bytes) -> None:
    with answering(answer) as url, pytest.raises(ProofError, match="not a cosignature"):
        cosigned(url, Leaves().head(3), consistency(Leaves(), 3))


def test_a_witness_changes_no_signature_of_the_log() -> None:
    note = Leaves().head(3)
    forged = note.signatures[0]._replace(signature=bytes(64)).line()
    with answering(forged.encode()) as url:
        assert cosigned(url, note, consistency(Leaves(), 3)) == note


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """A witness that gives every request the same answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Not a log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_heads_of_a_log_are_published_with_cosignatures(service: str, tmp_path: Path) -> None:
    published = TileFolder(tmp_path / "published")
    with turnlog.open("memory:", clock=lambda: NOW) as log:
        publisher = Publisher(log.store, [LOG], log.clock, published, [service])
        for number in range(1, 600):
            log.record("alice", UserUttered("hi"))
            if number in (1, 2, 257, 599):
                note = publisher.publish()
                assert published.newest() == note
                size = number + 1
                assert checked(note, [LOG.verifier, WITNESS.verifier]).checkpoint.size == size
        published_at = (published.folder / "checkpoint").stat().st_mtime_ns
        assert publisher.publish() == note
        assert (published.folder / "checkpoint").stat().st_mtime_ns == published_at
        tree = Tree(log.store)
    sizes = [LogCheckpoint.parse(note.text) for note in published.every()]
    assert [each.size for each in sizes] == [2, 3, 258, 600]
    assert all(tree.checkpoint(each.size) == each for each in sizes)
    with turnlog.open("memory:") as other, pytest.raises(Rewritten):
        Publisher(other.store, [LOG], other.clock, published, [service]).publish()


def test_an_unreachable_witness_does_not_stop_a_head_from_being_published(
    tmp_path: Path, caplog
) -> None:
    published = TileFolder(tmp_path / "published")
    with turnlog.open("memory:") as log:
        note = Publisher(log.store, [LOG], log.clock, published, ["http://127.0.0.1:9"]).publish()
    assert published.newest() == note
    assert "not cosigned" in caplog.text


# --- from cron ----------------------------------------------------------------------------------


def test_the_witness_checks_a_folder_of_heads_from_cron(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNLOG_DB", "sqlite:///chat.db")
    Path("logs").mkdir()
    assert run("keygen", "--out", "log").status == 0
    assert run("keygen", "--out", "w", "--witness").status == 0
    Path("log.pub").rename("logs/log.pub")
    once = "witness", "--key", "w", "--logs", "logs", "--once", "published", "--json"
    assert run(*once).status == 2
    for _ in range(3):
        with turnlog.open("sqlite:///chat.db") as log:
            for _ in range(200):
                log.record("alice", UserUttered("hi"))
        assert run("head", "--key", "log", "--tiles", "published").status == 0
        assert run(*once).lines[0]["ok"] is True
    Path("published/checkpoint").write_bytes(Path("published/checkpoints/201").read_bytes())
    ran = run(*once)
    assert (ran.status, ran.lines[0]["ok"]) == (1, False)
    assert "set back" in ran.lines[0]["what"]


def test_a_witness_needs_a_witness_key(folder: Path) -> None:
    with pytest.raises(ProofError, match="keygen --witness"):
        Witness(folder, [LOG], lambda: NOW)


# --- while a log is served ----------------------------------------------------------------------


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[Services]:
    """The part of a server that publishes heads."""
    async with turnlog.aopen(settings.db) as log:
        services = Services(settings, log, b"secret", bot=None, clock=lambda: NOW)
        async with publishing(services):
            yield services


async def test_a_served_log_has_a_head_of_its_end(tmp_path: Path, service: str) -> None:
    key, published = tmp_path / "key", TileFolder(tmp_path / "published")
    key.write_text(str(LOG))
    settings = Settings(
        db=f"sqlite:///{tmp_path}/chat.db", heads=(str(published.folder), service),
        every=3600.0, head_keys=(str(key),),
    )  # fmt: skip
    async with served(settings) as services:
        await services.log.record("alice", UserUttered("hi"))
    note = published.newest()
    assert note is not None
    assert checked(note, [LOG.verifier, WITNESS.verifier]).checkpoint.size == 2
    assert b"turnlog_head_failures_total 0.0" in services.metrics.text()
    assert b"turnlog_head_size 2.0" in services.metrics.text()


async def test_a_server_continues_if_no_head_can_be_published(tmp_path: Path, caplog) -> None:
    (tmp_path / "key").write_text(str(LOG))
    (tmp_path / "published").write_text("no folder")
    settings = Settings(
        db=f"sqlite:///{tmp_path}/chat.db", heads=(str(tmp_path / "published"),),
        head_keys=(str(tmp_path / "key"),),
    )  # fmt: skip
    async with served(settings) as services:
        await services.log.record("alice", UserUttered("hi"))
    assert "cannot publish a head" in caplog.text
    assert b"turnlog_head_failures_total 0.0" not in services.metrics.text()


async def test_a_server_without_a_key_for_its_heads_does_not_start(tmp_path: Path) -> None:
    settings = Settings(db=f"sqlite:///{tmp_path}/chat.db", heads=("published",))
    with pytest.raises(ProofError, match="--key"):
        async with served(settings):
            pass
