"""One page being made: who asked for it, in which language, and the frame around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from muniment import __version__
from muniment.access import ADMIN
from muniment.archive import Archive, ContentIndex
from muniment.doors.distillery.http.admission import admitted
from muniment.errors.base import MunimentError
from muniment.http.authorization import AuthorizedRequest, authorized
from muniment.http.browsers import session_cookie
from muniment.http.throttling import EVENTS, READ, WRITE
from muniment.server.pages import rendering
from muniment.server.pages.counts import counts_of
from muniment.server.pages.texts import Texts, chosen, texts

if TYPE_CHECKING:
    from muniment.server.background_jobs import BackgroundJobs

RULES = "acls/read"
REALMS = "realms/read"
SERVED: frozenset[str] = frozenset({"changes", "choose", "deposit", "jobs"})
"""Pages beyond the first ones that links may lead to."""
_FAILED = 500
_PATIENCE = 0.5
"""Seconds that a page waits for the index; then it says that finding is behind."""


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """A page in the list at the side."""

    path: str
    label: str
    allowed: Callable[[AuthorizedRequest, Request], bool]


def _somewhere(permission: str) -> Callable[[AuthorizedRequest, Request], bool]:
    return lambda access, _: access.may_somewhere(permission)


def _everywhere(permission: str) -> Callable[[AuthorizedRequest, Request], bool]:
    return lambda access, _: access.may(permission, None)


def _distills(access: AuthorizedRequest, request: Request) -> bool:
    """Whether somebody may use the Distillery, as its own routes decide it."""
    try:
        admitted(request)
    except MunimentError:
        return False
    return not access.caller.anonymous


def _has_work(access: AuthorizedRequest, request: Request) -> bool:
    """Whether somebody sees all jobs, or may have begun some of their own."""
    return access.may(ADMIN, None) or access.may_somewhere(WRITE) or _distills(access, request)


def _registers(access: AuthorizedRequest, request: Request) -> bool:
    return access.may(READ, request.app.state.osf.project)


NAVIGATION: tuple[tuple[str, tuple[NavigationEntry, ...]], ...] = (
    (
        "Archive",
        (
            NavigationEntry("/", "Home", _somewhere(READ)),
            NavigationEntry("/find", "Find", _somewhere(READ)),
            NavigationEntry("/projects", "Projects", _somewhere(READ)),
            NavigationEntry("/events", "Events", _somewhere(EVENTS)),
        ),
    ),
    (
        "Bring in",
        (
            NavigationEntry("/deposit", "Deposit", _somewhere(WRITE)),
            NavigationEntry("/distillery", "Distillery", _distills),
            NavigationEntry("/containers", "OSF containers", _registers),
            NavigationEntry("/portals", "CKAN portals", _somewhere(READ)),
        ),
    ),
    ("Take out", (NavigationEntry("/selections", "Selections", _somewhere("archives/write")),)),
    (
        "Keep safe",
        (
            NavigationEntry("/fixity", "Fixity", _everywhere(EVENTS)),
            NavigationEntry("/copies", "Copies", _everywhere(EVENTS)),
            NavigationEntry("/evidence", "Evidence", _everywhere(EVENTS)),
        ),
    ),
    (
        "Run",
        (
            NavigationEntry("/jobs", "Jobs", _has_work),
            NavigationEntry("/admin/policies", "Policies", _everywhere(ADMIN)),
            NavigationEntry("/admin/access", "Access", _somewhere(RULES)),
            NavigationEntry("/admin/keys", "Keys", _everywhere(ADMIN)),
            NavigationEntry("/admin/realms", "Realms", _everywhere(REALMS)),
            NavigationEntry("/admin/stores", "Stores", _everywhere(ADMIN)),
            NavigationEntry("/admin/ledger", "Ledger", _everywhere(ADMIN)),
        ),
    ),
)


class Page:
    """A page for one request. Making it lets the request in."""

    def __init__(self, request: Request) -> None:
        """Let the request in.

        Raises:
            MunimentError: 401 or 403.
        """
        self.request = request
        self.access: AuthorizedRequest = authorized(request)
        self.texts: Texts = language_of(request)

    @property
    def archive(self) -> Archive:
        """The archive in the hands of who asks."""
        return self.access.archive

    @property
    def jobs(self) -> BackgroundJobs:
        """What works in the background."""
        found: BackgroundJobs = self.request.app.state.osf
        return found

    @property
    def root(self) -> str:
        """The prefix a reverse proxy adds to every path."""
        return str(self.request.scope.get("root_path", ""))

    @cached_property
    def contents(self) -> ContentIndex:
        """The index of contents, caught up as far as a page can wait for."""
        index: ContentIndex = self.request.app.state.contents
        self.request.app.state.following.catch_up(_PATIENCE)
        return index

    @cached_property
    def readable(self) -> list[str] | None:
        """The projects whose resources may be read here; None for all."""
        if self.access.may(READ, None):
            return None
        return [place for place in self.archive.projects() if self.access.may(READ, place)]

    def asked(self, name: str, longest: int = 1000) -> str:
        """A field of the address's query, without what surrounds it."""
        return self.request.query_params.get(name, "")[:longest].strip()

    def show(
        self,
        template: str,
        title: str,
        current: str = "",
        *,
        status: int = 200,
        viewer: bool = False,
        media: bool = False,
        **given: object,
    ) -> Response:
        """The answer: the template in its frame. `current` is the path of its entry at the side."""
        return framed(
            self.request,
            template,
            title,
            current,
            access=self.access,
            status=status,
            viewer=viewer,
            media=media,
            **given,
        )

    def go(self, path: str) -> Response:
        """Lead on after something was done (303)."""
        return RedirectResponse(f"{self.root}{path}", 303)


def framed(
    request: Request,
    template: str,
    title: str,
    current: str = "",
    *,
    access: AuthorizedRequest | None = None,
    status: int = 200,
    viewer: bool = False,
    media: bool = False,
    **given: object,
) -> Response:
    """A template in its frame, also for who was not let in.

    `viewer` is for a page with the viewer of pictures, `media` for one that plays sound or film.
    """
    words = language_of(request)
    root = str(request.scope.get("root_path", ""))
    archive: Archive = request.app.state.archive
    settings = request.app.state.app.settings
    body = rendering.render(
        template,
        words,
        title=title,
        root=root,
        current=current,
        rail=_rail(access, request),
        entry_counts=counts_of(access, request, words) if access is not None and status < _FAILED else {},
        counted_at=request.app.state.monitor.read_at,
        who=access.caller.agent_name if access is not None and not access.caller.anonymous else "",
        signs_out=bool(session_cookie(request)) and access is not None,
        place=settings.serve_title,
        asked_of=settings.serve_contact.strip(),
        version=__version__,
        served=SERVED,
        mode=str(archive.config.mode),
        algorithms=" + ".join(archive.config.digests),
        may_find=access is not None and access.may_somewhere(READ),
        may_deposit=access is not None and not access.caller.anonymous and access.may_somewhere(WRITE),
        searched=request.query_params.get("q", "")[:1000] if current == "/find" else "",
        **given,
    )
    return Response(
        body, status, rendering.headers(root, viewer=viewer, media=media), media_type="text/html; charset=utf-8"
    )


def _rail(access: AuthorizedRequest | None, request: Request) -> list[tuple[str, list[NavigationEntry]]]:
    if access is None:
        return []
    groups = [(label, [entry for entry in entries if entry.allowed(access, request)]) for label, entries in NAVIGATION]
    return [group for group in groups if group[1]]


def language_of(request: Request) -> Texts:
    """The texts in the language of whoever asks."""
    return texts(chosen(request.headers.get("accept-language", "")))


def resource_path(project: str, id: str, rest: str = "", **fields: object) -> str:
    """The path of a resource's page, with the project in the query as in the native interface."""
    below = f"/{rest}" if rest else ""
    more = "".join(f"&{name}={quote(str(value), safe='')}" for name, value in fields.items() if value not in {None, ""})
    return f"/resources/{quote(id, safe='')}{below}?project={quote(project, safe='/')}{more}"


def file_path(path: str) -> str:
    """A file's path as segments of an address."""
    return quote(path.encode("utf-8", "surrogateescape"), safe="/")


def sign_in_path(request: Request) -> str:
    """Where to sign in and come back from."""
    path = request.scope["path"].removeprefix(str(request.scope.get("root_path", "")))
    asked = request.scope.get("query_string", b"").decode("latin-1")
    onward = path + (f"?{asked}" if asked else "")
    return f"/sign-in?next={quote(onward, safe='')}"


__all__ = ["ADMIN", "EVENTS", "READ", "WRITE", "MunimentError", "Page", "framed"]
