"""Loads a bot by name. What cannot be a bot is refused here, not at each message."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from operator import attrgetter
from typing import Any

from turnlog.bots.bot import LoadedBot
from turnlog.errors import BotError, TurnlogError
from turnlog.extras import needed


def load(name: str) -> LoadedBot:
    """The bot named `module:attr`; the module is on Python's path or in the current folder.

    Its tools are its attribute `tools`, or else its module's: a dict of names to functions. Raises
    BotError, which says what is wrong.
    """
    module, bot = imported(name, "bot", BotError)
    if (objection := _objection(bot)) is not None:
        raise BotError(f"bot {name!r} {objection}")
    tools = getattr(bot, "tools", None) or getattr(module, "tools", {})
    if not isinstance(tools, Mapping) or not all(map(callable, tools.values())):
        raise BotError(
            f"bot {name!r}: `tools` must be a dict of names to functions, not {tools!r:.80}"
        )
    return LoadedBot(bot, tools, name)


def imported(
    name: str, what: str, failing: type[TurnlogError], form: str = "module:attr"
) -> tuple[Any, Any]:
    """The module and the attribute that a name in `form` names. what: what the attribute is.

    The module is on Python's path or in the current folder. Raises an error of type `failing`.
    """
    module_name, _, attributes = name.partition(":")
    if not module_name or not attributes:
        raise failing(f"{name!r} does not name a {what}; use {form}")
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = import_module(module_name)
        return module, attrgetter(attributes)(module)
    except (Exception, SystemExit) as error:  # a module may raise anything when it is imported
        why = f"{error}" if isinstance(error, ImportError | AttributeError) else repr(error)
        raise failing(f"{what} {name!r} cannot be loaded: {why}") from error


def named(name: str, *, timeout: float = 30.0) -> LoadedBot:
    """The bot named `module:attr` or behind a URL. timeout: seconds for one HTTP request."""
    if not name.startswith(("http://", "https://")):
        return load(name)
    with needed("server", "a bot behind a URL"):
        from turnlog.bots.remote import remote

    return remote(name, timeout=timeout)


def _objection(bot: Any) -> str | None:
    """Why something is not a bot."""
    if not callable(bot):
        return f"is a {type(bot).__name__}, which is not callable"
    if isinstance(bot, type):
        return "is a class; name a function or an instance"
    try:
        inspect.signature(bot).bind(None, None)
    except TypeError:
        return f"takes {inspect.signature(bot)}, but a bot is called with (conversation, message)"
    except ValueError:
        pass  # the signature is unknown
    return None
