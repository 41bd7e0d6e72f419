"""Routes that fetch: ask for a resource or its next instance from sources, see how far it is, and take it back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request, Response

from muniment.errors.fetch import FetchNotFound
from muniment.errors.remote import UnusableRequest
from muniment.http.authorization import AuthorizedRequest, authorized
from muniment.http.description import gives
from muniment.http.throttling import READ, WRITE
from muniment.server.native.given import IdempotencyKey
from muniment.server.native.routes import new_router
from muniment.server.native.schemas import FetchIn, FetchOut, FetchPage
from muniment.workflows.fetch import Fetches, FetchRequest, read_sources
from muniment.workflows.fetch.request import source_faults
from muniment.workflows.fetch.requests import summary

router = new_router("fetches", "/fetches")


@router.post("", operation_id="begin_fetch", status_code=202, responses={202: gives("Location")})
def submit(request: Request, response: Response, given: FetchIn, idempotency_key: IdempotencyKey = "") -> FetchOut:
    """Fetch a resource or its next instance in the background; the same once more, while it runs, is the same fetch."""
    access = authorized(request)
    project = given.project or access.archive.config.project
    access.require(WRITE, project)
    for place, fault in source_faults(given.sources):
        raise UnusableRequest(where=f"body.sources{place}", reason=fault.message.rstrip("."))
    services, secrets = read_sources(given.sources)
    wanted = FetchRequest(services, secrets, given.id, project, given.message, given.again)

    def make() -> dict[str, Any]:
        return summary(_fetches(request).submit(wanted, requester=access.caller.agent))

    record = request.app.state.idempotency.once(idempotency_key, access.caller.agent, wanted.as_json(project), make)
    response.headers["Location"] = f"{request.url.path}/{record['fetch']}"
    return FetchOut(**record)


@router.get("", operation_id="list_fetches")
def newest(
    request: Request,
    after: Annotated[str | None, Query(max_length=100, description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
) -> FetchPage:
    """Fetches into projects one may read, the newest first, a page at a time."""
    access = authorized(request)
    access.require_somewhere(READ)
    if after is not None:
        _readable(request, access, after, READ)
    found: list[dict[str, Any]] = []
    following = after
    while len(found) <= limit:
        page = _fetches(request).newest(after=following, limit=limit + 1)
        found += [each for each in map(summary, page) if access.may(READ, each["project"])]
        if len(page) <= limit:
            break
        following = page[-1].id
    shown = found[:limit]
    return FetchPage(
        fetches=[FetchOut(**each) for each in shown], next=shown[-1]["fetch"] if len(found) > limit else None
    )


@router.get("/{fetch}", operation_id="get_fetch")
def show(request: Request, response: Response, fetch: str) -> FetchOut:
    """How far a fetch is, what it waits for, or what came of it."""
    access = authorized(request)
    _readable(request, access, fetch, READ)
    response.headers["Cache-Control"] = "no-store"
    return FetchOut(**_fetches(request).show(fetch))


@router.delete("/{fetch}", operation_id="cancel_fetch")
def cancel(request: Request, fetch: str) -> FetchOut:
    """Stop a fetch; no instance comes of it."""
    access = authorized(request)
    _readable(request, access, fetch, WRITE)
    return FetchOut(**summary(_fetches(request).cancel(fetch, by=access.caller.agent)))


def _readable(request: Request, access: AuthorizedRequest, fetch: str, permission: str) -> None:
    """See that there is such a fetch for this caller.

    Raises:
        FetchNotFound: There is none, or it is into a project that the caller has no right to.
    """
    access.require_somewhere(permission)
    if not access.may(permission, summary(_fetches(request).find(fetch))["project"]):
        raise FetchNotFound(job=fetch)


def _fetches(request: Request) -> Fetches:
    found: Fetches = request.app.state.osf.fetches
    return found
