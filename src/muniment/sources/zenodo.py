"""A record, or all records of a community, on Zenodo or any other InvenioRDM, and earlier versions if wanted.

Checked against InvenioRDM's REST API (version 12) and Zenodo's, which answers in its form when it is asked to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO
from urllib.parse import quote, urljoin

from muniment.content import Digest
from muniment.errors.base import BadInput
from muniment.errors.content import UnknownDigest
from muniment.errors.sources import CredentialRefused, FieldMissing, NotAtService, UnexpectedAnswer
from muniment.session import Account, shown
from muniment.session.account import Origin
from muniment.sources.documents import document, json_object
from muniment.sources.naming import Names
from muniment.sources.options import ALL_VERSIONS, Kind, Param, SourceContext, web_address
from muniment.sources.paging import as_object, follow
from muniment.sources.protocol import Failure, Item, Page, SourceEntry, in_version, original_name
from muniment.sources.times import rfc3339

SERVICE = "zenodo"
_HOST = "https://zenodo.org"
_FORM = "application/vnd.inveniordm.v1+json"
"""Asked for by name: Zenodo gives its former one to whoever asks for JSON."""
_PAGE = 25  # the most that guests are given
_ID = re.compile(
    r"(?:https?://[^/\s]+/(?:records?|doi)/)?(?:(?:https?://(?:dx\.)?doi\.org/|doi:)?10\.[^/\s]+/(?:[^/\s]*\.)?)?([A-Za-z0-9-]+)"
)
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_WHAT = "record"
_GUEST_CALLS = 2000


class ZenodoSource:
    """One record, or the records of a community, each in a folder of its own."""

    service = SERVICE

    def __init__(self, given: Mapping[str, Any], means: SourceContext) -> None:
        match = _ID.fullmatch(given.get("id", ""))
        self._id = match[1] if match else ""
        self._community: str = "" if self._id else given["community"]
        self._api = f"{given.get('host', _HOST).rstrip('/')}/api"
        self._versions: int = given["versions"]
        self._session = means.session
        token: str = given.get("access_token", "")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        secrets = (token,) if token else ()
        self._account = Account(SERVICE, (self._api,), headers, secrets, hourly_calls=means.hourly_calls)

    @property
    def resource(self) -> str:
        """The record's id, or the community's name."""
        return self._id or self._community

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """The record with its earlier versions, or the community's records page by page.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: The service failed.
        """
        if self._id:
            if after is None:
                yield Page(tuple(self._items(*self._record(), folder="")))
            return
        home = f"{self._api}/communities/{quote(self._community, safe='')}"
        if after is None:
            self._get(home, what="community", field="community")
        first = self._here(after) if after else f"{home}/records?size={_PAGE}&sort=oldest"
        listed = total = 0
        for hits, following in follow(SERVICE, home, first, self._turn):
            listed += len(hits)
            total = max([total, *(int(each.get("_total", 0)) for each in hits)])
            items: list[Item] = []
            for record in hits:
                items += self._items(f"{self._api}/records/{quote(str(record['id']))}", record, f"{record['id']}/")
            failures: tuple[Failure, ...] = ()
            if following is None:
                items.append(Item("community", details={"base": home, "folder": "", "version": ""}))
                if after is None and listed < total:
                    reason = (
                        f"The service lists {listed} of the community's {total} records; name the others one by one."
                    )
                    failures = (Failure(self._community, reason, SERVICE),)
            yield Page(tuple(items), following, failures)

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """The files of one version of a record, and its description.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: The service failed.
        """
        base, folder, version = item.details["base"], item.details["folder"], item.details["version"]
        if item.id == "community":
            yield document("community.json", f"json:{base}")
            return
        mark = f" {version}" if version else ""
        yield document(f"{folder}record{mark}.json", f"json:{base}")
        names = Names()
        try:
            listed = self._get(f"{base}/files").object().get("entries") or []
        except CredentialRefused as error:
            status = error.details["status"]
            yield Failure(f"{folder}record {item.id}", f"The record's files are restricted (status {status}).", SERVICE)
            return
        for each in listed:
            entry = self._entry(as_object(each, SERVICE, base), base, folder, names)
            if version and isinstance(entry, SourceEntry):
                entry = replace(entry, path=in_version(version, entry.path), version=version, of=entry.path)
            yield entry

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:  # noqa: ARG002 - the locator suffices
        """The bytes of an entry.

        Raises:
            FileUnavailable: The file is restricted, under embargo or gone.
            CredentialRefused: The submission has to change.
            RemoteError: The service failed.
        """
        kind, _, rest = entry.locator.partition(":")
        if kind == "json":
            return json_object(self._get(rest).object(), offset)
        return self._session.open(self._account, rest, entry.path, offset=offset, size=entry.size)

    def _record(self) -> tuple[str, dict[str, Any]]:
        """Where the record is, and what it is: published, or with a token a draft."""
        base = f"{self._api}/records/{quote(self._id)}"
        try:
            record = self._get(base).object()
        except NotAtService:
            if not self._account.headers:
                raise
            base = f"{base}/draft"
            return base, self._get(base).object()
        # All versions together have an id too, which stands for the newest.
        return f"{self._api}/records/{quote(str(record.get('id') or self._id))}", record

    def _items(self, base: str, record: Mapping[str, Any], folder: str) -> Iterator[Item]:
        number = str(record.get("id") or self._id)
        title = str((record.get("metadata") or {}).get("title") or "")
        yield Item(number, title, {"base": base, "folder": folder, "version": ""})
        for earlier in self._earlier(base, record) if self._versions not in {0, 1} else ():
            at = f"{self._api}/records/{quote(str(earlier['id']))}"
            version = str(_index(earlier) or earlier["id"])
            yield Item(f"{number} {version}", title, {"base": at, "folder": folder, "version": version})

    def _earlier(self, base: str, record: Mapping[str, object]) -> list[dict[str, object]]:
        """The versions before a record's own that were asked for, the newest first."""
        url = f"{base}/versions?size={_PAGE}&sort=version"
        every = [each for hits, _ in follow(SERVICE, base, url, self._turn) for each in hits]
        older = sorted((each for each in every if _index(each) < _index(record)), key=_index, reverse=True)
        return older if self._versions == ALL_VERSIONS else older[: self._versions - 1]

    def _turn(self, url: str) -> tuple[Sequence[dict[str, Any]], str | None]:
        """One page of a search, each record with how many there are in all, and the address of the next page."""
        answer = self._get(url)
        value = answer.object()
        hits = value.get("hits")
        if not isinstance(hits, dict) or not isinstance(hits.get("hits"), list):
            raise UnexpectedAnswer(service=SERVICE, where=shown(url), reason="it has no list of hits")
        total = hits.get("total")
        listed = [
            {**as_object(each, SERVICE, url), "_total": total if isinstance(total, int) else 0} for each in hits["hits"]
        ]
        following = (value.get("links") or {}).get("next")
        return listed, self._here(urljoin(answer.url, str(following))) if following else None

    def _entry(self, file: Mapping[str, Any], base: str, folder: str, names: Names) -> SourceEntry | Failure:
        key = str(file.get("key") or "")
        path = names.path(f"{folder}{key}", str(file.get("file_id") or len(key)))
        if file.get("status", "completed") != "completed":
            return Failure(path, "The file was never uploaded completely.", SERVICE)
        size = file.get("size")
        return SourceEntry(
            path,
            size if isinstance(size, int) else None,
            _digests(file.get("checksum")),
            rfc3339(file.get("updated")),
            locator=f"file:{base}/files/{quote(key, safe='')}/content",
            original=original_name(f"{folder}{key}", path),
        )

    def _get(self, url: str, *, what: str = _WHAT, field: str = "id") -> Any:
        return self._session.get(self._account, url, headers={"Accept": _FORM}, what=what, field=field)

    def _here(self, url: str) -> str:
        """An address the service gave, which has to be one of its own."""
        if Origin.of(url) != Origin.of(self._api):
            raise UnexpectedAnswer(service=SERVICE, where=shown(url), reason="it leads away from the service")
        return url


def _index(record: Mapping[str, Any]) -> int:
    """Which version of its record it is, counted from 1."""
    index = (record.get("versions") or {}).get("index")
    return index if isinstance(index, int) else 0


def _digests(text: object) -> dict[str, str]:
    try:
        return dict([Digest.parse(text)]) if isinstance(text, str) else {}
    except UnknownDigest:
        return {}


def _id(value: str) -> str | None:
    return None if _ID.fullmatch(value) else "it is neither a record's id nor its DOI, such as 10.5281/zenodo.1234567"


def _slug(value: str) -> str | None:
    return None if _SLUG.fullmatch(value) else "it is not the name in a community's address"


def _named(given: Mapping[str, Any]) -> Iterator[BadInput]:
    if not given.keys() & {"id", "community"}:
        yield FieldMissing(service=SERVICE, field="id", help=_ID_HELP)


_ID_HELP = "The record's id or DOI, such as 10.5281/zenodo.1234567; or name a community."

KIND = Kind(
    name=SERVICE,
    summary="A record of Zenodo or another InvenioRDM, published or a draft, or all records of a community.",
    takes=(
        "the files of a record, held against their digests",
        "its metadata",
        "earlier versions, where they are asked for",
        "all records of a community",
    ),
    leaves=(
        "files that are restricted, without the token of somebody who may see them",
        "access requests, reviews and usage",
        "media files, which are derived from the others",
    ),
    params=(
        Param("id", _ID_HELP, required=False, aliases=("record", "doi"), check=_id),
        Param(
            "community", "The community's name, as in its address; for all its records.", required=False, check=_slug
        ),
        Param("access_token", "A personal access token, for what is restricted.", required=False, secret=True),
        Param("host", "The address of the InvenioRDM, if it is not zenodo.org.", required=False, check=web_address),
    ),
    build=ZenodoSource,
    has_versions=True,
    hourly_calls=_GUEST_CALLS,
    check=_named,
)
