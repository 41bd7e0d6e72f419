"""All objects of a bucket on any S3-compatible service and, if wanted, their earlier versions.

Requests are signed by botocore (Signature Version 4) and sent through the shared session, so that the address guard,
resuming and limits hold here too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import quote, unquote_plus, urlencode, urlsplit
from xml.etree import ElementTree  # noqa: ICN001 - the module's own name says more than ET

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from muniment.errors.sources import CredentialRefused, NotAtService, ServiceRefused, UnexpectedAnswer
from muniment.sources.options import ALL_VERSIONS, Kind, Means, Param, web_address
from muniment.sources.paging import Pages
from muniment.sources.protocol import Failure, Item, Page, SourceEntry, safe_path, version_path
from muniment.sources.session import Account, shown
from muniment.sources.times import rfc3339

SERVICE = "s3"
_PAGE = 1000
_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_WRONG_KEYS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "AccessDenied")


class S3Source:
    """One bucket. Each page of its listing is an item, with its keys in the item's details."""

    service = SERVICE

    def __init__(self, given: Mapping[str, Any], means: Means) -> None:
        self._bucket: str = given["bucket"]
        self._versions: int = given["versions"]
        self._region: str = given.get("region", "us-east-1")
        endpoint = given.get("endpoint", f"https://s3.{self._region}.amazonaws.com").rstrip("/")
        # Path-style everywhere: a bucket with capitals or dots is no host name that a certificate would cover.
        self._base = f"{endpoint}/{quote(self._bucket, safe='')}"
        self._session = means.session
        keys = Credentials(given["access_key"], given["secret_key"], given.get("session_token"))
        self._account = Account(
            SERVICE,
            (endpoint,),
            secrets=tuple(filter(None, (given["secret_key"], given.get("session_token")))),
            credential_field="secret_key",
            hourly_calls=means.hourly_calls,
            sign=_Signer(keys, self._region),
        )

    @property
    def resource(self) -> str:
        """The bucket's name."""
        return self._bucket

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """The bucket's listing, a thousand keys at a time; the cursor is the key to go on after.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteTrouble: The service failed.
        """
        pages = Pages(SERVICE, self._base)
        while True:
            pages.turn(after or "")
            query = {"list-type": "2", "max-keys": str(_PAGE)} | ({"start-after": after} if after else {})
            listing = self._xml(query)
            keys = [_facts(each) for each in listing.findall("Contents")]
            last = listing.findtext("IsTruncated") != "true" or not keys
            item = Item(f"{self._bucket}/{after or ''}", details={"keys": keys})
            after = None if last else keys[-1]["key"]
            yield Page((item,), after)
            if last:
                return

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """The objects of one page, each followed by its earlier versions; folder markers (empty, ending in /) left out.

        Raises:
            CredentialRefused: The submission has to change.
            RemoteTrouble: The service failed.
        """
        for facts in item.details["keys"]:
            key = facts["key"]
            if key.endswith("/") and not int(facts["size"]):
                continue
            path = safe_path(key, SERVICE)
            if isinstance(path, Failure):
                yield path
                continue
            if facts["storage"] in {"GLACIER", "DEEP_ARCHIVE"}:
                yield Failure(path, f"It lies in {facts['storage']} and has to be restored first.", SERVICE)
                continue
            yield _entry(path, facts)
            if self._versions:
                yield from self._earlier(key, path)

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:  # noqa: ARG002 - the locator suffices
        """The bytes of an object.

        Raises:
            FileUnavailable: The service does not give this object.
            CredentialRefused: The submission has to change.
            RemoteTrouble: The service failed.
        """
        url = f"{self._base}/{entry.locator}"
        immutable = "?versionId=" in entry.locator and not entry.locator.endswith("versionId=null")
        return self._session.open(self._account, url, entry.path, offset=offset, size=entry.size, immutable=immutable)

    def _earlier(self, key: str, path: str) -> Iterator[SourceEntry]:
        """The versions of a key before its present one, the newest first; delete markers are no versions."""
        wanted = None if self._versions == ALL_VERSIONS else self._versions - 1
        marks: dict[str, str] = {}
        pages = Pages(SERVICE, self._base)
        while True:
            pages.turn(repr(marks))
            # The service lists by prefix: other keys that begin like this one come too and are left out here.
            listing = self._xml({"versions": "", "prefix": key, "max-keys": str(_PAGE)} | marks)
            versions = [_facts(each) for each in listing.findall("Version")]
            for facts in versions:
                if facts["key"] == key and facts["latest"] != "true":
                    if wanted == 0:
                        return
                    wanted = None if wanted is None else wanted - 1
                    yield _entry(version_path(path, facts["version"]), facts, facts["version"], path)
            if listing.findtext("IsTruncated") != "true" or (versions and versions[-1]["key"] > key):
                return
            marks = {"key-marker": listing.findtext("NextKeyMarker") or ""}
            marks["version-id-marker"] = listing.findtext("NextVersionIdMarker") or ""

    def _xml(self, query: Mapping[str, str]) -> ElementTree.Element:
        """A listing, its names without their namespace.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            UnexpectedAnswer: It is not the XML it should be.
        """
        url = f"{self._base}?{urlencode({**query, 'encoding-type': 'url'}, quote_via=quote)}"
        try:
            answer = self._session.get(self._account, url, headers={"Accept": "*/*"}, what="bucket", field="bucket")
        except ServiceRefused as error:
            if any(code in error.details["reason"] for code in _WRONG_KEYS):
                raise CredentialRefused(
                    service=SERVICE, field="secret_key", status=error.details["status"], what="the bucket"
                ) from None
            raise
        except NotAtService:
            raise NotAtService(service=SERVICE, what="bucket", where=self._bucket, field="bucket") from None
        if b"<!DOCTYPE" in answer.body or b"<!ENTITY" in answer.body:
            raise UnexpectedAnswer(service=SERVICE, where=shown(url), reason="its XML declares types of its own")
        try:
            root = ElementTree.fromstring(answer.body)  # noqa: S314 - without declarations nothing can expand
        except ElementTree.ParseError:
            raise UnexpectedAnswer(service=SERVICE, where=shown(url), reason="it is not XML") from None
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        if root.tag not in {"ListBucketResult", "ListVersionsResult"}:
            raise UnexpectedAnswer(service=SERVICE, where=shown(url), reason=f"it is no listing but {root.tag[:40]}")
        return root


class _Signer:
    """Signs a request by Signature Version 4; a request that is tried again is signed again."""

    def __init__(self, keys: Credentials, region: str) -> None:
        self._auth = S3SigV4Auth(keys, SERVICE, region)

    def __call__(self, method: str, url: str, headers: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002 - none of them is signed
        parts = urlsplit(url)
        request = AWSRequest(method, url, {"Host": parts.netloc, "x-amz-content-sha256": _EMPTY})
        self._auth.add_auth(request)
        wanted = {"authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"}
        return {name: str(value) for name, value in request.headers.items() if name.lower() in wanted}


def _facts(element: ElementTree.Element) -> dict[str, str]:
    """What a listing says of a key, as text that can be written down."""
    return {
        "key": unquote_plus(element.findtext("Key") or "", errors="surrogateescape"),
        "size": element.findtext("Size") or "0",
        "etag": element.findtext("ETag") or "",
        "modified": element.findtext("LastModified") or "",
        "storage": element.findtext("StorageClass") or "",
        "version": element.findtext("VersionId") or "",
        "latest": element.findtext("IsLatest") or "",
    }


def _entry(path: Any, facts: Mapping[str, str], version: str | None = None, of: str | None = None) -> SourceEntry:
    """An object's entry. Its ETag is no digest to rely on: encryption and multipart uploads change it."""
    key = quote(facts["key"], safe="/~")
    locator = f"{key}?versionId={quote(version, safe='')}" if version else key
    return SourceEntry(
        path, int(facts["size"]), modified=rfc3339(facts["modified"]), locator=locator, version=version, of=of
    )


KIND = Kind(
    name=SERVICE,
    summary="All objects of a bucket on Amazon S3 or any service that speaks its protocol.",
    params=(
        Param("access_key", "The access key's id."),
        Param("secret_key", "The secret key.", secret=True),
        Param("bucket", "The bucket's name."),
        Param("session_token", "The session token of temporary keys.", required=False, secret=True),
        Param("endpoint", "The address of the service, if it is not Amazon's.", required=False, check=web_address),
        Param("region", "The region, us-east-1 if none is given.", required=False),
    ),
    build=S3Source,
    has_versions=True,
)
