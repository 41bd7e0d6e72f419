"""Style sheet and scripts: read once, under an address that changes with them, so that browsers keep them for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from muniment.errors.remote import NoSuchPage
from muniment.imaging.viewer import viewer

PREFIX = "/-/assets"
VIEWER = "openseadragon.js"
"""The viewer of large pictures, where the build has brought it."""
_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
}


@cache
def files() -> Mapping[str, bytes]:
    """Every asset by its path."""
    found = dict(_below(resources.files("muniment.server.pages") / "static", ""))
    if (library := viewer()) is not None:
        found[VIEWER] = library.script
    return found


@cache
def version() -> str:
    """What changes when any of them does."""
    hasher = hashlib.sha256()
    for path, data in sorted(files().items()):
        hasher.update(f"{path} {len(data)}\n".encode())
        hasher.update(data)
    return hasher.hexdigest()[:16]


def address(path: str) -> str:
    """Where an asset is, without the prefix a reverse proxy adds."""
    return f"{PREFIX}/{version()}/{path}"


def _asset(request: Request) -> Response:
    path = str(request.path_params["path"])
    data = files().get(path)
    kind = _TYPES.get(path.rpartition(".")[2])
    if data is None or kind is None:
        raise NoSuchPage(path=request.scope["path"][:200])
    current = request.path_params["version"] == version()
    # A page of before an update asks for what was there then: it gets what there is, and is not to keep it.
    kept = "public, max-age=31536000, immutable" if current else "no-store"
    return Response(data, media_type=kind, headers={"Cache-Control": kept})


route = Route(f"{PREFIX}/{{version}}/{{path:path}}", _asset, methods=["GET", "HEAD"])


def _below(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for item in folder.iterdir():
        if item.is_dir():
            found += _below(item, f"{prefix}{item.name}/")
        else:
            found.append((f"{prefix}{item.name}", item.read_bytes()))
    return found
