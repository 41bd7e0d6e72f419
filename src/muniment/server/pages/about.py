"""What the words of the pages mean, what they are made of, and where browsers tell of what the policy refused."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from muniment.errors.base import MunimentError
from muniment.http.authorization import AuthorizedRequest, authorized
from muniment.imaging.viewer import viewer
from muniment.server.pages.page import framed, language_of
from muniment.server.pages.policy import REPORTS

router = APIRouter(include_in_schema=False)

STATES = (
    ("ok", "Whole", "It was read, and its digest is the one that was recorded. Nothing else is called whole."),
    ("warn", "Owed", "Something was promised and is not done yet: a copy, a check, a repair. Nothing is lost."),
    ("bad", "Damaged", "It was read, and it is not what was recorded."),
    ("unknown", "Could not tell", "It could not be read, so nobody knows. It is looked at again."),
    ("run", "Running", "It is being done now. You may close the page; the work goes on."),
    ("wait", "Waits", "It will be done; the page says until when and why it waits."),
)
WORDS = (
    ("Resource", "A thing in the archive, with an id and all its versions."),
    ("Instance", "One version of a resource. It is never changed; a new one comes beside it."),
    ("Project", "Where resources lie and what is promised for them, as organisation/project."),
    ("Event", "One entry of the log. Each holds the digest of the one before, so that a change shows."),
    ("Transaction", "An instance that is being made. It is committed whole, or it never was."),
    ("Parity", "Spare blocks beside the files, by which damage is repaired without another copy."),
    ("Copy", "An instance in another place, with a receipt and the time it was last read back."),
    ("Finding", "One result of a check: where, what was expected, what was found."),
)


@router.get("/about", operation_id="page_about")
def about(request: Request) -> Response:
    """The page."""
    title = language_of(request)("What the words mean")
    library = viewer()
    return framed(
        request,
        "about.html",
        title,
        access=_access(request),
        states=STATES,
        words=WORDS,
        library=library,
        license=library.license.decode("utf-8", "replace") if library is not None else "",
    )


@router.post(REPORTS, operation_id="page_reports", status_code=204)
def reports(request: Request) -> Response:
    """Count what a browser says the policy refused; what it says is not kept, for anybody may send it."""
    request.app.state.authorizer.metrics.policy.inc()
    return Response(status_code=204)


def _access(request: Request) -> AuthorizedRequest | None:
    try:
        return authorized(request)
    except MunimentError:
        return None
