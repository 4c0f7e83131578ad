"""Every projection is registered, and so verified, rebuilt and counted."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnlog
from turnlog import (
    BotUttered,
    PromptArmed,
    SlotSet,
    ThreadStarted,
    Turnlog,
    UserIdentified,
    UserUttered,
    ValueSet,
)
from turnlog.audit.verify import verify
from turnlog.cli.upkeep import _counted
from turnlog.dialogs.timers import RepeatingDialog, Timers
from turnlog.domain.streams import GLOBALS
from turnlog.projections import PROJECTIONS
from turnlog.projections.keyed import KeyedProjection
from turnlog.projections.projection import catch_up, rebuild
from turnlog.projections.tree import TREE
from turnlog.storage.recorder import Recorder

BUILT_IN = [name for name in PROJECTIONS if not isinstance(PROJECTIONS[name], KeyedProjection)]
"""Those of doors are registered too once another test has opened one."""

PACKAGE = Path(turnlog.__file__).parent


def written_down() -> Iterator[str]:
    """The classes of the package that fold commits into a view, whatever their names."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and _folds(node):
                yield node.name


def _folds(node: ast.ClassDef) -> bool:
    """Whether it has `apply(self, commits, view)` and is not a protocol or base of others."""
    signatures = {
        part.name: [argument.arg for argument in part.args.args]
        for part in node.body
        if isinstance(part, ast.FunctionDef)
    }
    protocol = any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
    base = protocol or "keys" in signatures
    folds = signatures.get("apply"), signatures.get("take")
    return not base and (folds[0] == _COMMITS or folds[1] == _ROWS)


_COMMITS, _ROWS = ["self", "commits", "view"], ["self", "rows", "view"]


@pytest.fixture
def log() -> Iterator[Turnlog]:
    with turnlog.open("memory:", clock=lambda: 1000.0) as opened:
        opened.record("alice", UserUttered("a table"), SlotSet("people", 2), ValueSet("k", [1]))
        opened.record("alice", ThreadStarted("u", "s"), BotUttered("when?"))
        opened.record("alice", PromptArmed("t", due=2000.0, text="when?"), UserIdentified("al"))
        opened.hold("alice", reason="a case", actor="legal")
        catch_up(opened.store, PROJECTIONS.values())
        yield opened


def test_every_projection_is_registered() -> None:
    found = sorted(written_down())
    assert len(found) >= 4
    registered = [type(PROJECTIONS[name]).__name__ for name in BUILT_IN]
    assert found == sorted([*registered, type(TREE).__name__])  # the tree is verified separately


def test_a_model_is_registered_under_its_own_name() -> None:
    assert {name: p.name for name, p in PROJECTIONS.items()} == {name: name for name in PROJECTIONS}


@pytest.mark.parametrize("model", BUILT_IN)
def test_a_changed_a_removed_and_an_added_entry_are_found(log: Turnlog, model: str) -> None:
    assert verify(log.store).faults == []
    entry = next(log.store.reader.entries(model))
    for where, value in [(entry[:2], b"\xc0"), (entry[:2], None), (("x", "y"), b"\xc0")]:
        put(log.store, model, *where, value)
        (fault,) = verify(log.store).faults
        assert repr(model) in fault.what
        put(log.store, model, *entry)
        put(log.store, model, "x", "y", None)
    assert verify(log.store).faults == []


@pytest.mark.parametrize("model", BUILT_IN)
def test_a_rebuild_repairs_a_model(log: Turnlog, model: str) -> None:
    before = list(log.store.reader.entries(model))
    assert before
    with log.store.transaction() as transaction:
        transaction.clear(model)
    put(log.store, model, "x", "y", b"\xc0")
    rebuild(log.store, PROJECTIONS[model])
    assert list(log.store.reader.entries(model)) == before
    assert verify(log.store).faults == []


def test_stats_show_the_position_of_each_model(log: Turnlog) -> None:
    assert _counted(log)["read_models"] == dict.fromkeys(PROJECTIONS, 4)


async def test_a_log_whose_prompts_were_served_is_whole(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/chat.db"
    async with turnlog.aopen(url, clock=lambda: 1000.0) as log:
        await log.record("alice", ThreadStarted("u", "s"), PromptArmed("t", due=2000.0))
        await Timers(log, RepeatingDialog()).fire_due()
        assert log.sync.store.reader.checkpoint("due_prompts") is not None
        assert verify(log.sync.store).faults == []


def test_the_logs_own_streams_are_verified_and_not_counted(log: Turnlog) -> None:
    counted = verify(log.store)
    log.writer.perform(log.request("bob", [UserUttered("hi")]))
    log.writer.perform(
        turnlog.engine.request.Request(GLOBALS, lambda state, past: [ValueSet("g", 1)], 5.0)
    )
    found = verify(log.store)
    assert (found.conversations, found.events) == (counted.conversations + 1, counted.events + 1)
    assert verify(log.store, [GLOBALS]).conversations == 0


def put(store: Recorder, model: str, conversation: str, key: str, value: bytes | None) -> None:
    with store.transaction() as transaction:
        transaction.put(model, [(conversation, key, value)])
