"""pydantic-ai's conversation store on a log, with its in-memory store as the oracle."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic_ai import Agent
from pydantic_ai import messages as m
from pydantic_ai.conversation import Conversation
from pydantic_ai.conversation_store import (
    ConversationConflict,
    ConversationRecord,
    ConversationStore,
    InMemoryConversationStore,
)
from pydantic_ai.exceptions import UserError
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RequestUsage, RunUsage

import turnlog
import turnlog.openai
from tests.made_up_model import made_up_model
from tests.parts import ROOT
from turnlog import (
    AgentUttered,
    BotUttered,
    Entity,
    ForeignRecorded,
    MessageEdited,
    MessageRedacted,
    MessageUnderstood,
    ToolCalled,
    ToolReturned,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.agents.pydantic_ai import TurnlogConversationStore
from turnlog.agents.pydantic_ai.messages import read
from turnlog.agents.pydantic_ai.saving import document
from turnlog.audit.rebuilding import rebuild
from turnlog.audit.verify import verify
from turnlog.domain.message_equality import alike
from turnlog.domain.message_parts import ToolResult
from turnlog.storage.postgres_tables import PostgresReader
from turnlog.storage.sqlite_tables import SqliteReader

STEPS = 10_000 if os.environ.get("TURNLOG_FAULTS") == "long" else 60
NOW = datetime(2026, 1, 1, tzinfo=UTC)


# --- made-up runs -------------------------------------------------------------------------------


def said(chance: random.Random) -> list[m.ModelMessage]:
    """What a run adds: any parts, as they are after one round trip of pydantic-ai's own JSON."""
    made: list[m.ModelMessage] = []
    for _ in range(chance.randint(1, 3)):
        made.append(request(chance))
        made.append(response(chance))
    adapter = m.ModelMessagesTypeAdapter
    return adapter.validate_python(adapter.dump_python(made, mode="json"))


def word(chance: random.Random) -> str:
    return chance.choice(["", "yes", "no", "naïve 😀", "a table for two", "4111", '{"a": 1}'])


def value(chance: random.Random) -> Any:
    return chance.choice([None, 1, 1.0, True, "yes", [1, "no"], {"a": 1, "b": {"kind": "binary"}}])


def request(chance: random.Random) -> m.ModelRequest:
    image = m.BinaryContent(data=bytes([251, 255, 3]), media_type="image/png")
    parts: list[Callable[[], Any]] = [
        lambda: m.SystemPromptPart(word(chance), timestamp=NOW),
        lambda: m.UserPromptPart(word(chance), timestamp=NOW),
        lambda: m.UserPromptPart(
            [word(chance), m.ImageUrl("https://example.org/a.png"), image, m.CachePoint()],
            timestamp=NOW,
        ),
        lambda: m.ToolReturnPart("search", value(chance), "call_1", timestamp=NOW),
        lambda: m.ToolReturnPart("search", word(chance), "call_1", outcome="failed", timestamp=NOW),
        lambda: m.RetryFeedbackPart(
            word(chance), retry=m.RetryInfo(cause="no_output"), timestamp=NOW
        ),
    ]
    chosen = [chance.choice(parts)() for _ in range(chance.randint(0, 3))]
    return m.ModelRequest(chosen, instructions=chance.choice([None, "Be brief."]))


def response(chance: random.Random) -> m.ModelResponse:
    image = m.BinaryContent(data=b"\xff\xfe", media_type="image/png")
    parts: list[Callable[[], Any]] = [
        lambda: m.TextPart(word(chance)),
        lambda: m.ThinkingPart(word(chance), signature=chance.choice([None, "sig"])),
        lambda: m.ToolCallPart("search", chance.choice(['{"a":1}', '{"a": 1}', "{broken"]), "c1"),
        lambda: m.ToolCallPart("search", {"a": value(chance)}, "c2"),
        lambda: m.NativeToolCallPart("web", {"q": word(chance)}, "c3"),
        lambda: m.NativeToolReturnPart("web", value(chance), "c3", timestamp=NOW),
        lambda: m.FilePart(image),
        lambda: m.CompactionPart(word(chance)),
    ]
    chosen = [chance.choice(parts)() for _ in range(chance.randint(0, 3))]
    usage = RequestUsage(input_tokens=chance.randint(0, 2), output_tokens=3)
    return m.ModelResponse(chosen, usage=usage, model_name="made-up", timestamp=NOW)


def timeless(found: Any) -> Any:
    """Without the time of the save, which each store takes from its own clock."""
    if isinstance(found, list):
        return [timeless(each) for each in found]
    return replace(found, updated_at=NOW) if isinstance(found, ConversationRecord) else found


# --- the oracle ---------------------------------------------------------------------------------


class Pair:
    """Does the same with both stores and finds the same in both."""

    def __init__(self, ours: ConversationStore, patch: pytest.MonkeyPatch) -> None:
        self.stores = (ours, InMemoryConversationStore())
        self.ids = count()
        self._patch = patch
        self.names = [f"c{number}" for number in range(5)]

    async def both(self, act: Callable[[ConversationStore], Any]) -> Any:
        """The outcome, which is the same in both; ids are the same too."""
        began = next(self.ids) * 1000
        ended = []
        for store in self.stores:
            numbers = count(began)
            self._patch.setattr(
                "pydantic_ai.conversation_store.uuid7", lambda n=numbers: f"id-{next(n)}"
            )
            try:
                ended.append(timeless(await act(store)))
            except (UserError, LookupError) as error:
                ended.append(type(error))
        assert ended[0] == ended[1]
        return ended[1]

    async def check(self) -> None:
        records = await self.both(lambda store: store.list_conversations())
        for record in records:
            await self.both(lambda store, r=record: store.load_entries(r.conversation_id))
            for tip in record.branches:
                await self.both(lambda store, tip=tip: store.read_history(tip))


async def step(pair: Pair, chance: random.Random) -> None:
    id = chance.choice(pair.names[-8:])
    kind = chance.choice(["run", "run", "run", "window", "rewrite", "branch", "fork", "stale",
                          "delete", "empty", "entry"])  # fmt: skip
    seed = chance.random()

    async def run(store: ConversationStore, limit: int | None = None) -> Any:
        own = random.Random(seed)
        loaded = await store.load(id, limit=limit) or Conversation(conversation_id=id)
        loaded.messages.extend(said(own))
        loaded.usage = loaded.usage + RunUsage(requests=1)
        stored = await store.save(loaded, scope=None)
        return stored, loaded.revision

    async def rewrite(store: ConversationStore) -> Any:
        own = random.Random(seed)
        if (loaded := await store.load(id)) is None:
            return None
        kept = loaded.messages[: own.randint(0, len(loaded.messages))]
        rewritten = Conversation(
            messages=[*kept, *said(own)], conversation_id=id, revision=loaded.revision
        )
        return await store.save(rewritten)

    async def branch(store: ConversationStore) -> Any:
        own = random.Random(seed)
        record = await store.read_record(id)
        entries = await store.load_entries(id) or []
        if record is None:
            return None
        tips = [*record.branches, *(entry.id for entry in entries)]
        at = {"at": own.randint(0, len(entries) + 1)} if own.random() < 0.5 or not tips else {}
        where = at or {"from_entry": own.choice(tips)}
        return (await store.branch(id, expected_revision=record.revision, **where)).messages

    async def fork(store: ConversationStore) -> Any:
        own = random.Random(seed)
        entries = await store.load_entries(id) or []
        there = await pair.stores[1].list_conversations()
        new = own.choice([f"f{len(pair.names)}", *(record.conversation_id for record in there)])
        at = own.choice([None, own.randint(0, len(entries))])
        forked = await store.fork(id, at=at, new_conversation_id=new, scope=own.choice([None, "x"]))
        return forked.messages

    async def stale(store: ConversationStore) -> Any:
        return await store.save(Conversation(conversation_id=id, revision="another"))

    async def empty(store: ConversationStore) -> Any:
        loaded = await store.load(id) or Conversation(conversation_id=id)
        return await store.save(loaded, scope=None)

    async def entry(store: ConversationStore) -> Any:
        return await store.read_entry("unknown")

    acts: dict[str, Callable[[ConversationStore], Any]] = {
        "run": run, "window": lambda store: run(store, limit=2), "rewrite": rewrite,
        "branch": branch, "fork": fork, "stale": stale, "empty": empty, "entry": entry,
        "delete": lambda store: store.delete(id),
    }  # fmt: skip
    if kind == "delete":
        records = await pair.stores[1].list_conversations()
        if any(record.forked_from == id for record in records):
            return  # what a fork shares is gone with its origin: another test covers it
    await pair.both(acts[kind])
    if kind == "fork":
        pair.names.append(f"f{len(pair.names)}")


@pytest.fixture
def store(url: str) -> Iterator[TurnlogConversationStore]:
    with TurnlogConversationStore(url) as opened:
        yield opened


async def test_the_store_agrees_with_the_store_in_memory(
    store: TurnlogConversationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, chance = Pair(store, monkeypatch), random.Random(7)
    for number in range(STEPS):
        await step(pair, chance)
        if number % 100 == 99 or STEPS < 1000:
            await pair.check()
    assert verify(store.log.store).faults == []


# --- one conversation, several writers ----------------------------------------------------------


def text(content: str) -> m.ModelRequest:
    return m.ModelRequest([m.UserPromptPart(content, timestamp=NOW)])


def reply(content: str) -> m.ModelResponse:
    return m.ModelResponse([m.TextPart(content)], timestamp=NOW)


def words(messages: Sequence[m.ModelMessage]) -> list[Any]:
    return [part.content for message in messages for part in message.parts]  # type: ignore[union-attr]


async def saved(store: TurnlogConversationStore, *messages: m.ModelMessage) -> Conversation:
    conversation = await store.load("a") or Conversation(conversation_id="a")
    conversation.messages.extend(messages)
    await store.save(conversation)
    return conversation


async def test_agents_run_on_the_store(store: TurnlogConversationStore) -> None:
    agent = Agent(TestModel(call_tools=["weather"]))

    @agent.tool_plain
    def weather(city: str) -> str:
        return f"rain in {city}"

    conversation = Conversation(conversation_id="a")
    for prompt in ("Is it dry?", "And now?"):
        result = await agent.run(prompt, conversation=conversation)
        await store.save(result)
        loaded = await store.load("a")
        assert loaded is not None
        conversation = loaded
    assert conversation.messages == result.all_messages()
    found = list(store.log.conversation("a").messages())
    assert store.log.conversation("a").turn == 2
    assert [message.role for message in found] == [
        "user", "assistant", "tool", "assistant", "user", "assistant",
    ]  # fmt: skip
    assert found[2].parts == (ToolResult(found[1].parts[0].id, "weather", "rain in a"),)  # type: ignore[union-attr]


async def test_events_of_others_are_loaded_and_continued(
    store: TurnlogConversationStore,
) -> None:
    stale = await saved(store, text("one"), reply("1"))
    log = store.log
    log.record("a", UserUttered("two"), AgentUttered("2, says a person"))
    log.record("a", ToolCalled("look", {"at": 3}, "c1"), ToolReturned("seen", "c1"))
    stale.messages.append(text("three"))
    with pytest.raises(ConversationConflict):
        await store.save(stale)
    loaded = await store.load("a")
    assert loaded is not None
    assert words(loaded.messages[:4]) == ["one", "1", "two", "2, says a person"]
    assert loaded.messages[4].parts == [m.ToolCallPart("look", {"at": 3}, "c1")]
    loaded.messages.append(text("three"))
    await store.save(loaded)
    log.record("a", BotUttered("3"))
    again = await saved(store, text("four"))
    assert words([*again.messages[:4], *again.messages[6:]]) == [
        "one", "1", "two", "2, says a person", "three", "3", "four",
    ]  # fmt: skip
    reloaded = await store.load("a")
    assert reloaded is not None
    assert reloaded.messages == again.messages
    entries = await store.load_entries("a") or []
    assert [await store.read_entry(entry.id) for entry in entries] == entries
    shown = [message.text for message in log.conversation("a").messages()]
    assert shown == ["one", "1", "two", "2, says a person", "", "", "three", "3", "four"]


async def test_a_conversation_that_pydantic_ai_did_not_begin_is_loaded(
    store: TurnlogConversationStore,
) -> None:
    store.log.record("a", UserUttered("one"), BotUttered("1"))
    loaded = await saved(store, text("two"))
    assert words(loaded.messages) == ["one", "1", "two"]
    with pytest.raises(ConversationConflict):
        await store.save(Conversation(conversation_id="a"))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("note", b"{}"),
        ("save", b"\xff"),
        ("save", b"[]"),
        ("save", b'{"record": {}, "entries": []}'),
        ("save", b'{"record": {"head_id": "1", "revision": "1"}, "entries": [{"id": "1"}]}'),
    ],
)
async def test_an_event_of_others_in_its_name_is_not_a_save(kind: str, body: bytes) -> None:
    with TurnlogConversationStore("memory:") as store:
        await saved(store, text("one"), reply("1"))
        store.log.record("a", ForeignRecorded("pydantic-ai", kind, body))
        assert words((await saved(store, text("two"))).messages) == ["one", "1", "two"]
        [record] = await store.read_records()
        assert [entry.message for entry in await store.read_history(record.head_id)] != []


async def test_rewinds_edits_and_redactions_of_others_are_seen(
    store: TurnlogConversationStore,
) -> None:
    await saved(store, text("one"), reply("1"), text("two"), reply("2"))
    log = store.log
    numbers = {message.text: message.event or 0 for message in log.conversation("a").messages()}
    log.record("a", MessageEdited(numbers["one"], "ONE"))
    await saved(store)
    log.record("a", MessageRedacted(numbers["1"]))
    loaded = await store.load("a")
    assert loaded is not None
    one, redacted, *rest = words(loaded.messages)
    assert (one, rest) == ("ONE", ["two", "2"])
    assert redacted != "1"
    log.record("a", UserUtteranceReverted())
    after = await saved(store, text("instead"))
    assert words(after.messages)[2:] == ["instead"]


@pytest.mark.parametrize(
    "word",
    ["text", "response", "user-prompt", "pydantic-ai", "entries", "parts", "record", "1", "2026",
     "stop", "usage", "message", "metadata"],
)  # fmt: skip
async def test_a_redacted_message_may_say_any_word_of_the_format(word: str) -> None:
    with TurnlogConversationStore("memory:") as store:
        entity = Entity("it", word, 0, len(word))
        store.log.record("a", UserUttered(word), MessageUnderstood(entities=(entity,)))
        call, image = m.ToolCallPart("look", {"for": 1}, "c1"), m.ImageUrl("https://x.org/a.png")
        before = await saved(
            store,
            m.ModelResponse(
                [m.TextPart("ok"), call], finish_reason="stop", timestamp=NOW,
                usage=RequestUsage(input_tokens=1, details={word: 1}), metadata={word: [word]},
            ),
            m.ModelRequest([m.UserPromptPart(["look", image], timestamp=NOW)], instructions=word),
        )  # fmt: skip
        number = next(store.log.conversation("a").messages()).event or 0
        store.log.record("a", MessageRedacted(number))
        for reading in (store, TurnlogConversationStore(store.log)):
            found = await reading.load("a")
            assert found is not None
            first, response, request = found.messages
            assert isinstance(response, m.ModelResponse)
            assert words([first]) == [""]
            assert [part.part_kind for part in response.parts] == ["text", "tool-call"]
            assert (response.finish_reason, response.timestamp) == ("stop", NOW)
            assert response.usage.input_tokens == 1
            assert word not in repr(response.metadata)
            assert request.parts == before.messages[2].parts
            assert word not in (getattr(request, "instructions", None) or "")
        assert words((await saved(store, text("more"))).messages[-1:]) == ["more"]
        assert verify(store.log.store).faults == []


async def test_events_of_others_are_on_a_branch(store: TurnlogConversationStore) -> None:
    await saved(store, text("one"), reply("1"))
    log = store.log
    log.record("a", UserUttered("two"), BotUttered("2"), ToolCalled("x", {"n": 1}, "c1"),
               ToolCalled("y", {}, "c2"), ToolReturned("no", "c1"), ToolReturned("yes", "c2"),
               BotUttered("2, then"))  # fmt: skip
    before = await store.load("a")
    assert before is not None
    assert [len(message.parts) for message in before.messages] == [1, 1, 1, 1, 2, 2, 1]
    await saved(store, text("three"))
    left = await store.load_entries("a") or []
    for at in (5, 3):
        found = await store.load("a")
        assert found is not None
        await store.branch("a", at=at, expected_revision=found.revision)
        kept = await store.load("a")
        assert kept is not None
        assert kept.messages == before.messages[:at]
        said_then = [each for one in kept.messages for each in read(document(one))]
        assert alike(log.conversation("a").messages(), said_then)
    await saved(store, text("instead"))
    assert await store.read_history(left[-1].id) == left
    two = next(m.event for m in log.conversation("a").messages() if m.text == "two")
    log.record("a", MessageRedacted(two or 0))
    again = await store.load("a")
    assert again is not None
    shown = words(again.messages)
    assert (shown[:2], shown[-1]) == (["one", "1"], "instead")
    assert "two" not in shown
    assert "two" not in repr(await store.read_history(left[-1].id))


async def test_a_deleted_conversation_can_begin_again_and_is_gone_from_forks(
    store: TurnlogConversationStore,
) -> None:
    await saved(store, text("one"), reply("1"))
    fork = await store.fork("a", new_conversation_id="b")
    fork.messages.append(text("two"))
    await store.save(fork)
    await store.delete("a")
    assert await store.load("a") is None
    left = await store.load("b")
    assert left is not None
    assert words(left.messages)[-1] == "two"
    assert "1" not in words(left.messages)
    await saved(store, reply("again"))
    again = await store.load("a")
    assert again is not None
    assert words(again.messages) == ["again"]


async def test_a_conversation_of_the_openai_sdk_is_continued(
    store: TurnlogConversationStore,
) -> None:
    with made_up_model() as model, openai.OpenAI(api_key="none", base_url=model.url) as plain:
        model.says.append({"content": "Yes."})
        with turnlog.openai.record(plain, store.log, "a") as client:
            asked: Any = [{"role": "user", "content": "rain?"}]
            client.chat.completions.create(model="made-up-1", messages=asked)
    before = list(store.log.conversation("a").messages())
    loaded = await saved(store, text("and snow?"))
    assert words(loaded.messages) == ["rain?", "Yes.", "and snow?"]
    parts = [message for each in loaded.messages[:2] for message in read(document(each))]
    assert alike(parts, before)


async def test_bytes_are_stored_once_and_removed_with_their_message(
    store: TurnlogConversationStore,
) -> None:
    image = m.BinaryContent(data=bytes([251, 255, 3] * 30), media_type="image/png")
    await saved(store, m.ModelRequest([m.UserPromptPart([image], timestamp=NOW)]))
    [*_, foreign] = store.log.conversation("a").events()
    assert isinstance(foreign, ForeignRecorded)
    assert b64encode(image.data) not in foreign.body
    assert urlsafe_b64encode(image.data) not in foreign.body
    loaded = await store.load("a")
    assert loaded is not None
    assert loaded.messages[0].parts[0].content[0].data == image.data  # type: ignore[union-attr,index]


# --- what it costs ------------------------------------------------------------------------------


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every method that reads, on both back ends."""
    asked: list[str] = []
    for reader in (SqliteReader, PostgresReader):

        def noted(self: Any, statement: str, *rest: Any, ask: Any = reader._all) -> Any:
            asked.append(statement)
            return ask(self, statement, *rest)

        monkeypatch.setattr(reader, "_all", noted)
    return asked


async def test_a_history_is_read_in_one_query_and_then_kept(
    url: str, statements: list[str]
) -> None:
    if url == "memory:":
        pytest.skip("a log in memory has no statements")
    asked: list[list[str]] = []
    for turns in (30, 300):
        async with TurnlogConversationStore(url) as store:
            conversation = await store.load("a") or Conversation(conversation_id="a")
            while len(conversation.messages) < 2 * turns:
                conversation.messages += [text("one"), reply("1")]
                await store.save(conversation)
        async with TurnlogConversationStore(url) as store:
            record = await store.read_record("a")
            assert record is not None
            statements.clear()
            assert len(await store.read_history(record.head_id)) == 2 * turns
            asked.append([*statements])
            statements.clear()
            assert len((await saved(store, text("two"))).messages) == 2 * turns + 1
            loaded = await store.load("a")
            assert loaded is not None
            assert words(loaded.messages[-2:]) == ["1", "two"]
            await store.branch("a", at=2 * turns, expected_revision=loaded.revision)
            assert len([each for each in statements if "version <" in each]) == 1
    assert asked[0] == asked[1]
    assert len([each for each in asked[0] if "version <" in each]) == 1


async def test_entries_and_conversations_are_found_without_a_scan(
    url: str, statements: list[str]
) -> None:
    if url == "memory:":
        pytest.skip("a log in memory has no statements")

    def read() -> int:
        """The number of reads of a conversation's rows since."""
        found = len([each for each in statements if "version <" in each])
        statements.clear()
        return found

    async with TurnlogConversationStore(url) as store:
        [entry, _] = await store.save(
            Conversation(conversation_id="first", messages=[text("one"), reply("1")])
        )
        for number in range(20):
            conversation = Conversation(conversation_id=f"c{number}", messages=[text("one")])
            await store.save(conversation, scope=("even", "odd")[number % 2])
    async with TurnlogConversationStore(url) as store:
        read()
        assert await store.read_entry(entry.id) == entry
        assert read() == 1
        assert await ids(store, limit=2) == ["c19", "c18"]
        assert await ids(store, limit=3, scope="even") == ["c18", "c16", "c14"]
        assert read() == 5
        store.log.record("c4", AgentUttered("from a person"))
        store.log.record("theirs", UserUttered("by others"))
        assert await ids(store, limit=2) == ["theirs", "c4"]
        assert len(await ids(store)) == 22
        assert await ids(store, scope="even") == [
            "c4",
            *(f"c{n}" for n in range(18, -1, -2) if n != 4),
        ]
        await store.fork("c18", new_conversation_id="fork", scope="x")
        assert await ids(store, limit=1, scope="even") == ["c4"]
        assert await ids(store, scope="x") == ["fork"]
        await store.delete("c19")
        assert verify(store.log.store).faults == []
        before = await ids(store), await ids(store, scope="odd")
        rebuild(store.log.store)
        assert before == (await ids(store), await ids(store, scope="odd"))
        assert "c19" not in before[0] + before[1]
    async with TurnlogConversationStore(url) as store:
        await store.delete("first")
        with pytest.raises(LookupError):
            await store.read_entry(entry.id)


async def ids(store: TurnlogConversationStore, **asked: Any) -> list[str]:
    return [record.conversation_id for record in await store.list_conversations(**asked)]


async def test_a_loaded_conversation_belongs_to_the_caller(store: TurnlogConversationStore) -> None:
    chance = random.Random(1)
    await saved(store, *[each for _ in range(20) for each in said(chance)])
    loaded = await store.load("a")
    assert loaded is not None
    before = deepcopy(loaded.messages)
    for message in loaded.messages:
        spoil(message)
    assert loaded.messages != before
    again = await store.load("a")
    assert again is not None
    assert again.messages == before


def spoil(value: Any) -> None:
    """Change every mutable value in it."""
    held = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    items = value if isinstance(value, list) else [*held.values()]
    for item in items:
        spoil(item)
    if isinstance(value, list | dict):
        value.clear()
    else:
        held.update(dict.fromkeys(held))


# --- several processes, and one that is killed ---------------------------------------------------

KILLS = 20 if os.environ.get("TURNLOG_FAULTS") == "long" else 2


def program(url: str, who: str, turns: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.pydantic_ai_program", url, who, str(turns)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def prompts(url: str) -> list[str]:
    """The questions, each with the answer right after it."""
    with turnlog.open(url) as log:
        assert verify(log.store).faults == []
        found = [message.text for message in log.conversation("a").messages()]
    assert found[1::2] == [f"to {asked}" for asked in found[::2]]
    return found[::2]


async def test_tasks_of_one_store_save_every_turn_once(store: TurnlogConversationStore) -> None:
    async def says(who: str) -> None:
        for turn in range(6):
            while True:
                try:
                    await saved(store, text(f"{who} {turn}"), reply(f"to {who} {turn}"))
                except ConversationConflict:
                    continue
                break

    await asyncio.gather(*map(says, "abcd"))
    found = await store.load("a")
    assert found is not None
    asked = words(found.messages)[::2]
    assert sorted(asked) == [f"{who} {turn}" for who in "abcd" for turn in range(6)]
    assert words(found.messages)[1::2] == [f"to {each}" for each in asked]
    again = await TurnlogConversationStore(store.log).load("a")
    assert again == found


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_two_processes_save_every_turn_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    postgres = kind == "postgres"
    url = request.getfixturevalue("postgres_url") if postgres else f"sqlite:///{tmp_path}/chat.db"
    turnlog.open(url).close()
    programs = [program(url, who, 8) for who in ("x", "y")]
    printed = [ran.communicate(timeout=60)[0].count("\n") for ran in programs]
    assert ([ran.returncode for ran in programs], printed) == ([0, 0], [8, 8])
    assert sorted(prompts(url)) == [f"{who} {turn}" for who in "xy" for turn in range(8)]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_saved_turns_survive_a_kill(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    postgres = kind == "postgres"
    url = request.getfixturevalue("postgres_url") if postgres else f"sqlite:///{tmp_path}/chat.db"
    acknowledged: list[str] = []
    for life in range(KILLS):
        with program(url, f"life{life}", 1000) as ran:
            assert ran.stdout is not None
            for _ in range(2 + life % 5):
                acknowledged.append(ran.stdout.readline().strip())
            ran.kill()
            acknowledged += ran.stdout.read().splitlines()
    found = prompts(url)
    assert [asked for asked in found if asked in set(acknowledged)] == acknowledged
    assert len(found) - len(acknowledged) <= KILLS
