"""Paths in manifests and fetch.txt: decoded, held inside the bag (RFC 8493 §2.1.3, §5.1)."""

from __future__ import annotations

import re
import unicodedata

_ESCAPES_1 = re.compile("%(0[aAdD]|25)")
_ESCAPES_0 = re.compile("%(0[aAdD])")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\|%[A-Za-z]+%[\\/]")

SYSTEM_FILES = {".ds_store", "thumbs.db", "desktop.ini", ".spotlight-v100", ".trashes", ".fseventsd", "ehthumbs.db"}
"""Names, in lower case, of what operating systems leave behind and remove as they like."""

_RESERVED = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\.|$)", re.IGNORECASE)
_ILLEGAL = set('<>:"\\|?*')


def decode(path: str, version: tuple[int, int]) -> str:
    """Undo the percent-encoding of line ends and, from BagIt 1.0 on, of the percent sign itself."""
    pattern = _ESCAPES_1 if version >= (1, 0) else _ESCAPES_0
    return pattern.sub(lambda match: chr(int(match[1], 16)), path)


def leads_out(path: str) -> bool:
    """Whether `path` names something outside the bag here: absolute, a home folder, or by way of '..'."""
    return not path or path.startswith(("/", "~/")) or ".." in path.split("/") or "\0" in path


def leads_out_elsewhere(path: str) -> bool:
    r"""Whether `path` could lead out on some other system: a '\' between '..', a drive, a '~user'."""
    elements = path.replace("\\", "/").split("/")
    return bool(path.startswith("~") or ".." in elements or _WINDOWS.match(path))


def plain(path: str) -> str:
    """Without leading './' and doubled '/'; the path as it would be on disk."""
    return "/".join(element for element in path.split("/") if element not in {"", "."})


def folded(path: str) -> str:
    """The same for names that a system without capitals or with one normalisation would confuse."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def composed(path: str) -> str:
    """The path in the normalisation NFC: what two spellings of one text have in common."""
    return path if path.isascii() else unicodedata.normalize("NFC", path)


def same_but_for_normalisation(one: str, other: str) -> bool:
    """Whether two different paths are the same text in another Unicode normalisation."""
    return composed(one) == composed(other)


def is_system_file(path: str) -> bool:
    """Whether an operating system may have put `path` there."""
    name = path.rpartition("/")[2].lower()
    return name in SYSTEM_FILES or name.startswith("._")


def unportable(path: str) -> str:
    """Why some system could not hold `path`, in words that follow 'this name'; '' when all could."""
    for name in path.split("/"):
        if _RESERVED.match(name):
            return "is reserved on Windows"
        if name.endswith((".", " ")):
            return "ends in a point or a space, which Windows drops"
        if _ILLEGAL & set(name) or any(character < " " for character in name):
            return "holds a character that Windows does not allow"
    return ""
