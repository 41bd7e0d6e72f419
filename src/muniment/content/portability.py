"""Names that other systems cannot hold or would confuse: kept as they are, with a warning."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from muniment.content.findings import FINDINGS, Finding

_WINDOWS_CHARACTERS = re.compile(r'[<>:"\\|?*\x00-\x1f]')
_WINDOWS_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³])(?:\..*)?\Z", re.IGNORECASE)
_LONGEST = 255
_SUSPECT = re.compile(
    r'[<>:"\\|?*\x00-\x1f]|[. ](?:/|\Z)|(?:\A|/)(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:[./]|\Z)', re.IGNORECASE
)
"""In an ASCII path of ordinary length, one look for all there could be to say; nearly every path has nothing."""


def check_names(paths: Iterable[str], *, resource: str = "", instance: str = "") -> Iterator[Finding]:
    """A warning (M601) for every path that would not survive everywhere as it is."""
    seen: dict[str, str] = {}
    for path in paths:
        for reason in _reasons(path):
            yield Finding(FINDINGS["M601"], path, found=reason, resource=resource, instance=instance)
        folded = path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()
        twin = seen.setdefault(folded, path)
        if twin != path:
            how = "case" if twin.casefold() == path.casefold() else "Unicode form"
            found = f"differs from {twin!r} only by {how}: some systems hold but one of them"
            yield Finding(FINDINGS["M601"], path, found=found, resource=resource, instance=instance)


def _reasons(path: str) -> Iterator[str]:
    if len(path) <= _LONGEST and path.isascii() and not _SUSPECT.search(path):
        return
    for segment in path.split("/"):
        if segment[-1:] in {".", " "}:
            yield f"has a part that ends in {'a dot' if segment.endswith('.') else 'a space'}: Windows drops it"
        if _WINDOWS_CHARACTERS.search(segment):
            yield "holds a character that Windows does not allow"
        if _WINDOWS_DEVICES.match(segment):
            yield f"has a part, {segment!r}, that is a device on Windows"
        if len(segment.encode("utf-8")) > _LONGEST:
            yield f"has a part of more than {_LONGEST} bytes: most file systems cannot hold it"
