"""The drop-in while its server is unreachable or refuses: turns wait, and none is lost."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests import parts
from tests.integration.drop_in import (
    Client,
    Feed,
    Outbox,
    Parking,
    Store,
    action,
    close_all,
    log,
    outcomes,
    said,
    texts,
)
from tests.parts import turnlog as turnlog_part
from tests.parts.server import Server


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    outcomes().clear()
    yield
    close_all()


@pytest.fixture
def server() -> Iterator[Server]:
    with turnlog_part.running(bot=None) as running:
        yield running


def eventually(holds: Callable[[], bool], within: float = 30.0) -> bool:
    end = time.monotonic() + within
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def spoken(url: str, sender: str) -> list[str]:
    answer = httpx.get(f"{url}/v1/conversations/{sender}/events")
    if answer.status_code == 404:
        return []
    return [e["text"] for e in answer.json()["events"] if e["type"] == "UserUttered"]


def test_a_parked_turn_goes_as_soon_as_others_are_served(server, tmp_path):
    store = Store(server.url, tmp_path / "parked")
    tracker = store.get_or_create("p")
    server.kill()
    tracker.update(said("while it was away"))
    assert not store.save(tracker)
    server.start()
    assert eventually(lambda: spoken(server.url, "p") == ["while it was away"])
    assert store.get_or_create("q")
    assert (tmp_path / "parked").read_bytes() == b""


def test_parked_turns_survive_the_end_of_their_process(server, tmp_path):
    parked = tmp_path / "parked"
    store = Store(server.url, parked)
    tracker = store.get_or_create("p")
    server.kill()
    for number in range(3):
        tracker.update(said(f"m{number}"))
        assert not store.save(tracker)
    assert stat.S_IMODE(parked.stat().st_mode) == 0o600
    assert len(parked.read_text().splitlines()) == 3
    left = parked.read_bytes()
    close_all()
    parked.write_bytes(left)  # as a killed process leaves it
    server.start()
    again = Store(server.url, parked)
    assert texts(again.retrieve("p")) == ["action_listen", "m0", "m1", "m2"]
    assert eventually(lambda: parked.read_bytes() == b"")
    assert not [e for e in log(server.url, "p") if e["type"] == "ConcurrentWriteRecorded"]


def test_events_sent_before_a_crash_are_not_stored_twice(server, tmp_path):
    parked = tmp_path / "parked"
    store = Store(server.url, parked)
    tracker = store.get_or_create("p")
    server.kill()
    tracker.update(said("once"))
    assert not store.save(tracker)
    left = parked.read_bytes()
    server.start()
    assert eventually(lambda: parked.read_bytes() == b"")
    close_all()
    parked.write_bytes(left)
    Store(server.url, parked)
    assert eventually(lambda: parked.read_bytes() == b"")
    assert spoken(server.url, "p") == ["once"]


def test_files_of_running_processes_are_left_to_them(server, tmp_path):
    stores = [Store(server.url, tmp_path / "parked") for _ in range(2)]
    trackers = [store.get_or_create(f"s{n}") for n, store in enumerate(stores)]
    server.kill()
    for store, tracker in zip(stores, trackers, strict=True):
        tracker.update(said("waits"))
        assert not store.save(tracker)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parked", "parked.2"]
    left = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert Parking(str(tmp_path / "parked"), server.url).taken_over() == []
    close_all()
    for path, content in left.items():
        path.write_bytes(content)
    found = Parking(str(tmp_path / "parked"), server.url).taken_over()
    assert {parcel.sender for parcel in found} == {"s0", "s1"}
    assert [path.name for path in tmp_path.iterdir()] == ["parked"]


def test_turns_for_another_server_stay_where_they_are(server, tmp_path):
    parked = tmp_path / "parked"
    line = {
        "server": "http://other", "sender": "p", "kind": "append", "events": [], "to": 0,
        "base": None, "key": "k",
    }  # fmt: skip
    parked.write_text(json.dumps(line) + "\n")
    outbox = Outbox(Client(server.url), Parking(str(parked), server.url))
    outbox.close()
    assert json.loads(parked.read_text()) == line


def test_a_line_cut_short_by_a_crash_affects_no_other(server, tmp_path, caplog):
    parked = tmp_path / "parked"
    store = Store(server.url, parked)
    tracker = store.get_or_create("p")
    server.kill()
    tracker.update(said("whole"))
    assert not store.save(tracker)
    left = parked.read_text()
    close_all()
    parked.write_text(left + left[:40])
    server.start()
    Store(server.url, parked)
    assert eventually(lambda: spoken(server.url, "p") == ["whole"])
    assert "line 2" in caplog.text


def test_a_folder_that_cannot_be_written_is_named_at_start(tmp_path):
    with pytest.raises(OSError, match="parked"):
        Parking(str(tmp_path / "missing" / "parked"), "http://localhost")


# --- a server that answers something else -----------------------------------------------------


class Between:
    """The test's proxy, which can answer in the server's place."""

    def __init__(self, url: str) -> None:
        self.answer: tuple[int, bytes] | None = None
        self.asked = 0
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                between.asked += 1
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
                if between.answer is not None:
                    self._send(between.answer[0], {}, between.answer[1])
                    return
                found = httpx.request(self.command, url + self.path, content=body, headers=headers)
                kept = {k: v for k, v in found.headers.items() if k.startswith(("etag", "turnlog"))}
                self._send(found.status_code, kept, found.content)

            def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@contextmanager
def put_before(server: Server) -> Iterator[Between]:
    made = Between(server.url)
    yield made
    close_all()
    made.close()


@pytest.fixture
def between(server: Server) -> Iterator[Between]:
    with put_before(server) as made:
        yield made


@pytest.fixture(scope="module")
def lasting() -> Iterator[Server]:
    """One server for several tests, each with its own conversations."""
    with turnlog_part.running(bot=None) as running:
        yield running


OTHERS: list[tuple[int, bytes]] = [
    (401, b'{"status":"failure","code":401,"reason":"NotAuthenticated","message":"expired"}'),
    (403, b"forbidden"),
    (404, b"<html>no such page</html>"),
    (413, b"too large"),
    (400, b"<html>bad request, says a proxy</html>"),
    (400, b'{"status":"failure","code":400,"reason":"Validation","message":"?"}'),
    (302, b""),
    (200, b"<html>please log in</html>"),
    (200, b"{}"),
    (405, b""),
    (451, b""),
]


@pytest.mark.parametrize("answer", OTHERS, ids=lambda a: f"{a[0]} {a[1][:20].decode()}")
def test_the_answer_of_another_server_drops_no_turn(lasting, tmp_path, caplog, answer):
    id = f"answered {OTHERS.index(answer)}"
    with put_before(lasting) as between:
        store = Store(between.url, tmp_path / "parked")
        tracker = store.get_or_create(id)
        between.answer = answer
        tracker.update(said("kept"))
        assert not store.save(tracker)
        assert "1 turns wait" in caplog.text
        assert "kept" in (tmp_path / "parked").read_text()
        between.answer = None
        assert store.get_or_create("q")
        assert eventually(lambda: spoken(lasting.url, id) == ["kept"])


def test_the_broker_drops_no_event_for_a_wrong_token(server, between, tmp_path, caplog):
    client = Client(between.url, timeout=2.0, patience=1.0)
    feed = Feed(client, Outbox(client, Parking(str(tmp_path / "parked"), between.url)))
    between.answer = OTHERS[0]
    for number in range(50):
        feed.put({"sender_id": "b", **said(f"m{number}").as_dict()})
    assert eventually(lambda: between.asked > 0)
    between.answer = None
    assert eventually(lambda: spoken(server.url, "b") == [f"m{n}" for n in range(50)])
    assert "401" in caplog.text
    feed.close()


def test_the_broker_gives_up_only_the_bad_event(server, caplog):
    feed = Feed(Client(server.url))
    for number in range(5):
        event = {"event": 7} if number == 2 else said(f"m{number}").as_dict()
        feed.put({"sender_id": "b", **event})
    feed.close()
    assert spoken(server.url, "b") == ["m0", "m1", "m3", "m4"]
    assert "[7] is given up" in caplog.text


def test_after_one_failure_nothing_waits_for_the_server(server, tmp_path):
    store = Store(server.url, tmp_path / "parked", patience=5.0)
    tracker = store.get_or_create("p")
    server.kill()
    assert store.retrieve("p") is None
    begun = time.monotonic()
    for number in range(10):
        assert store.retrieve("p") is None
        tracker.update(said(f"m{number}"))
        assert not store.save(tracker)
    assert time.monotonic() - begun < 20.0  # of the 100 that twenty requests would wait
    server.start()
    assert eventually(lambda: spoken(server.url, "p") == [f"m{n}" for n in range(10)])
    assert texts(store.retrieve("p"))[-1] == "m9"


def test_a_connection_closed_by_the_server_is_not_an_outage(server, tmp_path, caplog):
    store = Store(server.url, tmp_path / "parked")
    tracker = store.get_or_create("p")
    server.restart()
    tracker.update(said("again"))
    assert store.save(tracker)
    assert caplog.text == ""
    assert not (tmp_path / "parked").exists()


def test_while_all_is_well_nothing_is_written_and_no_thread_is_started(server, tmp_path):
    before = set(threading.enumerate())
    store = Store(server.url, tmp_path / "parked")
    tracker = store.get_or_create("p")
    for number in range(5):
        tracker.update(said(f"m{number}"))
        assert store.save(tracker)
    assert not list(tmp_path.iterdir())
    assert set(threading.enumerate()) <= before


def test_a_value_that_json_cannot_express_stops_no_turn(server, caplog):
    store = Store(server.url)
    tracker = store.get_or_create("p")
    event = said("before")
    event.content["metadata"] = {"seen": {1, 2}}
    tracker.update(event)
    assert store.save(tracker)
    assert spoken(server.url, "p") == ["before"]
    assert "not JSON serializable" in caplog.text


def test_deleting_removes_waiting_events(server, tmp_path):
    store = Store(server.url, tmp_path / "parked")
    tracker = store.get_or_create("gone")
    server.kill()
    tracker.update(said("secret"))
    assert not store.save(tracker)
    with pytest.raises(ConnectionError):
        store.keeper.delete("gone")
    assert "secret" not in (tmp_path / "parked").read_text()
    server.start()
    assert eventually(lambda: "gone" not in httpx.get(f"{server.url}/conversations").json())
    assert eventually(lambda: (tmp_path / "parked").read_bytes() == b"")


def test_a_late_answer_to_a_deleted_conversation_waits_and_says_why(server, tmp_path, caplog):
    store = Store(server.url, tmp_path / "parked")
    tracker = store.get_or_create("deleted")
    httpx.delete(f"{server.url}/conversations/deleted/tracker").raise_for_status()
    tracker.update(action("afterwards"))
    assert not store.save(tracker)
    assert "was deleted" in caplog.text
    assert "afterwards" in (tmp_path / "parked").read_text()
    other = store.get_or_create("another")
    other.update(said("is not held up"))
    assert store.save(other)


# --- Rasa's two places -----------------------------------------------------------------------

RASA = """
import sys, types

def module(name, **content):
    made = sys.modules[name] = types.ModuleType(name)
    made.__dict__.update(content)
    made.__path__ = []
    if "." in name:
        parent, _, child = name.rpartition(".")
        setattr(sys.modules[parent], child, made)

class Base:
    def __init__(self, domain=None, event_broker=None, **kwargs):
        self._domain, self.event_broker = domain, event_broker
    def init_tracker(self, sender_id, user_id=None):
        return None

class Event:
    from_parameters = None

for name in ("rasa", "rasa.core", "rasa.core.brokers", "rasa.shared", "rasa.shared.core"):
    module(name)
module("rasa.core.brokers.broker", EventBroker=Base)
module("rasa.shared.core.domain", Domain=type("Domain", (), {"empty": staticmethod(dict)}))
module("rasa.shared.core.events", Event=Event)
module("rasa.shared.core.trackers", DialogueStateTracker=Base)
for name in sys.argv[2:]:
    module(name, TrackerStore=Base, SerializedTrackerAsText=type("Text", (), {}))

import turnlog_rasa
try:
    store = turnlog_rasa.TurnlogTrackerStore(host=sys.argv[1])
    print(*sorted(name for name in ("delete", "update") if hasattr(store, name)))
except (AttributeError, ImportError):
    print("Rasa continues in memory")
except RuntimeError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("places", "said"),
    [
        (["rasa.core.tracker_store"], "delete update"),
        (["rasa.core.tracker_stores", "rasa.core.tracker_stores.tracker_store"], "delete update"),
        ([], "turnlog_rasa cannot be used with this Rasa"),
        (["rasa.core.tracker_stores"], "turnlog_rasa cannot be used with this Rasa"),
    ],
)
def test_the_store_is_found_in_both_of_rasas_places_and_else_rasa_stops(
    server, tmp_path, places, said
):
    command = [sys.executable, "-c", RASA, server.url, *places]
    env = {**os.environ, "PYTHONPATH": str(parts.ROOT / "clients" / "rasa")}
    found = subprocess.run(
        command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert found.stdout.startswith(said), found.stderr


def test_a_misspelled_class_stops_rasa():
    import turnlog_rasa

    with pytest.raises(RuntimeError, match="TurnlogTrackerstore"):
        _ = turnlog_rasa.TurnlogTrackerstore
    with pytest.raises(AttributeError):
        _ = turnlog_rasa.something_else
