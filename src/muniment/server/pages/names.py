"""How names, titles and times from outside are shown: as text that can neither hide nor reorder anything."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from urllib.parse import quote

from markupsafe import Markup, escape

_LONGEST = 500
_COMMAND = re.compile(r"`([^`]+)`")
_MARKS = {
    "\n": "LF",
    "\r": "CR",
    "\t": "TAB",
    "\0": "NUL",
    "\u00ad": "SHY",
    "\u061c": "ALM",
    "\u200b": "ZWSP",
    "\u200e": "LRM",
    "\u200f": "RLM",
    "\u2028": "LSEP",
    "\u2029": "PSEP",
    "\u202a": "LRE",
    "\u202b": "RLE",
    "\u202c": "PDF",
    "\u202d": "LRO",
    "\u202e": "RLO",
    "\u2060": "WJ",
    "\u2066": "LRI",
    "\u2067": "RLI",
    "\u2068": "FSI",
    "\u2069": "PDI",
    "\ufeff": "BOM",
}
_JOINERS = "\u200c\u200d"
"""They belong to the spelling of Persian and Indian languages and to emoji, and move nothing."""


def shown(text: str, longest: int = _LONGEST) -> Markup:
    """A text from outside: controls and marks of direction are boxes that say what they are."""
    if len(text) <= longest and text.isprintable() and text.strip(" ") == text:
        return escape(text)
    parts: list[Markup] = []
    within = range(len(text) - len(text.lstrip(" ")), len(text.rstrip(" ")))
    for at, letter in enumerate(text[:longest]):
        # A space at an end is seen by nobody, and some systems drop it.
        mark = "SP" if letter == " " and at not in within else _mark(letter)
        parts.append(
            escape(letter)
            if mark is None
            else Markup('<span class="ctl" title="U+{:04X}">{}</span>').format(ord(letter), mark)
        )
    if len(text) > longest:
        parts.append(Markup('<span class="ctl" title="{}">…</span>').format(len(text)))
    return Markup().join(parts)


_MAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]*[A-Za-z0-9]")
_LONGEST_CONTACT = 300


def lines(text: str) -> Markup:
    """A text of many lines, whose lines end where they end and whose other marks are boxes."""
    return Markup("\n").join(_line(line.expandtabs(4)) for line in text.split("\n"))


def _line(text: str) -> Markup:
    """A line, whose spaces at its ends are what they are."""
    inside = text.strip(" ")
    before, _, after = text.partition(inside) if inside else (text, "", "")
    return escape(before) + shown(inside, len(inside) + 1) + escape(after)


def name(text: str) -> Markup:
    """A file's name or path: from left to right, so that no script can hide its ending."""
    return Markup('<bdi dir="ltr">{}</bdi>').format(shown(text))


def commands(text: str) -> Markup:
    """A text of ours, in which what is to be typed stands between backquotes."""
    # As plain text: what re puts together of Markup would be escaped once more.
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped just before


def contact(text: str) -> Markup:
    """Whom to ask, as the setting says it; the mail address in it, alone or in angle brackets, is a link."""
    found = _MAIL.search(text)
    if found is None:
        return shown(text, _LONGEST_CONTACT)
    address = found[0]
    before, after = text[: found.start()].rstrip(" <"), text[found.end() :].lstrip("> ")
    link = Markup('<a href="mailto:{}">{}</a>').format(quote(address, safe="@+"), shown(address))
    return Markup(" ").join(part for part in (shown(before), link, shown(after)) if part)


def title(text: str, longest: int = _LONGEST) -> Markup:
    """A title: in its own direction, which ends with it."""
    return Markup("<bdi>{}</bdi>").format(shown(text, longest))


def _mark(letter: str) -> str | None:
    known = _MARKS.get(letter)
    if known is not None or letter in _JOINERS:
        return known
    kind = unicodedata.category(letter)
    return f"{ord(letter):X}" if kind in {"Cc", "Cf", "Cs", "Co", "Cn"} else None


def moment(stamp: str | float | None, *, day: bool = False) -> Markup:
    """A time, in UTC as the server writes it; a script makes it the reader's own."""
    if stamp is None or stamp == "":
        return Markup("")
    try:
        found = (
            datetime.fromtimestamp(stamp, UTC)
            if isinstance(stamp, int | float)
            else datetime.fromisoformat(stamp).astimezone(UTC)
        )
    except (ValueError, OverflowError, OSError):
        return shown(str(stamp), 40)
    exact = found.strftime("%Y-%m-%dT%H:%M:%SZ")
    text = found.strftime("%Y-%m-%d") if day else found.strftime("%Y-%m-%d %H:%M UTC")
    return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(
        exact, found.strftime("%Y-%m-%d %H:%M:%S UTC"), Markup(" data-day") if day else "", text
    )


def digest(text: str, letters: int = 4) -> Markup:
    """A digest in short, whole in its title."""
    algorithm, colon, value = text.rpartition(":")
    short = f"{value[:letters]}…{value[-letters:]}" if len(value) > 3 * letters else value
    return Markup('<span class="digest" title="{}">{}{}{}</span>').format(text, algorithm, colon, short)
