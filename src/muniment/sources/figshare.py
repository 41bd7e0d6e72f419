"""An article or a project on Figshare, with the files of each article and, if wanted, its earlier versions.

Checked against Figshare's API v2. The token of version 1 (`token_key`) is taken for the personal token; its secret
has no use any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

from muniment.content import LogicalPath
from muniment.errors.sources import CredentialRefused, NotAtService
from muniment.session import Account
from muniment.sources.documents import document, json_object
from muniment.sources.naming import Names
from muniment.sources.options import ALL_VERSIONS, Kind, Param, SourceContext, web_address
from muniment.sources.paging import as_object, follow
from muniment.sources.protocol import Failure, Item, Page, SourceEntry, in_version, original_name
from muniment.sources.times import rfc3339

SERVICE = "figshare"
_API = "https://api.figshare.com/v2"
_DOWNLOADS = "https://ndownloader.figshare.com"
_PAGE = 100
_MD5 = re.compile(r"[0-9a-f]{32}")


class FigshareSource:
    """Looks an id up among the token's own projects and articles, then among the public ones."""

    service = SERVICE

    def __init__(self, given: Mapping[str, Any], means: SourceContext) -> None:
        self._id: str = given["id"]
        self._api = given.get("host", _API).rstrip("/")
        self._versions: int = given["versions"]
        self._session = means.session
        token: str = given["access_token"]
        self._account = Account(
            SERVICE,
            (self._api, _DOWNLOADS),
            {"Authorization": f"token {token}"},
            (token,),
            hourly_calls=means.hourly_calls,
        )

    @property
    def resource(self) -> str:
        """The id."""
        return self._id

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """The article, or the project's articles page by page.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: Figshare failed.
        """
        base, what = self._found()
        if what == "article":
            if after is None:
                yield Page((Item(self._id, details={"base": base, "folder": ""}),))
            return
        prefix = "/account/articles" if base.startswith("/account") else "/articles"
        for listed, following in self._listing(f"{base}/articles", after or "1"):
            items = [
                Item(
                    str(each["id"]),
                    str(each.get("title", "")),
                    {"base": f"{prefix}/{each['id']}", "folder": f"{each['id']}/"},
                )
                for each in listed
            ]
            if following is None:
                items.append(Item("project", details={"base": base, "folder": ""}))
            yield Page(tuple(items), following)

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """The files of an article, its description, and its earlier versions.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: Figshare failed.
        """
        base, folder = item.details["base"], item.details["folder"]
        if item.id == "project":
            yield document("project.json", f"json:{base}")
            return
        article = self._get(base).object()
        names = Names()
        present = str(article["version"]) if article.get("version") else None
        for entry in self._files(base, article, folder, names):
            yield entry if isinstance(entry, Failure) else replace(entry, present=present)
        yield document(f"{folder}article.json", f"json:{base}")
        public = f"/articles/{base.rpartition('/')[2]}"
        for version in self._earlier(public, article):
            at = f"{public}/versions/{version}"
            for entry in self._files(at, self._get(at).object(), folder, Names()):
                yield entry if isinstance(entry, Failure) else _as_version(entry, version)

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:  # noqa: ARG002 - the locator suffices
        """The bytes of an entry.

        Raises:
            FileError: This file cannot be had.
            RemoteError: Figshare failed.
        """
        kind, _, rest = entry.locator.partition(":")
        if kind == "json":
            return json_object(self._get(rest).object(), offset)
        return self._session.open(self._account, rest, entry.path, offset=offset, size=entry.size)

    def _found(self) -> tuple[str, str]:
        """Where the id is, and whether it is an article or a project."""
        self._get("/account")  # the token first: a refused one must not look like a missing article
        for base, what in (
            (f"/account/projects/{self._id}", "project"),
            (f"/account/articles/{self._id}", "article"),
            (f"/articles/{self._id}", "article"),
            (f"/projects/{self._id}", "project"),
        ):
            try:
                self._get(base)
            except (NotAtService, CredentialRefused):
                continue
            return base, what
        raise NotAtService(service=SERVICE, what="article or project", where=self._id, field="id")

    def _files(
        self, base: str, article: Mapping[str, Any], folder: str, names: Names
    ) -> Iterator[SourceEntry | Failure]:
        modified = rfc3339(article.get("modified_date"))
        folders = article.get("folder_structure") or {}
        for each in (each for listed, _ in self._listing(f"{base}/files") for each in listed):
            inner = str(folders.get(str(each["id"]), "")).strip("/")
            name = f"{inner}/{each['name']}" if inner else str(each["name"])
            path = names.path(f"{folder}{name}", str(each["id"]))
            yield _entry(path, each, modified, original_name(f"{folder}{name}", path))

    def _earlier(self, public: str, article: Mapping[str, object]) -> list[str]:
        """The numbers of the earlier public versions that were asked for, the newest first."""
        if not self._versions:
            return []
        try:
            listed = self._get(f"{public}/versions").list()
        except NotAtService:
            return []  # it was never published
        numbers = sorted({int(each["version"]) for each in listed} - {article.get("version")}, reverse=True)
        kept = numbers if self._versions == ALL_VERSIONS else numbers[: self._versions - 1]
        return [str(number) for number in kept]

    def _listing(self, path: str, first: str = "1") -> Iterator[tuple[Sequence[dict[str, object]], str | None]]:
        """The pages of a listing, which have numbers; one that is not full is the last."""
        url = f"{self._api}{path}"

        def turn(number: str) -> tuple[list[dict[str, object]], str | None]:
            answer = self._session.get(self._account, url, {"page": number, "page_size": _PAGE}, what="listing")
            listed = [as_object(each, SERVICE, answer.url) for each in answer.list()]
            return listed, str(int(number) + 1) if len(listed) >= _PAGE else None

        return follow(SERVICE, url, first, turn)

    def _get(self, path: str) -> Any:
        return self._session.get(self._account, f"{self._api}{path}", what="article or project")


def _entry(
    path: LogicalPath, each: Mapping[str, Any], modified: str | None, original: str | None
) -> SourceEntry | Failure:
    if each.get("is_link_only"):
        return Failure(path, "It is a link to another place, not a file.", SERVICE)
    if not each.get("download_url"):
        return Failure(path, "No download link available.", SERVICE)
    md5 = str(each.get("computed_md5") or each.get("supplied_md5") or "").lower()
    digests = {"md5": md5} if _MD5.fullmatch(md5) else {}
    locator = f"file:{each['download_url']}"
    return SourceEntry(path, int(each["size"]), digests, modified, locator=locator, original=original)


def _as_version(entry: SourceEntry, version: str) -> SourceEntry:
    return replace(entry, path=in_version(version, entry.path), version=version, of=entry.path)


def _number(value: str) -> str | None:
    return None if value.isascii() and value.isdigit() else "it is not a number"


KIND = Kind(
    name=SERVICE,
    summary="A Figshare article or project, private or public.",
    takes=(
        "the files of each article, held against their MD5",
        "the metadata of articles and project",
        "earlier published versions, where they are asked for",
    ),
    leaves=(
        "files that are only links",
        "private earlier versions",
        "comments, collections and usage",
    ),
    params=(
        Param("id", "The number of the article or project.", check=_number),
        Param("access_token", "A personal token.", secret=True, aliases=("token_key",)),
        Param("token_secret", "Of Figshare's first API; not used any more.", required=False, secret=True),
        Param("host", "The address of the API, where it is another.", required=False, check=web_address),
    ),
    build=FigshareSource,
    has_versions=True,
)
