"""Signatures of submissions and callbacks: over the time and every byte of the body, and the original's on request.

The signed message is the timestamp (seconds since 1970 UTC, in decimal), a dot, and the body as it is sent. The
timestamp and the lower-case hexadecimal HMAC-SHA256 are sent in two headers:

    X-Muniment-Timestamp: 1700000000
    X-Muniment-Signature: v2=8f0c…

The original signed no body, had no end, and put `timeStamp` and `signature` into the JSON document itself. That is
done beside the headers, and accepted, only where `legacy` is switched on; `legacy_life` gives it an end.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Any

from muniment.errors.registration import NotSigned

HEADER_TIMESTAMP = "X-Muniment-Timestamp"
HEADER_SIGNATURE = "X-Muniment-Signature"
LIFE = 300
"""Seconds a signature is good for, and how far two clocks may differ."""

SUBMISSION: tuple[str, ...] = ()
CALLBACK = ("id",)
"""The fields the original signed beside the time, for the two kinds of documents."""


class Signer:
    """Signs and checks with one key. `now` gives seconds since 1970 UTC; `legacy_life` is in seconds, 0 for ever."""

    def __init__(
        self, key: str, *, legacy: bool = False, legacy_life: float = 0.0, now: Callable[[], float] = time.time
    ) -> None:
        self.legacy = legacy
        self._legacy_life = legacy_life
        self._key = key.encode()
        self._now = now

    def headers(self, body: bytes) -> dict[str, str]:
        """The two headers that sign a body at this moment."""
        timestamp = str(int(self._now()))
        return {HEADER_TIMESTAMP: timestamp, HEADER_SIGNATURE: f"v2={self._digest(timestamp.encode() + b'.' + body)}"}

    def sign_document(self, document: Mapping[str, object], fields: tuple[str, ...]) -> dict[str, object]:
        """The document with its time, and in legacy mode with the original's signature over time and `fields`."""
        signed = {**document, "timeStamp": int(self._now())}
        return {**signed, "signature": self.legacy_signature(signed, fields)} if self.legacy else signed

    def legacy_signature(self, document: Mapping[str, object], fields: tuple[str, ...]) -> str:
        """The original's: over the time and the fields, one after the other."""
        return self._digest("".join(str(document[name]) for name in ("timeStamp", *fields)).encode())

    def check(self, headers: Mapping[str, str], body: bytes, document: object, fields: tuple[str, ...]) -> None:
        """See that a body was signed with this key. Header names are in small letters.

        Raises:
            NotSigned: It was not, or too long ago.
        """
        given = headers.get(HEADER_SIGNATURE.lower())
        if given is not None:
            self._check_headers(headers.get(HEADER_TIMESTAMP.lower(), ""), given, body)
        elif self.legacy:
            self._check_document(document, fields)
        else:
            raise NotSigned(reason=f"the header {HEADER_SIGNATURE} is missing")

    def _check_headers(self, timestamp: str, given: str, body: bytes) -> None:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):  # noqa: PLR2004 - the year 5138
            raise NotSigned(reason=f"the header {HEADER_TIMESTAMP} is not a number of seconds")
        if abs(self._now() - int(timestamp)) > LIFE:
            raise NotSigned(reason=f"it was made more than {LIFE} seconds from now")
        expected = f"v2={self._digest(timestamp.encode() + b'.' + body)}"
        if not hmac.compare_digest(expected.encode(), given.strip().encode("utf-8", "replace")):
            raise NotSigned(reason="it was made with another key, or over another body")

    def _check_document(self, document: object, fields: tuple[str, ...]) -> None:
        if not isinstance(document, Mapping):
            raise NotSigned(reason="the body is not a JSON object")
        for name in ("timeStamp", *fields, "signature"):
            if name not in document:
                raise NotSigned(reason=f"the field {name} is missing")
        expected = self.legacy_signature(document, fields)
        if not hmac.compare_digest(expected.encode(), str(document["signature"]).encode("utf-8", "replace")):
            raise NotSigned(reason="it was made with another key")
        if self._legacy_life:
            self._check_age(document["timeStamp"])

    def _check_age(self, stated: Any) -> None:
        """See that a legacy signature is not too old.

        Raises:
            NotSigned: It is, or states no time.
        """
        try:
            age = abs(self._now() - float(stated))
        except (TypeError, ValueError, OverflowError):
            raise NotSigned(reason="the field timeStamp is not a number of seconds") from None
        if not age <= self._legacy_life:
            raise NotSigned(reason=f"it was made more than {self._legacy_life:g} seconds from now")

    def _digest(self, message: bytes) -> str:
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
