"""A repository on GitHub: files, history, wiki, releases with their assets, issues, pull requests and discussions.

Checked against GitHub's REST API, version 2022-11-28. Timelines hold what the lists of issues and comments do not:
labels and milestones given and taken, references, reviews, closings. They take a call for each issue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from muniment.content import Digest
from muniment.errors.content import UnknownDigest
from muniment.session import Account
from muniment.sources.discussions import Discussions
from muniment.sources.documents import document, json_list
from muniment.sources.forge import Forge, Threads
from muniment.sources.git_mirror import Login, Repository, login_headers
from muniment.sources.options import Kind, Param, SourceContext, web_address
from muniment.sources.paging import linked_values
from muniment.sources.protocol import ABOUT, Failure, Item, Page, SourceEntry, about, segment
from muniment.sources.times import rfc3339

SERVICE = "github"
_HOST = "https://github.com"
_RESIDENCY = ".ghe.com"
"""Hosts of companies whose data stays in a region; their API is below `api.` as that of github.com."""
_DISCUSSIONS = "discussions"
_VERSION = "2022-11-28"
_PART = re.compile(r"[A-Za-z0-9_.-]{1,100}")


class GitHubSource:
    """One repository. The token is shown to GitHub's API and to its git, and to nothing they redirect to."""

    service = SERVICE

    def __init__(self, given: Mapping[str, Any], means: SourceContext) -> None:
        self._name: str = given["repo"].removesuffix(".git")
        host = given.get("host", _HOST).rstrip("/")
        api, graphql = _addresses(host)
        self._base = f"{api}/repos/{given['user']}/{self._name}"
        self._session = means.session
        token: str = given["access_token"]
        headers = {"Authorization": f"Bearer {token}", "X-GitHub-Api-Version": _VERSION}
        self._account = Account(
            SERVICE,
            (api, graphql),
            headers,
            (token,),
            hourly_calls=means.hourly_calls,
            busy_words=("secondary rate limit",),
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
            threads={
                "timelines": Threads(
                    f"{self._base}/issues?state=all&per_page=100&sort=created&direction=asc",
                    "number",
                    lambda number: f"{self._base}/issues/{number}/timeline?per_page=100",
                )
            },
            assets=self._assets,
            open_asset=self._open_asset,
        )
        self._discussions = Discussions(means.session, self._account, graphql, given["user"], self._name)

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
            described = self._forge.describe()
            items = self._forge.items(has_wiki=bool(described.get("has_wiki")))
            yield Page((*items, Item(_DISCUSSIONS, "discussions")) if described.get("has_discussions") else items)

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """The entries of one of these.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: GitHub or git failed.
        """
        if item.id == _DISCUSSIONS:
            return iter([document("discussions.json", _DISCUSSIONS)])
        return self._forge.entries(item)

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:  # noqa: ARG002 - the locator suffices
        """The bytes of an entry.

        Raises:
            FileError: This file cannot be had.
            RemoteError: GitHub or git failed.
        """
        if entry.locator == _DISCUSSIONS:
            return json_list(self._discussions, offset)
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


def _addresses(host: str) -> tuple[str, str]:
    """The REST and the GraphQL API of a host: github.com, one of data residency, or a GitHub Enterprise Server."""
    parts = urlsplit(host)
    name = (parts.hostname or "").lower()
    if name == "github.com" or name.endswith(_RESIDENCY):
        api = f"https://api.{parts.netloc.lower()}"
        return api, f"{api}/graphql"
    return f"{host}/api/v3", f"{host}/api/graphql"


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
    summary="A GitHub repository: files, history, wiki, releases with assets, issues, pull requests, discussions.",
    takes=(
        "files and history with Git LFS",
        "the wiki's history",
        "releases with their assets",
        "issues, pull requests and their comments",
        "timelines of issues and pull requests, reviews included",
        "discussions with comments and replies",
        "labels and milestones",
    ),
    leaves=(
        "actions with their logs and artifacts",
        "packages, pages and projects",
        "code scanning and security alerts",
        "images pasted into issues",
        "forks and stars",
        "files of LFS that no file of the default branch points to",
    ),
    params=(
        Param("access_token", "A token that may read the repository.", secret=True),
        Param("user", "The user or organisation that owns it.", check=_part),
        Param("repo", "The repository's name.", check=_part),
        Param(
            "host",
            "The address of a GitHub Enterprise Server, or below ghe.com.",
            required=False,
            check=web_address,
        ),
    ),
    build=GitHubSource,
    hourly_calls=5000,
)
