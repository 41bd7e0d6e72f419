"""Errors as pages: what happened, where, what to do, and the request's id, in the frame the reader was in."""

from __future__ import annotations

from itertools import islice

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from muniment.archive import ContentIndex, Event
from muniment.errors.access import AuthenticationFailed, SessionEnded, Unauthenticated
from muniment.errors.archive import LeftoverNotFound, ResourcePurged
from muniment.errors.base import MunimentError
from muniment.errors.remote import TooManyFailures
from muniment.http.authorization import AuthorizedRequest, authorized
from muniment.http.browsers import take_session, wants_page
from muniment.http.problems import problem, say_when
from muniment.http.throttling import EVENTS
from muniment.server.pages.page import framed, language_of, sign_in_path

_LOOKED_AT = 10
_HEADINGS = {
    400: "This cannot be understood",
    401: "Sign in to go on",
    403: "You may not do this",
    404: "There is nothing here, or nothing for you",
    405: "This cannot be done here",
    409: "Something else came first",
    410: "This was removed for ever",
    412: "Somebody changed it in between",
    408: "Nothing came any more",
    413: "This is too large",
    422: "Something in this cannot be used",
    429: "Too many tries",
    431: "This is too large",
    502: "Another service failed",
    503: "Not possible at this moment",
    507: "The storage failed",
}


def page_of(request: Request, error: MunimentError) -> Response | None:
    """The page that shows an error to a browser; None where a program asked."""
    if not wants_page(request):
        return None
    if isinstance(error, Unauthenticated) and request.method in {"GET", "HEAD"}:
        root = str(request.scope.get("root_path", ""))
        answer: Response = RedirectResponse(f"{root}{sign_in_path(request)}", 303)
        if isinstance(error, SessionEnded):
            take_session(request, answer)
        return answer
    words = language_of(request)
    heading = words(_HEADINGS.get(error.http_status, "Something failed here"))
    shown = problem(error, root=str(request.app.state.archive.path))
    answer = framed(
        request,
        "failure.html",
        heading,
        access=_access(request, error),
        status=error.http_status,
        heading=heading,
        problem=shown,
        tombstone=isinstance(error, ResourcePurged),
        removal=_removal(request, error) if isinstance(error, ResourcePurged) else None,
        again=error.retry,
        deposit=isinstance(error, LeftoverNotFound),
        sign_in=sign_in_path(request) if isinstance(error, Unauthenticated) else "",
        request_id=getattr(request.state, "request_id", ""),
    )
    say_when(answer, error)
    return answer


def _removal(request: Request, error: MunimentError) -> Event | None:
    """The event of the removal of what is asked for, for who may see it."""
    project = request.query_params.get("project", "")
    access = _access(request, error)
    if access is None or not project or not access.may(EVENTS, project):
        return None
    contents: ContentIndex = request.app.state.contents
    for number in contents.mentions(project, str(error.details.get("id", "")), _LOOKED_AT):
        for event in islice(access.archive.events(number - 1), 1):
            if event.seq == number and event.event == "deletion" and event.outcome == "success":
                return event
    return None


def _access(request: Request, error: MunimentError) -> AuthorizedRequest | None:
    """Who asked, for the frame; nobody where even that failed."""
    if isinstance(error, AuthenticationFailed | TooManyFailures) or error.http_status in {401, 503}:
        return None
    try:
        return authorized(request)
    except MunimentError:
        return None
