"""A dataset on any Dataverse: its published files, its draft beside them and, if wanted, earlier versions.

Checked against Dataverse's native and data access API (6.x). Tabular files come as they were uploaded. The checksum
Dataverse states for those is at some installations that of its own tab-separated form, so it is not compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO
from urllib.parse import quote

from muniment.content import ALGORITHMS
from muniment.errors.sources import UnexpectedAnswer
from muniment.session import Account, Answer, shown
from muniment.sources.documents import document, json_object
from muniment.sources.naming import Names
from muniment.sources.options import ALL_VERSIONS, Kind, Param, SourceContext, web_address
from muniment.sources.paging import follow
from muniment.sources.protocol import Failure, Item, Page, SourceEntry, in_version, original_name, segment
from muniment.sources.times import rfc3339

SERVICE = "dataverse"
_HOST = "https://dataverse.harvard.edu"
_PAGE = 500
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\S+/\S+)", re.IGNORECASE)
_DRAFT = "draft"


class DataverseSource:
    """One dataset. Each of its versions is an item; the newest published one lies at the top."""

    service = SERVICE

    def __init__(self, given: Mapping[str, Any], means: SourceContext) -> None:
        match = _DOI.fullmatch(given["doi"])
        self._id = f"doi:{match[1]}" if match else given["doi"]
        self._alias: str = given.get("dataverse", "")
        self._host = given.get("host", _HOST).rstrip("/")
        self._versions: int = given["versions"]
        self._session = means.session
        token: str = given["api_token"]
        self._account = Account(
            SERVICE,
            (self._host,),
            {"X-Dataverse-key": token},
            (token,),
            credential_field="api_token",
            hourly_calls=means.hourly_calls,
        )

    @property
    def resource(self) -> str:
        """The collection and the dataset's identifier."""
        return f"{self._alias}, {self._id}" if self._alias else self._id

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """The published version, the draft, and as many earlier versions as were asked for.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: The Dataverse failed.
        """
        if after is not None:
            return
        listed = self._get("versions", {"excludeFiles": "true"}).list_data()
        drafts = [each for each in listed if each.get("versionState") == "DRAFT"]
        released = [each for each in listed if each.get("versionState") == "RELEASED"]
        gone = [each for each in listed if each.get("versionState") == "DEACCESSIONED"]
        earlier = released[1:] if self._versions == ALL_VERSIONS else released[1 : max(self._versions, 1)]
        items = [Item(_number(each), details={"at": _number(each), "under": ""}) for each in released[:1]]
        items += [Item(_DRAFT, details={"at": ":draft", "under": _DRAFT}) for _ in drafts[:1]]
        items += [Item(_number(each), details={"at": _number(each), "under": _number(each)}) for each in earlier]
        items.append(Item("versions", details={"at": "", "under": ""}))
        yield Page(tuple(items), failures=tuple(_deaccessioned(each) for each in gone))

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """The files of one version and its description.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: The Dataverse failed.
        """
        if item.id == "versions":
            yield document("versions.json", "versions:")
            return
        at, under = item.details["at"], item.details["under"]
        names = Names()
        for line in self._files(at):
            entry = _entry(line, names)
            yield replace(entry, path=in_version(under, entry.path), version=under, of=entry.path) if under else entry
        yield document(f"dataset{f' {segment(under)}' if under else ''}.json", f"dataset:{at}")

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:  # noqa: ARG002 - the locator suffices
        """The bytes of an entry.

        Raises:
            FileUnavailable: The file is restricted, under embargo, or asks for a guestbook to be signed.
            CredentialRefused: The submission has to change.
            RemoteError: The Dataverse failed.
        """
        kind, _, rest = entry.locator.partition(":")
        if kind == "versions":
            return json_object(self._get("versions", {"excludeFiles": "true"}).data(), offset)
        if kind == "dataset":
            return json_object(self._get(f"versions/{quote(rest, safe=':')}").data(), offset)
        url = f"{self._host}/api/access/datafile/{rest}" + ("?format=original" if kind == "original" else "")
        # What a file's id stands for never changes: a file that is replaced gets another one. Dataverse itself sends
        # no validators, so that without this a large file that is cut would begin anew.
        return self._session.open(self._account, url, entry.path, offset=offset, size=entry.size, immutable=True)

    def _files(self, at: str) -> Iterator[Mapping[str, Any]]:
        """The files of a version, page by page; an installation that knows no pages gives all of them at once."""
        seen: set[object] = set()

        def turn(offset: str) -> tuple[list[dict[str, object]], str | None]:
            question: dict[str, str | int] = {"limit": _PAGE, "offset": offset}
            listed = self._get(f"versions/{quote(at, safe=':')}/files", question).list_data()
            fresh = [each for each in listed if each.get("dataFile", {}).get("id") not in seen]
            seen.update(each.get("dataFile", {}).get("id") for each in fresh)
            return fresh, str(int(offset) + _PAGE) if len(listed) == _PAGE and fresh else None

        for fresh, _ in follow(SERVICE, self._host, "0", turn):
            yield from fresh

    def _get(self, path: str, query: Mapping[str, str | int] | None = None) -> _Enveloped:
        url = f"{self._host}/api/datasets/:persistentId/{path}"
        query = {"persistentId": self._id, **(query or {})}
        return _Enveloped(self._session.get(self._account, url, query, what="dataset", field="doi"))


class _Enveloped:
    """An answer of the native API: `{"status": "OK", "data": …}`."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def data(self) -> object:
        value = self._answer.object()
        if value.get("status") != "OK" or "data" not in value:
            raise UnexpectedAnswer(service=SERVICE, where=shown(self._answer.url), reason="its status is not OK")
        return value["data"]

    def list_data(self) -> list[dict[str, Any]]:
        value = self.data()
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise UnexpectedAnswer(service=SERVICE, where=shown(self._answer.url), reason="it is not a list of objects")
        return value


def _entry(line: Mapping[str, Any], names: Names) -> SourceEntry:
    file = line.get("dataFile") or {}
    tabular = bool(file.get("originalFileFormat"))
    name = str((file.get("originalFileName") if tabular else None) or line.get("label") or file.get("filename") or "")
    folder = str(line.get("directoryLabel") or "").strip("/")
    raw = f"{folder}/{name}" if folder else name
    path = names.path(raw, str(file.get("id")))
    return SourceEntry(
        path,
        _size(file.get("originalFileSize" if tabular else "filesize")),
        {} if tabular else _digests(file),
        rfc3339(str(file.get("lastUpdateTime") or file.get("publicationDate") or file.get("creationDate") or "")),
        locator=f"{'original' if tabular else 'file'}:{int(file['id'])}",
        original=original_name(raw, path),
    )


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _digests(file: Mapping[str, Any]) -> dict[str, str]:
    """The stated checksum: MD5, SHA-1, SHA-256 or SHA-512, as the installation is set up."""
    stated = file.get("checksum") or {"type": "MD5", "value": file.get("md5")}
    name = str(stated.get("type", "")).lower().replace("-", "")
    value = str(stated.get("value") or "").lower()
    return {name: value} if ALGORITHMS.get(name) == len(value) and re.fullmatch("[0-9a-f]+", value) else {}


def _deaccessioned(version: Mapping[str, object]) -> Failure:
    """A version that was published and then taken back: it is named, and its files are not given."""
    note = " ".join(str(version.get("deaccessionNote") or version.get("versionNote") or "").split())
    reason = f"The version was deaccessioned: {note or 'no reason is given'}"
    return Failure(f"@versions/{_number(version)}", reason, SERVICE)


def _number(version: Mapping[str, object]) -> str:
    return f"{version.get('versionNumber')}.{version.get('versionMinorNumber')}"


KIND = Kind(
    name=SERVICE,
    summary="A dataset on a Dataverse, published versions and draft apart.",
    takes=(
        "the files of the newest published version and of the draft",
        "tabular files as they were uploaded",
        "the metadata of each version, and which versions there are",
        "earlier versions, where they are asked for",
    ),
    leaves=(
        "files that are restricted, under embargo or behind a guestbook",
        "the files of deaccessioned versions, which are named",
        "derived forms such as the tab-separated one",
        "permissions, guestbook responses and usage",
    ),
    params=(
        Param("api_token", "An API token of an account that may read the dataset.", secret=True, aliases=("username",)),
        Param("doi", "The dataset's DOI, such as doi:10.7910/DVN/ABCDEF.", aliases=("studyDoi",)),
        Param("dataverse", "The collection's alias, which is recorded.", required=False),
        Param("password", "Of the former interface; not used any more.", required=False, secret=True),
        Param(
            "host",
            "The address of the Dataverse, such as https://dataverse.example.org; without it, Harvard's.",
            required=False,
            check=web_address,
        ),
    ),
    build=DataverseSource,
    has_versions=True,
)
