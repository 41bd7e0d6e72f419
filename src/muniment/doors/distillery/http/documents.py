"""The documents of the Distillery, as its description shows them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from muniment.http.description import body_of, failures, gives, takes
from muniment.http.live import STREAM


class BatchOut(BaseModel):
    """A batch: a run, or a preview."""

    batch: str
    kind: str
    collection: str
    to: list[str]
    folders: list[str] = Field(description="Those that are meant; empty for all.")
    normalisation: str
    broken: str
    previewed: str
    requester: str
    state: str
    reason: str
    created_at: float | str | None
    ended_at: float | str | None
    steps: int
    steps_done: int
    steps_failed: int


class PreviewOut(BatchOut):
    """What a run would do."""

    preview: Any = Field(default=None, description="Null while it is made.")


class BatchesOut(BaseModel):
    """The batches there were."""

    batches: list[BatchOut]


class CollectionsOut(BaseModel):
    """What can be asked for: collections, and where they go; and the policy where none is asked for."""

    collections: list[str]
    to: list[str]
    normalisation: str
    broken: str


class BatchIn(BaseModel):
    """A collection, where it goes, and what is done with it."""

    collection: str = Field(max_length=1000, examples=["letters"])
    to: list[str] = Field(default=[], examples=[["onsite"]])
    folders: list[str] = Field(
        default=[], description="Those of the collection that are meant; all without it.", examples=[["letters_1_05"]]
    )
    normalisation: str = Field(
        default="",
        description="What is kept of each scan; as in the settings without it.",
        json_schema_extra={"enum": ["", "original", "jp2", "both"]},
    )
    broken: str = Field(
        default="",
        description="What a scan that cannot be read does: `strict` holds its folder back, `lenient` leaves it out.",
        json_schema_extra={"enum": ["", "strict", "lenient"]},
    )
    do: str = Field(default="preview", json_schema_extra={"enum": ["preview", "run"]})
    ready: bool = Field(default=False, description="Only the folders that are ready.")


class RunIn(BaseModel):
    """How a previewed batch is run."""

    ready: bool = Field(default=False, description="Only the folders that are ready.", examples=[True])


class AuditOut(BaseModel):
    """What the newest audit found that differs from what the batch did."""

    batch: str
    job: str | None
    state: str
    ended: float | str | None
    reason: str
    differences: list[Any] | None


class AuditJobOut(BaseModel):
    """The audit that was asked for."""

    batch: str
    job: str
    state: str


class LogOut(BaseModel):
    """Lines of a batch's log; `next` is where to go on."""

    batch: str
    lines: list[dict[str, Any]]
    next: int | None


READ = failures(400, 401, 403, 404, 405, 408, 422, 429, 431, 500, 503, 507)
_PAGE: dict[str, Any] = {"text/html": {"schema": {"type": "string"}}}


def answers(model: type[BaseModel], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """A document for programs, and a page for browsers; a browser that asked for something is led to its page."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    content = {"application/json": {"schema": schema}, **(_PAGE if status == 200 else {})}  # noqa: PLR2004 - as HTTP has it
    found: dict[int | str, dict[str, Any]] = {
        **READ,
        status: {"description": " ".join((model.__doc__ or "").split()), "content": content, **gives("Vary")},
    }
    if status != 200 or model is BatchOut:  # noqa: PLR2004 - as HTTP has it
        found |= failures(409, 413, 502)
    return found


def done(model: type[BaseModel], status: int = 202) -> dict[int | str, dict[str, Any]]:
    """The same for what was asked for: a browser is led to its page."""
    there = {"description": "For browsers: its page.", **gives("Location")}
    made = answers(model, status)
    made[status] = {**made[status], **gives("Location")}
    return {**made, 303: there}


FORM = body_of(BatchIn)
RUN: dict[str, Any] = body_of(RunIn)
RUN["requestBody"]["required"] = False
TEXT = {**READ, 200: {"description": "The log.", "content": {"text/plain": {"schema": {"type": "string"}}}}}
LOG = answers(LogOut)
LOG[200]["content"] = {**LOG[200]["content"], STREAM: {"schema": {"type": "string"}}}
del LOG[200]["content"]["text/html"]
FOLLOWING = takes("Last-Event-ID")
SENT: tuple[type[BaseModel], ...] = (
    AuditJobOut,
    AuditOut,
    BatchIn,
    BatchOut,
    BatchesOut,
    CollectionsOut,
    LogOut,
    PreviewOut,
    RunIn,
)
"""Documents that the framework does not know, for they are read or written without it."""
