"""What is different when a browser asks: its session, requests that another site's page has it send, and pages."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

from muniment.errors.access import CrossSiteRequest

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_INTERFACES = ("/archive/", "/v1/", "/api/", "/ckan/", "/metrics", "/health/")
"""Where programs ask. A browser that looks there is answered as they are."""


def session_name(request: Request) -> str:
    """What the cookie of a session is called; with the prefix no other host and no unencrypted page can set it.

    (RFC 6265bis §4.1.3.2. Without encryption, which is for the same machine alone, a browser takes no such cookie.)
    """
    return "__Host-muniment" if request.url.scheme == "https" else "muniment"


def session_cookie(request: Request) -> str:
    """What the session's cookie holds; empty where there is none."""
    return request.cookies.get(session_name(request), "")


def give_session(request: Request, response: Response, token: str) -> None:
    """Have the browser keep a session until it is closed, or until the server ends it."""
    encrypted = request.url.scheme == "https"
    response.set_cookie(session_name(request), token, path="/", secure=encrypted, httponly=True, samesite="lax")


def take_session(request: Request, response: Response) -> None:
    """Have the browser forget its session."""
    encrypted = request.url.scheme == "https"
    response.delete_cookie(session_name(request), path="/", secure=encrypted, httponly=True, samesite="lax")


def refuse_other_sites(request: Request, *, program: bool = False) -> None:
    """Refuse what would change something and was not sent by a page of ours (Fetch Metadata Request Headers §2.3).

    `program` lets in what says nothing of where it comes from: no browser does that, a program behind a proxy may.

    Raises:
        CrossSiteRequest: It was sent by another site's page, or nobody knows by whose.
    """
    if request.method in _SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        # "none" is a person's own doing, such as an address typed in.
        if site in {"same-origin", "none"}:
            return
        raise CrossSiteRequest
    origin = request.headers.get("origin")
    if origin is None and program:
        return
    if origin is None or not _ours(request, origin):
        raise CrossSiteRequest


def _ours(request: Request, origin: str) -> bool:
    parts = urlsplit(origin)
    return (parts.scheme, parts.netloc) == (request.url.scheme, request.url.netloc)


def wants_page(request: Request) -> bool:
    """Whether an answer is to be a page: a browser asks, and not at an interface for programs."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    if path.startswith(_INTERFACES):
        return False
    return "text/html" in request.headers.get("accept", "")
