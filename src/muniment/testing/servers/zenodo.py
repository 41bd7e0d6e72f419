"""A look-alike of InvenioRDM's REST API for records, versions, files and communities, after its description."""

from __future__ import annotations

import hashlib
import re
from typing import Any, ClassVar

from muniment.testing.servers.loopback import Loopback, Reply, Request, Wrong

PER_PAGE = 2
"""The most a page holds here, whatever is asked for."""
_FORM = "application/vnd.inveniordm.v1+json"


class Zenodo(Loopback):
    """Holds records by id; `restricted` are those whose files, `hidden` those that only the token's owner may see.

    `most` is how many results a search gives at all, as a search engine's window is.
    """

    name: ClassVar[str] = "zenodo"

    def __init__(self) -> None:
        super().__init__()
        self.token = "zenodo-token-0123456789"  # noqa: S105 - of a test
        self.records: dict[str, dict[str, Any]] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.communities: dict[str, list[str]] = {}
        self.drafts: set[str] = set()
        self.restricted: set[str] = set()
        self.hidden: set[str] = set()
        self.unfinished: set[str] = set()
        self.most = 10_000

    def record(self, id: str, files: dict[str, bytes], parent: str | None = None) -> None:
        """A record, a further version of it where `parent` has some already."""
        index = 1 + sum(each["parent"]["id"] == parent for each in self.records.values())
        self.files[id] = files
        self.records[id] = {
            "id": id, "parent": {"id": parent or f"parent-of-{id}"}, "metadata": {"title": f"Record {id}"},
            "files": {"enabled": True, "count": len(files)}, "versions": {"index": index}, "is_published": True,
        }  # fmt: skip

    def answer(self, request: Request) -> Reply:
        """The API."""
        if request.method != "GET":
            raise Wrong(405, "only GET")
        bearer = request.headers.get("authorization")
        if bearer not in {None, f"Bearer {self.token}"}:
            raise Wrong(401, "The server could not verify that you are authorized")
        mine = bearer is not None
        if match := re.fullmatch(r"/api/communities/([\w-]+)(/records)?", request.path):
            return self._community(request, match[1], records=bool(match[2]))
        match = re.fullmatch(r"/api/records/([\w-]+)(/draft)?(?:/(versions|files)(?:/(.+)/content)?)?", request.path)
        if match is None:
            raise Wrong(404, "no such route")
        return self._about(request, self._id(match[1], draft=bool(match[2]), mine=mine), match[3], match[4], mine=mine)

    def _about(self, request: Request, id: str, part: str | None, key: str | None, *, mine: bool) -> Reply:
        if id in self.hidden and not mine:
            raise Wrong(403, "Permission denied.")
        if part == "versions":
            siblings = [each for each in self.records.values() if each["parent"] == self.records[id]["parent"]]
            return self._page(request, [each for each in siblings if each["id"] not in self.drafts])
        if part == "files":
            if id in self.restricted and not mine:
                raise Wrong(403, "Permission denied.")
            return self._content(id, key) if key else self._files(request, id)
        self._check_form(request)
        return Reply.json(self.records[id])

    def _id(self, id: str, *, draft: bool, mine: bool) -> str:
        """The record that an id names; that of all versions together names the newest."""
        siblings = [each for each, record in self.records.items() if record["parent"]["id"] == id]
        named = siblings[-1] if siblings else id
        if named not in self.records or draft != (named in self.drafts) or (draft and not mine):
            raise Wrong(404, "The persistent identifier does not exist.")
        return named

    def _community(self, request: Request, name: str, *, records: bool) -> Reply:
        if name not in self.communities:
            raise Wrong(404, "no such community")
        if records:
            return self._page(request, [self.records[each] for each in self.communities[name]])
        self._check_form(request)
        return Reply.json({"slug": name, "metadata": {"title": f"Community {name}"}})

    @staticmethod
    def _check_form(request: Request) -> None:
        if request.headers.get("accept") != _FORM:
            raise Wrong(406, "another form is given to those who ask for plain JSON")

    def _page(self, request: Request, values: list[dict[str, object]]) -> Reply:
        self._check_form(request)
        query = request.only("page", "size", "sort")
        if not 1 <= int(query.get("size", "25")) <= 25:
            raise Wrong(400, "guests are given 25 at most")
        number = int(query.get("page", "1"))
        window = values[: self.most]
        more, following = number * PER_PAGE < len(window), number + 1
        if self.paging != "honest":
            more, number = True, 1
            following = following if self.paging == "endless" else 1
        rest = "&".join(f"{name}={value}" for name, value in query.items() if name != "page")
        links = {"next": f"{self.url}{request.path}?{rest}&page={following}"} if more else {}
        hits = window[(number - 1) * PER_PAGE : number * PER_PAGE]
        return Reply.json({"hits": {"hits": hits, "total": len(values)}, "links": links})

    def _files(self, request: Request, id: str) -> Reply:
        self._check_form(request)
        entries = [
            {"key": key, "file_id": f"f-{key}", "size": len(data), "updated": "2024-05-06T07:08:09.1+00:00",
             "checksum": f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}",
             "status": "pending" if key in self.unfinished else "completed"}
            for key, data in self.files[id].items()
        ]  # fmt: skip
        return Reply.json({"enabled": True, "entries": entries})

    def _content(self, id: str, key: str) -> Reply:
        data = self.files[id].get(key)
        if data is None:
            raise Wrong(404, f"No file named {key}.")
        return Reply(200, data, {"Content-Type": "application/octet-stream"}, etag=f'"{id}-{len(data)}"')
