"""`turnlog hold`, `restrict` and `release`: what must stay, and what is only kept."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from turnlog.cli import output
from turnlog.cli.settings import open_log
from turnlog.cli.whom import Actor, Of, Person, Reason, check_one
from turnlog.domain.amounts import amount


def hold(reason: Reason, actor: Actor, id: Of = None, person: Person = None) -> None:
    """Keep a conversation, or a person, from being erased."""
    check_one(id, person)
    with open_log() as log:
        log.hold(id, person=person, reason=reason, actor=actor)
    what = id if person is None else person
    done = {"conversation": id, "person": person, "held": True}
    output.document(done, human=lambda: output.say(f"held {what}"))


def restrict(reason: Reason, actor: Actor, id: Of = None, person: Person = None) -> None:
    """Keep what is recorded, and do nothing else with it.

    It is not read, replayed, exported or gone on with until it is released.
    """
    from turnlog.domain.events import ProcessingRestricted
    from turnlog.engine.restriction import restrict as restricted

    check_one(id, person)
    with open_log() as log:
        found = restricted(log, id, person, ProcessingRestricted(reason, actor=actor))
    done = {"conversation": id, "person": person, "restricted": found}
    told = f"restricted {amount(len(found), 'conversation')}"
    output.document(done, human=lambda: output.say(told))


def release(reason: Reason, actor: Actor, id: Of = None, person: Person = None) -> None:
    """End holds and restrictions of a conversation or a person."""
    check_one(id, person)
    with open_log() as log:
        ended = _released(log, id, person, reason, actor)
    what = id if person is None else person
    done = {"conversation": id, "person": person, "held": False, "ended": ended}
    output.document(done, human=lambda: output.say(f"released {what}, {'; '.join(ended)}"))


def _released(log: Any, id: str | None, person: str | None, reason: str, actor: str) -> list[str]:
    """What ended. Raises Held where nothing did."""
    from turnlog.domain.events import RestrictionLifted
    from turnlog.engine.restriction import restrict
    from turnlog.errors import Held, InvalidEvent, UnknownConversation, UnknownPerson

    lifted: list[str] = []
    with suppress(InvalidEvent, UnknownConversation, UnknownPerson):
        lifted = restrict(log, id, person, RestrictionLifted(reason, actor=actor))
    ended = [f"restriction of {conversation}" for conversation in lifted]
    try:
        ended += map(str, log.release(id, person=person, reason=reason, actor=actor))
    except Held:
        if not ended:
            raise
    return ended
