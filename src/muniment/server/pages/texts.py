"""The texts of the pages: English stands in the templates and is the key, other languages are files beside this one.

A text with a count has two forms with a bar between them: `{n} file|{n} files`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources

from markupsafe import Markup, escape

ENGLISH = "en"
LANGUAGES = (ENGLISH, "de")
_MOST_ASKED = 20


class Texts:
    """The texts in one language; what is given to be put into them is escaped."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._known = _translations(language)

    def __call__(self, text: str, /, **given: object) -> Markup:
        """A text, with what is given in place of its `{names}`."""
        return Markup(escape(self._known.get(text, text))).format(**given)  # noqa: S704 - escaped just before

    def counted(self, count: int, text: str, /, **given: object) -> Markup:
        """A text for this many; `{n}` is the number."""
        one, _, many = self._known.get(text, text).partition("|")
        chosen = one if count == 1 else many
        return Markup(escape(chosen)).format(n=self.number(count), **given)  # noqa: S704 - as above

    def number(self, value: float, digits: int = 0) -> str:
        """A number with marks between thousands."""
        text = f"{value:,.{digits}f}"
        return text if self.language == ENGLISH else text.translate({ord(","): ".", ord("."): ","})

    def bytes(self, size: int) -> str:
        """A size in decimal units, to three figures."""
        value, unit = float(size), "B"
        for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
            if value < 1000 or unit == "PB":  # noqa: PLR2004 - SI
                break
            value /= 1000
        digits = 0 if unit == "B" or value >= 100 else 1 if value >= 10 else 2  # noqa: PLR2004 - three figures
        return f"{self.number(value, digits)}\u00a0{unit}"  # noqa: RUF100, RUF001 - a space that does not break


def chosen(accept: str) -> str:
    """The language of ours that a reader likes best (RFC 9110 §12.5.4)."""
    wanted: list[tuple[float, str]] = []
    for word in accept.split(",")[:_MOST_ASKED]:
        name, _, weight = word.partition(";")
        value = weight.strip().removeprefix("q=")
        try:
            wanted.append((float(value) if value else 1.0, name.strip().lower().partition("-")[0]))
        except ValueError:
            continue
    for likes, known in sorted(wanted, key=lambda pair: -pair[0]):
        if likes > 0 and known in LANGUAGES:
            return known
    return ENGLISH


@cache
def texts(language: str) -> Texts:
    """The texts in a language."""
    return Texts(language)


@cache
def _translations(language: str) -> Mapping[str, str]:
    if language == ENGLISH:
        return {}
    place = resources.files("muniment.server.pages") / "translations" / f"{language}.json"
    found: dict[str, str] = json.loads(place.read_text(encoding="utf-8"))
    return found
