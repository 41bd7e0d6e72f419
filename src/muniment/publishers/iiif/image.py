"""A published page's image service, and the lines of text on it with their places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser

LINES = "lines.json"
_BOX = re.compile(r"(?:^|;)\s*bbox (\d+) (\d+) (\d+) (\d+)")
_MOST = 20_000
"""Lines of a page that are kept: more is no page of text."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text on a page, and where it is: left, top, width and height in pixels of the page."""

    x: int
    y: int
    width: int
    height: int
    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A page's image service: its address, its pixels, and the sizes that can be had whole, the smallest first."""

    url: str
    width: int
    height: int
    sizes: tuple[tuple[int, int], ...]
    text: str = ""
    hocr: str = ""
    """The address of the text with its places."""
    lines: tuple[Line, ...] = ()

    @property
    def name(self) -> str:
        """The last part of its address, which is its folder."""
        return self.url.rpartition("/")[2]

    def whole(self, size: tuple[int, int]) -> str:
        """The address of the whole image in one of its sizes."""
        named = "max" if size == (self.width, self.height) else f"{size[0]},{size[1]}"
        return f"{self.url}/full/{named}/0/default.jpg"


def lines_of(hocr: str) -> tuple[Line, ...]:
    """The lines of a hOCR document (hOCR 1.2 §4: the class `ocr_line` and its kin, the property `bbox`)."""
    reader = _Reader()
    reader.feed(hocr)
    reader.close()
    return tuple(reader.lines[:_MOST])


class _Reader(HTMLParser):
    """Gathers the text within each element that says it is a line."""

    _CLASSES = frozenset({"ocr_line", "ocr_header", "ocr_caption", "ocr_textfloat"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[Line] = []
        self._open = 0
        self._box: tuple[int, int, int, int] | None = None
        self._words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._box is not None:
            self._open += tag == "span"
            return
        given = dict(attrs)
        if tag == "span" and self._CLASSES & set((given.get("class") or "").split()):
            found = _BOX.search(given.get("title") or "")
            if found is not None:
                left, top, right, bottom = map(int, found.groups())
                self._box, self._open, self._words = (left, top, right - left, bottom - top), 1, []

    def handle_data(self, data: str) -> None:
        if self._box is not None:
            self._words.append(data)

    def handle_endtag(self, tag: str) -> None:
        if self._box is None or tag != "span":
            return
        self._open -= 1
        if not self._open:
            text = " ".join("".join(self._words).split())
            if text and self._box[2] > 0 and self._box[3] > 0:
                self.lines.append(Line(*self._box, text))
            self._box = None
