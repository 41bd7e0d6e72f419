"""Any git repository that is reached over http or https."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import unquote

from muniment.session import Account
from muniment.sources.git_mirror import Login, Repository, login_headers
from muniment.sources.options import Kind, Param, SourceContext, web_address
from muniment.sources.protocol import Failure, Item, Page, SourceEntry

SERVICE = "git"


class GitSource:
    """The files of the default branch, and every branch, tag and other ref as a bundle."""

    service = SERVICE

    def __init__(self, given: Mapping[str, Any], means: SourceContext) -> None:
        self._url: str = given["url"].rstrip("/")
        login = Login(given.get("username", ""), given.get("password", ""))
        headers = login_headers(login)
        account = Account(
            SERVICE,
            (self._url,),
            headers=headers,
            secrets=tuple(filter(None, (login.password, headers.get("Authorization", "").removeprefix("Basic ")))),
            credential_field="password",
            hourly_calls=means.hourly_calls,
        )
        folder = means.scratch / hashlib.sha256(self._url.encode()).hexdigest()[:16]
        self._repository = Repository(means.session, account, login, self._url, folder)

    @property
    def resource(self) -> str:
        """The repository's name."""
        return unquote(self._url.rpartition("/")[2]).removesuffix(".git") or SERVICE

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """One item: the repository.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: The server or git failed.
        """
        if after is None:
            yield Page((self._repository.item(),))

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """The files of the default branch, then a description and the bundle.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: The server or git failed.
        """
        return self._repository.entries(item)

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:  # noqa: ARG002 - the locator suffices
        """The bytes of an entry.

        Raises:
            FileError: This file cannot be had.
            RemoteError: The server or git failed.
        """
        return self._repository.open(entry, offset)


KIND = Kind(
    name=SERVICE,
    summary="A git repository: the files of its default branch, with LFS, and its whole history as a bundle.",
    takes=(
        "the files of the default branch, those of Git LFS included",
        "every branch, tag and other ref with all history, as a bundle",
        "links, programs and submodules as a description",
    ),
    leaves=(
        "the repositories of submodules",
        "what is under no ref any more",
        "files of LFS that no file of the default branch points to",
    ),
    params=(
        Param("url", "The http or https address that `git clone` takes, without a user name.", check=web_address),
        Param("username", "The user name, where the server asks for one.", required=False),
        Param("password", "The password or token, where the server asks for one.", required=False, secret=True),
    ),
    build=GitSource,
)
