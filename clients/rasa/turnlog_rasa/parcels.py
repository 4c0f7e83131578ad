"""What is sent together for one conversation, and its line in the file."""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any, Callable, Dict, Iterable, List, Optional

from turnlog_rasa.client import Client, Effort

logger = logging.getLogger(__name__)

Base = Callable[[], Optional[int]]
Sent = Callable[[int, Optional[int]], None]


class Parcel:
    """Events or a deletion of one conversation.

    kind: append, fresh, replace or delete. base: computed when it is sent. sent: called with the
    conversation's number of events then, and the base. parked: whether the file contains it, too.
    """

    def __init__(
        self,
        sender: str,
        kind: str,
        contents: Iterable[Dict[str, Any]],
        *,
        to: int = 0,
        base: Base = lambda: None,
        sent: Sent = lambda event, base: None,
        key: Optional[str] = None,
    ) -> None:
        self.sender = sender
        self.kind = kind
        self.contents = [plain(content) for content in contents]
        self.to = to
        self.base = base
        self.sent = sent
        self.key = key or uuid.uuid4().hex
        self.parked = False

    def send(self, client: Client, effort: Optional[Effort]) -> None:
        """Sends it and calls `sent`. Raises Refused, or ConnectionError if it must wait."""
        base = self.base()
        self.sent(self._sent(client, effort, base), base)

    def _sent(self, client: Client, effort: Optional[Effort], base: Optional[int]) -> int:
        asked: Dict[str, Any] = {}
        if self.kind == "delete":
            client.delete(self.sender, effort)
            return 0
        if self.kind == "replace":
            return client.write("PUT", self.sender, self.contents, self.key, effort, to=self.to)
        asked.update(base=base, writer=client.writer if base is not None else None)
        asked["fresh"] = "true" if self.kind == "fresh" else None
        return client.write("POST", self.sender, self.contents, self.key, effort, **asked)

    def parts(self) -> List["Parcel"]:
        """One parcel for each event, so that a bad one does not stop others; [] for a
        single event.
        """
        if len(self.contents) < 2:
            return []
        first: List[Parcel] = []
        kinds = [self.kind] + ["append"] * (len(self.contents) - 1)
        if self.kind == "replace":
            first = [self._part("replace", [], "0")]
            kinds[0] = "append"
        events = zip(kinds, self.contents)
        return first + [
            self._part(kind, [content], str(number))
            for number, (kind, content) in enumerate(events, 1)
        ]

    def _part(self, kind: str, contents: List[Dict[str, Any]], name: str) -> "Parcel":
        key = f"{self.key}-{name}"
        part = Parcel(self.sender, kind, contents, to=self.to, sent=self.sent, key=key)
        part.parked = self.parked
        return part

    def as_line(self, server: str) -> str:
        """The parcel as a line of the file."""
        content = {
            "server": server, "sender": self.sender, "kind": self.kind, "events": self.contents,
            "to": self.to, "base": self.base(), "key": self.key,
        }  # fmt: skip
        return json.dumps(content)


def of_lines(lines: Iterable[Dict[str, Any]]) -> List[Parcel]:
    """The parcels in a file. Those of one conversation are chained."""
    counts: Dict[str, int] = {}
    return [_of_line(line, counts) for line in lines]


def _of_line(line: Dict[str, Any], counts: Dict[str, int]) -> Parcel:
    sender, known = line["sender"], line["base"]

    def base() -> Optional[int]:
        return None if known is None else max(known, counts.get(sender, 0))

    def sent(event: int, _: Optional[int]) -> None:
        counts[sender] = event

    parcel = Parcel(
        sender, line["kind"], line["events"], to=line["to"], base=base, sent=sent, key=line["key"]
    )
    parcel.parked = True
    return parcel


def plain(content: Dict[str, Any]) -> Dict[str, Any]:
    """An event as JSON can represent it; other values as Python prints them."""
    try:
        json.dumps(content)
    except TypeError as error:
        name = content.get("name") or content.get("event")
        logger.warning("%s: %s; stored as Python prints it", name, error)
        text = json.dumps(content, default=repr, skipkeys=True)
        shown: Dict[str, Any] = json.loads(text)
        return shown
    return content
