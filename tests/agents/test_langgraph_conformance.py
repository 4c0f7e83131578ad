"""LangGraph's own conformance kit, complete, on each back end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from langgraph.checkpoint.base import Checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from tests.parts import postgres as postgres_part
from turnlog.agents.langgraph import TurnlogSaver

if TYPE_CHECKING:
    from tests.parts.server import Server

TESTS = {
    "put": 17, "put_writes": 10, "get_tuple": 10, "list": 16, "delete_thread": 5,
    "delete_for_runs": 7, "copy_thread": 8, "prune": 8,
}  # fmt: skip
"""The kit's tests of each capability; its next version has eight more of delta channels."""


@pytest.fixture
def sqlite_urls(tmp_path: Path) -> Iterator[str]:
    return (f"sqlite:///{tmp_path}/{number}.db" for number in itertools.count())


@pytest.fixture
def postgres_urls(postgres: Server) -> Iterator[Iterator[str]]:
    made: list[str] = []

    def fresh() -> Iterator[str]:
        while True:
            made.append(postgres_part.fresh_database(postgres.url))
            yield made[-1]

    yield fresh()
    for url in made:
        postgres_part.drop_database(url)


def test_the_whole_kit_passes_on_sqlite(sqlite_urls: Iterator[str]):
    check(sqlite_urls)


def test_the_whole_kit_passes_on_postgres(postgres_urls: Iterator[str]):
    check(postgres_urls)


def check(urls: Iterator[str]) -> None:
    @checkpointer_test(name="TurnlogSaver")
    async def saver() -> AsyncIterator[TurnlogSaver]:
        async with TurnlogSaver(next(urls)) as opened:
            yield opened

    results = asyncio.run(validate(saver)).results
    assert [failure for each in results.values() for failure in each.failures or ()] == []
    passed = {name: each.tests_passed for name, each in results.items()}
    assert {name: passed[name] for name in TESTS if passed[name] < TESTS[name]} == {}
    assert all(each.detected for each in results.values())
    assert sum(passed.values()) >= 81


# --- delta channels, as the next kit asks for them ----------------------------------------------


@pytest.fixture
def saver(tmp_path: Path) -> Iterator[TurnlogSaver]:
    with TurnlogSaver(f"sqlite:///{tmp_path}/chat.db") as opened:
        yield opened


def chain(saver: TurnlogSaver, values: dict[int, object], steps: int) -> dict:
    """Checkpoints that store a value of `ch` at some steps, with a write at each."""
    config = {"configurable": {"thread_id": "alice", "checkpoint_ns": ""}}
    for step in range(steps):
        held = {"ch": values[step]} if step in values else {}
        versions = {"ch": step + 1} if held else {}
        checkpoint = Checkpoint(
            v=1, id=str(uuid6(clock_seq=-1)), ts="", channel_values=held,
            channel_versions=versions, versions_seen={}, updated_channels=None,
        )  # fmt: skip
        config = saver.put(config, checkpoint, {"source": "loop", "step": step}, versions)
        saver.put_writes(config, [("ch", step)], str(uuid4()))
    return config


@pytest.mark.parametrize(
    ("values", "seed", "writes"),
    [
        ({0: _DeltaSnapshot("a")}, _DeltaSnapshot("a"), [0, 1, 2, 3]),
        ({0: _DeltaSnapshot("a"), 2: _DeltaSnapshot("b")}, _DeltaSnapshot("b"), [2, 3]),
        ({1: [10, 20]}, [10, 20], [1, 2, 3]),
        ({}, None, [0, 1, 2, 3]),
    ],
)
@pytest.mark.parametrize("pruned", [False, True])
def test_a_delta_channel_is_read_from_its_nearest_value(
    saver: TurnlogSaver, values: dict[int, object], seed: object, writes: list[int], pruned: bool
):
    head = chain(saver, values, 5)
    if pruned:
        saver.prune(["alice"])
        assert len(list(saver.list({"configurable": {"thread_id": "alice"}}))) == 1
    history = saver.get_delta_channel_history(config=head, channels=["ch"])["ch"]
    assert [write[2] for write in history["writes"]] == writes
    assert history.get("seed") == seed
    assert saver.get_delta_channel_history(config=head, channels=[]) == {}


def test_each_delta_channel_is_read_from_its_own_value(saver: TurnlogSaver):
    config: dict = {"configurable": {"thread_id": "alice", "checkpoint_ns": ""}}
    for step in range(5):
        held = {1: {"a": _DeltaSnapshot("a")}, 3: {"b": _DeltaSnapshot("b")}}.get(step, {})
        versions = dict.fromkeys(held, step + 1)
        checkpoint = Checkpoint(
            v=1, id=str(uuid6(clock_seq=-1)), ts="", channel_values=held,
            channel_versions=versions, versions_seen={}, updated_channels=None,
        )  # fmt: skip
        config = saver.put(config, checkpoint, {"source": "loop", "step": step}, versions)
        saver.put_writes(config, [("a", step), ("b", step)], str(uuid4()))
    found = saver.get_delta_channel_history(config=config, channels=["a", "b"])
    writes = {name: [write[2] for write in held["writes"]] for name, held in found.items()}
    assert writes == {"a": [1, 2, 3], "b": [3]}  # not those at the head, which are pending
