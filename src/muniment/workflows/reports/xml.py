"""XML as text, element by element: nothing that a name or a message may hold makes a document that cannot be read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

_UNWRITABLE = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
"""What no XML 1.0 document may hold, not even as a reference (XML 1.0 §2.2)."""
_UNWRITABLE_OR_PERCENT = re.compile(f"{_UNWRITABLE.pattern}|%")
_PLAIN = re.compile(r"[\w ./:%#@+=,;()'\[\]-]*", re.ASCII)
"""Most texts are, and need no second look: of 100,000 files there are millions."""
_REFERENCES = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        # Readers turn these into spaces or drop them, unless they are references (XML 1.0 §2.11 and §3.3.3).
        "\r": "&#13;",
        "\t": "&#9;",
        "\n": "&#10;",
    }
)
_AT_ONCE = 1 << 16


def escape(value: str) -> str:
    """A text as an element's content or an attribute's value; what XML cannot hold is U+FFFD."""
    if _PLAIN.fullmatch(value):
        return value
    return _UNWRITABLE.sub("\ufffd", value).translate(_REFERENCES)


def exact(value: str) -> str:
    """A text without what XML cannot hold, percent-encoded so that no two texts become one."""
    return _UNWRITABLE_OR_PERCENT.sub(_encoded, value)


def as_json(value: object) -> str:
    """JSON that XML can hold, whatever its strings hold."""
    return _UNWRITABLE.sub(_json_escape, json.dumps(value, ensure_ascii=False, sort_keys=True))


def element(name: str, *children: str, **attributes: str) -> str:
    """An element round children that are XML already; an underscore in an attribute's name stands for a colon."""
    return f"{start(name, **attributes)}{''.join(children)}</{name}>"


def leaf(name: str, value: str, **attributes: str) -> str:
    """An element that holds a text."""
    return f"{start(name, **attributes)}{escape(value)}</{name}>"


def start(name: str, **attributes: str) -> str:
    """The start tag of an element."""
    if not attributes:
        return f"<{name}>"
    said = "".join(f' {key.replace("_", ":")}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{said}>"


def encoded(pieces: Iterable[str]) -> Iterator[bytes]:
    """Pieces of a document as UTF-8, so many together that each is worth a write."""
    gathered: list[str] = []
    size = 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= _AT_ONCE:
            yield "".join(gathered).encode("utf-8")
            gathered.clear()
            size = 0
    if gathered:
        yield "".join(gathered).encode("utf-8")


def _encoded(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))


def _json_escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
