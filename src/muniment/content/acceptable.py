"""The gatekeeper: what may be said about an instance, judged in one place for every door.

Whatever is kept must be shown, got, exported and imported again for ever; so what these functions accept can be
written as JSON and UTF-8, read back by any of our readers, and means one thing. Python, the command line, HTTP,
imports and migrations all end here, and times in `times`, paths in `paths`, ids in `identity`.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping

from muniment.content.events import Event
from muniment.content.identity import Agent
from muniment.errors.content import BadValue

LONGEST_TEXT = 10_000
"""Characters of a message or a reason."""
LONGEST_LINE = 1_000
"""Characters of an agent's name or address."""
LONGEST_IDENTIFIER = 200
"""Characters of an instance's identifier: far above any UUID or URI in use."""
LONGEST_TARGET = 4_095
"""Bytes of UTF-8 that a symbolic link may point with: what Linux allows."""
DEEPEST = 100
"""Levels of lists and objects in each other: readers of JSON follow each with one of their own."""
LARGEST_NUMBER_BITS = 10_000
"""About 3,000 decimal digits: readers refuse numbers far above that."""
LARGEST_SIZE = (1 << 63) - 1
"""Bytes of a file."""

_BREAKS = {"Cc", "Zl", "Zp"}
"""Control characters and line separators: where one line is asked for, some reader would see two."""


def check_text(value: object, what: str, *, longest: int = LONGEST_TEXT, one_line: bool = False) -> str:
    """Accept text that can be written as UTF-8; with `one_line` no control characters or line breaks.

    Raises:
        BadValue: It is not text, too long, or holds what cannot be written.
    """
    if not isinstance(value, str):
        raise BadValue(what=what, reason=f"it is {_kind(value)}, not text")
    if len(value) > longest:
        raise BadValue(what=what, reason=f"it has {len(value)} characters, more than {longest}")
    if not _is_unicode(value):
        raise BadValue(what=what, reason="it is not valid Unicode")
    if one_line and not value.isprintable() and any(unicodedata.category(each) in _BREAKS for each in value):
        raise BadValue(what=what, reason="it holds a control character or a line break")
    return value


def check_agent(agent: Agent) -> Agent:
    """Accept who acts: a name and an address, each one line.

    Raises:
        BadValue: One of them is not.
    """
    check_text(agent.name, "an agent's name", longest=LONGEST_LINE, one_line=True)
    address = check_text(agent.address, "an agent's address", longest=LONGEST_LINE, one_line=True)
    if not agent.name.strip():
        raise BadValue(what="an agent's name", reason="it is empty")
    if any(character.isspace() or character in "<>" for character in address):
        raise BadValue(what="an agent's address", reason="it holds white space or an angle bracket")
    return agent


def check_identifier(value: object) -> str:
    """Accept an instance's identifier.

    Raises:
        BadValue: It is no text of one line, too long, could be taken for a number or a word that asks for an
            instance, or is no name for a folder and a part of an address.
    """
    what = "an instance's identifier"
    text = check_text(value, what, longest=LONGEST_IDENTIFIER, one_line=True)
    if not text or text != text.strip():
        raise BadValue(what=what, reason="it is empty, or has white space around it")
    if text == "newest" or text.removeprefix("v").isdecimal():
        raise BadValue(what=what, reason=f"{text!r} asks for an instance by its number or place")
    if {".", ".."}.intersection(text.split("/")):
        raise BadValue(what=what, reason=f"{text!r} has '.' or '..' for a part")
    return text


def check_size(value: object, what: str = "a file's size") -> int:
    """Accept a number of bytes.

    Raises:
        BadValue: It is no whole number from 0 to 2^63 - 1.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadValue(what=what, reason=f"it is {_kind(value)}, not a whole number")
    if not 0 <= value <= LARGEST_SIZE:
        raise BadValue(what=what, reason="it is below 0" if value < 0 else "it is above 2^63 - 1")
    return value


def check_target(value: object, path: str) -> str:
    """Accept what a symbolic link at `path` points with.

    Raises:
        BadValue: It is no text a link can hold.
    """
    what = f"the target of the link {path!r:.200}"
    text = check_text(value, what)
    if not text or "\0" in text:
        raise BadValue(what=what, reason="it is empty or holds a NUL character")
    if len(text.encode("utf-8")) > LONGEST_TARGET:
        raise BadValue(what=what, reason=f"it has more than {LONGEST_TARGET} bytes")
    return text


def check_json(value: object, what: str) -> None:
    """Accept JSON data: objects, lists, text, whole and finite numbers, true, false and null.

    Raises:
        BadValue: Something in it is none of these, or cannot be read back by every reader.
    """
    # Not by recursion: it is about what is nested too deeply, among others.
    waiting: list[tuple[object, int]] = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > DEEPEST:
            raise BadValue(what=what, reason=f"it is nested more than {DEEPEST} deep")
        if isinstance(item, dict):
            for key in item:
                if not isinstance(key, str) or not _is_unicode(key):
                    raise BadValue(what=what, reason=f"the key {key!r:.60} is not valid text")
            waiting += [(each, depth + 1) for each in item.values()]
        elif isinstance(item, list | tuple):
            waiting += [(each, depth + 1) for each in item]
        else:
            reason = _fault_of(item)
            if reason:
                raise BadValue(what=what, reason=reason)


def check_object(value: object, what: str) -> None:
    """As `check_json`, for what must be an object.

    Raises:
        BadValue: It is not one, or cannot be kept.
    """
    if not isinstance(value, Mapping):
        raise BadValue(what=what, reason=f"it is {_kind(value)}, not an object")
    check_json(dict(value), what)


def check_event(event: Event) -> Event:
    """Accept an event somebody else wants to have in the log.

    Raises:
        BadValue: It could not be written, or not be read back.
    """
    for name in ("event", "agent", "project", "resource", "outcome", "transaction"):
        check_text(getattr(event, name), f"an event's {name}", one_line=name != "resource")
    check_size(event.instance, "an event's instance")
    if not isinstance(event.detail, dict):
        raise BadValue(what="an event's detail", reason=f"it is {_kind(event.detail)}, not an object")
    check_json(event.detail, "an event's detail")
    return event


def _fault_of(item: object) -> str:
    if item is None or isinstance(item, bool):
        return ""
    if isinstance(item, str):
        return "" if _is_unicode(item) else f"the text {item!r:.60} is not valid Unicode"
    if isinstance(item, int):
        return "" if item.bit_length() <= LARGEST_NUMBER_BITS else "a number in it has too many digits"
    if isinstance(item, float):
        return "" if math.isfinite(item) else f"{item} is not a number of JSON"
    return f"{_kind(item)} is nothing JSON can hold"


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


_KINDS: Mapping[type, str] = {
    type(None): "nothing",
    bool: "a truth value",
    str: "text",
    dict: "an object",
    list: "a list",
}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), f"a {type(value).__name__}")
