"""Verifiers: recorded conversations as its tasks, and the harness in which a model holds them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

from turnlog.engine.log import Turnlog
from turnlog.engine.opening import open as open_log
from turnlog.errors import FormatError, UnknownConversation
from turnlog.extras import needed
from turnlog.training.environments.episodes import Reward
from turnlog.training.environments.recorded_environment import RecordedEnvironment
from turnlog.training.privacy.names import ExportedNames

with needed("verifiers", "an environment of verifiers"):
    import verifiers.v1 as vf  # pyright: ignore[reportMissingImports]
    from openai import AsyncOpenAI

__all__ = ["RecordedEnv", "RecordedHarness", "RecordedTaskset"]

_DB, _KEYS, _CONVERSATION = "TURNLOG_DB", "TURNLOG_KEYS", "TURNLOG_CONVERSATION"


class RecordedData(vf.TaskData):  # type: ignore[misc]
    """Of a conversation. id: its name outside the log, as in exports."""

    based_on: Reward | None = None


class RewardState(vf.State):  # type: ignore[misc]
    """reward: after the last message, also of an episode that was cut off."""

    reward: float = 0.0


class RecordedTask(vf.Task[RecordedData, RewardState]):  # type: ignore[misc]
    """The harness receives the address of the log; traces do not contain it."""

    where: dict[str, str] = {}  # noqa: RUF012  # never changed in place

    @property
    def key(self) -> str:
        """The conversation's name."""
        return str(self.data.id)

    def runtime_env(self) -> dict[str, str]:
        """The address of the log, as environment variables."""
        return self.where

    @vf.reward  # type: ignore[untyped-decorator]
    async def agreement(self, trace: vf.Trace) -> float:
        """The reward of the episode."""
        return float(trace.state.reward)


class RecordedTasksetConfig(vf.TasksetConfig):  # type: ignore[misc]
    """db and keys: of the log; by default TURNLOG_DB and TURNLOG_KEYS. ids: by default every
    conversation with a turn that can be held.
    """

    db: str | None = None
    keys: str | None = None
    ids: list[str] | None = None
    reward: Reward | None = None


class RecordedTaskset(vf.Taskset[RecordedTask, RecordedTasksetConfig]):  # type: ignore[misc]
    """A task for each conversation, in the order of their ids."""

    def load(self) -> Iterator[RecordedTask]:
        """Opens the log once to list the tasks."""
        given = {_DB: self.config.db, _KEYS: self.config.keys}
        where = {name: url or os.environ.get(name, "") for name, url in given.items()}
        ids = self.config.ids
        with _opened(where) as log:
            names = ExportedNames(log, pseudonyms=True)
            for id in sorted(log.ids(trials=False) if ids is None else ids):
                if data := self._data(log, id, names.shown(id)):
                    task = RecordedTask(data, self.config.task)
                    task.where = {**where, _CONVERSATION: id}
                    yield task

    def _data(self, log: Turnlog, id: str, name: str) -> RecordedData | None:
        try:
            opening = RecordedEnvironment(log, [id]).reset().messages
        except (FormatError, UnknownConversation):
            if self.config.ids is None:
                return None
            raise
        return RecordedData(
            id=name,
            prompt=_text(opening[-1]),
            system_prompt="\n\n".join(map(_text, filter(_instructs, opening))) or None,
            based_on=self.config.reward,
        )


class RecordedHarness(vf.Harness[vf.HarnessConfig]):  # type: ignore[misc]
    """Asks the model and answers it from the record, in this process: it runs no program."""

    APPENDS_SYSTEM_PROMPT = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(
        self,
        ctx: vf.ModelContext,
        trace: vf.Trace,
        runtime: vf.Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: RecordedData,
    ) -> vf.ProgramResult:
        """Holds one conversation: asks the model until the episode is done."""
        held, said = await asyncio.to_thread(_begun, runtime.env, data)
        tools: dict[str, Any] = {"tools": held.tools} if held.tools else {}
        async with AsyncOpenAI(base_url=endpoint, api_key=secret, timeout=None) as client:
            while not held.state["done"]:
                given = await client.chat.completions.create(
                    model=ctx.model, messages=said, **tools
                )
                said.append(given.choices[0].message.model_dump(exclude_unset=True))
                said += held.step(said[-1]).messages
                trace.state.reward = held.state["reward"]
        return vf.ProgramResult(0, "", "")


class RecordedEnvConfig(vf.EnvConfig):  # type: ignore[misc]
    """No sandbox: a model that holds a conversation runs nothing."""

    agent: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())


class RecordedEnv(vf.Env[RecordedEnvConfig]):  # type: ignore[misc]
    """One model, one conversation."""

    async def run(self, task: RecordedTask, agents: vf.Agents) -> None:
        """Runs the task with the only agent."""
        await agents.agent.run(task)


def _opened(where: dict[str, str]) -> Turnlog:
    return open_log(where[_DB], keys=where[_KEYS] or None, readonly=True)


def _begun(where: dict[str, str], data: RecordedData) -> tuple[RecordedEnvironment, Any]:
    """The environment, which no longer needs its log, and what the model sees first."""
    with _opened(where) as log:
        held = RecordedEnvironment(log, [where[_CONVERSATION]], data.based_on)
        seen = [message for message in held.reset().messages if not _instructs(message)]
    opening = (
        [] if data.system_prompt is None else [{"role": "system", "content": data.system_prompt}]
    )
    return held, opening + seen


def _instructs(message: dict[str, Any]) -> bool:
    return message["role"] in ("system", "developer")


def _text(message: dict[str, Any]) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content or () if part.get("type") == "text")
