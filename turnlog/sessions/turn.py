"""Saves between two commits: the values as a bot sees them, and their changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from turnlog.domain.events import Event, ValuesCleared, ValueSet
from turnlog.engine.request import Recorded, Request
from turnlog.errors import VersionConflict
from turnlog.projections.session_values import Values
from turnlog.sessions.store import Store
from turnlog.sessions.values import GONE, changes, fields

_open: ContextVar[SessionTurn | None] = ContextVar("turnlog_session_turn", default=None)


def current(store: Store) -> SessionTurn | None:
    """The turn that is open here, if it belongs to this store."""
    turn = _open.get()
    return turn if turn is not None and turn.store is store else None


class _Draft:
    """One session in a turn: `base` as stored, `view` as the bot sees it, and the touched keys.

    first_only: keys that are written only if no one else has written the session meanwhile.
    by_field: keys of objects whose fields are written one by one.
    """

    def __init__(self, base: Values) -> None:
        self.rebase(base)
        self.touched: dict[str, None] = {}
        self.first_only: set[str] = set()
        self.by_field: set[str] = set()
        self.ends: dict[str, float] = {}
        self.cleared = False

    def rebase(self, base: Values) -> None:
        self.base = base
        self.view = dict(base.held)

    def put(self, key: str, value: Any) -> None:
        self.touched[key] = None
        if value is GONE:
            self.view.pop(key, None)
        else:
            self.view[key] = value

    def events(self) -> Iterator[Event]:
        old = self.base.held
        if self.cleared:
            kept = tuple(key for key in old if key in self.view)
            if len(kept) < len(old):
                yield ValuesCleared(retained=kept)
                old = {key: old[key] for key in kept}
        for key in self.touched:
            new = self.view.get(key, GONE)
            if key in self.ends and new is not GONE:
                yield ValueSet(key=key, value=new, expires=self.ends[key])
            elif key in self.by_field and isinstance(new, dict):
                held = old.get(key)
                yield from fields(key, held if isinstance(held, dict) else {}, new)
            else:
                yield from changes(key, old.get(key, GONE), new)


class SessionTurn:
    """Saves that are committed together. Use it in one thread only."""

    def __init__(self, store: Store, session_id: str) -> None:
        self.store = store
        self.session_id = session_id
        self._drafts: dict[str, _Draft] = {}
        self._events: dict[str, list[Event]] = {}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """In this block, calls of a manager go to this turn."""
        token = _open.set(self)
        try:
            yield
        finally:
            _open.reset(token)

    def view(self, id: str) -> dict[str, Any]:
        """A session's values with this turn's changes."""
        return self._draft(id).view

    def known(self, id: str) -> bool:
        """Whether the session exists, in the log or in this turn."""
        draft = self._draft(id)
        return draft.base.known or bool(draft.touched)

    def _draft(self, id: str) -> _Draft:
        draft = self._drafts.get(id)
        if draft is None:
            draft = self._drafts[id] = _Draft(self.store.values(id))
        return draft

    def put(self, id: str, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Saves a value. GONE removes the key. ttl: seconds until the value expires."""
        draft = self._draft(id)
        draft.put(key, value)
        draft.first_only.discard(key)
        draft.by_field.discard(key)
        draft.ends.pop(key, None)
        if ttl is not None:
            draft.ends[key] = self.store.log.clock() + ttl

    def put_fields(self, id: str, key: str, value: dict[str, Any]) -> None:
        """Saves an object; only its changed fields are written."""
        self.put(id, key, value)
        self._draft(id).by_field.add(key)

    def put_first(self, id: str, key: str, value: Any) -> None:
        """Saves a value unless someone else writes the session before this turn is committed."""
        draft = self._draft(id)
        draft.put(key, value)
        draft.first_only.add(key)

    def clear(self, id: str, retained: Iterable[str]) -> None:
        """Removes all values but those of the retained keys."""
        draft, kept = self._draft(id), set(retained)
        draft.cleared = True
        for key in [key for key in draft.view if key not in kept]:
            draft.put(key, GONE)

    def record(self, id: str, *events: Event) -> None:
        """Records further events of a conversation with the next commit, before its values."""
        self._events.setdefault(id, []).extend(events)

    # --- committing -----------------------------------------------------------------------------

    def commit(self, key: str | None = None) -> dict[str, Recorded]:
        """Commits the changes of all sessions together; does nothing without changes.

        key: the idempotency key of the turn's own session.
        """
        requests = {id: request for id in self._ids() if (request := self._request(id, key))}
        done: dict[str, Recorded] = {}
        while requests:
            failed: list[Exception] = []
            again: dict[str, Request] = {}
            for id, outcome in self.store.commit(requests).items():
                if isinstance(outcome, Recorded):
                    done[id] = outcome
                    self._settled(id)
                elif isinstance(outcome, VersionConflict):
                    if (request := self._rebased(id, key)) is not None:
                        again[id] = request
                else:
                    failed.append(outcome)
            if failed:
                raise failed[0]
            requests = again
        return done

    def _ids(self) -> list[str]:
        return list(dict.fromkeys([*self._events, *self._drafts]))

    def _request(self, id: str, key: str | None) -> Request | None:
        log, draft = self.store.log, self._draft(id)
        events = [*self._events.get(id, ()), *draft.events()]
        if not events:
            return None
        lapsed = draft.base.lapsed
        if lapsed:
            events.insert(0, ValuesCleared(actor="expiry"))
        now = log.clock()
        expected = draft.base.version if lapsed or draft.first_only else None
        own = key if id == self.session_id else None
        return Request(id, lambda state, history: events, now, now, own, expected)

    def _settled(self, id: str) -> None:
        """Continues the session from what is recorded now."""
        self._events.pop(id, None)
        del self._drafts[id]

    def _rebased(self, id: str, key: str | None) -> Request | None:
        """The same changes on top of what others wrote meanwhile."""
        self.store.forget(id)
        draft = self._draft(id)
        wanted = {name: draft.view.get(name, GONE) for name in draft.touched}
        draft.rebase(self.store.values(id))
        if draft.cleared:
            draft.view.clear()
        for name, value in wanted.items():
            if name in draft.by_field and isinstance(value, dict):
                value = {**draft.view.get(name, {}), **value}
            if name not in draft.first_only:
                draft.put(name, value)
        draft.first_only.clear()
        return self._request(id, key)
