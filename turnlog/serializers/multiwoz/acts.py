"""MultiWOZ's dialog_act and span_info as frames of acts and spans, and back.

`{"Hotel-Inform": [["Area", "east"]]}` is an act Inform of the frame Hotel. A span counts the text's
words, `["Hotel-Inform", "Area", "east", 8, 8]`; ours counts its characters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from turnlog.domain.annotations import Act, Frame, Span
from turnlog.domain.events import MessageAnnotated

_WORD = re.compile(r"\S+")


def annotated(turn: Mapping[str, Any], text: str, message: int) -> MessageAnnotated | None:
    """The annotation of a message; members in an unusual form go to `extra` unchanged."""
    frames: list[Frame] = []
    extra: dict[str, Any] = {}
    if "dialog_act" in turn:
        acts = turn["dialog_act"]
        if acts and _are_acts(acts):
            frames += _act_frames(acts)
        else:
            extra["dialog_act"] = acts
    if "span_info" in turn:
        spans = turn["span_info"]
        if spans and _are_spans(spans):
            frames = _with_spans(frames, spans, text)
        else:
            extra["span_info"] = spans
    if not frames and not extra:
        return None
    return MessageAnnotated(frames=tuple(frames), message=message, extra=extra or None)


def acts_and_spans(annotation: MessageAnnotated, text: str, lost: Counter[str]) -> dict[str, Any]:
    """The members that `annotated` read; what they cannot hold is counted in `lost`."""
    members: dict[str, Any] = {}
    for frame in annotation.frames:
        for act in frame.acts or ():
            key = _key(frame, act.act)
            listed = members.setdefault("dialog_act", {}).setdefault(key, [])
            lost["act with several values or none"] += _odd(act)
            lost["name of a service or an act"] += _split(key) != (frame.service, act.act)
            if act.slot is not None:
                listed.append([act.slot, act.values[0] if act.values else "?"])
    words = _words(text)
    for frame in annotation.frames:
        for span in frame.spans or ():
            counted = _counted(span, words)
            if counted is None or span.act is None:
                lost["span that counts no words"] += 1
                continue
            content = [_key(frame, span.act), span.slot, span.value, *counted]
            members.setdefault("span_info", []).append(content)
    return {**members, **(annotation.extra or {})}


def _odd(act: Act) -> bool:
    return bool(act.values) if act.slot is None else len(act.values or ()) != 1


def _are_acts(acts: Any) -> bool:
    return isinstance(acts, dict) and all(
        isinstance(pairs, list)
        and all(isinstance(p, list) and len(p) == 2 and isinstance(p[0], str) for p in pairs)
        for pairs in acts.values()
    )


def _are_spans(spans: Any) -> bool:
    kinds = (str, str, object, int, int)
    return isinstance(spans, list) and all(
        isinstance(span, list) and len(span) == 5 and all(map(isinstance, span, kinds))
        for span in spans
    )


def _act_frames(acts: Mapping[str, list[list[Any]]]) -> list[Frame]:
    by_service: dict[str, list[Act]] = {}
    for key, pairs in acts.items():
        service, act = _split(key)
        listed = by_service.setdefault(service, [])
        listed += [Act(act, slot, [value]) for slot, value in pairs] or [Act(act)]
    return [Frame(service, listed) for service, listed in by_service.items()]


def _with_spans(frames: list[Frame], spans: Iterable[list[Any]], text: str) -> list[Frame]:
    """The frames with the spans in their order; one out of order gets a separate frame."""
    words = _words(text)
    result = list(frames)
    at = 0
    for key, slot, value, first, last in spans:
        service, act = _split(key)
        at = next((i for i in range(at, len(result)) if result[i].service == service), len(result))
        if at == len(result):
            result.append(Frame(service))
        span = _span(words, first, last, slot=slot, act=act, value=value)
        frame = result[at]
        result[at] = Frame(frame.service, frame.acts, [*(frame.spans or ()), span])
    return result


def _span(words: list[tuple[int, int]], first: int, last: int, **rest: Any) -> Span:
    if 0 <= first <= last < len(words):
        return Span(start=words[first][0], end=words[last][1], **rest)
    return Span(extra={"words": [first, last]}, **rest)


def _counted(span: Span, words: list[tuple[int, int]]) -> list[Any] | None:
    """First and last word of a span; None unless it begins and ends with one."""
    if (indexes := (span.extra or {}).get("words")) is not None:
        return list(indexes)
    first = next((i for i, word in enumerate(words) if word[0] == span.start), None)
    last = next((i for i, word in enumerate(words) if word[1] == span.end), None)
    return None if first is None or last is None else [first, last]


def _words(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in _WORD.finditer(text)]


def _split(key: str) -> tuple[str, str]:
    service, dash, act = key.partition("-")
    return (service, act) if dash and service else ("", key)


def _key(frame: Frame, act: str) -> str:
    return f"{frame.service}-{act}" if frame.service else act
