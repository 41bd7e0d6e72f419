"""Who may use the Distillery: on every route the same, also where a log is streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import Request

from muniment.access.proxy import UsersFile
from muniment.errors.access import AuthenticationFailed, Forbidden, UserNotListed
from muniment.http.authorization import AuthorizedRequest, authorized
from muniment.http.throttling import WRITE

if TYPE_CHECKING:
    from muniment.doors.distillery.context import DistilleryContext

_SAME = frozenset({"same-origin", "none"})
_PEOPLE = frozenset({"proxy", "token"})


def admitted(request: Request) -> AuthorizedRequest:
    """Let somebody in who is on the list of users, or, with a key, may write to the Distillery's project.

    Without a list the right to write is what counts, for people and programs alike.

    Raises:
        UserNotListed: They are signed in and not on the list.
        MunimentError: 401 or 403.
    """
    access, given = authorized(request), context_of(request)
    people = access.caller.scheme in _PEOPLE
    if given.settings.users is None or not people:
        if given.settings.users is not None and access.caller.anonymous:
            raise AuthenticationFailed
        access.require(WRITE, given.settings.project)
        return access
    if not access.caller.email or UsersFile(given.settings.users).caller(access.caller.email) is None:
        raise UserNotListed(user=(access.caller.email or access.caller.agent)[:100])
    return access


def refuse_other_sites(request: Request) -> None:
    """Refuse what another site's page makes a signed-in reader's browser send.

    Raises:
        Forbidden: It comes from there.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in _SAME:
        raise Forbidden
    origin = request.headers.get("origin")
    if site is None and origin and urlsplit(origin).netloc != request.url.netloc:
        raise Forbidden


def context_of(request: Request) -> DistilleryContext:
    """The Distillery behind the server.

    Raises:
        NoDistillery: None is set up.
    """
    given: DistilleryContext = request.app.state.osf.distillery
    return given
