"""A session manager over a log: pywce's small interface, with a history behind every value.

What a turn saves is committed at its end; without a turn every call commits. What is read is a
copy. Values are JSON values.
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
"""What fits into an event with its key and the rest."""


class SessionManager:
    """pywce's ISessionManager and Jawce's, over a log; safe to use from several threads.

    db: the log's URL, memory alone without one; or an open `log`, which close leaves open.
    expiry: seconds without a save after which a session has lost its values; global_expiry: the
    same for globals.
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
        self.store.close()
        if self._own:
            self.log.close()

    @property
    def prop_key(self) -> str:
        return self.DEFAULT_PROP_KEY

    # --- turns ----------------------------------------------------------------------------------

    @contextmanager
    def turn(self, session_id: str) -> Iterator[SessionTurn]:
        """What is saved in the block, in any session, is one commit at its end.

        Turns of one session wait for each other. A block that raises records nothing of it.
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
        """The session exists from here on; without properties it gets none. Returns this manager.

        Properties that were cleared begin anew, as in a new process of pywce.
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
        """The value under a key, through `t` if given; None where there is none."""
        value = self._view(session_id).get(key)
        if type(value) not in JSON_SCALARS:
            value = copied(value)
        return value if t is None or value is None else t(value)

    def get_global(self, key: str, t: Callable[[Any], Any] | None = None) -> Any:
        return self.get(GLOBALS, key, t)

    def get_user_props(self, session_id: str) -> dict[str, Any]:
        props = self.get(session_id, self.prop_key)
        return props if isinstance(props, dict) else {}

    def get_from_props(
        self, session_id: str, prop_key: str, t: Callable[[Any], Any] | None = None
    ) -> Any:
        value = self.get_user_props(session_id).get(prop_key)
        return value if t is None or value is None else t(value)

    def fetch_all(self, session_id: str, is_global: bool = False) -> dict[str, Any] | None:
        """Every key and value; None for a session that never was."""
        id = GLOBALS if is_global else session_id
        view = self._view(id)
        if not view and not is_global and not self._known(id):
            return None
        return {key: copied(value) for key, value in view.items()}

    def key_in_session(self, session_id: str, key: str, check_global: bool = True) -> bool:
        if self._view(session_id).get(key) is not None:
            return True
        return check_global and self._view(GLOBALS).get(key) is not None

    # --- writing --------------------------------------------------------------------------------

    def save(self, session_id: str, key: str, data: Any, *, ttl: float | None = None) -> None:
        """ttl: seconds after which the value is gone.

        Raises InvalidEvent for what is no JSON value, naming session and key.
        """
        self._put(_own(session_id), {key: data}, ttl=ttl)

    def save_all(self, session_id: str, data: Mapping[str, Any]) -> None:
        self._put(_own(session_id), data)

    def save_global(self, key: str, data: Any) -> None:
        self._put(GLOBALS, {key: data})

    def save_prop(self, session_id: str, prop_key: str, data: Any) -> None:
        _check(_own(session_id), prop_key, data)
        props = self.get_user_props(session_id)
        with self._turn(session_id) as turn:
            turn.put_fields(session_id, self.prop_key, {**props, prop_key: copied(data)})

    def evict(self, session_id: str, key: str) -> None:
        self.evict_all(session_id, [key])

    def evict_all(self, session_id: str, keys: Iterable[str]) -> None:
        self._put(_own(session_id), dict.fromkeys(_several(keys), GONE))

    def evict_global(self, key: str) -> None:
        self._put(GLOBALS, {key: GONE})

    def evict_prop(self, session_id: str, prop_key: str) -> bool:
        props = self.get_user_props(session_id)
        if prop_key not in props:
            return False
        del props[prop_key]
        with self._turn(_own(session_id)) as turn:
            turn.put_fields(session_id, self.prop_key, props)
        return True

    def clear(self, session_id: str, retain_keys: Iterable[str] | None = None) -> None:
        """Remove every value; with keys to retain, those and the properties stay."""
        retained = _several(() if retain_keys is None else retain_keys)
        for key in retained:
            _check(session_id, key, GONE)
        with self._turn(_own(session_id)) as turn:
            turn.clear(session_id, [*retained, self.prop_key] if retained else [])

    def clear_global(self) -> None:
        with self._turn(GLOBALS) as turn:
            turn.clear(GLOBALS, [])

    def record(self, session_id: str, *events: Event) -> None:
        """Further events of the conversation, in the turn's commit where one is open."""
        with self._turn(_own(session_id)) as turn:
            turn.record(session_id, *events)

    # --- inside ---------------------------------------------------------------------------------

    def _view(self, id: str) -> dict[str, Any]:
        """A session's values, with what the open turn changed."""
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
        raise InvalidEvent(repr(session_id), "conversation", "an id is a string")
    check_id(session_id)
    return session_id


def _several(keys: Iterable[str]) -> list[str]:
    """Raises TypeError for a string, which would be taken for as many keys as it has letters."""
    if isinstance(keys, str | bytes):
        raise TypeError(f"keys are a list, not {keys!r:.80}: write [{keys!r:.80}]")
    return list(keys)


def _check(session_id: str, key: str, value: Any) -> None:
    """Raise InvalidEvent now for what could not be stored when the turn is committed."""
    name = "globals" if session_id == GLOBALS else session_id
    if not isinstance(key, str):
        raise InvalidEvent(name, "session key", f"{key!r:.80} is no string")
    check_value(name, "session key", key)
    if value is GONE:
        return
    field = f"session value {key!r:.80}"
    if (why := unholdable(value)) is not None:
        raise InvalidEvent(name, field, f"{value!r:.80} {why}")
    if type(value) not in NUMBERS and (size := len(binary.encode(value))) > MAX_VALUE_BYTES:
        why = f"has {size:,} bytes, more than the {MAX_VALUE_BYTES:,} a value may have"
        raise InvalidEvent(name, field, why)
