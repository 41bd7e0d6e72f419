"""Signed download links that expire, for stores that give none themselves."""

from __future__ import annotations

import hashlib
import hmac
import math
import time
import unicodedata
from collections.abc import Callable
from urllib.parse import quote, urlencode

from muniment.errors.registration import BadFileName, LinkRefused

_LONGEST_NAME = 255


class Links:
    """Makes and checks links with one key; `life` is in seconds."""

    def __init__(self, key: bytes, *, life: float = 300.0, now: Callable[[], float] = time.time) -> None:
        self.life = life
        self._key = key
        self._now = now

    def query(self, container: str, sha256: str, name: str) -> str:
        """The query of a link to a file of a container, to be saved as `name`."""
        until = str(math.ceil(self._now() + self.life))
        fields = {"expires": until, "name": name} if name else {"expires": until}
        return urlencode({**fields, "signature": self._sign(container, sha256, name, until)})

    def check(self, container: str, sha256: str, name: str, expires: str, signature: str) -> None:
        """See that this server made a link, and not too long ago.

        Raises:
            LinkRefused: It did not, or its time is over.
        """
        expected = self._sign(container, sha256, name, expires)
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            raise LinkRefused(reason="its signature is not ours")
        if int(expires) < self._now():
            raise LinkRefused(reason="its time is over")

    def _sign(self, container: str, sha256: str, name: str, expires: str) -> str:
        message = "\n".join([quote(container, safe=""), sha256, quote(name, safe=""), expires])
        return hmac.new(self._key, message.encode(), hashlib.sha256).hexdigest()


def disposition(name: str) -> str:
    """A Content-Disposition that saves under `name`, in the form every client reads (RFC 6266 §4.3, appendix D).

    Raises:
        BadFileName: The name is empty, too long, or holds what no file name may hold.
    """
    if not name:
        return "attachment"
    if len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
        raise BadFileName(reason=f"it has more than {_LONGEST_NAME} bytes")
    if any(unicodedata.category(each) in {"Cc", "Cs"} for each in name) or "/" in name or "\\" in name:
        raise BadFileName(reason="it holds a slash or a control character")
    if name in {".", ".."}:
        raise BadFileName(reason="it is no name of a file")
    plain = "".join(each if each.isascii() and each not in '"%' else "_" for each in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
