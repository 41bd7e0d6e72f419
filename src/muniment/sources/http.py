"""A file on a web server, or a folder of files whose server lists it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from muniment.errors.base import MunimentError
from muniment.errors.sources import CredentialRefused, FileUnavailable, ListingEndless, NotAtService, ServiceRefused
from muniment.session import Account, shown
from muniment.session.account import Origin
from muniment.session.coding import coding_of
from muniment.session.headers import file_name
from muniment.session.reply import Answer
from muniment.sources.listing import Listed, Unreadable, catalog_beside, may_list, read_listing
from muniment.sources.options import Kind, Param, SourceContext
from muniment.sources.protocol import Failure, Item, Page, SourceEntry, original_name, safe_path
from muniment.sources.times import rfc3339

SERVICE = "http"
_DEEPEST = 40
_MOST_ENTRIES = 200_000
_LISTING_LIMIT = 32 * 1024 * 1024


def _address(value: str) -> str | None:
    try:
        Origin.of(value)
    except MunimentError as error:
        return str(error.details.get("reason"))
    return None


class HttpSource:
    """A file, or all files below a folder. A listing is followed downwards only, never above where it began."""

    service = SERVICE

    def __init__(self, given: Mapping[str, Any], means: SourceContext) -> None:
        self._url: str = given["url"]
        self._session = means.session
        user, password = given.get("username", ""), given.get("password", "")
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._account = Account(
            SERVICE,
            (self._url,),
            headers={"Authorization": f"Basic {basic}"} if user or password else {},
            secrets=(password, basic) if password else (),
            credential_field="password",
            hourly_calls=means.hourly_calls,
        )

    @property
    def resource(self) -> str:
        """The last part of the address's path, or the host."""
        parts = urlsplit(self._url)
        return unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.hostname or SERVICE

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """One item: the address."""
        if after is None:
            yield Page((Item(id=shown(self._url), title=self.resource),))

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:  # noqa: ARG002 - there is one item
        """The file, or the files below the folder.

        Raises:
            CredentialRefused, NotAtService: The address gives nothing to this submission.
            ListingEndless: The folders go deeper, or hold more, than any that is meant.
            RemoteError: The server failed.
        """
        reply = self._session.send(self._account, "GET", self._url, {"Accept": "*/*"})
        reply.close()
        kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        if reply.status >= 400 or may_list(reply.url, kind):  # noqa: PLR2004 - RFC 9110 §15.5: errors begin there
            answer, lines = self._listing(self._url)
            if isinstance(lines, list):
                yield from self._below(answer.url, lines)
                return
            if lines is not None:
                yield Failure(shown(answer.url), f"The folder cannot be read: {lines.reason}.", SERVICE)
        name = file_name(reply.headers, reply.url) or "index.html"
        path = safe_path(name)
        modified = rfc3339(reply.headers.get("last-modified"))
        coded = coding_of(reply.headers, reply.url, reply.length, None)
        yield SourceEntry(
            path,
            None if coded else reply.length,
            modified=modified,
            locator=self._url,
            original=original_name(name, path),
        )

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:  # noqa: ARG002 - the locator suffices
        """The bytes of a file, as the server stores them.

        Raises:
            FileError: The server does not give this file, or a folder's page in its place.
            RemoteError: The server failed.
        """
        body = self._session.open(self._account, entry.locator, entry.path, offset=offset, size=entry.size)
        # A folder that was listed without its slash leads to its own page, which is not what was meant.
        came_from = urlsplit(getattr(body, "url", "")).path
        if came_from.endswith("/") and not urlsplit(entry.locator).path.endswith("/"):
            body.close()
            raise FileUnavailable(path=entry.path, service=SERVICE, reason="it is a folder, listed as a file")
        return body

    def _listing(self, url: str) -> tuple[Answer, list[Listed] | Unreadable | None]:
        """The page at `url`, or the catalog it shows, and what it lists."""
        if catalog := catalog_beside(url):
            with suppress(CredentialRefused, NotAtService, ServiceRefused):
                answer = self._page(catalog)
                if lines := read_listing(answer.url, answer.content_type, answer.body):
                    return answer, lines
        answer = self._page(url)
        if not may_list(answer.url, answer.content_type):
            return answer, None
        return answer, read_listing(answer.url, answer.content_type, answer.body)

    def _page(self, url: str) -> Answer:
        what = "file or folder"
        return self._session.get(
            self._account, url, headers={"Accept": "*/*"}, what=what, field="url", limit=_LISTING_LIMIT
        )

    def _below(self, root: str, lines: list[Listed]) -> Iterator[SourceEntry | Failure]:
        """Walk the folders, one listing in memory for each level."""
        levels = [iter(lines)]
        names: list[str] = []
        seen = {root}
        count = 0
        while levels:
            line = next(levels[-1], None)
            if line is None:
                levels.pop()
                names = names[:-1]
                continue
            count += 1
            if count > _MOST_ENTRIES:
                raise ListingEndless(service=SERVICE, where=shown(root), reason=f"it has over {_MOST_ENTRIES} entries")
            name = "/".join([*names, line.name])
            if not line.folder:
                yield self._entry(name, line)
            elif len(levels) >= _DEEPEST:
                raise ListingEndless(
                    service=SERVICE, where=shown(line.url), reason=f"it is over {_DEEPEST} folders deep"
                )
            else:
                below = self._folder(name, line.url, root, seen)
                if isinstance(below, Failure):
                    yield below
                else:
                    levels.append(iter(below))
                    names.append(line.name)

    def _folder(self, name: str, url: str, root: str, seen: set[str]) -> list[Listed] | Failure:
        """The lines of a folder further down; one that is closed or gone is no reason to stop."""
        if Origin.of(url) != Origin.of(root):
            return Failure(f"{name}/", "It lies on another server, which is not followed.", SERVICE)
        if url in seen:
            return Failure(f"{name}/", "It is listed in another folder already.", SERVICE)
        seen.add(url)
        try:
            answer, lines = self._listing(url)
        except (CredentialRefused, NotAtService, ServiceRefused) as error:
            status = error.details.get("status", 404)
            return Failure(f"{name}/", f"The folder cannot be listed (status {status}).", SERVICE)
        if answer.url != url or lines is None:
            return Failure(f"{name}/", "The folder has no listing.", SERVICE)
        if isinstance(lines, Unreadable):
            return Failure(f"{name}/", f"The folder cannot be read: {lines.reason}.", SERVICE)
        return lines

    @staticmethod
    def _entry(name: str, line: Listed) -> SourceEntry | Failure:
        path = safe_path(name)
        if line.missing:
            return Failure(path, line.missing, SERVICE)
        return SourceEntry(
            path, line.size, modified=line.modified, locator=line.url, original=original_name(name, path)
        )


KIND = Kind(
    name=SERVICE,
    summary="A file, or the listing of a folder followed downwards, from a web server.",
    takes=("one file, or every file below a folder that its server lists, or a THREDDS catalog",),
    leaves=(
        "what no listing names",
        "what lies above the address or on other servers",
        "headers and cookies",
    ),
    params=(
        Param("url", "The http or https address of the file or folder, without a user name.", check=_address),
        Param("username", "The user name, where the server asks for one.", required=False),
        Param("password", "The password, where the server asks for one.", required=False, secret=True),
    ),
    build=HttpSource,
)
