"""Puts in one request to a service with an address of its own, signed here: half of what a processor does for one.

botocore finds its way from a parameter to a header by rules, hooks and models, for each request anew. A put needs of
it a connection, which is taken from it, and a signature (AWS Signature Version 4). Whatever a service answers but
that it has the very bytes is left to botocore, which is asked to put them then: it knows what errors mean.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from botocore.awsrequest import AWSPreparedRequest

from muniment import __version__
from muniment.stores.s3.client import ASKS_FIRST
from muniment.stores.s3.multipart import Checksums

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

    from muniment.stores.s3.client import Clients

_PORTS: Final = {"http": 80, "https": 443}
_OK: Final = 200
_REFUSALS: Final = range(300, 500)
_AS_THEY_ARE: Final = "/~"
"""What is not written as `%XX` in a path that is signed for S3, beside letters, digits and `-_.`."""


class SignedPuts:
    """Puts in one bucket, whatever was there. Safe to use from many threads."""

    def __init__(self, clients: Clients, endpoint: str, bucket: str) -> None:
        """Connects to nothing yet."""
        self._clients = clients
        self._base = f"{endpoint.rstrip('/')}/{quote(bucket)}/"
        address = urlsplit(self._base)
        host = address.netloc.rpartition("@")[2]
        self._host = host.rpartition(":")[0] if address.port == _PORTS.get(address.scheme) else host
        self._path = address.path
        self._works = True

    def put(self, key: str, name: str, data: bytes) -> bool:
        """Whether the service has `data` under `name` now, by a digest that it computed or compared.

        Where it does not say so, it may have it or not, and is to be asked otherwise. `key` is for messages.

        Raises:
            StoreUnreachable, StoreFailed: No answer came.
        """
        credentials = self._clients.credentials() if self._works else None
        if credentials is None:
            return False
        sums, path = Checksums.of(data), quote(name, safe=_AS_THEY_ARE)
        headers: dict[str, str | bytes] = {**self._signed(path, sums, credentials)}
        if len(data) >= ASKS_FIRST:
            headers["Expect"] = b"100-continue"  # as the connection wants it
        with self._clients.trouble(key):
            request = AWSPreparedRequest("PUT", self._base + path, headers, data, stream_output=False)  # type: ignore[arg-type]  # any mapping is sent
            answer = self._clients.send(request)
        given, status = answer.headers, answer.status_code
        if status == _OK and sums.agree(
            {"ChecksumSHA256": given.get("x-amz-checksum-sha256"), "ETag": given.get("etag", "")}
        ):
            return True
        # A service that wants it otherwise, or gives no digest back, need not be asked so again.
        self._works = status != _OK and status not in _REFUSALS
        return False

    def _signed(self, path: str, sums: Checksums, credentials: ReadOnlyCredentials) -> dict[str, str]:
        """The headers of a put, all of them signed but the last two."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = {
            "content-md5": base64.b64encode(sums.md5).decode(),
            "host": self._host,
            "x-amz-checksum-sha256": sums.checksum,
            "x-amz-content-sha256": sums.sha256.hex(),
            "x-amz-date": moment,
        }
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        names = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        request = f"PUT\n{self._path}{path}\n\n{lines}\n{names}\n{sums.sha256.hex()}"
        steps = (moment[:8], self._clients.region, "s3", "aws4_request")
        scope = "/".join(steps)
        signed = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{credentials.secret_key}".encode()
        for step in (*steps, signed):
            key = hmac.digest(key, step.encode(), "sha256")
        who = f"Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
        return headers | {"authorization": f"AWS4-HMAC-SHA256 {who}", "user-agent": f"muniment/{__version__}"}
