"""The single values of an inventory: id, type, digestAlgorithm, head and contentDirectory (OCFL 1.1 §3.5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from muniment.content import Finding
from muniment.validation.findings import kind_of, say

SPECS = ("1.0", "1.1")
"""The versions of OCFL that are known here, oldest first."""

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+", re.ASCII)
_REQUIRED = ("id", "type", "digestAlgorithm", "head")


@dataclass(slots=True)
class HeadKeys:
    """The single values; None where one is missing or not a text."""

    id: str | None = None
    spec: str | None = None
    """The version of OCFL that `type` names, when it is a known one."""
    algorithm: str = "sha512"
    """What manifest and states are read by; sha512 when the inventory does not say."""
    head: str | None = None
    content_directory: str = "content"
    content_directory_set: bool = False
    content_directory_usable: bool = True


def is_uri(text: str) -> bool:
    """Whether `text` has the form of a URI (RFC 3986): a scheme, a colon and something after it."""
    return bool(_URI.fullmatch(text))


def type_of(spec: str) -> str:
    """The `type` of inventories of that version of OCFL."""
    return f"https://ocfl.io/{spec}/spec/#inventory"


def read_head_keys(
    raw: dict[str, object], where: str, spec: str | None, *, is_root: bool
) -> tuple[HeadKeys, list[Finding]]:
    """The single values of an inventory and what is wrong with them."""
    keys = HeadKeys()
    findings = [say("E036", where, expected=key) for key in _REQUIRED if key not in raw]
    findings += _read_id(keys, raw, where)
    findings += _read_type(keys, raw, where, spec if is_root else None, newest=spec)
    findings += _read_algorithm(keys, raw, where)
    if "head" in raw:
        if isinstance(raw["head"], str):
            keys.head = raw["head"]
        else:
            findings.append(say("E040", where, "the name of the newest version", kind_of(raw["head"])))
    findings += _read_content_directory(keys, raw, where)
    return keys, findings


def _read_id(keys: HeadKeys, raw: dict[str, object], where: str) -> Iterator[Finding]:
    if "id" not in raw:
        return
    if not isinstance(raw["id"], str) or not raw["id"]:
        found = "empty" if raw["id"] == "" else kind_of(raw["id"])
        yield say("E037", where, "a text", found)
        return
    keys.id = raw["id"]
    if not is_uri(keys.id):
        yield say("W005", where, found=keys.id)


def _read_type(
    keys: HeadKeys, raw: dict[str, object], where: str, exactly: str | None, newest: str | None
) -> Iterator[Finding]:
    if "type" not in raw:
        return
    allowed = [exactly] if exactly else [spec for spec in SPECS if newest is None or spec <= newest]
    keys.spec = next((spec for spec in SPECS if raw["type"] == type_of(spec)), None)
    if keys.spec not in allowed:
        found = raw["type"] if isinstance(raw["type"], str) else kind_of(raw["type"])
        yield say("E038", where, " or ".join(type_of(spec) for spec in allowed), found)


def _read_algorithm(keys: HeadKeys, raw: dict[str, object], where: str) -> Iterator[Finding]:
    if "digestAlgorithm" not in raw:
        return
    value = raw["digestAlgorithm"]
    if isinstance(value, str):
        keys.algorithm = value
    if value == "sha256":
        yield say("W004", where, found=value)
    elif value != "sha512":
        yield say("E025", where, found=value if isinstance(value, str) else kind_of(value))


def _read_content_directory(keys: HeadKeys, raw: dict[str, object], where: str) -> Iterator[Finding]:
    if "contentDirectory" not in raw:
        return
    value = raw["contentDirectory"]
    keys.content_directory_set = True
    code = ""
    if not isinstance(value, str) or not value or "\0" in value:
        code, value = "E108", value if value == "" else kind_of(value) if not isinstance(value, str) else value
    elif value in {".", ".."}:
        code = "E018"
    elif "/" in value:
        code = "E017"
    if code:
        keys.content_directory_usable = False
        yield say(code, where, found=value or "''")
    else:
        keys.content_directory = value
