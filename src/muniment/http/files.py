"""One file as an answer: whole or in part, with its digests, compared with them while it is sent."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import BinaryIO
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response

from muniment.content import Entry, Hashers
from muniment.content.instance import Instance
from muniment.content.pieces import PieceBook, RangeProof, learn_pieces, pieces_of_file
from muniment.content.serial_executor import SerialExecutor
from muniment.errors.archive import DamagedFile, ReadFailed
from muniment.errors.content import PieceMismatch
from muniment.errors.remote import NotAnswerable
from muniment.http.names import digest_fields
from muniment.http.representations import REPR_DIGESTS, with_content_digest
from muniment.http.streaming import DIGESTERS, PIECE, PumpResponse
from muniment.layouts.streams import Plan, TarPlan, ZipPlan

_INERT = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/tiff",
        "image/jp2",
        "text/plain",
        "text/csv",
        "audio/mpeg",
        "audio/flac",
        "audio/x-wav",
        "video/mp4",
        "video/webm",
    }
)
"""Types a browser shows and never runs. Everything else is sent as bytes to be saved."""

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})\Z")
_UNSAFE = re.compile(r"[^A-Za-z0-9 !#$&+.^_`{}~()@,=-]")


class FileResponse(PumpResponse):
    """A file, or the part of it the request asks for."""

    def __init__(self, request: Request, instance: Instance, entry: Entry, book: PieceBook | None = None) -> None:
        """Find out what is asked; `book` has the pieces by which a part of a large file is proven.

        Raises:
            NotAnswerable: The range lies outside of the file.
        """
        size = entry.size or 0
        part = asked_range(request, size, etag_of_file(entry))
        start, stop = part or (0, size)
        headers = _headers(entry)
        headers["Content-Length"] = str(stop - start)
        if part:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        else:
            headers["Content-Digest"] = headers["Repr-Digest"]
        damaged = request.app.state.authorizer.metrics.damaged
        # A small file is read where its request is answered: handing it over in pieces would cost more than reading it.
        small = size <= PIECE
        short = b"".join(read_checked(instance, entry, start, stop)) if small else None
        super().__init__(
            lambda: read_checked(instance, entry, start, stop, book),
            short=short if request.method != "HEAD" else b"",
            status=206 if part else 200,
            headers=headers,
            failed=lambda _: damaged.inc(),
        )


ARCHIVE_TYPES = {"tar": TarPlan.media_type, "zip": ZipPlan.media_type}
"""The media type of each form of archive that a reader may choose."""


class PlanResponse(PumpResponse):
    """A tar or a zip of known length, or the part of it the request asks for; every file is checked as it is sent."""

    def __init__(
        self,
        request: Request,
        plan: Plan,
        name: str,
        *,
        etag: str = "",
        headers: Mapping[str, str] | None = None,
        done: Callable[[], object] | None = None,
    ) -> None:
        """Find out what is asked; the client saves it as `name`, and `done` is called when all was sent.

        Raises:
            NotAnswerable: The range lies outside of the archive.
        """
        etag = etag or plan.etag
        part = asked_range(request, plan.length, etag)
        start, stop = part or (0, plan.length)
        own = {
            "Content-Type": plan.media_type,
            "Content-Disposition": disposition(name),
            "Content-Length": str(stop - start),
            "Accept-Ranges": "bytes",
            "ETag": etag,
            **(headers or {}),
        }
        own.update(REPR_DIGESTS.fields(request.headers, plan, etag))
        if part:
            own["Content-Range"] = f"bytes {start}-{stop - 1}/{plan.length}"
        else:
            own = with_content_digest(own)
        damaged = request.app.state.authorizer.metrics.damaged

        def pieces() -> Iterator[bytes]:
            sent = plan.read(start, stop, prove=True)
            yield from sent if part else REPR_DIGESTS.listening(request.headers, etag, sent)
            if done is not None:
                done()

        super().__init__(pieces, status=206 if part else 200, headers=own, failed=lambda _: damaged.inc())


class NotModified(Response):
    """The client has the file as it is."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(status_code=304)
        headers = _headers(entry)
        for name in ("ETag", "Cache-Control", "Vary"):
            if name in headers:
                self.headers[name] = headers[name]


def etag_of_file(entry: Entry) -> str:
    """A strong entity tag: the digest of the content."""
    digest = entry.digests.get("sha256") or next(iter(entry.digests.values()))
    return f'"{digest}"'


def unchanged(request: Request, entry: Entry) -> bool:
    """Whether `If-None-Match` names what there is."""
    tags = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    return etag_of_file(entry) in tags or "*" in tags


def asked_range(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """The bytes asked for, or None for all; several ranges at once are answered by the whole (RFC 9110 §14.2).

    Raises:
        NotAnswerable: The range lies outside of the file.
    """
    text = request.headers.get("range", "").strip()
    if not text or request.method not in {"GET", "HEAD"}:
        return None
    if request.headers.get("if-range", etag).strip() != etag:
        return None
    match = _RANGE.match(text)
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        start, stop = max(size - int(match[2]), 0), size
    else:
        start, stop = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None
    if start >= stop:
        error = NotAnswerable(size=size, range=text)
        error.http_headers = {"Content-Range": f"bytes */{size}"}  # type: ignore[attr-defined] # read where it is answered
        raise error
    return start, stop


def read_checked(
    instance: Instance, entry: Entry, start: int, stop: int, book: PieceBook | None = None
) -> Iterator[bytes]:
    """The bytes of a file, the last of them only when they are proven.

    A whole file is proven by its digest, a part of one by the pieces of 64 MiB that it lies in; where these
    are not known yet, by the whole file, which is then read once.

    Raises:
        DamagedFile: It is not the file that came in.
        ReadFailed: The storage did not give it, or not enough of it.
    """
    algorithm = "sha256" if "sha256" in entry.digests else next(iter(entry.digests))
    whole = start == 0 and stop == entry.size
    hashers = Hashers([algorithm] if whole else [])
    part = None if whole else _proof_of_part(instance, entry, start, book)
    executor = SerialExecutor(part.update if part else hashers.update, DIGESTERS)
    position = start
    with instance.open(entry.path, start, verify=False) as file:
        while position < stop:
            try:
                piece = file.read(min(PIECE, stop - position))
            except OSError as error:
                raise ReadFailed(path=entry.path, reason=error.strerror) from error
            if not piece:
                raise ReadFailed(path=entry.path, reason=f"it ends at {position} of {stop} bytes")
            executor.give(piece)
            position += len(piece)
            if position == stop:
                _prove(executor, instance, entry, part, book, hashers if whole else None)
            yield piece


def _proof_of_part(instance: Instance, entry: Entry, start: int, book: PieceBook | None) -> RangeProof | None:
    size, sha256 = entry.size or 0, entry.digests.get("sha256")
    digests = pieces_of_file(size, sha256, book) if sha256 else None
    return RangeProof(size, digests, start, partial(_opened, instance, entry)) if digests else None


def _opened(instance: Instance, entry: Entry, offset: int) -> BinaryIO:
    return instance.open(entry.path, offset, verify=False)


def _prove(
    executor: SerialExecutor,
    instance: Instance,
    entry: Entry,
    part: RangeProof | None,
    book: PieceBook | None,
    hashers: Hashers | None,
) -> None:
    try:
        executor.wait()
        if hashers is not None:
            _refuse_damaged(entry, "sha256" if "sha256" in entry.digests else next(iter(entry.digests)), hashers)
        elif part is not None:
            part.finish()
        elif "sha256" in entry.digests:
            learn_pieces(entry.size or 0, entry.digests["sha256"], book, partial(_opened, instance, entry))
    except PieceMismatch as trouble:
        said = trouble.details
        raise DamagedFile(
            path=entry.path, algorithm="sha256", found=said["found"], expected=said["expected"]
        ) from trouble
    except OSError as trouble:
        raise ReadFailed(path=entry.path, reason=trouble.strerror or str(trouble)) from trouble


def _refuse_damaged(entry: Entry, algorithm: str, hashers: Hashers) -> None:
    found, expected = hashers.values()[algorithm], entry.digests[algorithm]
    if found != expected:
        raise DamagedFile(path=entry.path, algorithm=algorithm, found=found, expected=expected)


def disposition(name: str, *, inline: bool = False) -> str:
    """A `Content-Disposition` that no name can break out of (RFC 6266, RFC 8187)."""
    plain = _UNSAFE.sub("_", name)[-150:] or "file"
    exact = quote(name.encode("utf-8", "replace"), safe="")
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{exact}"


def _headers(entry: Entry) -> dict[str, str]:
    kind = mimetypes.guess_type(entry.path, strict=True)[0] or ""
    inert = kind in _INERT
    return {
        "Content-Type": kind if inert else "application/octet-stream",
        "Content-Disposition": disposition(entry.path.rpartition("/")[2], inline=inert),
        "ETag": etag_of_file(entry),
        "Accept-Ranges": "bytes",
        "Repr-Digest": digest_fields(dict(entry.digests)),
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    }
