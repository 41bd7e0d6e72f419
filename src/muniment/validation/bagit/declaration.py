"""bagit.txt: exactly two lines that name the version and the encoding (RFC 8493 §2.1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from muniment.content import Finding
from muniment.validation.bagit.bag import KNOWN_VERSIONS, Bag
from muniment.validation.bagit.tagfiles import usable_encoding
from muniment.validation.findings import say, why
from muniment.validation.ocfl.jsontext import TooLarge, read_bounded

NAME = "bagit.txt"
_LARGEST = 4096
_MARK = b"\xef\xbb\xbf"
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})", re.ASCII)
_LABELS = ("BagIt-Version", "Tag-File-Character-Encoding")


def read_declaration(bag: Bag) -> Iterator[Finding]:
    """Read bagit.txt into `bag` (B001 to B004, B902, B905); the rest is judged whatever it says."""
    if NAME not in bag.tree.files:
        if NAME not in bag.tree.links and NAME not in bag.tree.unread:
            yield say("B001", NAME)
        return
    try:
        data = read_bounded(bag.tree.path(NAME), _LARGEST)
    except TooLarge as error:
        yield say("B906", NAME, f"{_LARGEST} bytes", f"{error} bytes")
        return
    except (OSError, ValueError) as error:
        yield say("B901", NAME, found=why(error))
        return
    if data.startswith(_MARK):
        yield say("B003", NAME)
        data = data.removeprefix(_MARK)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        yield say("B005", NAME, "UTF-8", why(error))
        return
    yield from _two_lines(bag, re.split(r"\r\n|\n|\r", text))


def _two_lines(bag: Bag, found: list[str]) -> Iterator[Finding]:
    if found[-1] == "":
        found.pop()
    for number, label in enumerate(_LABELS):
        line = found[number] if number < len(found) else ""
        name, separator, value = line.partition(": ")
        if name != label or not separator or not value or value != value.strip():
            yield say("B002", f"{NAME}, line {number + 1}", f"{label}: …", line)
        elif number == 0:
            yield from _version(bag, value)
        elif usable_encoding(value):
            bag.encoding = value
        else:
            yield say("B902", NAME, found=value)
    for number, line in enumerate(found[len(_LABELS) :], len(_LABELS) + 1):
        yield say("B002", f"{NAME}, line {number}", "", line)


def _version(bag: Bag, value: str) -> Iterator[Finding]:
    match = _VERSION.fullmatch(value)
    if not match:
        yield say("B004", NAME, "a number such as 1.0", value)
        return
    version = (int(match[1]), int(match[2]))
    bag.declared = value
    if version in KNOWN_VERSIONS:
        bag.version = version
    else:
        yield say("B905", NAME, "0.93 to 0.97 or 1.0", value)
