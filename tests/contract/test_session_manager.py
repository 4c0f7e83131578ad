"""Session managers on every back end: pywce's own list, and the faults that its users report."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnlog
from turnlog import UserUttered, ValueAppended, ValuesCleared, ValueSet
from turnlog.errors import InvalidEvent
from turnlog.sessions.manager import SessionManager

BACK_ENDS = ["memory", "sqlite", "postgres"]


@pytest.fixture(params=BACK_ENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        found: str = request.getfixturevalue("postgres_url")
        return found
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/sessions.db"


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def manager(url: str, clock: Clock) -> Iterator[SessionManager]:
    with SessionManager(url, clock=clock) as made:
        yield made.session("ann")


def stored(manager: SessionManager, id: str = "ann") -> list[turnlog.Event]:
    return list(manager.log.conversation(id).events())


# --- pywce's own fifteen ------------------------------------------------------------------------


def test_the_prop_key_is_an_attribute(manager):
    assert manager.prop_key == manager.DEFAULT_PROP_KEY


def test_a_session_is_the_manager(manager):
    assert manager.session("ann") is manager


def test_a_saved_value_is_read_back(manager):
    manager.save("ann", "key", "value")
    assert manager.get("ann", "key") == "value"


def test_all_saved_values_are_fetched_with_the_properties(manager):
    manager.save_all("ann", {"a": "1", "b": "2"})
    assert manager.fetch_all("ann", False) == {"a": "1", "b": "2", manager.prop_key: {}}


def test_globals_are_shared_by_all_sessions(manager):
    manager.save_global("key", "value")
    assert manager.get_global("key") == "value"
    assert manager.fetch_all("ann", True) == {"key": "value"}


def test_properties_are_a_separate_object(manager):
    manager.save_prop("ann", "size", "large")
    assert manager.get_from_props("ann", "size") == "large"
    assert manager.get_user_props("ann") == {"size": "large"}


def test_an_evicted_value_is_gone(manager):
    manager.save_all("ann", {"a": 1, "b": 2, "c": 3})
    manager.evict("ann", "a")
    assert manager.get("ann", "a") is None
    manager.evict_all("ann", ["b", "c", "never there"])
    assert manager.fetch_all("ann", False) == {manager.prop_key: {}}


def test_an_evicted_global_is_gone(manager):
    manager.save_global("key", 1)
    manager.evict_global("key")
    assert manager.get_global("key") is None


def test_a_cleared_session_is_empty_and_properties_can_be_set_again(manager):
    manager.save_all("ann", {"a": 1, "b": 2})
    manager.clear("ann")
    assert manager.fetch_all("ann", False) == {}
    assert manager.get_user_props("ann") == {}
    manager.save_prop("ann", "size", "large")
    assert manager.get_from_props("ann", "size") == "large"


def test_retained_keys_are_whole_keys_and_properties_stay(manager):
    manager.save_all("ann", {"a": 1, "aa": 2, "ab": 3})
    manager.clear("ann", retain_keys=["a"])
    assert manager.fetch_all("ann", False) == {"a": 1, manager.prop_key: {}}


def test_a_cleared_session_begins_again_with_properties(manager):
    manager.save_prop("ann", "size", "large")
    manager.clear("ann")
    assert manager.session("ann").fetch_all("ann") == {manager.prop_key: {}}
    manager.evict("ann", manager.prop_key)
    assert manager.session("ann").fetch_all("ann") == {manager.prop_key: {}}
    with manager.turn("ann"):
        manager.clear("ann")
        manager.session("ann")
    assert manager.fetch_all("ann") == {manager.prop_key: {}}


def test_asking_for_a_session_again_changes_nothing(manager):
    manager.save_prop("ann", "size", "large")
    before = len(stored(manager))
    assert manager.session("ann").get_user_props("ann") == {"size": "large"}
    assert len(stored(manager)) == before


@pytest.mark.parametrize("keys", ["name", b"name", ""])
def test_a_string_is_not_a_list_of_keys(manager, keys):
    manager.save_all("ann", {"name": 1, "n": 2})
    for call in (manager.clear, manager.evict_all):
        with pytest.raises(TypeError, match="must be a list"):
            call("ann", keys)
    assert manager.fetch_all("ann") == {manager.prop_key: {}, "name": 1, "n": 2}


@pytest.mark.parametrize("keys", [["name", 1], [None], [["name"]]])
def test_a_key_that_is_not_a_string_is_refused_before_anything_is_removed(manager, keys):
    manager.save("ann", "name", 1)
    for call in (manager.clear, manager.evict_all):
        with pytest.raises((InvalidEvent, TypeError)):
            call("ann", keys)
    assert manager.get("ann", "name") == 1


def test_keys_may_come_from_a_generator(manager):
    manager.save_all("ann", {"a": 1, "b": 2, "c": 3})
    manager.clear("ann", (key for key in "ab"))
    manager.evict_all("ann", (key for key in "a"))
    assert manager.fetch_all("ann") == {manager.prop_key: {}, "b": 2}


def test_clearing_one_session_leaves_those_that_begin_like_it(manager):
    manager.save("26377", "a", 1)
    manager.save("263770000001", "a", 2)
    manager.clear("26377")
    assert manager.get("263770000001", "a") == 2


def test_globals_are_cleared(manager):
    manager.save_global("key", 1)
    manager.clear_global()
    assert manager.fetch_all("ann", True) == {}


def test_evicting_a_property_returns_whether_it_existed(manager):
    manager.save_prop("ann", "size", "large")
    assert manager.evict_prop("ann", "size") is True
    assert manager.evict_prop("ann", "size") is False
    assert manager.get_from_props("ann", "size") is None


def test_a_key_is_looked_for_in_the_session_and_if_asked_in_globals(manager):
    manager.save("ann", "mine", 0)
    manager.save_global("ours", 1)
    assert manager.key_in_session("ann", "mine", True)
    assert manager.key_in_session("ann", "ours", True)
    assert manager.key_in_session("ann", "mine", False)
    assert not manager.key_in_session("ann", "ours", False)


def test_a_typed_get_is_the_type_of_the_value(manager):
    manager.save("ann", "n", "5")
    assert manager.get("ann", "n", int) == 5
    assert manager.get("ann", "missing", int) is None
    manager.save_global("g", 1)
    assert manager.get_global("g", str) == "1"


# --- what users trip over -----------------------------------------------------------------------


def test_an_unknown_session_can_be_saved_to_and_read_from(manager):
    assert manager.get("stranger", "key") is None
    assert manager.fetch_all("stranger", False) is None
    assert manager.get_user_props("stranger") == {}
    assert manager.evict_prop("stranger", "size") is False
    manager.save("stranger", "key", 1)
    assert manager.get("stranger", "key") == 1


def test_values_are_copied_when_read_and_when_saved(manager):
    given = {"list": [1]}
    manager.save("ann", "key", given)
    given["list"].append(2)
    got = manager.get("ann", "key")
    assert got == {"list": [1]}
    got["list"].append(3)
    manager.fetch_all("ann", False)["key"]["list"].append(4)
    assert manager.get("ann", "key") == {"list": [1]}


def test_changing_a_read_value_and_saving_it_is_a_change(manager):
    manager.save("ann", "queue", [1])
    queue = manager.get("ann", "queue")
    queue.append(2)
    manager.save("ann", "queue", queue)
    assert manager.get("ann", "queue") == [1, 2]


def test_saving_an_equal_value_stores_nothing(manager):
    manager.save_all("ann", {"a": 1, "b": [1, {"c": None}]})
    before = manager.log.conversation("ann").version
    manager.save("ann", "a", 1)
    manager.save("ann", "b", [1, {"c": None}])
    manager.evict("ann", "never there")
    assert manager.log.conversation("ann").version == before


def test_one_and_true_are_different_values(manager):
    manager.save("ann", "a", 1)
    manager.save("ann", "a", True)
    assert manager.get("ann", "a") is True


def test_a_rewritten_list_is_stored_as_additions_and_removals(manager):
    manager.save("ann", "history", [f"wamid.{n:04}" for n in range(100)])
    manager.save("ann", "history", [f"wamid.{n:04}" for n in range(1, 101)])
    *_, last = stored(manager)
    assert isinstance(last, ValueAppended)
    assert (last.items, last.trimmed) == (["wamid.0100"], 1)
    assert manager.get("ann", "history")[::99] == ["wamid.0001", "wamid.0100"]


def test_a_property_is_stored_separately(manager):
    manager.save_prop("ann", "text", "x" * 1000)
    manager.save_prop("ann", "size", "large")
    *_, last = stored(manager)
    assert isinstance(last, ValueSet)
    assert (last.key, last.field, last.value) == (manager.prop_key, "size", "large")


@pytest.mark.parametrize(
    "value", [datetime.datetime(2026, 1, 1), {1: 2}, float("nan"), 2**70, "\ud800", {"a": {1, 2}}]
)
def test_a_value_that_is_not_json_is_refused_naming_session_and_key(manager, value):
    with pytest.raises(InvalidEvent, match=r"'ann'.*'thing'"):
        manager.save("ann", "thing", value)
    assert manager.get("ann", "thing") is None
    with pytest.raises(InvalidEvent, match="globals"):
        manager.save_global("thing", value)


def test_one_bad_value_of_many_leaves_nothing_half_written(manager):
    with pytest.raises(InvalidEvent):
        manager.save_all("ann", {"good": 1, "bad": object()})
    assert manager.get("ann", "good") is None
    with pytest.raises(InvalidEvent, match="bytes"):
        manager.save("ann", "big", "x" * 2_000_000)
    with pytest.raises(InvalidEvent, match="not a string"):
        manager.save("ann", 5, "x")
    for id in (5, "", "\x1fglobals"):
        with pytest.raises(InvalidEvent):
            manager.save(id, "key", "x")


def test_a_turn_is_one_commit_and_returns_its_result(manager):
    before = manager.log.conversation("ann").version
    with manager.turn("ann"):
        manager.save("ann", "a", 1)
        manager.save("ann", "a", 2)
        manager.save("ann", "b", 1)
        manager.evict("ann", "b")
        assert manager.get("ann", "a") == 2
        assert manager.log.conversation("ann").version == before
    assert manager.log.conversation("ann").version == before + 1
    *_, last = stored(manager)
    assert (last.key, last.value) == ("a", 2)


def test_a_turn_that_raises_records_nothing(manager):
    with pytest.raises(ZeroDivisionError), manager.turn("ann"):
        _save_and_divide(manager)
    assert manager.get("ann", "a") is None
    assert manager.get_global("a") is None


def _save_and_divide(manager):
    manager.save("ann", "a", 1)
    manager.save_global("a", 1 / 0 if manager.get("ann", "a") else 2)


def test_a_turn_includes_globals_and_other_sessions(manager):
    with manager.turn("ann"):
        manager.save_global("a", 1)
        manager.save("bob", "a", 2)
        with manager.turn("ann"):
            manager.save("ann", "a", 3)
    assert [manager.get_global("a"), manager.get("bob", "a"), manager.get("ann", "a")] == [1, 2, 3]


def test_clear_and_save_in_one_turn(manager):
    manager.save_all("ann", {"a": 1, "b": 2, "c": 3})
    with manager.turn("ann"):
        manager.clear("ann")
        assert manager.fetch_all("ann") == {}
        manager.save_all("ann", {"b": 5, "d": 6})
    assert manager.fetch_all("ann") == {"b": 5, "d": 6}


def test_values_are_not_slots_or_state_and_globals_are_not_a_conversation(manager):
    manager.save("ann", "a", "b")
    manager.save_global("g", 1)
    assert manager.log.conversation("ann").slots == {}
    assert list(manager.log.ids()) == ["ann"]


def test_another_manager_on_the_same_log_reads_new_values(manager, url, clock):
    manager.save_all("ann", {"a": [1], "b": {"c": 1}})
    manager.save_global("g", 1)
    with SessionManager(log=manager.log, clock=clock) as other:
        assert other.fetch_all("ann") == manager.fetch_all("ann")
        assert other.get_global("g") == 1
        manager.save("ann", "a", [1, 2])
        assert _eventually(lambda: other.get("ann", "a") == [1, 2])
        other.save("ann", "a", [1, 2, 3])
        assert _eventually(lambda: manager.get("ann", "a") == [1, 2, 3])


def test_two_writers_keep_the_items_and_properties_of_both(manager):
    with SessionManager(log=manager.log) as other:
        manager.save("ann", "list", ["x" * 50])
        assert _eventually(lambda: other.get("ann", "list") == ["x" * 50])
        with manager.turn("ann"):
            manager.save("ann", "list", ["x" * 50, "y"])
            manager.save_prop("ann", "size", "large")
            other.log.writer.flush()
            other.store.values("ann")
            _elsewhere(other.save, "ann", "list", ["x" * 50, "z"])
            _elsewhere(other.save_prop, "ann", "colour", "red")
        assert _eventually(lambda: manager.get("ann", "list") == ["x" * 50, "z", "y"])
        assert manager.get_user_props("ann") == {"colour": "red", "size": "large"}


def _elsewhere(call, *arguments):
    """Call on another thread, outside any turn."""
    import threading

    thread = threading.Thread(target=call, args=arguments)
    thread.start()
    thread.join()


def test_a_session_begun_twice_concurrently_keeps_its_first_properties(manager):
    with SessionManager(log=manager.log) as other, manager.turn("new"):
        manager.session("new")
        _elsewhere(other.save_prop, "new", "size", "large")
    assert _eventually(lambda: manager.get_user_props("new") == {"size": "large"})
    with SessionManager(log=manager.log) as other, manager.turn("newer"):
        manager.session("newer")
        manager.save_prop("newer", "colour", "red")
        _elsewhere(other.save_prop, "newer", "size", "large")
    both = {"colour": "red", "size": "large"}
    assert _eventually(lambda: manager.get_user_props("newer") == both)


def _eventually(true, seconds=2.0):
    import time

    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.002)
    return true()


def test_projected_and_newer_values_are_read_together(manager, clock):
    from turnlog.projections.projection import catch_up
    from turnlog.projections.session_values import SessionValuesProjection

    manager.save_all("ann", {"list": ["first"], "gone": 1, "stays": 1})
    catch_up(manager.log.store, [SessionValuesProjection()])
    manager.save("ann", "list", ["first", "second"])
    manager.evict("ann", "gone")
    manager.record("ann", UserUttered("hello"))
    with SessionManager(log=manager.log) as other:
        whole = {"list": ["first", "second"], "stays": 1, manager.prop_key: {}}
        assert other.fetch_all("ann") == whole
    with SessionManager(log=manager.log) as other:
        assert other.fetch_all("ann") == whole


# --- expiry -------------------------------------------------------------------------------------


def test_a_quiet_session_loses_its_values_and_the_log_records_it(url, clock):
    with SessionManager(url, clock=clock, expiry=60) as manager:
        manager.session("ann").save("ann", "a", 1)
        clock.now += 59
        manager.save("ann", "b", 2)
        clock.now += 59
        assert manager.get("ann", "a") == 1
        clock.now += 2
        assert manager.get("ann", "a") is None
        assert manager.fetch_all("ann") is None
        manager.save("ann", "c", 3)
        assert manager.fetch_all("ann") == {"c": 3}
        cleared = [event for event in stored(manager) if isinstance(event, ValuesCleared)]
        assert [event.actor for event in cleared] == ["expiry"]


def test_globals_have_their_own_expiry(url, clock):
    with SessionManager(url, clock=clock, global_expiry=60) as manager:
        manager.save_global("g", 1)
        manager.save("ann", "a", 1)
        clock.now += 61
        assert manager.get_global("g") is None
        assert manager.get("ann", "a") == 1


def test_a_value_can_have_its_own_expiry(manager, clock):
    manager.save("ann", "code", "1234", ttl=30)
    manager.save("ann", "name", "Ann")
    clock.now += 29
    assert manager.get("ann", "code") == "1234"
    clock.now += 2
    assert manager.get("ann", "code") is None
    assert manager.get("ann", "name") == "Ann"
    manager.save("ann", "code", "1234")
    clock.now += 100
    assert manager.get("ann", "code") == "1234"
