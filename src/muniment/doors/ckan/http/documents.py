"""The documents of the CKAN door, as its description shows them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from muniment.http.description import BINARY, BYTES, OF_FILE, OF_PART, TO_READ, body_of, failures, gives, takes


class LinkOut(BaseModel):
    """What is known of a link, in the shape of CKAN's `archiver_resource_show`."""

    model_config = ConfigDict(extra="allow")

    resource_id: str
    package_id: str
    status_id: int | None
    status: str | None
    is_broken: bool | None
    reason: str | None
    cache_url: str | None
    same_content: list[dict[str, str]] = Field(default=[], description="Links of other portals with the same bytes.")


class LinkHistoryOut(BaseModel):
    """The changes of a link's state, the newest first."""

    history: list[dict[str, Any]]


class DatasetOut(BaseModel):
    """A dataset's state and its links', in the shape of CKAN's `archiver_dataset_show`."""

    package_id: str
    status_id: int | None
    status: str | None
    is_broken: bool | None
    reason: str | None
    resources: list[LinkOut]


class BrokenLinksOut(BaseModel):
    """The report of broken links: all organisations, or the links of one."""

    portal: str
    totals: dict[str, int] = {}
    organizations: list[dict[str, Any]] = []
    organization: str | None = None
    broken: list[dict[str, Any]] = []
    next: str | None = None


class ChangeIn(BaseModel):
    """What changed in a portal: a dataset, or a resource of one."""

    package_id: str | None = Field(default=None, examples=["6f8c1e5a-0000-4000-8000-000000000000"])
    resource_id: str | None = None


class ChangeOut(BaseModel):
    """The job that looks at the dataset before all others."""

    job: str
    dataset: str


READ = failures(400, 401, 403, 404, 405, 408, 422, 429, 431, 500, 503, 507)
TOLD = {**READ, **failures(409, 413), 202: {"model": ChangeOut}}
REPORT = {
    **READ,
    200: {
        "description": BrokenLinksOut.__doc__,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/BrokenLinksOut"}},
            "text/csv": {"schema": {"type": "string"}},
        },
        **gives("Content-Disposition"),
    },
}
COPY = {
    **READ,
    **failures(410, 416),
    200: {"content": {BYTES: BINARY, "*/*": BINARY}, "description": "The copy.", **gives(*OF_FILE)},
    206: {"content": {BYTES: BINARY, "*/*": BINARY}, "description": "A part of it.", **gives(*OF_PART)},
    302: {"description": "The latest copy has another name.", **gives("Location")},
    304: {"description": "It is as the client has it.", **gives("ETag")},
}
READING = takes(*TO_READ)
CHANGE = {**takes("X-Muniment-Timestamp", "X-Muniment-Signature"), **body_of(ChangeIn)}
SENT: tuple[type[BaseModel], ...] = (ChangeIn, BrokenLinksOut)
"""Documents that the framework does not know, for they are read or chosen without it."""
