"""Say a finding by its code, in text that any terminal and any JSON can carry."""

from __future__ import annotations

import json

from muniment.content import FINDINGS, Finding

LONGEST = 500
"""Characters kept of a hostile name or value; more would only drown the report."""


def say(code: str, where: object, expected: object = "", found: object = "") -> Finding:
    """The finding `code` at `where`, with what was expected and what was found.

    Raises:
        KeyError: There is no such code; a mistake in a rule.
    """
    return Finding(FINDINGS[code], printable(where), printable(expected), printable(found))


def printable(value: object) -> str:
    """`value` as text: undecodable bytes and control characters escaped, endless text cut."""
    text = str(value)
    if len(text) > LONGEST:
        text = text[:LONGEST] + "…"
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def counted(number: int, noun: str) -> str:
    """How many there are of something, in words: '1 member', '2 members'."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    words = {
        bool: "a truth value",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return next((word for kind, word in words.items() if isinstance(value, kind)), "something else")


def why(error: BaseException) -> str:
    """An exception in a few words for the person who reads the report, none of them a library's."""
    if isinstance(error, UnicodeDecodeError):
        wrong = error.object[error.start : error.start + 1].hex()
        return f"the byte {wrong} at {error.start} is none of a text in {error.encoding}"
    if isinstance(error, UnicodeError):
        return "it is no text in that encoding"
    if isinstance(error, json.JSONDecodeError):
        return f"what stands at line {error.lineno}, column {error.colno} is not JSON"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
