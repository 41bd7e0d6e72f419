"""A web server with files and folders that are listed in the ways of many servers."""

from __future__ import annotations

import base64
from email.utils import formatdate
from typing import ClassVar
from urllib.parse import quote

from muniment.testing.servers.listings import WHEN, listing
from muniment.testing.servers.loopback import Loopback, Reply, Request, Wrong


class WebServer(Loopback):
    """Serves `files` (path to content); every folder of them has a listing in a style of `listings.STYLES`.

    With a `password` it asks for Basic authentication.
    """

    name: ClassVar[str] = "site"

    def __init__(self, style: str = "nginx", password: str | None = None) -> None:
        super().__init__()
        self.style = style
        self.password = password
        self.files: dict[str, bytes] = {}

    def answer(self, request: Request) -> Reply:
        """A file, a listing, or a redirect to a folder's address with its slash."""
        if request.method not in {"GET", "HEAD"}:
            raise Wrong(405, "only GET and HEAD")
        if self.password is not None:
            expected = base64.b64encode(f"reader:{self.password}".encode()).decode()
            if request.headers.get("authorization") != f"Basic {expected}":
                raise Wrong(401, "who are you?", {"WWW-Authenticate": 'Basic realm="site"'})
        path = request.path.removeprefix("/")
        if self.style == "thredds":
            path = path.removeprefix("thredds/fileServer/").removeprefix("thredds/catalog/")
            if path.endswith("catalog.html"):
                return Reply(200, b"<html><title>Catalog</title></html>", {"Content-Type": "text/html"})
            path = path.removesuffix("catalog.xml")
        if path in self.files:
            headers = {"Content-Type": "application/octet-stream", "Last-Modified": formatdate(WHEN, usegmt=True)}
            return Reply(200, self.files[path], headers, etag=f'"{hash(path) & 0xFFFF:x}-{len(self.files[path])}"')
        folder = path.rstrip("/")
        prefix = f"{folder}/" if folder else ""
        if self.paging != "honest":
            prefix = prefix.replace("again/", "")
        below = {name.removeprefix(prefix).partition("/")[::2] for name in self.files if name.startswith(prefix)}
        if not below:
            raise Wrong(404, "nothing is here")
        if path and not path.endswith("/"):
            return Reply(301, headers={"Location": f"{self.url}/{quote(path)}/"})
        lines = sorted({(name, bool(rest)) for name, rest in below})
        if self.paging != "honest":
            lines.append(("again", True))
        return listing(self.style, f"/{prefix}", lines, {name: len(data) for name, data in self.files.items()})
