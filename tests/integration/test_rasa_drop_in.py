"""The drop-in's logic against a real server, with a minimal tracker."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator

import pytest

from tests import parts
from tests.integration.drop_in import (
    Client,
    Event,
    Feed,
    Store,
    Tracker,
    action,
    close_all,
    log,
    outcomes,
    said,
    session,
    texts,
)
from tests.parts import turnlog as turnlog_part


@pytest.fixture(autouse=True)
def _connections_are_closed() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with turnlog_part.running(bot=None) as server:
        yield server.url


@pytest.fixture
def store(url: str) -> Store:
    outcomes().clear()
    return Store(url)


def test_only_new_events_are_appended_and_every_session_is_kept(store, url):
    for number in range(3):
        tracker = store.get_or_create("sessions")
        for event in (*session(), said(f"hello {number}")):
            tracker.update(event)
        assert store.save(tracker)
        assert texts(store.retrieve("sessions")) == ["session_started", "x", f"hello {number}"]
    whole = Store(url).retrieve("sessions", "ALL")
    expected = ["action_session_start", "session_started", "x"]
    assert texts(whole) == [
        "action_listen",
        *itertools.chain.from_iterable([*expected, f"hello {n}"] for n in range(3)),
    ]


def test_a_tracker_in_memory_equals_the_tracker_read_again(store, url):
    tracker = store.get_or_create("cached")
    for number in range(5):
        tracker.update(said(f"m{number}"))
        store.save(tracker)
        tracker = store.retrieve("cached")
        fresh = Store(url).retrieve("cached")
        assert [e.as_dict() for e in tracker.events] == [e.as_dict() for e in fresh.events]


def test_of_two_writers_both_sides_are_kept_and_the_conflict_is_recorded(store, url):
    store.get_or_create("two")
    one, two = Store(url), Store(url)
    a, b = one.retrieve("two"), two.retrieve("two")
    a.update(said("from a"))
    b.update(said("from b"))
    assert one.save(a)
    assert two.save(b)
    assert texts(store.retrieve("two", "ALL")) == ["action_listen", "from a", "from b"]
    noted = [e for e in log(url, "two") if e["type"] == "ConcurrentWriteRecorded"]
    assert [(e["base"], e["writer"]) for e in noted] == [(1, two.client.writer)]
    b.update(action("later"))
    assert two.save(b)
    assert texts(two.retrieve("two"))[-3:] == ["from a", "from b", "later"]
    assert len([e for e in log(url, "two") if e["type"] == "ConcurrentWriteRecorded"]) == 1


def test_a_shorter_tracker_that_was_not_read_replaces_and_the_old_stays_readable(store, url):
    tracker = store.get_or_create("put")
    for text in ("one", "two"):
        tracker.update(said(text))
    store.save(tracker)
    outcomes().clear()  # a separate request, like PUT …/tracker/events
    given = Tracker("put")
    given.update(action("action_listen"))
    given.update(said("instead"))
    assert store.save(given)
    assert texts(store.retrieve("put", "ALL")) == ["action_listen", "instead"]
    assert [e["text"] for e in log(url, "put") if e["type"] == "UserUttered"] == [
        "one", "two", "instead",
    ]  # fmt: skip


def test_events_taken_off_a_trackers_end_are_replaced(store, url):
    tracker = store.get_or_create("cut")
    tracker.update(said("one"))
    tracker.update(said("two"))
    store.save(tracker)
    read = store.retrieve("cut")
    read.events.pop()
    read.update(said("instead"))
    assert store.save(read)
    assert texts(store.retrieve("cut", "ALL")) == ["action_listen", "one", "instead"]


def test_a_tracker_with_few_events_keeps_storing(store, url):
    store.get_or_create("short")
    tracker = store.retrieve("short")
    tracker.events = deque(tracker.events, 3)
    for number in range(7):
        tracker.update(said(f"m{number}"))
        store.save(tracker)
    assert texts(store.retrieve("short")) == ["action_listen", *(f"m{n}" for n in range(7))]


def test_nothing_is_replaced_after_a_failed_read():
    with turnlog_part.running(bot=None) as server:
        first = Store(server.url)
        tracker = first.get_or_create("kept")
        tracker.update(said("before"))
        first.save(tracker)
        store = Store(server.url)
        server.kill()
        blank = store.get_or_create("kept")  # read fails, a blank tracker is made and saved
        assert texts(blank) == ["action_listen"]
        blank.update(said("while it was away"))
        assert not store.save(blank)
        server.start()
        again = store.retrieve("kept", "ALL")
        assert texts(again) == [
            "action_listen", "before", "session_started", "action_listen", "while it was away",
        ]  # fmt: skip
        assert not [e for e in log(server.url, "kept") if e["type"] == "HistoryReplaced"]
        assert texts(store.retrieve("kept"))[0] == "session_started"


def test_a_restart_of_the_server_loses_and_doubles_no_turn():
    with turnlog_part.running(bot=None) as server:
        store = Store(server.url, patience=20.0)
        tracker = store.get_or_create("restarted")
        for number in range(6):
            tracker.update(said(f"m{number}"))
            if number == 3:
                server.restart()
            assert store.save(tracker)
            tracker = store.retrieve("restarted")
        assert texts(tracker) == ["action_listen", *(f"m{n}" for n in range(6))]


def test_saves_that_were_kept_go_first_and_in_order():
    with turnlog_part.running(bot=None) as server:
        store = Store(server.url)
        tracker = store.get_or_create("kept")
        server.kill()
        for number in range(3):
            tracker.update(said(f"m{number}"))
            assert not store.save(tracker)
        server.start()
        tracker.update(said("m3"))
        assert store.save(tracker)
        assert texts(store.retrieve("kept")) == ["action_listen", *(f"m{n}" for n in range(4))]
        assert not [e for e in log(server.url, "kept") if e["type"] == "ConcurrentWriteRecorded"]


def test_an_event_of_a_bots_own_type_is_kept(store):
    tracker = store.get_or_create("own")
    tracker.update(Event({"event": "my_event", "with": {"its": "fields"}}))
    assert store.save(tracker)
    assert store.retrieve("own").events[-1].content["with"] == {"its": "fields"}


def test_odd_ids_are_kept_apart(store):
    for sender in ("a b", "ü/ö", "?x=1#y", "%2F", "..", "a+b"):
        tracker = store.get_or_create(sender)
        tracker.update(said(sender))
        assert store.save(tracker), sender
        assert texts(store.retrieve(sender)) == ["action_listen", sender]
    assert {"a b", "ü/ö", "?x=1#y", "%2F", "..", "a+b"} <= set(store.keeper.names())


def test_without_a_server_it_is_a_connection_error():
    with pytest.raises(ConnectionError, match="turnlog serve"):
        Client("http://127.0.0.1:9", patience=0.1).check()


def test_a_wrong_token_is_a_connection_error_at_start():
    with turnlog_part.running("--auth-token", "right", bot=None) as server:
        Store(server.url, auth_token="right").client.check()
        with pytest.raises(ConnectionError, match="401"):
            Store(server.url, auth_token="wrong").client.check()


def test_only_a_refused_event_is_given_up_and_reported(store, caplog):
    tracker = store.get_or_create("refused")
    for event in (said("before"), Event({"event": 7}), said("after")):
        tracker.update(event)
    assert store.save(tracker)
    assert "[7] is given up" in caplog.text
    tracker.update(said("next"))
    assert store.save(tracker)
    assert texts(store.retrieve("refused")) == ["action_listen", "before", "after", "next"]


def test_the_broker_sends_everything_once_through_a_restart():
    with turnlog_part.running(bot=None) as server:
        feed = Feed(Client(server.url, timeout=2.0, patience=1.0))
        for number in range(300):
            feed.put({"sender_id": f"s{number % 3}", **said(f"m{number}").as_dict()})
            if number == 150:
                server.restart()
        feed.close()
        for sender in range(3):
            found = [e["text"] for e in log(server.url, f"s{sender}") if e["type"] == "UserUttered"]
            assert found == [f"m{n}" for n in range(300) if n % 3 == sender]


def test_the_drop_in_runs_on_rasas_python():
    import ast

    for file in (parts.ROOT / "clients" / "rasa").rglob("*.py"):
        ast.parse(file.read_text(), feature_version=(3, 8))
