"""A session manager over a log: pywce's small interface, with a history behind every value.

A turn commits its saves at its end; without a turn every call commits. Values are JSON values, and
reads return copies.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, overload

import turnlog
from turnlog.domain.events import Event
from turnlog.domain.streams import GLOBALS, check_id
from turnlog.domain.values import check_value, unholdable
from turnlog.encoding import binary
from turnlog.encoding.values import JSON_SCALARS, copied
from turnlog.engine.log import Turnlog
from turnlog.errors import InvalidEvent
from turnlog.sessions.store import Store
from turnlog.sessions.turn import SessionTurn, current
from turnlog.sessions.values import GONE

Type = TypeVar("Type")
NUMBERS = JSON_SCALARS - {str}

MAX_VALUE_BYTES = binary.MAX_EVENT_BYTES - 1000
"""The longest value that fits into an event together with its key."""


class SessionManager:
    """The ISessionManager of pywce and Jawce over a log. Safe to use from several threads.

    db: the log's URL; memory by default. log: an open log instead, which `close` leaves open.
    expiry: seconds without a save after which a session loses its values. global_expiry: the same
    for globals.
    """

    DEFAULT_PROP_KEY = "pywce_prop_key"

    def __init__(
        self,
        db: str | None = None,
        *,
        log: Turnlog | None = None,
        expiry: float | None = None,
        global_expiry: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._own = log is None
        self.log = log or turnlog.open(db or "memory:", clock=clock)
        self.store = Store(self.log, expiry=expiry, global_expiry=global_expiry)

    def __enter__(self) -> SessionManager:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the log if this manager opened it."""
        self.store.close()
        if self._own:
            self.log.close()

    @property
    def prop_key(self) -> str:
        """The key under which a session stores its properties."""
        return self.DEFAULT_PROP_KEY

    # --- turns ----------------------------------------------------------------------------------

    @contextmanager
    def turn(self, session_id: str) -> Iterator[SessionTurn]:
        """Commits all saves of the block, in any session, once at its end.

        Turns of one session wait for each other. A block that raises records nothing.
        """
        _own(session_id)
        if (outer := current(self.store)) is not None:
            yield outer
            return
        with self.store.turns.of(session_id):
            turn = SessionTurn(self.store, session_id)
            with turn.opened():
                yield turn
            turn.commit()

    # --- reading --------------------------------------------------------------------------------

    def session(self, session_id: str) -> SessionManager:
        """Makes sure that the session exists, with empty properties if it has none.

        Returns this manager. Cleared properties begin again empty, as in a new process of pywce.
        """
        if self.prop_key not in self._view(session_id):
            with self._turn(session_id) as turn:
                turn.put_first(_own(session_id), self.prop_key, {})
        return self

    @overload
    def get(self, session_id: str, key: str) -> Any: ...
    @overload
    def get(self, session_id: str, key: str, t: None) -> Any: ...
    @overload
    def get(self, session_id: str, key: str, t: Callable[[Any], Type]) -> Type | None: ...
    def get(self, session_id: str, key: str, t: Callable[[Any], Any] | None = None) -> Any:
        """The value under a key, converted by `t` if given; None without a value."""
        value = self._view(session_id).get(key)
        if type(value) not in JSON_SCALARS:
            value = copied(value)
        return value if t is None or value is None else t(value)

    def get_global(self, key: str, t: Callable[[Any], Any] | None = None) -> Any:
        """The global value under a key, as `get`."""
        return self.get(GLOBALS, key, t)

    def get_user_props(self, session_id: str) -> dict[str, Any]:
        """The session's properties; empty if it has none."""
        props = self.get(session_id, self.prop_key)
        return props if isinstance(props, dict) else {}

    def get_from_props(
        self, session_id: str, prop_key: str, t: Callable[[Any], Any] | None = None
    ) -> Any:
        """One property, converted by `t` if given; None without a value."""
        value = self.get_user_props(session_id).get(prop_key)
        return value if t is None or value is None else t(value)

    def fetch_all(self, session_id: str, is_global: bool = False) -> dict[str, Any] | None:
        """All keys and values; None for a session that never existed."""
        id = GLOBALS if is_global else session_id
        view = self._view(id)
        if not view and not is_global and not self._known(id):
            return None
        return {key: copied(value) for key, value in view.items()}

    def key_in_session(self, session_id: str, key: str, check_global: bool = True) -> bool:
        """Whether the session has a value under a key, or the globals if they are checked."""
        if self._view(session_id).get(key) is not None:
            return True
        return check_global and self._view(GLOBALS).get(key) is not None

    # --- writing --------------------------------------------------------------------------------

    def save(self, session_id: str, key: str, data: Any, *, ttl: float | None = None) -> None:
        """Saves a value. ttl: seconds until it expires.

        Raises InvalidEvent, naming session and key, for a value that is not a JSON value or too
        long.
        """
        self._put(_own(session_id), {key: data}, ttl=ttl)

    def save_all(self, session_id: str, data: Mapping[str, Any]) -> None:
        """Saves several values, as `save`."""
        self._put(_own(session_id), data)

    def save_global(self, key: str, data: Any) -> None:
        """Saves a global value, as `save`."""
        self._put(GLOBALS, {key: data})

    def save_prop(self, session_id: str, prop_key: str, data: Any) -> None:
        """Saves one property. Other properties that others save meanwhile stay."""
        _check(_own(session_id), prop_key, data)
        props = self.get_user_props(session_id)
        with self._turn(session_id) as turn:
            turn.put_fields(session_id, self.prop_key, {**props, prop_key: copied(data)})

    def evict(self, session_id: str, key: str) -> None:
        """Removes a value."""
        self.evict_all(session_id, [key])

    def evict_all(self, session_id: str, keys: Iterable[str]) -> None:
        """Removes several values. Raises TypeError for a string instead of a list of keys."""
        self._put(_own(session_id), dict.fromkeys(_several(keys), GONE))

    def evict_global(self, key: str) -> None:
        """Removes a global value."""
        self._put(GLOBALS, {key: GONE})

    def evict_prop(self, session_id: str, prop_key: str) -> bool:
        """Removes one property; False if the session does not have it."""
        props = self.get_user_props(session_id)
        if prop_key not in props:
            return False
        del props[prop_key]
        with self._turn(_own(session_id)) as turn:
            turn.put_fields(session_id, self.prop_key, props)
        return True

    def clear(self, session_id: str, retain_keys: Iterable[str] | None = None) -> None:
        """Removes all values. With keys to retain, those values and the properties stay."""
        retained = _several(() if retain_keys is None else retain_keys)
        for key in retained:
            _check(session_id, key, GONE)
        with self._turn(_own(session_id)) as turn:
            turn.clear(session_id, [*retained, self.prop_key] if retained else [])

    def clear_global(self) -> None:
        """Removes all global values."""
        with self._turn(GLOBALS) as turn:
            turn.clear(GLOBALS, [])

    def record(self, session_id: str, *events: Event) -> None:
        """Records further events of the conversation, in the open turn's commit if there is one."""
        with self._turn(_own(session_id)) as turn:
            turn.record(session_id, *events)

    # --- inside ---------------------------------------------------------------------------------

    def _view(self, id: str) -> dict[str, Any]:
        """A session's values, with the changes of the open turn."""
        turn = current(self.store)
        return self.store.values(id).held if turn is None else turn.view(id)

    def _known(self, id: str) -> bool:
        turn = current(self.store)
        return self.store.values(id).known if turn is None else turn.known(id)

    def _put(self, session_id: str, data: Mapping[str, Any], *, ttl: float | None = None) -> None:
        for key, value in data.items():
            _check(session_id, key, value)
        with self._turn(session_id) as turn:
            for key, value in data.items():
                turn.put(session_id, key, copied(value), ttl=ttl)

    @contextmanager
    def _turn(self, session_id: str) -> Iterator[SessionTurn]:
        """The open turn, or one for this call alone, which waits for no other turn."""
        if (turn := current(self.store)) is not None:
            yield turn
            return
        turn = SessionTurn(self.store, session_id)
        yield turn
        turn.commit()


def _own(session_id: str) -> str:
    if not isinstance(session_id, str):
        raise InvalidEvent(repr(session_id), "conversation", "must be a string")
    check_id(session_id)
    return session_id


def _several(keys: Iterable[str]) -> list[str]:
    """Raises TypeError for a string, which is also an iterable of its letters."""
    if isinstance(keys, str | bytes):
        raise TypeError(f"keys must be a list, not {keys!r:.80}; write [{keys!r:.80}]")
    return list(keys)


def _check(session_id: str, key: str, value: Any) -> None:
    """Raises InvalidEvent now for what could not be stored at the end of the turn."""
    name = "globals" if session_id == GLOBALS else session_id
    if not isinstance(key, str):
        raise InvalidEvent(name, "session key", f"{key!r:.80} is not a string")
    check_value(name, "session key", key)
    if value is GONE:
        return
    field = f"session value {key!r:.80}"
    if (why := unholdable(value)) is not None:
        raise InvalidEvent(name, field, f"{value!r:.80} {why}")
    if type(value) not in NUMBERS and (size := len(binary.encode(value))) > MAX_VALUE_BYTES:
        why = f"has {size:,} bytes, more than the {MAX_VALUE_BYTES:,} a value may have"
        raise InvalidEvent(name, field, why)
