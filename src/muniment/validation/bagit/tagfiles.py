"""Tag files as lines of text: decoded as declared, bounded, with their line numbers (RFC 8493 §2.1.1)."""

from __future__ import annotations

import codecs
import io
import os
import re
import stat
from collections.abc import Iterator

from muniment.content import Finding
from muniment.validation.findings import say, why
from muniment.validation.tree import Tree

LONGEST_LINE = 64 * 1024
"""Characters of one line; no path that a file system holds comes near it."""

_LINE_END = re.compile(rb"\r\n|\n|\r")
_UNFIT = {"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem", "utf_7"}
"""Encodings Python knows that are either no text encodings or slow without bound on hostile input."""


def usable_encoding(name: str) -> bool:
    """Whether tag files in that character encoding can be read here."""
    try:
        found = codecs.lookup(name)
        # Decoding empty bytes never asks the codec; opening a text does, and refuses hex, zlib and their like.
        io.TextIOWrapper(io.BytesIO(), encoding=name).close()
    except (LookupError, ValueError, UnicodeError):
        return False
    return found.name.replace("-", "_") not in _UNFIT


def lines(tree: Tree, name: str, encoding: str, findings: list[Finding]) -> Iterator[tuple[int, str]]:
    """Line numbers and lines without their ends; what goes wrong is added to `findings` and ends them.

    Line ends may be LF, CR or both. The file is opened without following a link or waiting at a pipe.
    """
    number = 0
    try:
        handle = os.open(tree.path(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as raw:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                findings.append(say("B901", name, found="it is no regular file"))
                return
            with io.TextIOWrapper(raw, encoding=encoding, newline=None) as text:
                while line := text.readline(LONGEST_LINE):
                    number += 1
                    if len(line) >= LONGEST_LINE and not line.endswith("\n"):
                        findings.append(say("B906", f"{name}, line {number}", f"{LONGEST_LINE} characters", "more"))
                        return
                    if number == 1 and line.startswith("\ufeff"):
                        findings.append(say("B517", name))
                    yield number, line.removesuffix("\n").removeprefix("\ufeff" if number == 1 else "")
    except UnicodeError as error:
        findings.append(say("B005", name, encoding, _undecodable(error, number)))
    except (OSError, ValueError) as error:
        findings.append(say("B901", name, found=why(error)))


def _undecodable(error: UnicodeError, read: int) -> str:
    """What is no text, and in which line; `read` lines were before the bytes that were looked at."""
    if not isinstance(error, UnicodeDecodeError):
        return f"{why(error)}, after line {read}"
    line = read + len(_LINE_END.split(error.object[: error.start]))
    return f"the byte {error.object[error.start]:02x} in line {line} is none of a text in {error.encoding}"
