"""All objects of a bucket on any S3-compatible service and, if wanted, their earlier versions.

Requests are signed by botocore (Signature Version 4) and sent through the shared session, so that the address guard,
resuming and limits hold here too. Checked against Amazon's API reference and, running, OpenStack Swift's S3 API.
A key that is deleted at present is not taken, nor are its versions.
"""

from __future__ import annotations

import itertools
import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote, unquote_plus, urlencode, urlsplit
from xml.etree import ElementTree  # noqa: ICN001 - the module's own name says more than ET

from muniment.content.extras import need
from muniment.errors.sources import (
    CredentialRefused,
    FileUnavailable,
    NotAtService,
    ServiceRefused,
    UnexpectedAnswer,
)
from muniment.session import Account, shown
from muniment.sources.checking import checked
from muniment.sources.options import ALL_VERSIONS, Kind, Param, SourceContext, web_address
from muniment.sources.paging import follow
from muniment.sources.protocol import Failure, Item, Page, SourceEntry, original_name, safe_path, version_path
from muniment.sources.times import rfc3339

if TYPE_CHECKING:
    from botocore.credentials import Credentials

# What botocore signs it writes into its debug log, and that holds the session token.
logging.getLogger("botocore.auth").setLevel(logging.INFO)

SERVICE = "s3"
_PAGE = 1000
_GOES_ON = "\0"
"""Before a cursor that is a continuation token and no key."""
_REGION = "us-east-1"
_REGION_NAME = re.compile("[a-z0-9-]{1,64}")
_ETAG = re.compile("[!$-~]+")
_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_WRONG_KEYS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "AccessDenied")
_MEANINGS = {
    "InvalidObjectState": "it lies in a class of storage from which it has to be restored first",
    "status 412": "it was replaced after it had been listed",
}
"""What an answer says of an object that cannot be had, in words the submitter can use."""


class S3Source:
    """One bucket. Each page of its listing is an item, with its region and its keys in the item's details."""

    service = SERVICE

    def __init__(self, given: Mapping[str, Any], means: SourceContext) -> None:
        self._bucket: str = given["bucket"]
        self._versions: int = given["versions"]
        self._lists_versions = True
        self._region: str | None = given.get("region")
        self._endpoint: str | None = given.get("endpoint")
        self._session = means.session
        need("s3", "A source at S3")
        from botocore.credentials import Credentials  # noqa: PLC0415 - an extra

        self._keys = Credentials(given["access_key"], given["secret_key"], given.get("session_token"))
        self._unsigned = Account(
            SERVICE,
            (),
            secrets=tuple(filter(None, (given["secret_key"], given.get("session_token")))),
            credential_field="secret_key",
            hourly_calls=means.hourly_calls,
        )

    @property
    def resource(self) -> str:
        """The bucket's name."""
        return self._bucket

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """The bucket's listing, a thousand keys at a time; the cursor is the key to go on after.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: The service failed.
        """
        region = self._found_region()

        def turn(after: str) -> tuple[list[dict[str, str]], str | None]:
            name = "continuation-token" if after.startswith(_GOES_ON) else "start-after"
            query = {"list-type": "2", "max-keys": str(_PAGE)} | ({name: after.removeprefix(_GOES_ON)} if after else {})
            listing = self._xml(region, query)
            keys = _rows(listing, "Contents")
            if listing.findtext("IsTruncated") != "true":
                return keys, None
            token = listing.findtext("NextContinuationToken")
            if not keys and not token:
                reason = "it says that there are more keys, and names none"
                raise UnexpectedAnswer(service=SERVICE, where=shown(self._address(region)), reason=reason)
            # A key lasts; a token, which some services let end, is taken only where a page holds no key.
            return keys, keys[-1]["key"] if keys else f"{_GOES_ON}{token}"

        for keys, following in follow(SERVICE, self._address(region), after or "", turn):
            if keys:
                details = {"region": region, "after": after, "keys": list(keys)}
                item = Item(f"{self._bucket}/{after or ''}", details=details)
                yield Page((item,), following)
                after = keys[-1]["key"]
            else:
                yield Page((), following)

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """The objects of one page, each followed by its earlier versions; folder markers (empty, ending in /) left out.

        Raises:
            CredentialRefused: The submission has to change.
            RemoteError: The service failed.
        """
        keys = item.details["keys"]
        wanted = None if self._versions == ALL_VERSIONS else self._versions - 1
        # One listing for all keys of the page: a call for each of them would be a thousand times as many. It is read
        # also where no earlier versions are wanted: nothing else tells which version the present one is.
        asked = wanted is None or wanted >= 0
        for facts, older in _merged(keys, self._earlier(item) if asked else self._permitted(item)):
            if facts["key"].endswith("/") and not int(facts["size"]):
                continue
            path = safe_path(facts["key"])
            first = next(older, None)
            present = first["version"] if first is not None and first["latest"] == "true" else "null"
            named = None if present == "null" else present
            yield replace(_entry(path, facts), original=original_name(facts["key"], path), present=named)
            if not asked:
                continue
            following = itertools.chain(() if first is None else (first,), older)
            for number, version in enumerate(each for each in following if each["latest"] != "true"):
                if number == wanted:
                    break
                yield _entry(version_path(path, version["version"]), version, version["version"], path)

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:
        """The bytes of an object, compared with its MD5 at their end where the service states one.

        Raises:
            FileUnavailable: The service does not give this object, or another one by now.
            CredentialRefused: The submission has to change.
            RemoteError: The service failed.
        """
        region = item.details["region"]
        target, _, etag = entry.locator.partition("#")
        # A version keeps its content for ever, but `null` names whatever was written while versions were switched off.
        immutable = "?versionId=" in target and not target.endswith("?versionId=null")
        try:
            stream = self._session.open(
                self._account(region),
                f"{self._address(region)}/{target}",
                entry.path,
                offset=offset,
                size=entry.size,
                headers={"If-Match": etag} if etag and not immutable else {},
                immutable=immutable,
            )
        except FileUnavailable as error:
            reason = str(error.details["reason"])
            for sign, meaning in _MEANINGS.items():
                if sign in reason:
                    raise FileUnavailable(path=entry.path, service=SERVICE, reason=meaning) from None
            raise
        md5 = _md5(getattr(stream, "headers", {}))
        return checked(stream, replace(entry, digests={"md5": md5}), SERVICE) if md5 and not offset else stream

    def _found_region(self) -> str:
        """The region: as it was given, or as the service names it for the bucket; Amazon does, to whoever asks."""
        if self._region is None:
            reply = self._session.send(self._account(_REGION), "HEAD", self._address(_REGION), {})
            stated = reply.headers.get("x-amz-bucket-region", "")
            reply.drain()
            self._region = stated if _REGION_NAME.fullmatch(stated) else _REGION
        return self._region

    def _address(self, region: str) -> str:
        """The bucket's address. Path-style: with capitals or dots it is no host name that a certificate would cover."""
        tail = ".cn" if region.startswith("cn-") else ""
        endpoint = self._endpoint or f"https://s3.{region}.amazonaws.com{tail}"
        return f"{endpoint.rstrip('/')}/{quote(self._bucket, safe='')}"

    def _account(self, region: str) -> Account:
        return replace(self._unsigned, bases=(self._address(region),), sign=_Signer(self._keys, region))

    def _earlier(self, item: Item) -> Iterator[dict[str, str]]:
        """The versions of all keys of a page, the newest first; delete markers are none."""
        region, after, keys = item.details["region"], item.details["after"], item.details["keys"]
        if not keys:
            return

        def turn(marks: str) -> tuple[list[dict[str, str]], str | None]:
            listing = self._xml(region, {"versions": "", "max-keys": str(_PAGE)} | json.loads(marks))
            rows = _rows(listing, "Version", "DeleteMarker")
            if listing.findtext("IsTruncated") != "true":
                return rows, None
            if not rows:
                reason = "it says that there are more versions, and names none"
                raise UnexpectedAnswer(service=SERVICE, where=shown(self._address(region)), reason=reason)
            # Services differ in whether NextKeyMarker is escaped; it is the last row's key in any case.
            return rows, json.dumps({"key-marker": rows[-1]["key"], "version-id-marker": rows[-1]["version"]})

        first = json.dumps({"key-marker": after} if after else {})
        for rows, _ in follow(SERVICE, self._address(region), first, turn):
            for row in rows:
                if row["key"] > keys[-1]["key"]:
                    return
                if row["tag"] == "Version":
                    yield row

    def _permitted(self, item: Item) -> Iterator[dict[str, str]]:
        """The same, as far as the service has such a listing and lets these keys read it: it takes a right of its own.

        Raises:
            RemoteError: The service failed, and may be asked again.
        """
        if not self._lists_versions:
            return
        try:
            yield from self._earlier(item)
        except (CredentialRefused, NotAtService, ServiceRefused, UnexpectedAnswer):
            self._lists_versions = False

    def _xml(self, region: str, query: Mapping[str, str]) -> ElementTree.Element:
        """A listing, its names without their namespace.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            UnexpectedAnswer: It is not the XML it should be.
        """
        asked = urlencode({**query, "encoding-type": "url"}, quote_via=quote, errors="surrogateescape")
        url = f"{self._address(region)}?{asked}"
        try:
            answer = self._session.get(
                self._account(region), url, headers={"Accept": "*/*"}, what="bucket", field="bucket"
            )
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
        from botocore.auth import S3SigV4Auth  # noqa: PLC0415 - an extra

        self._auth = S3SigV4Auth(keys, SERVICE, region)

    def __call__(self, method: str, url: str, headers: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002 - none of them is signed
        parts = urlsplit(url)
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - an extra

        request = AWSRequest(method, url, {"Host": parts.netloc, "x-amz-content-sha256": _EMPTY})
        self._auth.add_auth(request)
        wanted = {"authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"}
        return {name: str(value) for name, value in request.headers.items() if name.lower() in wanted}


def _rows(listing: ElementTree.Element, *tags: str) -> list[dict[str, str]]:
    """The rows of a listing in its order. Keys come escaped only where the answer says so."""
    escaped = listing.findtext("EncodingType") == "url"
    return [_facts(each, escaped=escaped) for each in listing if each.tag in tags]


def _facts(element: ElementTree.Element, *, escaped: bool) -> dict[str, str]:
    """What a listing says of a key, as text that can be written down."""
    key = element.findtext("Key") or ""
    return {
        "tag": element.tag,
        "key": unquote_plus(key, errors="surrogateescape") if escaped else key,
        "size": element.findtext("Size") or "0",
        "etag": (element.findtext("ETag") or "").strip('"'),
        "modified": element.findtext("LastModified") or "",
        "version": element.findtext("VersionId") or "",
        "latest": element.findtext("IsLatest") or "",
    }


def _merged(
    keys: list[dict[str, str]], earlier: Iterator[dict[str, str]]
) -> Iterator[tuple[dict[str, str], Iterator[dict[str, str]]]]:
    """Each key with its versions, out of two listings in the same order. Versions not read are passed over."""
    version = next(earlier, None)

    def of(key: str) -> Iterator[dict[str, str]]:
        nonlocal version
        while version is not None and version["key"] <= key:
            if version["key"] == key:
                yield version
            version = next(earlier, None)

    for facts in keys:
        yield facts, of(facts["key"])


def _entry(path: Any, facts: Mapping[str, str], version: str | None = None, of: str | None = None) -> SourceEntry:
    """An object's entry. Its ETag names the content, but is its MD5 only sometimes: the answer to a download tells."""
    key = quote(facts["key"], safe="/~", errors="surrogateescape")
    locator = f"{key}?versionId={quote(version, safe='')}" if version else key
    etag = f'#"{facts["etag"]}"' if _ETAG.fullmatch(facts["etag"]) else ""
    return SourceEntry(
        path, int(facts["size"]), modified=rfc3339(facts["modified"]), locator=locator + etag, version=version, of=of
    )


def _md5(headers: Mapping[str, str]) -> str | None:
    """The MD5 an answer states: its ETag, unless it was stored in parts or encrypted with other than S3's own keys."""
    etag = headers.get("etag", "").strip('"')
    if headers.get("x-amz-server-side-encryption", "AES256") != "AES256":
        return None
    if any(name.startswith("x-amz-server-side-encryption-customer-") for name in headers):
        return None
    return etag if re.fullmatch("[0-9a-f]{32}", etag) else None


KIND = Kind(
    name=SERVICE,
    summary="All objects of a bucket on Amazon S3 or any service that speaks its protocol.",
    takes=(
        "every object that is there at present, with the id of its version where the keys may list versions",
        "earlier versions of those, where they are asked for",
    ),
    leaves=(
        "objects that are deleted at present, and their versions",
        "objects in storage from which they have to be restored first",
        "tags, metadata, access rules and settings of the bucket",
    ),
    params=(
        Param("access_key", "The access key's id."),
        Param("secret_key", "The secret key.", secret=True),
        Param("bucket", "The bucket's name."),
        Param("session_token", "The session token of temporary keys.", required=False, secret=True),
        Param("endpoint", "The address of the service, if it is not Amazon's.", required=False, check=web_address),
        Param(
            "region",
            "The bucket's region; without it the one the service names, or us-east-1.",
            required=False,
            check=lambda value: None if _REGION_NAME.fullmatch(value) else "it is no region, such as eu-west-1",
        ),
    ),
    build=S3Source,
    has_versions=True,
)
