"""The pages: what a browser is shown, made from the same services as every other interface."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.responses import Response

from muniment.app import App
from muniment.archive import Archive
from muniment.errors.base import MunimentError
from muniment.http.live import Streams
from muniment.server.pages import (
    about,
    administration,
    assets,
    broken,
    choose,
    containers,
    copies,
    deposit,
    differences,
    events,
    evidence,
    failures,
    files,
    find,
    fixity,
    home,
    jobs,
    ledger,
    live,
    policies,
    portals,
    projects,
    purges,
    realms,
    reference,
    resources,
    retention,
    selections,
    signing,
    sources,
    stores,
)
from muniment.server.pages.distillery import DistilleryPages
from muniment.server.pages.fetched_files import FetchedFiles
from muniment.server.pages.following import ContentFollower
from muniment.server.pages.instance_facts import InstanceFacts
from muniment.server.pages.previews import Previews

_PARTS = (
    signing,
    home,
    find,
    projects,
    resources,
    purges,
    files,
    choose,
    selections,
    differences,
    events,
    sources,
    deposit,
    containers,
    portals,
    broken,
    fixity,
    copies,
    retention,
    evidence,
    jobs,
    administration,
    policies,
    realms,
    stores,
    ledger,
    live,
    about,
    reference,
)


def install(server: FastAPI, app: App, archive: Archive) -> None:
    """Serve them."""
    contents = app.contents(archive)
    server.state.contents = contents
    server.state.following = ContentFollower(contents)
    server.state.previews, server.state.fetched = Previews(), FetchedFiles()
    server.state.facts = InstanceFacts()
    server.state.sign_in = app.sign_in(server.state.authorizer.authority)
    # Pages that stay open must not keep programs from following the log, nor the other way round.
    server.state.page_streams = Streams(app.settings.serve_page_streams, server.state.streams.stopping)
    server.state.distillery_pages = DistilleryPages()
    server.router.routes.append(assets.route)
    for part in _PARTS:
        server.router.routes.extend(part.router.routes)


def failed(request: Request, error: MunimentError) -> Response | None:
    """The page of an error, where a browser asked and pages are served."""
    if not hasattr(request.app.state, "contents"):
        return None
    return failures.page_of(request, error)


__all__ = ["failed", "install"]
