"""A look-alike of Figshare's API v2 with its download host, after the published description."""

from __future__ import annotations

import hashlib
import re
from typing import Any, ClassVar

from muniment.testing.servers.loopback import Loopback, Reply, Request, Wrong


class Figshare(Loopback):
    """Holds `articles` and `projects` of the account of `token`; `public` are the ids anybody may see."""

    name: ClassVar[str] = "figshare"

    def __init__(self) -> None:
        super().__init__()
        self.token = "figshare-token-0123456789"  # noqa: S105 - of a test
        self.articles: dict[int, list[dict[str, Any]]] = {}
        self.projects: dict[int, list[int]] = {}
        self.public: set[int] = set()
        self._contents: dict[int, bytes] = {}

    def article(self, number: int, files: dict[str, bytes | dict[str, object]], *, public: bool = False) -> None:
        """A new version of an article; a file may be inside a folder, or a ready description."""
        described, folders = [], {}
        for path, data in files.items():
            number_of = 1000 + len(self._contents)
            self._contents[number_of] = b"" if isinstance(data, dict) else data
            folder, _, name = path.rpartition("/")
            if folder:
                folders[str(number_of)] = folder
            md5 = hashlib.md5(self._contents[number_of], usedforsecurity=False).hexdigest()
            file = {
                "id": number_of,
                "name": name,
                "size": len(self._contents[number_of]),
                "is_link_only": False,
                "computed_md5": md5,
            }
            file |= {"supplied_md5": md5, "download_url": f"{self.url}/files/{number_of}", "mimetype": "x/y"}
            described.append(file | data if isinstance(data, dict) else file)
        versions = self.articles.setdefault(number, [])
        versions.append(
            {"id": number, "title": f"Article {number}", "version": len(versions) + 1, "files": described[:10],
             "all": described, "folder_structure": folders, "modified_date": "2024-05-06T07:08:09Z"}
        )  # fmt: skip
        if public:
            self.public.add(number)

    def answer(self, request: Request) -> Reply:
        """The API or a file."""
        known = request.headers.get("authorization") == f"token {self.token}"
        if "authorization" in request.headers and not known:
            raise Wrong(403, "Invalid token")
        if match := re.fullmatch(r"/files/(\d+)", request.path):
            data = self._contents.get(int(match[1]))
            if data is None:
                raise Wrong(404, "no such file")
            return Reply(200, data, {"Content-Type": "x/y"}, etag=f'"{len(data)}"')
        path = request.path
        if path.startswith("/account"):
            if not known:
                raise Wrong(401, "a token is needed")
            if path == "/account":
                return Reply.json({"id": 1, "email": "a@example.org"})
            path = path.removeprefix("/account")
            return self._look(request, path, None)
        return self._look(request, path, self.public)

    def _look(self, request: Request, path: str, visible: set[int] | None) -> Reply:
        if match := re.fullmatch(r"/projects/(\d+)(/articles)?", path):
            number = int(match[1])
            if number not in self.projects or visible is not None:
                raise Wrong(404, "no such project")
            listed = [{"id": each, "title": f"Article {each}"} for each in self.projects[number]]
            return self._page(request, listed) if match[2] else Reply.json({"id": number, "title": "Project"})
        match = re.fullmatch(r"/articles/(\d+)(?:/versions(?:/(\d+))?)?(/files)?", path)
        if (
            match is None
            or int(match[1]) not in self.articles
            or (visible is not None and int(match[1]) not in visible)
        ):
            raise Wrong(404, "no such article")
        versions = self.articles[int(match[1])]
        if path.endswith("/versions"):
            request.only()
            return Reply.json([{"version": each["version"], "url": "x"} for each in versions])
        if match[2] is not None and not 1 <= int(match[2]) <= len(versions):
            raise Wrong(404, "no such version")
        found = versions[int(match[2] or len(versions)) - 1]
        if match[3]:
            return self._page(request, found["all"])
        request.only()
        return Reply.json({name: value for name, value in found.items() if name != "all"})

    def _page(self, request: Request, values: list[dict[str, object]]) -> Reply:
        query = request.only("page", "page_size", "limit", "offset")
        size, number = int(query.get("page_size", "10")), int(query.get("page", "1"))
        if not 1 <= size <= 1000 or number < 1:
            raise Wrong(422, "page_size is 1 to 1000")
        if self.paging != "honest":  # it has no cursors: every page is the first, and full
            return Reply.json((values * size)[:size])
        return Reply.json(values[(number - 1) * size : number * size])
