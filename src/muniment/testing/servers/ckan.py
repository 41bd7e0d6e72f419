"""Stand-ins for the CKAN door: a portal's Action API, as strict as CKAN 2.12 is, and a web server its links lead to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from muniment.testing.servers.loopback import Loopback, Reply, Request, Wrong

_PREFIX = "/api/3/action/"
_BY_GET = frozenset({"package_search", "package_show", "package_list", "resource_show", "organization_list"})
_TASK_FIELDS = {"entity_id", "entity_type", "task_type", "key", "value", "state", "last_updated", "error", "id"}


class _Refused(Exception):
    def __init__(self, status: int, kind: str, **error: object) -> None:
        super().__init__(kind)
        self.status = status
        self.error = {"__type": kind, **error}


class Ckan(Loopback):
    """A portal. `tokens` maps a token to the organisations it may edit; `sysadmins` holds those of sysadmins.

    A token that is not known is no token, as in CKAN. `patches` and `tasks` are what was written.
    """

    name: ClassVar[str] = "ckan"

    def __init__(self) -> None:
        super().__init__()
        self.datasets: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, set[str]] = {}
        self.sysadmins: set[str] = set()
        self.header = "authorization"
        self.rows_max = 1000
        self.not_indexed: set[str] = set()
        self.patches: list[tuple[str, dict[str, object]]] = []
        self.tasks: dict[tuple[str, str, str], dict[str, object]] = {}
        self._clock = datetime(2026, 1, 1, tzinfo=UTC)

    def add(self, id: str, organization: str, *resources: Mapping[str, object], **more: object) -> dict[str, object]:
        """A dataset; each resource needs at least `id` and `url`."""
        made = {
            "id": id,
            "name": more.pop("name", f"name-of-{id}"),
            "title": more.pop("title", f"Title of {id}"),
            "state": "active",
            "private": False,
            "organization": {"name": organization, "title": organization.title()} if organization else None,
            "resources": [
                {"name": f"file {position}", "format": "CSV", "url_type": None, "package_id": id, **resource}
                for position, resource in enumerate(resources)
            ],
            **more,
        }
        self.datasets[id] = made
        self.touch(id)
        return made

    def touch(self, id: str) -> None:
        """Count as edited."""
        self._clock += timedelta(seconds=1)
        self.datasets[id]["metadata_modified"] = self._clock.replace(tzinfo=None).isoformat(timespec="microseconds")

    def resource(self, id: str) -> dict[str, Any]:
        """A resource's own record, to be looked at or changed."""
        return next(each for dataset in self.datasets.values() for each in dataset["resources"] if each["id"] == id)

    def answer(self, request: Request) -> Reply:
        """Answer an action."""
        if not request.path.startswith(_PREFIX):
            raise Wrong(404, "no such page")
        action = request.path.removeprefix(_PREFIX)
        work = getattr(self, f"_{action}", None)
        if work is None:
            return Reply.json("Bad request - Action name not known: " + action, 400)
        if request.method == "GET" and action not in _BY_GET:
            return Reply.json("Bad request - this action is only for POST", 400)
        asked: dict[str, object] = dict(request.query)
        if request.method == "POST":
            try:
                asked = json.loads(request.body)
            except ValueError:
                return Reply.json("Bad request - JSON Error: Error decoding JSON data", 400)
        token = request.headers.get(self.header, "")
        try:
            result = work(asked, token if token in self.tokens or token in self.sysadmins else "")
        except _Refused as error:
            return Reply.json({"help": "", "success": False, "error": error.error}, error.status)
        return Reply.json({"help": "", "success": True, "result": result})

    # --- actions

    def _package_search(self, asked: dict[str, Any], token: str) -> dict[str, object]:
        if unknown := set(asked) - {"start", "rows", "fq", "q", "sort", "include_private"}:
            raise _Refused(400, "Search Query Error", message=f"Invalid search parameters: {sorted(unknown)}")
        found = [each for each in self._visible(token) if each["id"] not in self.not_indexed]
        fq = str(asked.get("fq", ""))
        if match := re.search(r'organization:"([^"]*)"', fq):
            found = [each for each in found if each["organization"] and each["organization"]["name"] == match[1]]
        if match := re.search(r"metadata_modified:\[(\S+?)Z?(-10MINUTES)? TO \*\]", fq):
            since = datetime.fromisoformat(match[1]) - timedelta(minutes=10 if match[2] else 0)
            found = [each for each in found if datetime.fromisoformat(each["metadata_modified"]) >= since]
        name, _, order = str(asked.get("sort", "metadata_modified desc")).partition(" ")
        found.sort(key=lambda each: str(each[name]), reverse=order == "desc")
        start, rows = int(asked.get("start", 0)), min(int(asked.get("rows", 10)), self.rows_max)
        return {"count": len(found), "results": found[start : start + rows]}

    def _package_list(self, asked: dict[str, Any], token: str) -> list[str]:
        names = sorted(each["name"] for each in self.datasets.values() if self._is_public(each))
        start = int(asked.get("offset", 0))
        return names[start : start + int(asked.get("limit", len(names)))]

    def _package_show(self, asked: dict[str, object], token: str) -> dict[str, object]:
        for each in self._visible(token):
            if asked.get("id") in {each["id"], each["name"]}:
                return each
        raise _Refused(404, "Not Found Error", message="Not found")

    def _resource_show(self, asked: dict[str, object], token: str) -> dict[str, object]:
        for dataset in self._visible(token):
            for each in dataset["resources"]:
                if each["id"] == asked.get("id"):
                    return dict(each)
        raise _Refused(404, "Not Found Error", message="Not found")

    def _organization_list(self, asked: dict[str, Any], token: str) -> list[str]:
        names = sorted({each["organization"]["name"] for each in self.datasets.values() if each["organization"]})
        start = int(asked.get("offset", 0))
        return names[start : start + int(asked.get("limit", len(names)))]

    def _organization_list_for_user(self, asked: dict[str, object], token: str) -> list[dict[str, str]]:
        names = self._organization_list({}, "") if token in self.sysadmins else sorted(self.tokens.get(token, ()))
        return [{"name": name} for name in names]

    def _resource_patch(self, asked: dict[str, object], token: str) -> dict[str, object]:
        id = asked.get("id")  # noqa: A001 - the field's name
        for dataset in self.datasets.values():
            for each in dataset["resources"]:
                if each["id"] == id:
                    organization = (dataset["organization"] or {}).get("name")
                    if token not in self.sysadmins and organization not in self.tokens.get(token, ()):
                        raise _Refused(403, "Authorization Error", message="Access denied")
                    fields = {name: value for name, value in asked.items() if name != "id"}
                    if "size" in fields and not isinstance(fields["size"], int):
                        raise _Refused(409, "Validation Error", size=["Must be an integer"])
                    if fields != {name: each.get(name) for name in fields}:
                        each.update(fields)
                        self.touch(dataset["id"])
                        each["metadata_modified"] = dataset["metadata_modified"]
                    self.patches.append((str(id), fields))
                    return dict(each)
        raise _Refused(404, "Not Found Error", message="Not found")

    def _task_status_update(self, asked: dict[str, Any], token: str) -> dict[str, object]:
        if token not in self.sysadmins:
            raise _Refused(403, "Authorization Error", message="Access denied")
        if set(asked) - _TASK_FIELDS or "value" not in asked:
            raise _Refused(409, "Validation Error", message=f"unknown or missing fields: {sorted(asked)}")
        self.tasks[asked["entity_id"], asked["task_type"], asked["key"]] = asked
        return asked

    def _visible(self, token: str) -> list[dict[str, Any]]:
        known = [each for each in self.datasets.values() if each["state"] == "active"]
        may = self.tokens.get(token, set())
        return [
            each
            for each in known
            if not each["private"] or token in self.sysadmins or (each["organization"] or {}).get("name") in may
        ]

    @staticmethod
    def _is_public(dataset: Mapping[str, object]) -> bool:
        return dataset["state"] == "active" and not dataset["private"]


@dataclass
class ServedFile:
    """What a path of the origin answers; with `etag` or `modified` it answers conditions."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    etag: str = ""
    modified: str = ""


class LinkOrigin(Loopback):
    """A web server with files that change, break and come back; `files` maps paths to what they answer."""

    name: ClassVar[str] = "origin"

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, ServedFile] = {}

    def put(self, path: str, body: bytes = b"a,b\n1,2\n", kind: str = "text/csv", **how: Any) -> str:
        """Serve a file; its address."""
        headers = {"Content-Type": kind, **how.pop("headers", {})}
        self.files[path] = ServedFile(body, headers=headers, **how)
        return self.url + path

    def answer(self, request: Request) -> Reply:
        """Answer with the file, or that it did not change."""
        found = self.files.get(request.path)
        if found is None:
            raise Wrong(404, "gone")
        headers = dict(found.headers)
        if found.etag:
            headers["ETag"] = found.etag
        if found.modified:
            headers["Last-Modified"] = found.modified
        same = found.etag and request.headers.get("if-none-match") == found.etag
        same = same or (found.modified and request.headers.get("if-modified-since") == found.modified)
        if same and found.status == 200:
            return Reply(304, b"", headers)
        return Reply(found.status, found.body, headers)
