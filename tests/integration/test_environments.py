"""Recorded conversations that models hold again: repeating the record earns the whole reward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import (
    BotUttered,
    MessageRedacted,
    SlotSet,
    ToolCalled,
    ToolReturned,
    UserIdentified,
    UserUttered,
)
from turnlog.domain.events import SystemInstructed
from turnlog.engine.log import Turnlog
from turnlog.errors import FormatError, UnknownConversation
from turnlog.training import environment
from turnlog.training.environments.episodes import ROUNDS, Observation
from turnlog.training.environments.recorded_environment import RecordedEnvironment

Model = Callable[[list[dict[str, Any]]], dict[str, Any]]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {}}}


@pytest.fixture
def log() -> Iterator[Turnlog]:
    with turnlog.open("memory:") as log:
        log.record("rain", SystemInstructed("Be brief.", tools=[WEATHER]))
        log.record(
            "rain",
            UserUttered("is it raining in Rome?"),
            ToolCalled("weather", {"city": "Rome"}, "c1"),
            ToolReturned({"rain": False}, "c1"),
            BotUttered("No."),
        )
        log.record("rain", UserUttered("and in Milan?"), BotUttered("I do not know."))
        log.record("book", UserUttered("a table"), BotUttered("For how many?"))
        log.record("book", UserUttered("two"), SlotSet("people", 2), SlotSet("day", "Friday"))
        yield log


def calling(tool: str, /, **arguments: Any) -> dict[str, Any]:
    return making((tool, arguments))


def making(*calls: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    made = [
        {"id": f"x{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(calls)
    ]
    return {"role": "assistant", "content": None, "tool_calls": made}


def saying(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def rolled_out(held: RecordedEnvironment, model: Model, **reset: Any) -> Observation:
    """An episode, with all of its messages in the last observation."""
    seen = held.reset(**reset)
    said = list(seen.messages)
    while not seen.done:
        answer = model(said)
        seen = held.step(answer)
        said += [answer, *seen.messages]
    return Observation(said, True, seen.reward)


def repeating(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """A made-up model that repeats the record of `rain`."""
    match messages[-1]:
        case {"role": "user", "content": "is it raining in Rome?"}:
            return calling("weather", city="Rome")
        case {"role": "tool"}:
            return saying("No, it is dry.")
        case _:
            return saying("No idea.")


def test_the_recorded_user_and_tools_answer(log: Turnlog) -> None:
    held = environment(log, ["rain"])
    done = rolled_out(held, repeating, seed=1)
    assert held.tools == [WEATHER]
    assert [message.get("content") for message in done.messages] == [
        "Be brief.", "is it raining in Rome?", None, '{"rain":false}', "No, it is dry.",
        "and in Milan?", "No idea.",
    ]  # fmt: skip
    assert done.reward == 1.0
    assert (held.state["episode_id"], held.state["turn"], held.state["done"]) == ("rain", 2, True)


@pytest.mark.parametrize(
    ("model", "reward"),
    [
        (lambda messages: saying("Perhaps."), 0.0),
        (
            lambda messages: (
                saying("Hm.")
                if messages[-1].get("content") == '{"rain":false}'
                else calling("weather", city="Rome")
            ),
            0.5,
        ),
        (lambda messages: calling("weather", city="Paris"), 0.0),
        (lambda messages: saying(""), 0.0),
    ],
    ids=["no call", "one call too many", "calls forever", "says nothing"],
)
def test_the_first_divergence_ends_an_episode(log: Turnlog, model: Model, reward: float) -> None:
    held = environment(log, ["rain"])
    done = rolled_out(held, model)
    assert done.reward == reward
    assert len(done.messages) <= 2 * (2 * ROUNDS + 2)
    with pytest.raises(FormatError, match="reset begins another"):
        held.step(saying("again"))


def test_a_call_without_a_record_returns_an_error(log: Turnlog) -> None:
    held = environment(log, ["rain"])
    held.reset()
    (result,) = held.step(calling("weather", city="Paris")).messages
    assert result == {
        "role": "tool",
        "tool_call_id": "x0",
        "content": '{"error":"no result of such a call was recorded"}',
    }


@pytest.mark.parametrize(
    ("slots", "reward"),
    [
        ({"people": 2, "day": "Friday"}, 1.0),
        ({"people": 2}, 0.5),
        ({"people": 3, "day": "Friday"}, 0.5),
        ({"people": 2, "day": "Friday", "name": "Ann", "time": "8"}, 0.5),
        ({}, 0.0),
    ],
)
def test_the_reward_is_the_share_of_slots_reached(
    log: Turnlog, slots: dict[str, Any], reward: float
) -> None:
    left = list(slots.items())

    def model(messages: list[dict[str, Any]]) -> dict[str, Any]:
        if left:
            name, value = left.pop()
            return calling("set_slot", name=name, value=value)
        return saying("Booked.")

    held = environment(log, ["book"])
    assert rolled_out(held, model).reward == reward
    assert [tool["function"]["name"] for tool in held.tools] == ["set_slot"]


def test_the_same_seed_has_the_same_episode_and_reward(log: Turnlog) -> None:
    one, two = environment(log), environment(log)
    first = [rolled_out(one, repeating, seed=seed) for seed in range(8)]
    assert [rolled_out(two, repeating, seed=seed) for seed in range(8)] == first
    assert {done.reward for done in first} == {0.0, 1.0}, "both conversations are drawn"


def test_the_record_of_tau_reaches_its_whole_reward(shared_data: Path, tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path}/log.db"
    assert run("import", shared_data / "tau_bench", "--db", db).status == 0
    with turnlog.open(db) as log:
        held = environment(log)
        for id in list(log.ids())[:20]:
            done = rolled_out(held, of_the_record(log, id), episode_id=id)
            assert done.reward == 1.0, id
            record = [m.text for m in log.conversation(id).messages() if m.role == "user"]
            users = [m["content"] for m in done.messages if m["role"] == "user"]
            assert users == record[: len(users)]


def of_the_record(log: Turnlog, id: str) -> Model:
    """A made-up model that repeats the texts of each turn, or says nothing without any."""
    turns: list[list[dict[str, Any]]] = []
    for message in log.conversation(id).messages():
        if message.role == "user":
            turns.append([])
        elif message.role == "assistant":
            turns[-1].append(message.as_openai())

    def model(messages: list[dict[str, Any]]) -> dict[str, Any]:
        turn = turns[sum(message["role"] == "user" for message in messages) - 1]
        return turn.pop(0) if turn else saying("")

    return model


def test_only_the_bots_opening_precedes_the_first_message(log: Turnlog) -> None:
    log.record("hi", BotUttered("I am Otto."), UserUttered("secret"), BotUttered("Oh."))
    log.record("hi", UserUttered("your name?"), BotUttered("Otto."))
    log.record("hi", MessageRedacted(2))
    assert environment(log, ["hi"]).reset().messages == [
        {"role": "assistant", "content": "I am Otto."},
        {"role": "user", "content": "your name?"},
    ]


def test_parallel_calls_have_their_own_results_and_errors(log: Turnlog) -> None:
    cities = ({"city": "Rome"}, {"city": "Oslo"})
    log.record("two", UserUttered("where?"))
    log.record("two", *(ToolCalled("weather", city, f"c{n}") for n, city in enumerate(cities)))
    log.record("two", ToolReturned("closed", "c1", is_error=True), ToolReturned("dry", "c0"))
    log.record("two", BotUttered("In Rome."))
    held = environment(log, ["two"])
    held.reset()
    seen = held.step(making(("weather", cities[1]), ("weather", cities[0])))
    assert [(m["tool_call_id"], m["content"]) for m in seen.messages] == [
        ("x0", "closed"),
        ("x1", "dry"),
    ]
    assert held.step(saying("In Rome.")).reward == 1.0


def test_a_fork_is_held_with_its_past(log: Turnlog) -> None:
    log.fork("rain", as_="fork", turn=1)
    log.record("fork", UserUttered("and in Oslo?"), BotUttered("No idea."))
    done = rolled_out(environment(log, ["fork"]), repeating)
    users = [m["content"] for m in done.messages if m["role"] == "user"]
    assert users == ["is it raining in Rome?", "and in Oslo?"]
    assert done.reward == 1.0


def test_slots_set_before_the_first_turn_do_not_count(log: Turnlog) -> None:
    log.record("known", SlotSet("phone", "123"), UserUttered("two"), SlotSet("people", 2))
    held = environment(log, ["known"])
    held.reset()
    held.step(calling("set_slot", name="people", value=2))
    assert held.step(saying("Booked.")).reward == 1.0


def test_a_seed_chooses_what_can_be_held(log: Turnlog) -> None:
    for n in range(20):
        log.record(f"silent {n}", BotUttered("Is anybody there?"))
    held = environment(log)
    log.delete("book")
    for seed in range(30):
        held.reset(seed=seed)
        assert held.state["episode_id"] == "rain"
    for name in ("book", "missing"):
        with pytest.raises(UnknownConversation, match=name):
            held.reset(episode_id=name)
    with pytest.raises(FormatError, match="silent"):
        environment(log, ["silent 1", "silent 2"]).reset(seed=1)


def test_a_person_who_was_erased_says_nothing(log: Turnlog) -> None:
    log.record("eve", UserIdentified("eve"), UserUttered("I am Eve"), BotUttered("Hello Eve."))
    log.erase(person="eve", reason="asked for", actor="carla")
    with pytest.raises(UnknownConversation, match="eve"):
        environment(log, ["eve"]).reset()


@pytest.mark.parametrize(
    ("action", "where"),
    [
        ("hello", "got `str`"),
        ({"tool_calls": "weather"}, "tool_calls"),
        ({"tool_calls": [{"function": {"name": "weather"}}]}, "`id`"),
        ({"tool_calls": [{"id": "x", "function": "weather"}]}, "function"),
        ({"tool_calls": [{"id": "x", "function": {"name": None}}]}, "name"),
    ],
)
def test_an_invalid_action_is_named(log: Turnlog, action: Any, where: str) -> None:
    held = environment(log, ["rain"])
    held.reset()
    with pytest.raises(FormatError, match=f"not an assistant's message: .*{where}"):
        held.step(action)
    assert rolled_out(held, repeating).reward == 1.0


def test_a_conversation_that_cannot_be_held_again_is_named(log: Turnlog) -> None:
    log.record("gone", UserUttered("secret"), BotUttered("hm"))
    log.record("gone", MessageRedacted(1))
    with pytest.raises(FormatError, match="'gone': has no turn"):
        environment(log, ["gone"]).reset()
    with pytest.raises(UnknownConversation):
        environment(log, ["missing"]).reset()
    with pytest.raises(FormatError, match="at least one"):
        environment(log, [])
    with pytest.raises(FormatError, match="call reset first"):
        environment(log).step(saying("hi"))
