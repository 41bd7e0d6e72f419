"""A project on any GitLab: files, history, wiki, releases, issues and merge requests with what is said on them.

Checked against GitLab's REST API v4. Files linked from releases lie anywhere and are recorded, not fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import quote

from muniment.errors.sources import CredentialRefused, NotAtService, UnexpectedAnswer
from muniment.session import Account, shown
from muniment.sources.forge import KEYSET, Forge, Threads
from muniment.sources.git_mirror import Login, Repository, login_headers
from muniment.sources.options import Kind, Param, SourceContext, web_address
from muniment.sources.paging import linked_values, number_of
from muniment.sources.protocol import ABOUT, Failure, Item, Page, SourceEntry, about, segment
from muniment.sources.times import rfc3339

SERVICE = "gitlab"
_HOST = "https://gitlab.com"


class GitLabSource:
    """One project, named by its number or its path."""

    service = SERVICE

    def __init__(self, given: Mapping[str, Any], means: SourceContext) -> None:
        self._project: str = given["project"].strip("/")
        self._host = given.get("host", _HOST).rstrip("/")
        self._base = f"{self._host}/api/v4/projects/{quote(self._project, safe='')}"
        self._means = means
        token: str = given["access_token"]
        self._account = Account(
            SERVICE, (self._host,), {"PRIVATE-TOKEN": token}, (token,), hourly_calls=means.hourly_calls
        )
        self._login = Login("oauth2", token, "access_token")
        self._made: Forge | None = None

    @property
    def resource(self) -> str:
        """The project's name, or its number."""
        return self._project.rpartition("/")[2]

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """The repository, its wiki, its lists.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: GitLab or git failed.
        """
        if after is None:
            forge = self._forge()
            described = forge.describe()
            has_wiki = bool(described.get("wiki_enabled", described.get("wiki_access_level") != "disabled"))
            yield Page(forge.items(has_wiki=has_wiki))

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """The entries of one of these.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: GitLab or git failed.
        """
        return self._forge().entries(item)

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:  # noqa: ARG002 - the locator suffices
        """The bytes of an entry.

        Raises:
            FileError: This file cannot be had.
            RemoteError: GitLab or git failed.
        """
        return self._forge().open(entry, offset)

    def _forge(self) -> Forge:
        """What GitLab has of the project. Its path is asked for: git is not reached by a project's number."""
        if self._made is not None:
            return self._made
        session = self._means.session
        answer = session.get(self._account, self._base, what="project", field="project")
        path = answer.object().get("path_with_namespace")
        if not isinstance(path, str) or ".." in path or not path.strip("/"):
            raise UnexpectedAnswer(
                service=SERVICE, where=shown(answer.url), reason="it does not say the project's path"
            )
        basic = login_headers(self._login)
        token = self._login.password
        secrets = (token, basic["Authorization"].removeprefix("Basic "))
        git = Account(SERVICE, (self._host,), basic, secrets, hourly_calls=self._means.hourly_calls)
        web = f"{self._host}/{quote(path)}"

        def mirrored(url: str, folder: str) -> Repository:
            return Repository(session, git, self._login, url, self._means.scratch / folder, "project")

        issues = f"issues?{KEYSET}scope=all&per_page=100&order_by=created_at&sort=asc"
        requests = f"merge_requests?{KEYSET}scope=all&state=all&per_page=100&order_by=created_at&sort=asc"
        lists = {
            "releases": "releases?per_page=100",
            "issues": issues,
            "merge-requests": requests,
            "labels": "labels?per_page=100",
            "milestones": "milestones?per_page=100",
        }
        base = self._base
        threads = {
            "issue-discussions": Threads(
                f"{base}/{issues}", "iid", lambda number: f"{base}/issues/{number}/discussions?per_page=100"
            ),
            "merge-request-discussions": Threads(
                f"{base}/{requests}", "iid", lambda number: f"{base}/merge_requests/{number}/discussions?per_page=100"
            ),
        }
        self._made = Forge(
            session,
            self._account,
            mirrored(f"{web}.git", "repository"),
            mirrored(f"{web}.wiki.git", "wiki"),
            self._base,
            "project",
            {name: f"{self._base}/{rest}" for name, rest in lists.items()},
            threads=threads,
            assets=self._uploads,
            open_asset=self._open_upload,
        )
        return self._made

    def _uploads(self) -> Iterator[SourceEntry | Failure]:
        """The files that texts refer to; GitLab lists them to maintainers only."""
        url = f"{self._base}/uploads?per_page=100"
        try:
            for upload in linked_values(self._means.session, self._account, url, what="uploads", field="project"):
                number = number_of(upload, "id", SERVICE, url)
                name = f"uploads/{number}/{segment(str(upload.get('filename') or number))}"
                size = upload.get("size")
                yield SourceEntry(
                    about(name),
                    size if isinstance(size, int) else None,
                    modified=rfc3339(upload.get("created_at")),
                    locator=f"asset:{number}",
                )
        except (CredentialRefused, NotAtService) as error:
            status = error.details.get("status", 404)
            reason = f"Uploads are listed to maintainers only, from GitLab 17.2 on (status {status})."
            yield Failure(f"{ABOUT}/uploads/", reason, SERVICE)

    def _open_upload(self, entry: SourceEntry, offset: int) -> BinaryIO:
        url = f"{self._base}/uploads/{entry.locator.partition(':')[2]}"
        return self._means.session.open(self._account, url, entry.path, offset=offset, size=entry.size)


KIND = Kind(
    name=SERVICE,
    summary="A GitLab project: files, history, wiki, releases, issues and merge requests with notes, uploads.",
    takes=(
        "files and history with Git LFS",
        "the wiki's history",
        "releases",
        "issues and merge requests with their discussions",
        "uploads, where the token is a maintainer's",
        "labels and milestones",
    ),
    leaves=(
        "pipelines with their jobs and artifacts",
        "packages and the container registry",
        "snippets, boards and epics",
        "files that releases only link to",
        "forks and stars",
        "files of LFS that no file of the default branch points to",
    ),
    params=(
        Param("access_token", "A token with the scopes read_api and read_repository.", secret=True),
        Param("project", "The project's number or its path, such as group/name.", aliases=("project_id", "pid")),
        Param("host", "The address of the GitLab, if it is not gitlab.com.", required=False, check=web_address),
    ),
    build=GitLabSource,
)
