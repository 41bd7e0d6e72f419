"""Look-alikes of GitHub and GitLab: real git behind them, their REST APIs after the vendors' descriptions."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, ClassVar

from muniment.testing.servers.gitserver import GitServer
from muniment.testing.servers.loopback import Reply, Request, Wrong

PER_PAGE = 2
"""The most a page holds here, whatever is asked for, so that there is always a second one."""


class Forge(GitServer):
    """What both have: a token, lists in pages, one project `owner/thing`."""

    user_name: ClassVar[str]
    list_fields: ClassVar[tuple[str, ...]] = ("per_page", "page", "state", "sort", "direction")

    def __init__(self, root: Path, token: str = "forge-token-0123456789") -> None:  # noqa: S107 - of a test
        super().__init__(root, password=token, user=self.user_name)
        self.token = token
        self.lists: dict[str, list[dict[str, object]]] = {}
        self.project: dict[str, object] = {}

    def page(self, request: Request, values: list[dict[str, object]]) -> Reply:
        """One page of a list, which names the next in the Link header."""
        query = request.only(*self.list_fields)
        if not 1 <= int(query.get("per_page", "30")) <= 100:
            raise Wrong(422, "per_page is 1 to 100")
        number = int(query.get("page", query.get("cursor", "1")))
        by_cursor = query.get("pagination") == "keyset"
        more = number * PER_PAGE < len(values)
        following = number + 1
        if self.paging != "honest" and values:
            more, number = True, 1
            following = following if self.paging == "endless" else 1
        rest = "&".join(f"{name}={value}" for name, value in query.items() if name not in {"page", "cursor"})
        onward = f"{'cursor' if by_cursor else 'page'}={following}"
        link = f'<{self.url}{request.path}?{rest}&{onward}>; rel="next", <{self.url}/x?page=9>; rel="last"'
        headers = {"Link": link} if more else {}
        return Reply.json(values[(number - 1) * PER_PAGE : number * PER_PAGE], headers=headers)


class GitHub(Forge):
    """GitHub Enterprise Server's addresses: the API below /api/v3, assets by a redirect to another host's store."""

    name: ClassVar[str] = "github"
    user_name: ClassVar[str] = "x-access-token"

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.project = {"id": 1, "full_name": "owner/thing", "has_wiki": True, "has_discussions": True}
        self.timelines: dict[int, list[dict[str, object]]] = {}
        self.discussions: list[dict[str, Any]] = []
        self.lists = {
            name: []
            for name in ("releases", "issues", "issues/comments", "pulls", "pulls/comments", "labels", "milestones")
        }
        self.assets: dict[int, bytes] = {}

    def release(self, tag: str, files: dict[str, bytes], state: str = "uploaded") -> None:
        """Add a release with assets."""
        assets = []
        for name, data in files.items():
            number = len(self.assets) + 1
            self.assets[number] = data
            assets.append(
                {"id": number, "name": name, "size": len(data), "state": state, "updated_at": "2025-07-01T10:00:00Z",
                 "digest": f"sha256:{hashlib.sha256(data).hexdigest()}"}
            )  # fmt: skip
        self.lists["releases"].append({"id": len(self.lists["releases"]), "tag_name": tag, "assets": assets})

    def answer(self, request: Request) -> Reply:
        """The API, the store of assets, or git."""
        if request.path.startswith("/store/"):
            if "authorization" in request.headers:
                raise Wrong(400, "only one auth mechanism allowed")
            data = self.assets[int(request.path.rpartition("/")[2])]
            return Reply(200, data, {"Content-Type": "application/octet-stream"}, etag=f'"{len(data)}"')
        if not request.path.startswith(("/api/v3/", "/api/graphql")):
            return super().answer(request)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            raise Wrong(401, "Bad credentials")
        if request.path == "/api/graphql":
            return self._graphql(request)
        if request.headers.get("x-github-api-version") != "2022-11-28":
            raise Wrong(400, "name the API version")
        return self._rest(request)

    def _rest(self, request: Request) -> Reply:
        rest = request.path.removeprefix("/api/v3/repos/owner/thing").lstrip("/")
        if not request.path.startswith("/api/v3/repos/owner/thing"):
            raise Wrong(404, "Not Found")
        if not rest:
            request.only()
            return Reply.json(self.project)
        if match := re.fullmatch(r"issues/(\d+)/timeline", rest):
            if int(match[1]) not in self.timelines:
                raise Wrong(410, "This issue was deleted")
            return self.page(request, self.timelines[int(match[1])])
        if match := re.fullmatch(r"releases/assets/(\d+)", rest):
            return self._asset(request, int(match[1]))
        if rest not in self.lists:
            raise Wrong(404, "Not Found")
        return self.page(request, self.lists[rest])

    def _graphql(self, request: Request) -> Reply:
        """The three queries for discussions, a page of each connection at a time."""
        asked = request.json(("query", "variables"))
        given = asked["variables"]
        match = re.match(r"query (\w+)\(([^)]*)\)", asked["query"])
        declared = set(re.findall(r"\$(\w+):", match[2])) if match else set()
        if match is None or set(given) - declared or asked["query"].count("{") != asked["query"].count("}"):
            return Reply.json({"errors": [{"message": "the query cannot be parsed"}]})
        if match[1] == "Discussions":
            if (given["owner"], given["name"]) != ("owner", "thing"):
                return Reply.json({"errors": [{"message": "Could not resolve to a Repository"}], "data": None})
            found = self._connection(self.discussions, given.get("after"))
            return Reply.json({"data": {"repository": {"discussions": found}}})
        name = {"Comments": "comments", "Replies": "replies"}[match[1]]
        every = [*self.discussions, *(each for one in self.discussions for each in one.get("comments", []))]
        parent = next(each for each in every if each["id"] == given["id"])
        return Reply.json({"data": {"node": {name: self._connection(parent[name], given.get(name))}}})

    def _connection(self, values: list[dict[str, Any]], after: str | None) -> dict[str, object]:
        start = int(after or "0")
        stop, more = start + PER_PAGE, start + PER_PAGE < len(values)
        if self.paging != "honest" and values:
            start, more = 0, True
            stop = stop if self.paging == "endless" else PER_PAGE
        held = {"comments", "replies"}
        nodes = [
            {name: self._connection(value, None) if name in held else value for name, value in each.items()}
            for each in values[start : start + PER_PAGE]
        ]
        return {"nodes": nodes, "pageInfo": {"hasNextPage": more, "endCursor": str(stop)}}

    def _asset(self, request: Request, number: int) -> Reply:
        if number not in self.assets:
            raise Wrong(404, "Not Found")
        if request.headers.get("accept") != "application/octet-stream":
            raise Wrong(415, "this look-alike gives the content only")
        # By another name of this machine, so that it is another origin.
        return Reply(302, headers={"Location": f"http://localhost:{self.port}/store/{number}"})


class GitLab(Forge):
    """GitLab's addresses: the API below /api/v4, projects by number or escaped path."""

    name: ClassVar[str] = "gitlab"
    user_name: ClassVar[str] = "oauth2"
    list_fields: ClassVar[tuple[str, ...]] = (
        "per_page", "page", "scope", "state", "order_by", "sort", "pagination", "cursor",
    )  # fmt: skip

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.project = {"id": 7, "path_with_namespace": "owner/thing", "wiki_enabled": True, "default_branch": "main"}
        self.lists = {name: [] for name in ("releases", "issues", "merge_requests", "labels", "milestones")}
        self.discussions: dict[str, list[dict[str, object]]] = {}
        self.uploads: dict[int, tuple[str, bytes]] = {}
        self.knows_keyset = {"issues"}
        self.is_maintainer = True

    def answer(self, request: Request) -> Reply:
        """The API or git."""
        if not request.path.startswith("/api/v4/"):
            return super().answer(request)
        if request.headers.get("private-token") != self.token:
            raise Wrong(401, "401 Unauthorized")
        match = re.fullmatch(r"/api/v4/projects/(7|owner/thing)(?:/(.+))?", request.path)
        if match is None:
            raise Wrong(404, "404 Project Not Found")
        rest = match[2]
        if rest is None:
            return Reply.json(self.project)
        if match := re.fullmatch(r"uploads(?:/(\d+))?", rest):
            return self._uploads(request, match[1])
        if match := re.fullmatch(r"((?:issues|merge_requests)/\d+)/discussions", rest):
            return self.page(request, self.discussions.get(match[1], []))
        if rest not in self.lists:
            raise Wrong(404, "404 Not Found")
        if request.query.get("pagination") == "keyset" and rest not in self.knows_keyset:
            raise Wrong(405, "Keyset pagination is not yet available for this type of request")
        return self.page(request, self.lists[rest])

    def _uploads(self, request: Request, number: str | None) -> Reply:
        if not self.is_maintainer:
            raise Wrong(403, "403 Forbidden")
        if number is None:
            lines = [
                {"id": each, "size": len(data), "filename": name, "created_at": "2024-06-20T15:53:03.067Z"}
                for each, (name, data) in self.uploads.items()
            ]
            return self.page(request, lines)
        if int(number) not in self.uploads:
            raise Wrong(404, "404 Not Found")
        data = self.uploads[int(number)][1]
        return Reply(200, data, {"Content-Type": "application/octet-stream"}, etag=f'"{number}-{len(data)}"')
