"""A look-alike of one S3 bucket: signed requests, listings, versions, ranges, after Amazon's API reference."""

from __future__ import annotations

import hashlib
import hmac
from typing import ClassVar
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

from muniment.testing.servers.loopback import Loopback, Reply, Request, Wrong

PER_PAGE = 3
"""The most keys a page holds here, whatever is asked for: services may give fewer than `max-keys`."""


class Bucket(Loopback):
    """Holds objects by key, each with its versions, the oldest first; a version without bytes is a delete marker.

    Requests must be signed for `region`. `archived` are keys to be restored first, `etags` ETags that are no MD5,
    `encrypted` keys that are encrypted with a key of the owner's. An `empty_page` "with token" or "without" comes
    before each page but the first, as where a service passes over what is deleted.
    """

    name: ClassVar[str] = "s3"

    def __init__(self, bucket: str = "Bucket.One", region: str = "eu-test-1") -> None:
        super().__init__()
        self.bucket = bucket
        self.region = region
        self.access_key = "AKTEST"
        self.secret_key = "secret+key/0123456789"  # noqa: S105 - of a test
        self.session_token = "session+token/0123456789"  # noqa: S105 - of a test
        self.objects: dict[str, list[bytes | None]] = {}
        self.archived: set[str] = set()
        self.encrypted: set[str] = set()
        self.etags: dict[str, str] = {}
        self.knows_escapes = True
        self.empty_page: str | None = None
        self.versions_refused: tuple[int, str] | None = None

    def put(self, key: str, data: bytes | None) -> None:
        """Store a version, or a delete marker."""
        self.objects.setdefault(key, []).append(data)

    def answer(self, request: Request) -> Reply:
        """A listing or an object."""
        name, _, key = request.path.removeprefix("/").partition("/")
        if request.method == "HEAD" and not key:
            # Amazon names the region whoever asks, also with its refusals and with 301.
            named = {"x-amz-bucket-region": self.region} if name == self.bucket else {}
            return Reply(301 if named else 404, b"", named)
        if request.method != "GET":
            raise Wrong(405, "MethodNotAllowed")
        if name != self.bucket:
            raise Wrong(404, "NoSuchBucket")
        self._check_signature(request)
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
        if scope.split("/")[1:] != [self.region, "s3", "aws4_request"]:
            raise Wrong(400, "AuthorizationHeaderMalformed")
        names = given["SignedHeaders"].split(";")
        if not {"host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"} <= set(names):
            raise Wrong(403, "AccessDenied")
        if request.headers["x-amz-security-token"] != self.session_token:
            raise Wrong(403, "InvalidToken")
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
        if self.empty_page and "continuation-token" not in query and "start-after" in query:
            tail = "<IsTruncated>true</IsTruncated>"
            if self.empty_page == "with token":
                tail += f"<NextContinuationToken>after {query['start-after']}</NextContinuationToken>"
            return _xml(f"<ListBucketResult {_SPACE}>{tail}</ListBucketResult>")
        after = query.get("continuation-token", "").removeprefix("after ") or query.get("start-after", "")
        keys = [key for key in keys if key > after]
        more = str(len(keys) > PER_PAGE).lower()
        if self.paging == "repeated":
            more, keys = "true", sorted(self.objects)
        elif self.paging == "endless":
            more, keys = "true", [f"{query.get('start-after', 'k')}{n}" for n in range(PER_PAGE)]
            self.objects |= {key: [b""] for key in keys}
        rows = "".join(self._row("Contents", key, len(self.objects[key])) for key in keys[:PER_PAGE])
        tail = f"<IsTruncated>{more}</IsTruncated>{self._coding()}"
        return _xml(f"<ListBucketResult {_SPACE}>{tail}{rows}</ListBucketResult>")

    def _versions(self, request: Request) -> Reply:
        if self.versions_refused is not None:
            raise Wrong(*self.versions_refused)
        query = request.only("versions", "prefix", "max-keys", "key-marker", "version-id-marker", "encoding-type")
        every = [
            (key, number)
            for key in sorted(self.objects)
            if key.startswith(query.get("prefix", ""))
            for number in range(len(self.objects[key]), 0, -1)
        ]
        if "version-id-marker" in query:
            every = every[every.index((query["key-marker"], int(query["version-id-marker"][1:]))) + 1 :]
        elif "key-marker" in query:
            every = [(key, number) for key, number in every if key > query["key-marker"]]
        rows = "".join(
            self._row("DeleteMarker" if self.objects[key][number - 1] is None else "Version", key, number)
            for key, number in every[:PER_PAGE]
        )
        tail = "<IsTruncated>false</IsTruncated>"
        if len(every) > PER_PAGE:
            key, number = every[PER_PAGE - 1]
            tail = f"<IsTruncated>true</IsTruncated><NextKeyMarker>{self._written(key)}</NextKeyMarker>"
            tail += f"<NextVersionIdMarker>v{number}</NextVersionIdMarker>"
        return _xml(f"<ListVersionsResult {_SPACE}>{tail}{self._coding()}{rows}</ListVersionsResult>")

    def _coding(self) -> str:
        return "<EncodingType>url</EncodingType>" if self.knows_escapes else ""

    def _written(self, key: str) -> str:
        return quote_plus(key, safe="/") if self.knows_escapes else escape(key)

    def _etag(self, key: str, data: bytes) -> str:
        return self.etags.get(key, hashlib.md5(data, usedforsecurity=False).hexdigest())

    def _row(self, tag: str, key: str, number: int) -> str:
        data = self.objects[key][number - 1] or b""
        facts: dict[str, object] = {"LastModified": "2024-05-06T07:08:09.000Z"}
        if tag != "DeleteMarker":
            storage = "GLACIER" if key in self.archived else "STANDARD"
            facts |= {"ETag": f'"{self._etag(key, data)}"', "Size": len(data), "StorageClass": storage}
        if tag != "Contents":
            facts |= {"VersionId": f"v{number}", "IsLatest": str(number == len(self.objects[key])).lower()}
        rest = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in facts.items())
        return f"<{tag}><Key>{self._written(key)}</Key>{rest}</{tag}>"

    def _object(self, request: Request, key: str) -> Reply:
        version = request.only("versionId").get("versionId")
        versions = self.objects.get(key, [])
        number = int(version[1:]) if version else len(versions)
        data = versions[number - 1] if 1 <= number <= len(versions) else None
        if data is None:
            raise Wrong(404, "NoSuchKey")
        etag = f'"{self._etag(key, data)}"'
        if request.headers.get("if-match", etag) != etag:
            raise Wrong(412, "PreconditionFailed")
        if key in self.archived:
            raise Wrong(403, "InvalidObjectState")
        headers = {"Content-Type": "x/y"}
        if key in self.encrypted:
            headers["x-amz-server-side-encryption"] = "aws:kms"
        return Reply(200, data, headers, etag=etag)


_SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def _xml(text: str) -> Reply:
    return Reply(200, f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode(), {"Content-Type": "application/xml"})
