"""A look-alike of Dropbox's API v2 for folders, revisions and downloads, after the published description."""

from __future__ import annotations

import hashlib
import json
from typing import ClassVar
from urllib.parse import parse_qsl

from muniment.testing.servers.loopback import Loopback, Reply, Request, Wrong

PER_PAGE = 3
"""The most a page holds here, whatever limit is asked for: Dropbox calls its limit approximate."""
_BLOCK = 4 * 1024 * 1024


class Dropbox(Loopback):
    """Holds files by path, each with its revisions, the newest last; `restricted` are revisions it may not give."""

    name: ClassVar[str] = "dropbox"

    def __init__(self) -> None:
        super().__init__()
        self.token = "dropbox-token-0123456789"  # noqa: S105 - of a test
        self.refresh_token = "dropbox-refresh-0123456789"  # noqa: S105 - of a test
        self.app_key = "app-key-0123456789"
        self.app_secret = "app-secret-0123456789"  # noqa: S105 - of a test
        self.contents: dict[str, bytes] = {}
        self.files: dict[str, list[dict[str, object]]] = {}
        self.restricted: set[str] = set()

    def put(self, path: str, data: bytes, **more: object) -> str:
        """Store a revision; its name."""
        revisions = self.files.setdefault(path, [])
        rev = f"{len(self.contents) + 1:09x}"
        self.contents[rev] = data
        blocks = b"".join(hashlib.sha256(data[at : at + _BLOCK]).digest() for at in range(0, len(data), _BLOCK))
        file: dict[str, object] = {
            ".tag": "file",
            "name": path.rpartition("/")[2],
            "id": f"id:{len(self.files):022d}",
            "rev": rev,
        }
        file |= {
            "client_modified": "2024-05-06T07:08:09Z",
            "server_modified": "2024-05-06T07:08:10Z",
            "size": len(data),
        }
        file |= {"path_lower": path.lower(), "path_display": path, "is_downloadable": True}
        file |= {"content_hash": hashlib.sha256(blocks).hexdigest()}
        if revisions:
            file["id"] = revisions[0]["id"]
        revisions.append(file | more)
        return rev

    def answer(self, request: Request) -> Reply:
        """One of the four calls."""
        if request.method != "POST":
            raise Wrong(405, "every call is a POST")
        if request.path == "/oauth2/token":
            return self._refresh(request)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            raise Wrong(401, "expired_access_token")
        calls = {"list_folder": self._list, "list_folder/continue": self._more, "list_revisions": self._revisions}
        name = request.path.removeprefix("/2/files/")
        if name == "download":
            return self._download(request)
        if name not in calls:
            raise Wrong(404, "no such call")
        return calls[name](request)

    def _refresh(self, request: Request) -> Reply:
        """A new access token, which ends the one before."""
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            raise Wrong(400, "the body is no form")
        if "authorization" in request.headers:
            raise Wrong(400, "more than one way of proving who asks")
        wanted = {"grant_type": "refresh_token", "refresh_token": self.refresh_token}
        wanted |= {"client_id": self.app_key, "client_secret": self.app_secret}
        if dict(parse_qsl(request.body.decode(), strict_parsing=True)) != wanted:
            raise Wrong(400, "invalid_grant")
        self.token = f"dropbox-token-{len(self.requests):010d}"
        return Reply.json({"access_token": self.token, "token_type": "bearer", "expires_in": 14_400})

    def refusal(self, wrong: Wrong) -> Reply:
        """Dropbox's wording: a summary that ends in dots."""
        return Reply.json(
            {"error_summary": f"{wrong.reason}/..", "error": {".tag": "other"}}, wrong.status, wrong.headers
        )

    def _list(self, request: Request) -> Reply:
        optional = (
            "recursive",
            "limit",
            "include_deleted",
            "include_non_downloadable_files",
            "include_mounted_folders",
        )
        asked = request.json(("path",), optional)
        path = asked["path"]
        if path == "/" or (path and not path.startswith("/")):
            raise Wrong(400, "path: did not match pattern")
        if not 1 <= asked.get("limit", 500) <= 2000:
            raise Wrong(400, "limit: not within range")
        if path and not any(name.lower().startswith(f"{path.lower()}/") for name in self.files):
            raise Wrong(409, "path/not_found")
        return self._page(path, 0)

    def _more(self, request: Request) -> Reply:
        path, _, start = request.json(("cursor",))["cursor"].rpartition("#")
        return self._page(path, int(start))

    def _page(self, path: str, start: int) -> Reply:
        found: list[dict[str, object]] = [{".tag": "folder", "name": "x", "path_display": f"{path}/x", "id": "id:f"}]
        found += [self.files[name][-1] for name in sorted(self.files) if name.lower().startswith(f"{path.lower()}/")]
        stop = start + PER_PAGE
        more, cursor = stop < len(found), stop
        if self.paging != "honest":
            start, stop, more = 0, PER_PAGE, True
            cursor = cursor if self.paging == "endless" else PER_PAGE
        return Reply.json({"entries": found[start:stop], "cursor": f"{path}#{cursor}", "has_more": more})

    def _revisions(self, request: Request) -> Reply:
        asked = request.json(("path",), ("mode", "limit", "before_rev"))
        mode = asked.get("mode", "path")
        if not 1 <= asked.get("limit", 10) <= 100 or mode not in {"path", "id"}:
            raise Wrong(400, "limit: not within range, or mode: unknown")
        if "before_rev" in asked and mode != "path":
            raise Wrong(409, "before_rev_not_supported")
        name = "id" if mode == "id" else "path_lower"
        found = next((each for each in self.files.values() if each[0][name] == asked["path"]), None)
        if found is None:
            raise Wrong(409, "path/not_found")
        newest_first = found[::-1]
        if "before_rev" in asked:
            revs = [each["rev"] for each in newest_first]
            newest_first = newest_first[revs.index(asked["before_rev"]) + 1 :]
        limit = asked.get("limit", 10)
        entries = [{name: value for name, value in each.items() if name != ".tag"} for each in newest_first[:limit]]
        return Reply.json({"entries": entries, "is_deleted": False, "has_more": len(newest_first) > limit})

    def _download(self, request: Request) -> Reply:
        if request.body or "content-type" in request.headers:
            raise Wrong(400, "a download has no body")
        asked = json.loads(request.headers.get("dropbox-api-arg", "null"))
        if not isinstance(asked, dict) or set(asked) != {"path"}:
            raise Wrong(400, "Dropbox-API-Arg is wrong")
        rev = asked["path"].removeprefix("rev:")
        if rev in self.restricted:
            raise Wrong(409, "path/restricted_content")
        if rev not in self.contents:
            raise Wrong(409, "path/not_found")
        return Reply(200, self.contents[rev], {"Content-Type": "application/octet-stream"}, etag=f'W/"{rev}"')
