"""A file on a web server, or a folder of files whose server lists it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from muniment.errors.base import MunimentError
from muniment.errors.sources import CredentialRefused, ListingEndless, NotAtService, ServiceRefused
from muniment.session import Account, shown
from muniment.session.account import Origin
from muniment.session.coding import coding_of
from muniment.session.headers import file_name
from muniment.session.reply import Answer
from muniment.sources.listing import Listed, is_listing, read_listing
from muniment.sources.options import Kind, Param, SourceContext
from muniment.sources.protocol import Failure, Item, Page, SourceEntry, safe_path
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
        kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        may_list = urlsplit(reply.url).path.endswith("/") and kind in {
            "text/html",
            "application/xhtml+xml",
            "application/json",
        }
        if reply.status >= 400 or may_list:  # noqa: PLR2004 - RFC 9110 §15.5: errors begin there
            reply.close()
            answer = self._list(self._url)
            if is_listing(answer.content_type, answer.body):
                yield from self._below(answer)
                return
        else:
            reply.close()
        name = file_name(reply.headers, reply.url) or "index.html"
        path = safe_path(name, SERVICE)
        if isinstance(path, Failure):
            yield path
            return
        modified = rfc3339(reply.headers.get("last-modified"))
        coded = coding_of(reply.headers, reply.url, reply.length, None)
        yield SourceEntry(path, None if coded else reply.length, modified=modified, locator=self._url)

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:  # noqa: ARG002 - the locator suffices
        """The bytes of a file, as the server stores them.

        Raises:
            FileError: The server does not give this file.
            RemoteError: The server failed.
        """
        return self._session.open(self._account, entry.locator, entry.path, offset=offset, size=entry.size)

    def _list(self, url: str) -> Answer:
        what = "file or folder"
        return self._session.get(
            self._account, url, headers={"Accept": "*/*"}, what=what, field="url", limit=_LISTING_LIMIT
        )

    def _below(self, root: Answer) -> Iterator[SourceEntry | Failure]:
        """Walk the folders, one listing in memory for each level."""
        levels = [iter(list(read_listing(root.url, root.content_type, root.body)))]
        names: list[str] = []
        count = 0
        while levels:
            line = next(levels[-1], None)
            if line is None:
                levels.pop()
                names = names[:-1]
                continue
            count += 1
            if count > _MOST_ENTRIES:
                raise ListingEndless(
                    service=SERVICE, where=shown(root.url), reason=f"it has over {_MOST_ENTRIES} entries"
                )
            if line.name is None:
                yield Failure(shown(line.url), "The name is not text, or holds a slash.", SERVICE)
            elif not line.folder:
                yield self._entry("/".join([*names, line.name]), line)
            elif len(levels) >= _DEEPEST:
                raise ListingEndless(
                    service=SERVICE, where=shown(line.url), reason=f"it is over {_DEEPEST} folders deep"
                )
            else:
                below = self._folder("/".join([*names, line.name]), line.url)
                if isinstance(below, Failure):
                    yield below
                else:
                    levels.append(iter(below))
                    names.append(line.name)

    def _folder(self, name: str, url: str) -> list[Listed] | Failure:
        """The lines of a folder further down; one that is closed or gone is no reason to stop."""
        try:
            answer = self._list(url)
        except (CredentialRefused, NotAtService, ServiceRefused) as error:
            status = error.details.get("status", 404)
            return Failure(f"{name}/", f"The folder cannot be listed (status {status}).", SERVICE)
        if answer.url != url or not is_listing(answer.content_type, answer.body):
            return Failure(f"{name}/", "The folder has no listing.", SERVICE)
        return list(read_listing(url, answer.content_type, answer.body))

    @staticmethod
    def _entry(name: str, line: Listed) -> SourceEntry | Failure:
        path = safe_path(name, SERVICE)
        if isinstance(path, Failure):
            return path
        return SourceEntry(path, line.size, modified=rfc3339(line.modified), locator=line.url)


KIND = Kind(
    name=SERVICE,
    summary="A file, or the listing of a folder followed downwards, from a web server.",
    params=(
        Param("url", "The http or https address of the file or folder, without a user name.", check=_address),
        Param("username", "The user name, where the server asks for one.", required=False),
        Param("password", "The password, where the server asks for one.", required=False, secret=True),
    ),
    build=HttpSource,
)
