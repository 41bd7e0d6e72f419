"""What clients of resumable uploads say in header fields: numbers, flags, checksums, and what the file is."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from email.message import Message

from muniment.archive import UploadRequest
from muniment.content.digests import ALGORITHMS
from muniment.errors.base import Conflict
from muniment.errors.remote import BadRequest

PIECE_TYPE = "application/offset+octet-stream"
NUMBER_FORM: dict[str, object] = {"pattern": "^[0-9]{1,18}$"}
FLAG_FORM: dict[str, object] = {"enum": ["?0", "?1"]}
_PAIR = r"[!-+\--~]+( [A-Za-z0-9+/]*={0,2})?"
METADATA_FORM: dict[str, object] = {"pattern": f"^{_PAIR}(, ?{_PAIR})*$"}

_PATHS = ("path", "relativePath", "filename", "name")
"""Where the programs that use tus put a file's path; the first that says something counts."""
_NOTHING = frozenset({"", "null", "undefined"})
_NUMBER = re.compile(r"[0-9]{1,18}\Z")
_KEY = re.compile(r"[!-+\--~]+\Z")
_LONGEST = 16_384


def number_of(text: str | None, name: str) -> int | None:
    """A number of bytes; None where nothing is said.

    Raises:
        BadRequest: It is none.
    """
    if not text:
        return None
    if not _NUMBER.match(text):
        raise BadRequest(reason=f"{name} is no number of bytes")
    return int(text)


def flag_of(text: str | None, name: str) -> bool:
    """A truth value as a structured field has it (RFC 9651 §3.3.6); nothing is false.

    Raises:
        BadRequest: It is none.
    """
    if text not in {None, "", "?0", "?1"}:
        raise BadRequest(reason=f"{name} is neither ?0 nor ?1")
    return text == "?1"


def checksum_of(text: str | None) -> dict[str, str]:
    """The digest that was sent with a body, as algorithm to hexadecimal value; none where nothing is said.

    Raises:
        BadRequest: It cannot be read, or its algorithm is not computed here.
    """
    if not text:
        return {}
    algorithm, _, value = text.partition(" ")
    length = ALGORITHMS.get(algorithm)
    found = _decoded(value)
    if length is None or found is None or len(found) * 2 != length:
        raise BadRequest(reason="Upload-Checksum is no digest of an algorithm that is offered, in base64")
    return {algorithm: found.hex()}


def request_of(
    metadata: str, *, path: str | None, replace: bool, size: int | None, disposition: str, digests: Mapping[str, str]
) -> UploadRequest:
    """What an upload will be, from its metadata and what else was said.

    Raises:
        BadRequest: It cannot be read, or nobody says what the file is called.
        Conflict: Two digests contradict each other.
    """
    said = _metadata(metadata)
    named = [path or "", *(said.get(name, "") for name in _PATHS), _filename(disposition)]
    chosen = next((name for name in named if name not in _NOTHING), "")
    if not chosen:
        raise BadRequest(reason="nothing says what the file is called: neither `path` nor its metadata")
    promised = dict(digests)
    for name, length in ALGORITHMS.items():
        value = said.get(name, "").lower()
        if value in _NOTHING:
            continue
        if not re.fullmatch(f"[0-9a-f]{{{length}}}", value):
            raise BadRequest(reason=f"the metadata {name!r} is no digest in hexadecimal")
        if promised.setdefault(name, value) != value:
            raise Conflict(reason=f"two different {name} digests are promised")
    modified = said.get("modified", "")
    return UploadRequest(
        chosen,
        size,
        promised,
        None if modified in _NOTHING else modified,
        replace or said.get("replace") == "true",
        metadata,
    )


def _metadata(text: str) -> dict[str, str]:
    if len(text) > _LONGEST or not text.isprintable() or not text.isascii():
        raise BadRequest(reason="Upload-Metadata is too long, or not printable ASCII")
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip(" ") for part in text.split(","))):
        key, _, value = pair.partition(" ")
        decoded = _decoded(value)
        if not _KEY.match(key) or decoded is None or key in found:
            raise BadRequest(reason=f"Upload-Metadata {key[:50]!r} is not a key of its own and base64")
        try:
            found[key] = decoded.decode("utf-8")
        except UnicodeDecodeError:
            raise BadRequest(reason=f"Upload-Metadata {key[:50]!r} is no UTF-8") from None
    return found


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _filename(disposition: str) -> str:
    """The name in a `Content-Disposition` (RFC 6266), without any folder before it."""
    if not disposition:
        return ""
    message = Message()
    message["Content-Disposition"] = disposition
    return (message.get_filename() or "").replace("\\", "/").rpartition("/")[2]
