"""The documents of the foreman's interface, as its description shows them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from muniment.http.description import BINARY, BYTES, OF_FILE, OF_PART, body_of, failures, gives, takes

_ID = "^[A-Za-z0-9_-][A-Za-z0-9_.~-]*$"
LONGEST = 61


class ContainerMetadata(BaseModel):
    """What a container is."""

    id: str = Field(pattern=_ID, max_length=LONGEST)
    title: str
    description: str | None = None
    contributors: list[str]


class Container(BaseModel):
    """A container: what it is, what it holds beneath it, and the services whose files it is to have."""

    metadata: ContainerMetadata
    children: list[ContainerIn]
    services: list[dict[str, dict[str, Any]]] = Field(
        description="Objects with a source's name as their only key, as in `/archive/v1/fetches`."
    )


class ContainerIn(BaseModel):
    """A container in its wrapper, as it is submitted."""

    container: Container = Field(
        examples=[
            {
                "metadata": {"id": "p4x9z", "title": "A study", "description": None, "contributors": ["Marie Curie"]},
                "children": [],
                "services": [{"http": {"url": "https://example.org/data.csv"}}],
            }
        ]
    )


class AcceptedOut(BaseModel):
    """A container that was taken in; its `status` tells how far it is."""

    id: str | None
    date: int = Field(description="Seconds since 1970 UTC.")
    status: str
    reason: str = ""


class ContainersOut(BaseModel):
    """Ids of registered containers; with `limit`, and where to go on."""

    containers: list[str]
    next: str | None = None


class ManifestOut(BaseModel):
    """What was registered: metadata, services with their files, and children."""

    metadata: dict[str, Any] = {}
    services: dict[str, Any] = {}
    children: dict[str, Any] = {}


class StatusOut(BaseModel):
    """How far a container is."""

    id: str
    status: str = Field(description="STARTED, SUCCESS, FAILED or CANCELLED.")
    registered: bool
    reason: str
    job: dict[str, Any] = {}
    progress: dict[str, Any] = {}
    running: list[dict[str, Any]]
    services: list[dict[str, Any]] = Field(
        description="How far each service is, of the container and of all below it; those that need a person first."
    )
    failures: list[dict[str, Any]] = Field(description="The container's own files that could not be had, with reasons.")
    waiting: list[dict[str, Any]]
    callbacks: list[dict[str, Any]]


class FilesOut(BaseModel):
    """The files of a container, by service."""

    files: dict[str, list[dict[str, Any]]]


class FileMetadataOut(BaseModel):
    """What is known of a file: its digests, its size, and more."""

    sha256: str
    md5: str
    size: int


class CallbackIn(BaseModel):
    """What a platform is told when a container is done."""

    id: str = ""
    status: str = Field(examples=["SUCCESS"])


ContainerIn.model_rebuild()
Container.model_rebuild()

READ = failures(400, 401, 403, 404, 405, 408, 413, 422, 429, 431, 500, 502, 503, 507)
SUBMITTED = {
    **failures(400, 401, 403, 405, 408, 409, 413, 422, 429, 431, 500, 507),
    201: {"model": AcceptedOut, **gives("Location")},
    503: {
        "model": AcceptedOut,
        "description": "The queue could not be reached; nothing was recorded.",
        **gives("Retry-After"),
    },
}
CALLED = {**READ, 200: {"description": "It is written into the log."}}
FILE = {
    **READ,
    200: {"model": FileMetadataOut, "description": "With `metadata`: what is known of it."},
    302: {"description": "Where its bytes are, for a while.", **gives("Location")},
}
CONTENT = {
    **failures(400, 401, 403, 404, 405, 408, 413, 416, 422, 429, 431, 500, 502, 503, 507),
    200: {"content": {BYTES: BINARY}, "description": "The bytes.", **gives(*OF_FILE)},
    206: {"content": {BYTES: BINARY}, "description": "A part of them.", **gives(*OF_PART)},
}


_SIGNED = takes("X-Muniment-Timestamp", "X-Muniment-Signature")
SUBMISSION = {**_SIGNED, **body_of(ContainerIn)}
CALLBACK = {**_SIGNED, **body_of(CallbackIn)}
RANGED = {**takes("Range", "If-Range"), "security": []}
METADATA: dict[str, Any] = {
    "parameters": [
        {
            "name": "metadata",
            "in": "query",
            "required": False,
            "allowEmptyValue": True,
            "description": "What is known of the file, instead of where it is.",
            "schema": {"type": "string", "maxLength": 100},
        }
    ]
}
SENT: tuple[type[BaseModel], ...] = (ContainerIn, CallbackIn)
"""Bodies that are read without the framework, which therefore does not know them."""
