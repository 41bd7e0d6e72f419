"""A look-alike of a Dataverse: datasets with versions and files, after the guides of its native and access API."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, ClassVar

from muniment.testing.servers.loopback import Loopback, Reply, Request, Wrong


class Dataverse(Loopback):
    """Holds the versions of one dataset, the newest first; `restricted` are files it does not give."""

    name: ClassVar[str] = "dataverse"
    doi: ClassVar[str] = "doi:10.5072/FK2/ABCDEF"

    def __init__(self) -> None:
        super().__init__()
        self.token = "dataverse-token-0123456789"  # noqa: S105 - of a test
        self.versions: list[dict[str, object]] = []
        self.with_guestbook: set[int] = set()
        self.restricted: set[int] = set()
        self.knows_pages = True
        self.storage: Callable[[bytes], str] | None = None
        self._contents: dict[int, tuple[bytes, bytes | None]] = {}

    def version(self, number: str | None, files: dict[str, bytes], tabular: dict[str, bytes] | None = None) -> None:
        """Add a version, the draft if it has no number; `tabular` are files by the names they were uploaded under."""
        lines = []
        for path, data in {**files, **(tabular or {})}.items():
            number_of = 100 + len(self._contents)
            folder, _, name = path.rpartition("/")
            sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
            file = {"id": number_of, "filename": name, "filesize": len(data), "creationDate": "2024-05-06"}
            file |= {"checksum": {"type": "SHA-1", "value": sha1}, "contentType": "x/y"}
            self._contents[number_of] = (data, None)
            if tabular and path in tabular:
                made = b"a\tb\n" + data
                self._contents[number_of] = (made, data)
                file |= {"originalFileFormat": "text/csv", "originalFileName": name, "originalFileSize": len(data)}
                file |= {"filename": f"{name.rpartition('.')[0]}.tab", "filesize": len(made)}
            line = {"label": file["filename"], "restricted": False, "dataFile": file}
            lines.append(line | ({"directoryLabel": folder} if folder else {}))
        state = {"versionState": "DRAFT"}
        if number is not None:
            major, _, minor = number.partition(".")
            state = {"versionState": "RELEASED", "versionNumber": int(major), "versionMinorNumber": int(minor)}  # type: ignore[dict-item]  # JSON
        self.versions.insert(0, {"id": len(self.versions), "files": lines, **state})

    def deaccession(self, number: str, note: str) -> None:
        """Take a published version back."""
        for each in self.versions:
            if f"{each.get('versionNumber')}.{each.get('versionMinorNumber')}" == number:
                each |= {"versionState": "DEACCESSIONED", "deaccessionNote": note}

    def answer(self, request: Request) -> Reply:
        """The native API or a file."""
        if request.headers.get("x-dataverse-key") not in {None, self.token}:
            raise Wrong(401, "Bad API key")
        if match := re.fullmatch(r"/api/access/datafile/(\d+)", request.path):
            return self._file(request, int(match[1]))
        match = re.fullmatch(r"/api/datasets/:persistentId/versions(?:/([^/]+)(/files)?)?", request.path)
        query = request.only("persistentId", "excludeFiles", "limit", "offset", "includeDeaccessioned")
        if match is None or query.get("persistentId") != self.doi:
            raise Wrong(404, f"Dataset with Persistent ID {query.get('persistentId')} not found.")
        visible = self.versions
        if request.headers.get("x-dataverse-key") is None:
            visible = [each for each in visible if each["versionState"] == "RELEASED"]
        if match[1] is None:
            return self._wrapped([{k: v for k, v in each.items() if k != "files"} for each in visible])
        found = self._named(visible, match[1])
        if not match[2]:
            return self._wrapped(found)
        start = int(query.get("offset", "0")) if self.knows_pages else 0
        if self.paging != "honest":  # it has no cursors, and what repeats is known by its ids: new ones each time
            like = found["files"][0]
            size = int(query.get("limit", "10"))
            files = [{**like, "dataFile": {**like["dataFile"], "id": 10_000 + start + n}} for n in range(size)]
            return self._wrapped(files)
        stop = start + int(query.get("limit", "1000000")) if self.knows_pages else None
        return self._wrapped(found["files"][start:stop], totalCount=len(found["files"]))

    def refusal(self, wrong: Wrong) -> Reply:
        """Dataverse's wording."""
        return Reply.json({"status": "ERROR", "message": wrong.reason}, wrong.status, wrong.headers)

    @staticmethod
    def _named(visible: list[dict[str, object]], name: str) -> dict[str, Any]:
        for each in visible:
            if each["versionState"] == "DRAFT" and name in {":draft", ":latest"}:
                return each
            if each["versionState"] == "RELEASED" and name in {
                ":latest-published",
                f"{each['versionNumber']}.{each['versionMinorNumber']}",
            }:
                return each
        raise Wrong(404, "Dataset version not found")

    def _file(self, request: Request, number: int) -> Reply:
        query = request.only("format")
        if number not in self._contents:
            raise Wrong(404, "File not found")
        if number in self.restricted:
            raise Wrong(403, "You do not have permission to access this file.")
        if number in self.with_guestbook:
            raise Wrong(400, "You may not download this file without the required Guestbook response.")
        data, original = self._contents[number]
        if query.get("format") == "original":
            if original is None:
                raise Wrong(404, "there is no original")
            data = original
        if self.storage is not None:
            return Reply(303, b"", {"Location": self.storage(data)})
        return Reply(200, data, {"Content-Type": "x/y"})  # parts can be asked for, but there is no ETag and no time

    @staticmethod
    def _wrapped(data: Any, **more: object) -> Reply:
        return Reply.json({"status": "OK", "data": data, **more})
