"""Names on a tape: LTFS composes Unicode (NFC), refuses some characters, and takes 255 characters of a name.

What a tape would change or refuse is percent-encoded before, so that what comes back is what was written. A name that
is too long even so is cut, and a digest of it follows: which key that was is then known from the catalogue alone.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from urllib.parse import quote, unquote

CATALOGUE = "MUNIMENT"
"""The folder on a tape with lists of what lies on it."""
INCOMING = ".incoming"
INDICATOR = "INDICATOR"
INDICATOR_SUFFIX = ".indicator"
_LONGEST = 255
_KEPT = 180
_REFUSED = re.compile("[\x00\x1f\ud800-\udfff\ufffe\uffff%]")
"""What LTFS refuses (LTFS format 2.4, names), and the sign that marks what was encoded."""


def medium_name(key: str) -> str:
    """The path of a key on a tape."""
    first, *rest = map(_segment, key.split("/"))
    if first in {CATALOGUE, INCOMING, INDICATOR} or (not rest and first.endswith(INDICATOR_SUFFIX)):
        # These belong to the tape itself.
        first = f"{first[:-1]}%{ord(first[-1]):02X}"
    return "/".join([first, *rest])


def key_of(name: str) -> str:
    """The key whose path on a tape is `name`, where that path was not cut."""
    return "/".join(map(unquote, name.split("/")))


def is_own(name: str) -> bool:
    """Whether a path on a tape is no key's: the indicator, our lists, what is on its way."""
    first, _, rest = name.partition("/")
    return first in {CATALOGUE, INCOMING, INDICATOR} or (not rest and first.endswith(INDICATOR_SUFFIX))


def _segment(text: str) -> str:
    name = _REFUSED.sub(lambda found: quote(found[0], safe=""), text)
    if unicodedata.normalize("NFC", name) != name:
        name = "".join(each if each.isascii() else quote(each) for each in name)
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_KEPT]}~{hashlib.sha256(text.encode()).hexdigest()[:32]}"
