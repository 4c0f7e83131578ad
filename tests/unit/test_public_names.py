"""What `import turnlog` gives, and that both faces of a log say the same."""

from __future__ import annotations

import inspect
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import turnlog
from tests.stored import rows_of
from turnlog import AsyncTurnlog, Turnlog, UserUttered
from turnlog.domain.events import EVENTS
from turnlog.engine.eventsourcing import ConversationApplication

NAMES = [
    "AsyncTurnlog", "Attachment", "Chunk", "Commit", "Conversation", "Dialogue", "Message",
    "RecordedEvent", "Slot", "State", "Turn", "Turnlog", "aopen", "Act", "Context", "Entity",
    "Event", "Frame", "Intent", "Span", "Usage", "Versions",
]  # fmt: skip

OF_THE_WRITER = {
    "check_deletable", "checkout_request", "end", "fork_request", "history", "import_request",
    "keyed", "next_commits", "past", "request",
}  # fmt: skip
"""In the synchronous face only: what other modules of the package build on."""

OF_THE_LOOP = {"read", "submit"}
"""In the awaitable face only: its pool of readers and its queue."""


def test_the_public_names_are_these() -> None:
    assert sorted(turnlog.__all__) == sorted({*NAMES, *(event.__name__ for event in EVENTS)})


def test_no_other_name_is_public() -> None:
    assert all(getattr(turnlog, name) is not None for name in turnlog.__all__)  # imports them
    modules = {name for name, value in vars(turnlog).items() if isinstance(value, ModuleType)}
    public = {name for name in dir(turnlog) if not name.startswith("_")}
    assert public - modules == {*turnlog.__all__, "open"}


def test_a_star_leaves_the_builtin_open() -> None:
    names: dict[str, Any] = {}
    exec("from turnlog import *", names)
    assert "UserUttered" in names
    assert "open" not in names


def methods(face: type[Any]) -> dict[str, inspect.Signature]:
    """The public methods that a face declares, without those of eventsourcing's application."""
    ours = [k for k in face.__mro__ if k.__module__.startswith("turnlog.engine.")]
    kinds = [kind for kind in ours if kind not in ConversationApplication.__mro__]
    declared = {name: value for kind in kinds for name, value in vars(kind).items()}
    found = {n: v for n, v in declared.items() if inspect.isfunction(v) and n[0] != "_"}
    return {name: inspect.signature(method) for name, method in found.items()}


def test_both_faces_have_the_same_methods_with_the_same_parameters() -> None:
    plain, awaitable = methods(Turnlog), methods(AsyncTurnlog)
    assert set(plain) - set(awaitable) == OF_THE_WRITER
    assert set(awaitable) - set(plain) == OF_THE_LOOP
    shared = sorted(set(plain) & set(awaitable))
    assert len(shared) >= 12
    for name in shared:
        assert plain[name].parameters == awaitable[name].parameters, name
        assert answer(plain[name]) == answer(awaitable[name]), name


def answer(signature: inspect.Signature) -> str:
    """The type of the result, awaited or not."""
    return str(signature.return_annotation).removeprefix("Async")


async def test_both_faces_mean_the_same(tmp_path: Path) -> None:
    dialogue = turnlog.Dialogue("old", (UserUttered("hello"),))

    def command(state: turnlog.State, past: Any) -> list[turnlog.Event]:
        return [UserUttered(f"after {state.event}")]

    with turnlog.open(f"sqlite:///{tmp_path}/plain.db", clock=lambda: 5.0) as log:
        log.record("a", UserUttered("hi"), key="k")
        log.perform("a", command)
        log.import_dialogue(dialogue)
        log.record("gone", UserUttered("x"))
        log.delete("gone", "why")
        plain = [
            log.conversation("a", version=1).turn, list(log.ids()),
            [state for _, state in log.heads()],
            log.read_events("a", 1), log.view("transcript").get("a", "000000000001"),
            list(islice(log.follow(0), 5)), log.wait("a", 1),
        ]  # fmt: skip
    async with turnlog.aopen(f"sqlite:///{tmp_path}/awaited.db", clock=lambda: 5.0) as alog:
        await alog.record("a", UserUttered("hi"), key="k")
        await alog.perform("a", command)
        await alog.import_dialogue(dialogue)
        await alog.record("gone", UserUttered("x"))
        await alog.delete("gone", "why")
        followed = []
        async for commit in alog.follow(0):
            followed.append(commit)
            if len(followed) == 5:
                break
        view = await alog.view("transcript")
        awaited = [
            (await alog.conversation("a", version=1)).turn, [id async for id in alog.ids()],
            [state async for _, state in alog.heads()], await alog.read_events("a", 1),
            await alog.read(lambda _: view.get("a", "000000000001")), followed,
            await alog.wait("a", 1),
        ]  # fmt: skip
        with pytest.raises(turnlog.errors.UnknownConversation):
            await alog.delete("gone")
    assert awaited == plain
    assert plain[1] == ["a", "old"]


async def test_importing_a_dialogue_stores_it_on_both_faces() -> None:
    dialogue = turnlog.Dialogue("old", (UserUttered("hello"),))
    async with turnlog.aopen("memory:") as log:
        assert (await log.import_dialogue(dialogue)).events == list(dialogue.events)
        assert log.sync.import_dialogue(dialogue).events == []
        assert len(rows_of(log.sync.store.reader, "old")) == 1
