"""Where the layouts of storage roots put an object (OCFL community extensions 0002, 0003 and 0004)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from muniment.validation.ocfl.jsontext import NotJson, TooLarge, parse, read_bounded

_LARGEST = 1024 * 1024
_LONGEST_NAME = 100
_DIRECT = "0002-flat-direct-storage-layout"
_WITH_ID = "0003-hash-and-id-n-tuple-storage-layout"
_HASHED = "0004-hashed-n-tuple-storage-layout"

ObjectPlace = Callable[[str], str]
"""An id's folder below the root; '' where there is no telling."""


def read_layout(root: str) -> ObjectPlace | None:
    """What the root's layout makes of an id; None for a layout that is not known here, or none."""
    layout = _json(os.path.join(root, "ocfl_layout.json"))
    name = layout.get("extension")
    if name == _DIRECT:
        return lambda identifier: identifier
    if name not in {_WITH_ID, _HASHED}:
        return None
    config = _json(os.path.join(root, "extensions", str(name), "config.json"))
    algorithm = str(config.get("digestAlgorithm", "sha256")).replace("-", "")
    size, number = config.get("tupleSize", 3), config.get("numberOfTuples", 3)
    known = algorithm in hashlib.algorithms_guaranteed and not algorithm.startswith("shake")
    if not known or not isinstance(size, int) or not isinstance(number, int):
        return None

    def place(identifier: str) -> str:
        digest = hashlib.new(algorithm, identifier.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
        tuples = [digest[at : at + size] for at in range(0, size * number, size)] if size and number else []
        last = digest[size * number :] if config.get("shortObjectRoot") is True else digest
        return "/".join([*tuples, _encoded(identifier, digest) if name == _WITH_ID else last])

    return place


def _encoded(identifier: str, digest: str) -> str:
    """The id as 0003 names the folder round the object: percent-encoded, and cut where it is long."""
    name = quote(identifier, safe="-_").replace(".", "%2e").replace("~", "%7e")
    name = "".join(part.lower() if part.startswith("%") else part for part in _split(name))
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}-{digest}"


def _split(name: str) -> list[str]:
    parts: list[str] = []
    at = 0
    while at < len(name):
        step = 3 if name[at] == "%" else 1
        parts.append(name[at : at + step])
        at += step
    return parts


def _json(path: str) -> Mapping[str, Any]:
    try:
        found = parse(read_bounded(path, _LARGEST))
    except (TooLarge, OSError, ValueError, NotJson):
        return {}
    return found if isinstance(found, dict) else {}
