"""A look-alike of the object storage to which services redirect downloads: signed addresses, no credentials."""

from __future__ import annotations

import hashlib
from typing import ClassVar

from muniment.testing.servers.loopback import Loopback, Reply, Request, Wrong

_CREDENTIALS = {"authorization", "cookie", "x-dataverse-key", "private-token", "dropbox-api-arg"}


class Storage(Loopback):
    """Gives what an address was signed for, once for each signature when `once` is set.

    Like S3 and Google's storage it refuses a request that proves itself in two ways.
    """

    name: ClassVar[str] = "storage"

    def __init__(self) -> None:
        super().__init__()
        self.once = False
        self._contents: dict[str, bytes] = {}
        self._signed = 0
        self._used: set[str] = set()

    def signed(self, data: bytes) -> str:
        """An address under which `data` can be had."""
        name = hashlib.sha256(data).hexdigest()
        self._contents[name] = data
        self._signed += 1
        return f"{self.url}/bucket/{name}?X-Amz-Expires=60&X-Amz-Signature=signature-{self._signed:08}"

    def answer(self, request: Request) -> Reply:
        """The bytes."""
        if given := _CREDENTIALS & set(request.headers):
            raise Wrong(400, f"Only one auth mechanism allowed; there is {', '.join(sorted(given))} too")
        query = request.only("X-Amz-Expires", "X-Amz-Signature")
        signature = query.get("X-Amz-Signature", "")
        if not signature or (self.once and signature in self._used):
            raise Wrong(403, "Request has expired")
        self._used.add(signature)
        data = self._contents.get(request.path.removeprefix("/bucket/"))
        if data is None:
            raise Wrong(404, "NoSuchKey")
        return Reply(
            200, data, {"Content-Type": "x/y"}, etag=f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        )
