"""A web server with files and listed folders, as nginx and Apache show them."""

from __future__ import annotations

import base64
import html
import json
from email.utils import formatdate
from typing import ClassVar
from urllib.parse import quote

from muniment.testing.servers.loopback import Loopback, Reply, Request, Wrong

_WHEN = 1_700_000_000


class Site(Loopback):
    """Serves `files` (path to content); every folder of them has a listing in the `style` nginx, apache or json.

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
        if path in self.files:
            headers = {"Content-Type": "application/octet-stream", "Last-Modified": formatdate(_WHEN, usegmt=True)}
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
        styles = {"nginx": self._nginx, "apache": self._apache, "json": self._json}
        return styles[self.style](f"/{prefix}", lines)

    def _nginx(self, folder: str, lines: list[tuple[str, bool]]) -> Reply:
        rows = "".join(
            f'<a href="{quote(name)}{"/" * is_folder}">{html.escape(name)}</a>   14-Nov-2023 22:13   -\n'
            for name, is_folder in lines
        )
        page = f"<html>\r\n<head><title>Index of {html.escape(folder)}</title></head>\r\n<body>\r\n"
        page += f'<h1>Index of {html.escape(folder)}</h1><hr><pre><a href="../">../</a>\r\n{rows}</pre></body></html>'
        return Reply(200, page.encode(), {"Content-Type": "text/html"})

    def _apache(self, folder: str, lines: list[tuple[str, bool]]) -> Reply:
        rows = "".join(
            f'<tr><td><img src="/icons/x.gif" alt="[x]"></td><td><a href="{html.escape(quote(name))}{"/" * is_folder}">'
            f"{html.escape(name)}</a></td><td>2023-11-14 22:13</td></tr>\n"
            for name, is_folder in lines
        )
        page = (
            f"<!DOCTYPE HTML><html><head><title>Index of {html.escape(folder)}</title></head><body><h1>Index of x</h1>"
        )
        page += '<table><tr><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">Last modified</a></th></tr>'
        page += f'<tr><td><a href="/">Parent Directory</a></td></tr>{rows}</table>'
        page += '<address>Apache <a href="https://example.org/elsewhere">Server</a></address></body></html>'
        return Reply(200, page.encode(), {"Content-Type": "text/html;charset=UTF-8"})

    def _json(self, folder: str, lines: list[tuple[str, bool]]) -> Reply:
        prefix = folder.removeprefix("/")
        rows = []
        for name, is_folder in lines:
            row: dict[str, object] = {"name": name, "type": "directory" if is_folder else "file"}
            row["mtime"] = formatdate(_WHEN, usegmt=True)
            if not is_folder:
                row["size"] = len(self.files[prefix + name])
            rows.append(row)
        return Reply(200, json.dumps(rows).encode(), {"Content-Type": "application/json"})
