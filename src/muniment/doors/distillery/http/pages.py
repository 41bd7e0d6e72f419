"""What shows the Distillery to a browser: pages that the server brings, and that this door knows by what they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fastapi import Request
from starlette.responses import Response

from muniment.http.authorization import AuthorizedRequest
from muniment.jobs import Job


class Pages(Protocol):
    """The pages; each is let in before, and is given what the same address answers as JSON."""

    def batches(self, request: Request, access: AuthorizedRequest, jobs: Sequence[Job]) -> Response:
        """The batches there were."""

    def form(
        self,
        request: Request,
        access: AuthorizedRequest,
        collections: Sequence[str],
        *,
        asked: Mapping[str, Any] | None = None,
        wrong: str = "",
        status: int = 200,
    ) -> Response:
        """The form; with what was asked and what is wrong with it, where it was refused."""

    def preview(self, request: Request, access: AuthorizedRequest, job: Job) -> Response:
        """What a run would do."""

    def run(self, request: Request, access: AuthorizedRequest, job: Job) -> Response:
        """A batch and its log."""

    def audit(self, request: Request, access: AuthorizedRequest, job: Job, audit: Job | None) -> Response:
        """What the newest audit of a batch found, if one was asked for."""
