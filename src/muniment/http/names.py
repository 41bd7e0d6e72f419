"""Names in paths: one segment holds an id of any kind, percent-encoded; the rest of a path names a file."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any
from urllib.parse import quote, unquote_to_bytes

from fastapi import Path, Query

from muniment.content import LogicalPath
from muniment.content.digests import ALGORITHMS
from muniment.errors.base import Conflict
from muniment.errors.content import BadId, UnknownDigest, UnsafePath

PREFIX = "/archive/v1"
BATCH_TYPE = "application/vnd.muniment.files"
"""A line of JSON, a list of what there is to say of each file, then the bytes of all of them in that order."""

_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_TIME = r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"

# What the interface's description says of each. It is checked where the archive checks it, in one place for all doors.
ID_FORM: dict[str, Any] = {"pattern": r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$", "minLength": 1, "maxLength": 200}
PATH_FORM: dict[str, object] = {
    "pattern": r"^(?!\.{1,2}(/|$))[^/\x00-\x1f]+(/(?!\.{1,2}(/|$))[^/\x00-\x1f]+)*$",
    "maxLength": 200,
}
PROJECT_FORM: dict[str, object] = {"pattern": r"^[A-Za-z0-9_-]{1,64}/[A-Za-z0-9_-]{1,64}$"}
UUID_FORM: dict[str, object] = {"pattern": _UUID}
START_FORM: dict[str, object] = {"pattern": rf"^([0-9]{{1,9}}|{_TIME})$"}
TIME_FORM: dict[str, object] = {"pattern": rf"^{_TIME}$"}
DIGEST_FIELD_FORM: dict[str, object] = {"pattern": r"^sha-256=:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=:$"}
DIGESTS_FORM: dict[str, object] = {
    "properties": {
        name: {"type": "string", "pattern": f"^[0-9a-fA-F]{{{length}}}$"} for name, length in ALGORITHMS.items()
    },
    "additionalProperties": False,
}

Segment = Annotated[
    str,
    Path(description="The resource's id, percent-encoded as one segment: '/' is %2F.", json_schema_extra=ID_FORM),
]
Number = Annotated[
    str,
    Path(description="Which instance: its number, 'newest', or its identifier.", json_schema_extra=ID_FORM),
]
FilePath = Annotated[
    str, Path(description="The file's path; each segment percent-encoded.", json_schema_extra=PATH_FORM)
]
Project = Annotated[
    str | None,
    Query(
        description="The project, as organisation/project, where the id alone is not enough.",
        json_schema_extra=PROJECT_FORM,
    ),
]
After = Annotated[str | None, Query(max_length=8192, description="The `next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many.")]

_ALGORITHMS = {"sha-512": "sha512", "sha-256": "sha256", "sha": "sha1", "md5": "md5"}
_FIELD_NAMES = {ours: theirs for theirs, ours in _ALGORITHMS.items()}
_FIELD = re.compile(r"\s*([a-z0-9-]+)=:([A-Za-z0-9+/=]*):\s*\Z")


def text_of(encoded: str, kind: str = "id") -> str:
    """A path segment's text.

    Raises:
        BadId, UnsafePath: It is not percent-encoded UTF-8.
    """
    try:
        return unquote_to_bytes(encoded).decode("utf-8")
    except (UnicodeDecodeError, UnicodeEncodeError):
        if kind == "path":
            raise UnsafePath(path=encoded[:200], reason="it is not percent-encoded UTF-8") from None
        raise BadId(id=encoded[:200], reason="it is not percent-encoded UTF-8") from None


def path_of(text: str, *, encoded: bool = True) -> LogicalPath:
    """A file's path, percent-encoded as in an address, or as it is.

    Raises:
        UnsafePath: It could leave its package, or is not percent-encoded UTF-8.
    """
    return LogicalPath.parse(text_of(text, "path") if encoded else text)


def segment(text: str) -> str:
    """An id as one segment of a path."""
    return quote(text, safe="")


def digest_fields(digests: dict[str, str]) -> str:
    """Digests as a header field (RFC 9530 §2)."""
    parts = [
        f"{_FIELD_NAMES[name]}=:{binascii.b2a_base64(bytes.fromhex(value), newline=False).decode('ascii')}:"
        for name, value in digests.items()
        if name in _FIELD_NAMES
    ]
    return ", ".join(parts)


def read_digest_fields(*fields: str | None) -> dict[str, str]:
    """Algorithm to hexadecimal digest from header fields; algorithms nobody here computes are passed over.

    Raises:
        UnknownDigest: A field is not as RFC 9530 says.
        Conflict: Two fields contradict each other.
    """
    found: dict[str, str] = {}
    for field in fields:
        for item in (field or "").split(","):
            if not item.strip():
                continue
            match = _FIELD.match(item)
            if match is None:
                raise UnknownDigest(digest=item.strip()[:200])
            name = _ALGORITHMS.get(match[1])
            if name is None:
                continue
            try:
                value = base64.b64decode(match[2], validate=True).hex()
            except binascii.Error:
                raise UnknownDigest(digest=item.strip()[:200]) from None
            if found.setdefault(name, value) != value:
                raise Conflict(reason=f"two different {match[1]} digests are promised")
    return found
