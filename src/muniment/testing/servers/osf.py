"""A look-alike of OSF: its API v2 for listings and WaterButler for bytes, after their published descriptions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, ClassVar

from muniment.testing.servers.loopback import Loopback, Reply, Request, Wrong

PER_PAGE = 2
"""The most a page holds here, so that there is always a second one."""


class Osf(Loopback):
    """One node with files by provider and path, each with its versions, the oldest first.

    Only OSF's own storage numbers versions; the other providers' are named by letters, and `twins` are files of theirs
    that lie a second time in the same folder, under the same name.
    """

    name: ClassVar[str] = "osf"
    node: ClassVar[str] = "abc12"

    def __init__(self, kind: str = "nodes") -> None:
        super().__init__()
        self.kind = kind
        self.token = "osf-token-0123456789"  # noqa: S105 - of a test
        self.files: dict[str, dict[str, list[bytes]]] = {"osfstorage": {}}
        self.twins: set[str] = set()
        self.storage: Callable[[bytes], str] | None = None
        self.lists: dict[str, list[dict[str, object]]] = {
            "contributors": [{"id": f"{self.node}-u{number}", "type": "contributors"} for number in range(3)],
            "children": [],
            "logs": [{"id": "1", "type": "logs"}],
        }
        self.wikis: dict[str, list[bytes]] = {}
        self.relationships: dict[str, object] = {}
        self.schemas: dict[str, list[dict[str, object]]] = {}

    def put(self, path: str, data: bytes, provider: str = "osfstorage") -> None:
        """Store a version of a file."""
        self.files.setdefault(provider, {}).setdefault(path, []).append(data)

    def answer(self, request: Request) -> Reply:
        """A listing or a file."""
        if request.headers.get("authorization") != f"Bearer {self.token}":
            raise Wrong(401, "Authentication credentials were not provided.")
        if match := re.fullmatch(r"/v1/resources/(\w+)/providers/(\w+)/(.+)", request.path):
            return self._bytes(request, *match.groups())
        if match := re.fullmatch(r"/v2/files/(\w+):(.+)/versions/", request.path):
            return self._versions(request, *match.groups())
        if match := re.fullmatch(r"/v2/wikis/(\w+)/versions/(?:(\d+)/content/)?", request.path):
            return self._wiki(request, *match.groups())
        base = f"/v2/{self.kind}/{self.node}/"
        if not request.path.startswith(base):
            return self._schema(request)
        return self._of_node(request, request.path.removeprefix(base))

    def _of_node(self, request: Request, rest: str) -> Reply:
        if not rest:
            facts = {"attributes": {"title": "A study"}, "relationships": self.relationships}
            return Reply.json({"data": {"id": self.node, "type": self.kind, **facts}})
        if rest == "wikis/" and self.wikis:
            # The size is that of the text in the memory of OSF's program.
            lines = [{"id": f"w{key}", "attributes": {"name": key, "size": 1000}} for key in self.wikis]
            return self._page(request, lines)
        if rest == "files/":
            return self._page(
                request, [{"id": f"{self.node}:{p}", "attributes": {"provider": p, "name": p}} for p in self.files]
            )
        if match := re.fullmatch(r"files/(\w+)/(.*)", rest):
            return self._folder(request, *match.groups())
        if rest.rstrip("/") in self.lists:
            return self._page(request, self.lists[rest.rstrip("/")])
        raise Wrong(404, "Not found.")

    def refusal(self, wrong: Wrong) -> Reply:
        """JSON:API's wording."""
        return Reply.json({"errors": [{"detail": wrong.reason}]}, wrong.status, wrong.headers)

    def _schema(self, request: Request) -> Reply:
        held = self.schemas.get(request.path)
        if held is None:
            raise Wrong(404, "Not found.")
        return self._page(request, held) if "blocks" in request.path else Reply.json({"data": held[0]})

    def _wiki(self, request: Request, key: str, number: str | None) -> Reply:
        versions = self.wikis.get(key.removeprefix("w"))
        if versions is None or not 1 <= int(number or "1") <= len(versions):
            raise Wrong(404, "Not found.")
        if number is not None:
            return Reply(200, versions[int(number) - 1], {"Content-Type": "text/markdown"})
        when = {"attributes": {"date_created": "2024-05-06T07:08:09Z", "size": 1000}}
        return self._page(request, [{"id": str(each + 1), **when} for each in range(len(versions))])

    def _folder(self, request: Request, provider: str, folder: str) -> Reply:
        if provider not in self.files or (folder and not folder.endswith("/")):
            raise Wrong(404, "Not found.")
        lines: dict[str, dict[str, object]] = {}
        for path, versions in self.files[provider].items():
            if not path.startswith(folder):
                continue
            name, slash, _ = path[len(folder) :].partition("/")
            if slash:
                lines[name] = self._folder_line(provider, f"{folder}{name}/", name)
            else:
                lines[name] = self._file_line(provider, path, name, versions)
                if path in self.twins:
                    twin = self._file_line(provider, path, name, versions)
                    lines[f"{name} twin"] = twin | {"attributes": twin["attributes"] | {"path": f"/twin-{path}"}}
        return self._page(request, list(lines.values()))

    def _folder_line(self, provider: str, path: str, name: str) -> dict[str, object]:
        href = f"{self.url}/v2/{self.kind}/{self.node}/files/{provider}/{path}"
        facts = {"kind": "folder", "name": name, "path": f"/{path}", "materialized_path": f"/{path}"}
        return {"id": path, "attributes": facts, "relationships": {"files": {"links": {"related": {"href": href}}}}}

    @staticmethod
    def _file_line(provider: str, path: str, name: str, versions: list[bytes]) -> dict[str, Any]:
        data = versions[-1]
        md5, sha256 = hashlib.md5(data, usedforsecurity=False).hexdigest(), hashlib.sha256(data).hexdigest()
        hashes = {"md5": md5, "sha256": sha256} if provider == "osfstorage" else {"md5": None}
        facts = {"kind": "file", "name": name, "path": f"/{path}", "materialized_path": f"/{path}", "size": len(data)}
        facts |= {
            "date_modified": "2024-05-06T07:08:09.123456Z",
            "provider": provider,
        }
        # Only OSF's own storage counts versions; of the others the number of records is given, which says nothing.
        facts["current_version"] = len(versions) if provider == "osfstorage" else 1
        return {"id": f"{provider}:{path}", "attributes": facts | {"extra": {"hashes": hashes}}}

    def _versions(self, request: Request, provider: str, path: str) -> Reply:
        versions = self.files[provider][path]
        lines = [
            {
                "id": _version(provider, number),
                "attributes": {"size": len(versions[number - 1]), "date_created": "2024-05-06T07:08:09Z"},
            }
            for number in range(len(versions), 0, -1)
        ]
        if provider == "osfstorage" and len(lines) > 1:
            lines[0], lines[1] = lines[1], lines[0]  # by the time their records changed, not by number
        return self._page(request, lines)

    def _bytes(self, request: Request, node: str, provider: str, path: str) -> Reply:
        query = request.only("version")
        versions = self.files.get(provider, {}).get(path.removeprefix("twin-"))
        if node != self.node or versions is None:
            raise Wrong(404, "File or folder not found")
        known = {_version(provider, number): number for number in range(1, len(versions) + 1)}
        number = known.get(query["version"], 0) if "version" in query else len(versions)
        if not number:
            raise Wrong(404, "no such version")
        if self.storage is not None and provider == "osfstorage":
            return Reply(302, b"", {"Location": self.storage(versions[number - 1])})
        return Reply(200, versions[number - 1], {"Content-Type": "x/y"}, etag=f'"{number}-{len(versions[number - 1])}"')

    def _page(self, request: Request, values: list[dict[str, Any]]) -> Reply:
        query = request.only("page[size]", "page")
        if not 1 <= int(query.get("page[size]", "10")) <= 100:
            raise Wrong(400, "page[size] is 1 to 100")
        number = int(query.get("page", "1"))
        more, following = number * PER_PAGE < len(values), number + 1
        if self.paging != "honest" and values:
            more, number = True, 1
            following = following if self.paging == "endless" else 1
        rest = f"{self.url}{request.path}?page[size]={query.get('page[size]', '10')}&page={following}"
        links = {"next": rest if more else None}
        return Reply.json({"data": values[(number - 1) * PER_PAGE : number * PER_PAGE], "links": links})


def _version(provider: str, number: int) -> str:
    return str(number) if provider == "osfstorage" else f"rev-{number:x}"
