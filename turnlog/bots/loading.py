"""A bot by its name; what cannot be one is refused here, not at each message."""

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
    """The bot of a name `module:attr`, its module found on the path or in this folder.

    Its tools are its own attribute `tools`, or else its module's: a dict of names to functions.
    Raises BotError, saying what is wrong.
    """
    module, bot = imported(name, "bot", BotError)
    if (objection := _objection(bot)) is not None:
        raise BotError(f"bot {name!r} {objection}")
    tools = getattr(bot, "tools", None) or getattr(module, "tools", {})
    if not isinstance(tools, Mapping) or not all(map(callable, tools.values())):
        raise BotError(
            f"bot {name!r}: its tools are a dict of names to functions, not {tools!r:.80}"
        )
    return LoadedBot(bot, tools, name)


def imported(
    name: str, what: str, failing: type[TurnlogError], form: str = "module:attr"
) -> tuple[Any, Any]:
    """A module and its attribute, of a name in that form; what: what that is to be.

    The module is found on the path or in this folder. Raises an error of the given type.
    """
    module_name, _, attributes = name.partition(":")
    if not module_name or not attributes:
        raise failing(f"{name!r} names no {what}: it takes {form}")
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = import_module(module_name)
        return module, attrgetter(attributes)(module)
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        why = f"{error}" if isinstance(error, ImportError | AttributeError) else repr(error)
        raise failing(f"{what} {name!r} cannot be loaded: {why}") from error


def named(name: str, *, timeout: float = 30.0) -> LoadedBot:
    """The bot of a name `module:attr`, or behind a URL, where timeout is seconds for a request."""
    if not name.startswith(("http://", "https://")):
        return load(name)
    with needed("server", "a bot behind a URL"):
        from turnlog.bots.remote import remote

    return remote(name, timeout=timeout)


def _objection(bot: Any) -> str | None:
    """Why something is no bot."""
    if not callable(bot):
        return f"is a {type(bot).__name__}, which cannot be called"
    if isinstance(bot, type):
        return "is a class: name a function, or an object of the class"
    try:
        inspect.signature(bot).bind(None, None)
    except TypeError:
        return f"takes {inspect.signature(bot)}: a bot is called with (conversation, message)"
    except ValueError:
        pass  # nobody knows what it takes
    return None
