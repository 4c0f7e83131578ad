"""A small bot made of units: asks for a name and a city, understands "back" and "repeat", waits.

turnlog serve --bot turnlog.dialogs.tour:bot
"""

from __future__ import annotations

import re

from turnlog.dialogs.threads import DialogThread
from turnlog.dialogs.units import Dialog, Unit

WAIT = 30.0
"""Seconds for an answer. After TIMES questions the bot gives up."""
TIMES = 3

CITIES = {
    "genoa": "the old harbour and the lanterna",
    "lisbon": "tram 28 and the castle",
    "harare": "the gardens and Mbare market",
}

welcome = Unit("welcome")
trip = Unit("trip")


@welcome.state
async def ask_name(thread: DialogThread) -> None:
    """Asks for the user's name."""
    thread.ask("Hello! What's your name?", wait=WAIT, attempts=TIMES)
    thread.next(got_name)


@welcome.state
async def got_name(thread: DialogThread) -> None:
    """Greets the user, or asks again."""
    match = re.search(r"(?:my name is|i am|i'm)?\s*([^\W\d_][\w' -]*)", thread.text or "", re.I)
    if await _asked_for_something_else(thread):
        return
    if match is None or re.fullmatch(r"\s*(hi|hello|hey)\W*", thread.text or "", re.I):
        thread.repeat()
        return
    thread.variables["name"] = match[1].strip()
    thread.say(f"Nice to meet you, {match[1].strip()}!")
    await thread.start(ask_city)


@trip.state
async def ask_city(thread: DialogThread) -> None:
    """Offers the cities."""
    choices = [{"title": city.title(), "payload": city} for city in CITIES]
    thread.ask("Where shall we go?", wait=WAIT, on_timeout=still_there, quick_replies=choices)
    thread.next(got_city)


@trip.state
async def got_city(thread: DialogThread) -> None:
    """Says what to see in the city, or asks again."""
    if await _asked_for_something_else(thread):
        return
    city = (thread.text or "").strip().lower()
    if city not in CITIES:
        thread.say("I know " + ", ".join(name.title() for name in CITIES) + ".")
        thread.repeat()
        return
    thread.variables["city"] = city
    name = thread.variables_of("welcome")["name"]
    thread.say(f"In {city.title()}, {name}, see {CITIES[city]}. Enjoy it!")
    thread.end()


@trip.state
async def still_there(thread: DialogThread) -> None:
    """Runs when no answer came in time."""
    if thread.attempt < TIMES:
        thread.ask("Are you still there?", wait=WAIT * 2, on_timeout=still_there)
    else:
        thread.say("I'll be here when you are back.")
        thread.end("abandoned")


async def _asked_for_something_else(thread: DialogThread) -> bool:
    match (thread.text or "").strip().lower():
        case "back":
            await thread.back()
        case "repeat" | "what?":
            thread.repeat()
        case "restart" | "/restart":
            await thread.restart()
        case "bye":
            thread.say("Goodbye!")
            thread.end()
        case _:
            return False
    return True


bot = Dialog(welcome, trip, start="welcome.ask_name")
