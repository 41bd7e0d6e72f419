"""A look-alike of one S3 bucket: signed requests, listings, versions, ranges, after Amazon's API reference."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, ClassVar
from urllib.parse import quote
from xml.sax.saxutils import escape

from muniment.testing.servers.loopback import Loopback, Reply, Request, Wrong

PER_PAGE = 3
"""The most keys a page holds here, whatever is asked for: services may give fewer than `max-keys`."""


class Bucket(Loopback):
    """Holds objects by key, each with its versions, the oldest first; a version without bytes is a delete marker."""

    name: ClassVar[str] = "s3"

    def __init__(self, bucket: str = "Bucket.One") -> None:
        super().__init__()
        self.bucket = bucket
        self.access_key = "AKTEST"
        self.secret_key = "secret+key/0123456789"  # noqa: S105 - of a test
        self.objects: dict[str, list[bytes | None]] = {}
        self.storage: dict[str, str] = {}

    def put(self, key: str, data: bytes | None) -> None:
        """Store a version, or a delete marker."""
        self.objects.setdefault(key, []).append(data)

    def answer(self, request: Request) -> Reply:
        """A listing or an object."""
        if request.method != "GET":
            raise Wrong(405, "MethodNotAllowed")
        self._check_signature(request)
        name, _, key = request.path.removeprefix("/").partition("/")
        if name != self.bucket:
            raise Wrong(404, "NoSuchBucket")
        if key:
            return self._object(request, key)
        if "versions" in request.query:
            return self._versions(request)
        return self._listing(request)

    def refusal(self, wrong: Wrong) -> Reply:
        """S3's wording, in XML."""
        body = f'<?xml version="1.0"?><Error><Code>{wrong.reason}</Code><Message>x</Message></Error>'
        return Reply(wrong.status, body.encode(), {"Content-Type": "application/xml"})

    def _check_signature(self, request: Request) -> None:
        """Signature Version 4, computed here without the client's library."""
        given = dict(
            part.strip().split("=", 1)
            for part in request.headers.get("authorization", "").removeprefix("AWS4-HMAC-SHA256 ").split(",")
            if "=" in part
        )
        key_id, _, scope = given.get("Credential", "").partition("/")
        if key_id != self.access_key:
            raise Wrong(403, "InvalidAccessKeyId")
        names = given["SignedHeaders"].split(";")
        if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names):
            raise Wrong(403, "AccessDenied")
        query = sorted(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in request.query.items())
        headers = "".join(f"{name}:{request.headers[name]}\n" for name in names)
        content = hashlib.sha256(request.body).hexdigest()
        lines = [request.method, quote(request.path, safe="/~"), "&".join(query), headers, ";".join(names), content]
        canonical = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        key = f"AWS4{self.secret_key}".encode()
        for word in scope.split("/"):
            key = hmac.digest(key, word.encode(), "sha256")
        text = f"AWS4-HMAC-SHA256\n{request.headers['x-amz-date']}\n{scope}\n{canonical}"
        if hmac.new(key, text.encode(), "sha256").hexdigest() != given["Signature"]:
            raise Wrong(403, "SignatureDoesNotMatch")

    def _listing(self, request: Request) -> Reply:
        query = request.only("list-type", "max-keys", "start-after", "encoding-type", "prefix", "continuation-token")
        if query.get("list-type") != "2":
            raise Wrong(400, "InvalidArgument")
        keys = sorted(key for key, versions in self.objects.items() if versions[-1] is not None)
        keys = [key for key in keys if key > query.get("start-after", "")]
        rows = "".join(self._row("Contents", key, len(self.objects[key])) for key in keys[:PER_PAGE])
        more = str(len(keys) > PER_PAGE).lower()
        return _xml(f"<ListBucketResult {_SPACE}><IsTruncated>{more}</IsTruncated>{rows}</ListBucketResult>")

    def _versions(self, request: Request) -> Reply:
        query = request.only("versions", "prefix", "max-keys", "key-marker", "version-id-marker", "encoding-type")
        every = [
            (key, number)
            for key in sorted(self.objects)
            if key.startswith(query.get("prefix", ""))
            for number in range(len(self.objects[key]), 0, -1)
        ]
        if "key-marker" in query:
            every = every[every.index((query["key-marker"], int(query["version-id-marker"][1:]))) + 1 :]
        rows = "".join(
            self._row("DeleteMarker" if self.objects[key][number - 1] is None else "Version", key, number)
            for key, number in every[:PER_PAGE]
        )
        tail = "<IsTruncated>false</IsTruncated>"
        if len(every) > PER_PAGE:
            key, number = every[PER_PAGE - 1]
            tail = f"<IsTruncated>true</IsTruncated><NextKeyMarker>{escape(key)}</NextKeyMarker>"
            tail += f"<NextVersionIdMarker>v{number}</NextVersionIdMarker>"
        return _xml(f"<ListVersionsResult {_SPACE}>{tail}{rows}</ListVersionsResult>")

    def _row(self, tag: str, key: str, number: int) -> str:
        data = self.objects[key][number - 1] or b""
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        facts: dict[str, Any] = {"Key": quote(key, safe="/"), "LastModified": "2024-05-06T07:08:09.000Z"}
        facts |= {"ETag": f'"{md5}"', "Size": len(data), "StorageClass": self.storage.get(key, "STANDARD")}
        if tag != "Contents":
            facts |= {"VersionId": f"v{number}", "IsLatest": str(number == len(self.objects[key])).lower()}
        return f"<{tag}>{''.join(f'<{name}>{escape(str(value))}</{name}>' for name, value in facts.items())}</{tag}>"

    def _object(self, request: Request, key: str) -> Reply:
        version = request.only("versionId").get("versionId")
        versions = self.objects.get(key, [])
        number = int(version[1:]) if version else len(versions)
        data = versions[number - 1] if 1 <= number <= len(versions) else None
        if data is None:
            raise Wrong(404, "NoSuchKey")
        return Reply(
            200, data, {"Content-Type": "x/y"}, etag=f'"{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"'
        )


_SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def _xml(text: str) -> Reply:
    return Reply(200, f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode(), {"Content-Type": "application/xml"})
