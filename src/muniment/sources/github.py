"""A repository on GitHub: files, history, wiki, releases with their assets, issues and pull requests.

Checked against GitHub's REST API, version 2022-11-28.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from muniment.content import Digest
from muniment.errors.content import UnknownDigest
from muniment.session import Account
from muniment.sources.forge import Forge
from muniment.sources.git_mirror import Login, Repository, login_headers
from muniment.sources.options import Kind, Param, SourceContext, web_address
from muniment.sources.paging import linked_values
from muniment.sources.protocol import ABOUT, Failure, Item, Page, SourceEntry, about, segment
from muniment.sources.times import rfc3339

SERVICE = "github"
_HOST = "https://github.com"
_API = "https://api.github.com"
_VERSION = "2022-11-28"
_PART = re.compile(r"[A-Za-z0-9_.-]{1,100}")


class GitHubSource:
    """One repository. The token is shown to GitHub's API and to its git, and to nothing they redirect to."""

    service = SERVICE

    def __init__(self, given: Mapping[str, Any], means: SourceContext) -> None:
        self._name: str = given["repo"].removesuffix(".git")
        host = given.get("host", _HOST).rstrip("/")
        api = _API if host == _HOST else f"{host}/api/v3"
        self._base = f"{api}/repos/{given['user']}/{self._name}"
        self._session = means.session
        token: str = given["access_token"]
        headers = {"Authorization": f"Bearer {token}", "X-GitHub-Api-Version": _VERSION}
        self._account = Account(
            SERVICE, (api,), headers, (token,), hourly_calls=means.hourly_calls, busy_words=("secondary rate limit",)
        )
        login = Login("x-access-token", token, "access_token")
        basic = login_headers(login)
        secrets = (token, basic["Authorization"].removeprefix("Basic "))
        git = Account(SERVICE, (host,), basic, secrets, hourly_calls=means.hourly_calls)
        web = f"{host}/{given['user']}/{self._name}"

        def mirrored(url: str, folder: str) -> Repository:
            return Repository(means.session, git, login, url, means.scratch / folder, "repo")

        self._forge = Forge(
            means.session,
            self._account,
            mirrored(f"{web}.git", "repository"),
            mirrored(f"{web}.wiki.git", "wiki"),
            self._base,
            "repo",
            {
                "releases": f"{self._base}/releases?per_page=100",
                "issues": f"{self._base}/issues?state=all&per_page=100&sort=created&direction=asc",
                "issue-comments": f"{self._base}/issues/comments?per_page=100&sort=created&direction=asc",
                "pull-requests": f"{self._base}/pulls?state=all&per_page=100&sort=created&direction=asc",
                "review-comments": f"{self._base}/pulls/comments?per_page=100&sort=created&direction=asc",
                "labels": f"{self._base}/labels?per_page=100",
                "milestones": f"{self._base}/milestones?state=all&per_page=100",
            },
            self._assets,
            self._open_asset,
        )

    @property
    def resource(self) -> str:
        """The repository's name."""
        return self._name

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """The repository, its wiki, its lists.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: GitHub or git failed.
        """
        if after is None:
            has_wiki = bool(self._forge.describe().get("has_wiki"))
            yield Page(self._forge.items(has_wiki=has_wiki))

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """The entries of one of these.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: GitHub or git failed.
        """
        return self._forge.entries(item)

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:  # noqa: ARG002 - the locator suffices
        """The bytes of an entry.

        Raises:
            FileError: This file cannot be had.
            RemoteError: GitHub or git failed.
        """
        return self._forge.open(entry, offset)

    def _assets(self) -> Iterator[SourceEntry | Failure]:
        url = self._forge.lists["releases"]
        for release in linked_values(self._session, self._account, url, what="releases", field="repo"):
            folder = f"releases/{segment(str(release.get('tag_name') or release.get('id')))}"
            for asset in release.get("assets") or []:
                name = f"{folder}/{segment(str(asset['name']))}"
                if asset.get("state") != "uploaded":
                    yield Failure(f"{ABOUT}/{name}", "The file was never uploaded completely.", SERVICE)
                    continue
                yield SourceEntry(
                    about(name),
                    int(asset["size"]),
                    _digests(asset.get("digest")),
                    rfc3339(asset.get("updated_at")),
                    locator=f"asset:{int(asset['id'])}",
                )

    def _open_asset(self, entry: SourceEntry, offset: int) -> BinaryIO:
        url = f"{self._base}/releases/assets/{entry.locator.partition(':')[2]}"
        headers = {"Accept": "application/octet-stream"}
        return self._session.open(self._account, url, entry.path, offset=offset, size=entry.size, headers=headers)


def _digests(text: object) -> dict[str, str]:
    """An asset's digest, which those uploaded before June 2025 do not have."""
    try:
        return dict([Digest.parse(text)]) if isinstance(text, str) else {}
    except UnknownDigest:
        return {}


def _part(value: str) -> str | None:
    return None if _PART.fullmatch(value) and value.strip(".") else "it has characters that GitHub does not allow"


KIND = Kind(
    name=SERVICE,
    summary="A GitHub repository: files, history, wiki, releases with assets, issues and pull requests.",
    params=(
        Param("access_token", "A token that may read the repository.", secret=True),
        Param("user", "The user or organisation that owns it.", check=_part),
        Param("repo", "The repository's name.", check=_part),
        Param("host", "The address of a GitHub Enterprise Server, if it is one.", required=False, check=web_address),
    ),
    build=GitHubSource,
    hourly_calls=5000,
)
