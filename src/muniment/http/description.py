"""What the descriptions of all interfaces share: errors, headers and how to sign in, said once and referred to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Security
from fastapi.security import HTTPBasic, HTTPBearer
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from muniment.http.problems import MEDIA_TYPE

BYTES = "application/octet-stream"
BINARY: dict[str, object] = {"schema": {"type": "string", "format": "binary"}}


class Problem(BaseModel):
    """An error (RFC 9457); `type` names it for ever, `details` are its particulars."""

    type: str
    title: str
    status: int
    detail: str
    details: dict[str, object] = {}


_STATUSES: Mapping[int, tuple[str, str]] = {
    400: ("BadRequest", "The request cannot be understood."),
    401: ("Unauthorized", "Sign in."),
    403: ("Forbidden", "Not allowed."),
    404: ("NotFound", "There is no such thing, or none for you."),
    405: ("MethodNotAllowed", "Not possible here."),
    408: ("RequestTimeout", "Nothing came for too long."),
    409: ("Conflict", "It collides with what is there."),
    410: ("Gone", "It was purged."),
    412: ("PreconditionFailed", "It is not at the version that was named."),
    413: ("ContentTooLarge", "The body is too large."),
    415: ("UnsupportedMediaType", "The body has another media type."),
    416: ("RangeNotSatisfiable", "The range lies outside."),
    422: ("UnprocessableContent", "Something in the request is not usable."),
    423: ("Locked", "Another connection is sending."),
    429: ("TooManyRequests", "Too many failed sign-ins."),
    431: ("HeadersTooLarge", "Too many headers."),
    460: ("ChecksumMismatch", "The body is not as its checksum says."),
    500: ("ServerFailed", "The server failed, or is not set up as it must be."),
    502: ("OtherServiceFailed", "Another service failed."),
    503: ("Unavailable", "Too much at once, or what it rests on cannot be reached."),
    507: ("StorageFailed", "The storage failed or is full, or a file is damaged."),
}
_AGAIN = {408, 409, 429, 500, 502, 503, 507}
_MORE: Mapping[int, tuple[str, ...]] = {401: ("WWW-Authenticate",), 405: ("Allow",), 416: ("Content-Range",)}

EVERYWHERE = (
    "X-Request-ID",
    "Cache-Control",
    "Content-Security-Policy",
    "Cross-Origin-Resource-Policy",
    "Referrer-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
)
"""Headers of every answer."""

ANSWERED: Mapping[str, str] = {
    "X-Request-ID": "The id of the request in the server's log; it keeps one that a proxy gave.",
    "Cache-Control": "Nothing of an archive is kept by caches that several people share.",
    "Content-Security-Policy": "What a browser may do with the answer.",
    "Cross-Origin-Resource-Policy": "Pages of other sites may not embed the answer.",
    "Referrer-Policy": "What a browser tells of where it came from.",
    "X-Content-Type-Options": "`nosniff`.",
    "X-Frame-Options": "`DENY`.",
    "Accept-Ranges": "`bytes`: parts can be asked for.",
    "Allow": "The methods there are.",
    "Content-Digest": "The digests of the bytes of this answer (RFC 9530).",
    "Content-Disposition": "The name to save it under (RFC 6266).",
    "Content-Range": "Which bytes these are, of how many (RFC 9110 §14.4).",
    "ETag": "The version, for `If-Match`, `If-None-Match` and `If-Range`.",
    "Location": "Where the thing is that was made.",
    "Repr-Digest": "The digests of the whole file (RFC 9530).",
    "Retry-After": "Seconds after which it is worth trying again.",
    "Upload-Offset": "Bytes that have come.",
    "Vary": "Which headers of the request the answer depends on.",
    "WWW-Authenticate": "How to sign in.",
}

_TAG = {"type": "string", "maxLength": 2000}

ASKED: Mapping[str, tuple[str, dict[str, Any]]] = {
    "If-Match": ("Only if the thing is at one of these versions, else 412.", _TAG),
    "If-None-Match": ("Only if it is at none of these versions, else 304.", _TAG),
    "If-Range": ("A part only if the file is at this version, else the whole.", _TAG),
    "If-Unmodified-Since": ("Only if it was not changed since then, else 412.", _TAG),
    "Last-Event-ID": ("The last event that came, when a stream goes on after a cut.", {"type": "string"}),
    "Range": ("Which bytes: `bytes=0-99`, `bytes=-100`. Of several ranges the whole is sent.", _TAG),
    "Want-Content-Digest": ("That a digest of what is sent is wanted: `sha-256=1` (RFC 9530).", _TAG),
    "X-Muniment-Signature": ("The signature of time and body, where server and platform share a key: `v2=…`.", _TAG),
    "X-Muniment-Timestamp": ("When the body was signed, in seconds since 1970 UTC.", _TAG),
    "Want-Repr-Digest": ("That a digest of the whole is wanted: `sha-256=1` (RFC 9530).", _TAG),
}
"""Headers that are read where requests are answered, and not by the framework: what they are for, and their schema."""

OF_FILE = ("ETag", "Accept-Ranges", "Content-Disposition", "Repr-Digest", "Content-Digest")
OF_PART = ("ETag", "Accept-Ranges", "Content-Disposition", "Repr-Digest", "Content-Range")
TO_READ = ("Range", "If-Range", "If-None-Match")
"""What a file is asked for with, beside its address."""


def takes(*names: str) -> dict[str, Any]:
    """The parameters of an operation that reads these headers by itself."""
    return {"parameters": [{"$ref": f"#/components/parameters/{name}"} for name in names]}


AT_VERSION = takes("If-Match")


def gives(*names: str) -> dict[str, object]:
    """The headers of an answer, beside those of every one."""
    return {"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}}


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors an operation may answer with; without any named, all there are."""
    return {status: {"$ref": f"#/components/responses/{_STATUSES[status][0]}"} for status in statuses or _STATUSES}


def components() -> dict[str, dict[str, Any]]:
    """What is referred to."""
    named = {name: {"description": text, "schema": {"type": "string"}} for name, text in ANSWERED.items()}
    asked = {
        name: {"name": name, "in": "header", "required": False, "description": text, "schema": schema}
        for name, (text, schema) in ASKED.items()
    }
    responses = {}
    for status, (name, text) in _STATUSES.items():
        again = ("Retry-After",) if status in _AGAIN else ()
        responses[name] = {
            "description": text,
            **gives(*EVERYWHERE, *again, *_MORE.get(status, ())),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    schema = Problem.model_json_schema()
    schema["examples"] = [
        {
            "type": "urn:muniment:error:resource-not-found",
            "title": "Resource not found",
            "status": 404,
            "detail": "There is no resource 'car' in this archive.",
            "details": {"id": "car"},
        }
    ]
    return {"schemas": {"Problem": schema}, "headers": named, "parameters": asked, "responses": responses}


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON body of an operation that reads it without the framework."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def schemas_of(*models: type[BaseModel]) -> dict[str, Any]:
    """The schemas of such bodies, and of what they are made of."""
    _, found = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    return dict(found.get("$defs", {}))


SIGN_IN = [
    Security(HTTPBearer(auto_error=False, description="An API key or an OIDC token.")),
    Security(HTTPBasic(auto_error=False, description="An API key as the user name.")),
]
SECURED: list[dict[str, list[str]]] = [{"HTTPBearer": []}, {"HTTPBasic": []}]
"""The same, for an operation that the framework does not know."""
