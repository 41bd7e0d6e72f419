"""Any git repository that is reached over http, https or ssh."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from muniment.errors.base import BadInput
from muniment.errors.sources import FieldMissing
from muniment.session import Account
from muniment.sources.git_mirror import Login, Repository, login_headers
from muniment.sources.git_mirror.command import SSH
from muniment.sources.options import Kind, Param, SourceContext, web_address
from muniment.sources.protocol import Failure, Item, Page, SourceEntry

SERVICE = "git"
_KEY = "For ssh, a private key without a passphrase that may read the repository."
_SERVER = "For ssh, the server's public key, as `ssh-keyscan` prints it after the name: `ssh-ed25519 AAAA…`."


_HOST_KEY = re.compile(r"(ssh-|ecdsa-|sk-)[\w.@-]+ [A-Za-z0-9+/=]+( [^\r\n]*)?")


def _address(value: str) -> str | None:
    parts = urlsplit(value)
    if parts.scheme != SSH:
        return web_address(value)
    if not parts.hostname or parts.hostname.startswith("-") or (parts.username or "").startswith("-"):
        return "it names no server"
    if parts.password is not None or parts.query or parts.fragment:
        return "it may have no password, query or fragment"
    return None


def _keys_for_ssh(given: Mapping[str, object]) -> Iterator[BadInput]:
    if urlsplit(str(given.get("url", ""))).scheme != SSH:
        return
    for name, help in (("key", _KEY), ("known_host", _SERVER)):  # noqa: A001 - the field's name
        if name not in given:
            yield FieldMissing(service=SERVICE, field=name, help=help)


class GitSource:
    """The files of the default branch, and every branch, tag and other ref as a bundle."""

    service = SERVICE

    def __init__(self, given: Mapping[str, Any], means: SourceContext) -> None:
        self._url: str = given["url"].rstrip("/")
        self._ssh = urlsplit(self._url).scheme == SSH
        key, host_key = given.get("key", ""), given.get("known_host", "")
        login = Login(
            given.get("username", ""), given.get("password", ""), key, host_key, "key" if self._ssh else "password"
        )
        headers = login_headers(login)
        account = Account(
            SERVICE,
            () if self._ssh else (self._url,),
            headers=headers,
            secrets=tuple(
                filter(None, (login.password, login.key, headers.get("Authorization", "").removeprefix("Basic ")))
            ),
            credential_field="key" if self._ssh else "password",
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
        "the files of the default branch, with those of Git LFS",
        "every branch, tag and other ref with all history, as a bundle",
        "links, programs and submodules as a description",
    ),
    leaves=(
        "the repositories of submodules",
        "what is under no ref any more",
        "files of LFS that no file of the default branch points to",
        "over ssh, files of LFS whose server knows no `git-lfs-authenticate` (each is named as a failure)",
    ),
    params=(
        Param("url", "The http, https or ssh:// address that `git clone` takes.", check=_address),
        Param("username", "The user name, where the server asks for one.", required=False),
        Param("password", "The password or token, where the server asks for one.", required=False, secret=True),
        Param("key", _KEY, required=False, secret=True, lines=True),
        Param(
            "known_host",
            _SERVER,
            required=False,
            check=lambda value: None if _HOST_KEY.fullmatch(value) else "it is no public key of a server",
        ),
    ),
    build=GitSource,
    check=_keys_for_ssh,
)
