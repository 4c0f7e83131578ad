"""`turnlog hold`, `restrict` and `release`: protection from erasure and from use."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from turnlog.cli import output
from turnlog.cli.settings import open_log
from turnlog.cli.whom import Actor, Of, Person, Reason, check_one
from turnlog.domain.amounts import amount


def hold(reason: Reason, actor: Actor, id: Of = None, person: Person = None) -> None:
    """Protect a conversation or a person from erasure."""
    check_one(id, person)
    with open_log() as log:
        log.hold(id, person=person, reason=reason, actor=actor)
    what = id if person is None else person
    done = {"conversation": id, "person": person, "held": True}
    output.document(done, human=lambda: output.say(f"held {what}"))


def restrict(reason: Reason, actor: Actor, id: Of = None, person: Person = None) -> None:
    """Keep conversations without using them: one, or a person's.

    They are not read, replayed, exported or continued until they are released.
    """
    from turnlog.domain.events import ProcessingRestricted
    from turnlog.engine.restriction import restrict as restricted

    check_one(id, person)
    with open_log() as log:
        found = restricted(log, id, person, ProcessingRestricted(reason, actor=actor))
    done = {"conversation": id, "person": person, "restricted": found}
    text = f"restricted {amount(len(found), 'conversation')}"
    output.document(done, human=lambda: output.say(text))


def release(reason: Reason, actor: Actor, id: Of = None, person: Person = None) -> None:
    """End the holds and restrictions of a conversation or a person."""
    check_one(id, person)
    with open_log() as log:
        ended = _released(log, id, person, reason, actor)
    what = id if person is None else person
    done = {"conversation": id, "person": person, "held": False, "ended": ended}
    output.document(done, human=lambda: output.say(f"released {what}, {'; '.join(ended)}"))


def _released(log: Any, id: str | None, person: str | None, reason: str, actor: str) -> list[str]:
    """What ended. Raises Held if nothing did."""
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
