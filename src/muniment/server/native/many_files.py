"""The route that gives the bytes of many small files in one answer."""

from __future__ import annotations

import json

from fastapi import Request, Response

from muniment.errors.remote import UnusableRequest
from muniment.http.description import BINARY, BYTES, gives
from muniment.http.names import BATCH_TYPE, Number, Project, Segment, path_of
from muniment.http.representations import type_for
from muniment.server.native.resources import instance_asked_for
from muniment.server.native.routes import new_router
from muniment.server.native.schemas import ReadIn

router = new_router("resources")

MOST_BYTES = 8 << 20
"""Of all files of one answer together: they are in memory until it is sent."""

_ANSWER: dict[int | str, dict[str, object]] = {
    200: {
        "content": {BATCH_TYPE: BINARY, BYTES: BINARY},
        "description": "A line of JSON (a list of the files, as in `files`), then their bytes in the same order.",
        **gives("Vary"),
    }
}


@router.post(
    "/resources/{id}/instances/{number}/read", operation_id="read_files", response_class=Response, responses=_ANSWER
)
def read_many(request: Request, given: ReadIn, id: Segment, number: Number, project: Project = None) -> Response:
    """The bytes of many small files, each compared with its digest before anything is sent.

    Together they may have 8 MiB. One that is damaged or missing is an error for all: ask for the others without it.
    """
    found = instance_asked_for(request, id, number, project)
    entries = [found[path_of(path, encoded=False)] for path in given.paths]
    size = sum(entry.size or 0 for entry in entries)
    if size > MOST_BYTES:
        raise UnusableRequest(where="paths", reason=f"these files have {size} bytes together, more than {MOST_BYTES}")
    listed = [
        {"path": entry.path, "size": entry.size, "digests": entry.digests, "modified": entry.modified}
        for entry in entries
    ]
    line = json.dumps(listed, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return Response(
        b"".join([line, b"\n", *(found.read_entry(entry) for entry in entries)]),
        media_type=type_for(request, BATCH_TYPE),
        headers={"Vary": "Accept"},
    )
