"""Errors between a server and its clients: limits, uploads, and servers that do not answer as they should."""

from __future__ import annotations

from muniment.errors.base import EXIT_REMOTE, BadInput, Conflict, MissingThing, Refused, RemoteError


class BadRequest(BadInput):
    """The request cannot be understood: {reason}."""


class CannotListen(BadInput):
    """Cannot listen on {host}, port {port}: {reason}. Choose another with --host or --port."""

    http_status = 500


class UnusableRequest(BadInput):
    """The request is well formed, but {where} is not usable: {reason}."""

    http_status = 422


class NoSuchPage(MissingThing):
    """There is nothing at {path}. The interface is described at /archive/v1/openapi.json."""


class NoSuchProject(MissingThing):
    """There is no project {project!r}: it begins with the first thing that is put into it."""


class WrongMethod(BadInput):
    """{method} is not possible at {path}."""

    http_status = 405


class BodyTooLarge(BadInput):
    """The body has more than the {limit} bytes that are taken here. Send large files as uploads of their own."""

    http_status = 413


class PreviewsBusy(RemoteError):
    """Several previews are being made already. Come again in a moment; nothing is wrong with the file."""

    http_status = 503


class HeadersTooLarge(BadInput):
    """The request has {found} headers or bytes of headers; at most {limit} are taken."""

    http_status = 431


class TooSlow(BadInput):
    """Nothing came for {seconds} seconds. Begin again, or resume the upload where it ended."""

    http_status = 408
    retry = True
    outage = True


class TooManyFailures(Refused):
    """There were too many failed sign-ins from here. Wait {seconds} seconds."""

    http_status = 429
    retry = True
    outage = True


class TooMuchAtOnce(Refused):
    """The server has as many {what} as it can serve at once. Try again shortly."""

    http_status = 503
    retry = True
    outage = True


class NotAnswerable(BadInput):
    """The file has {size} bytes; the range {range} is outside of it."""

    http_status = 416


class WrongVersion(Conflict):
    """The resource {id!r} is not as expected: its version is {found}, expected was {expected}. Read it again."""

    http_status = 412


class KeyUsedDifferently(Conflict):
    """The idempotency key {key!r} was used before for another request. Take a new one for each request."""


class RequestInWork(Conflict):
    """The request with the idempotency key {key!r} is being worked on at this moment. Try again shortly."""

    retry = True
    outage = True


class UploadNotFound(MissingThing):
    """The transaction {transaction} has no upload {upload!r}: it was finished, refused or rolled back."""


class WrongUploadOffset(Conflict):
    """The upload {upload} has {found} bytes, so it cannot go on at {given}. Ask where it is and go on from there."""


class UploadBusy(Conflict):
    """The upload {upload} is receiving bytes over another connection. Try again shortly."""

    retry = True
    outage = True


class UploadPieceRefused(BadInput):
    """The piece's {algorithm} is {found}, {expected} was sent with it. Nothing of it was kept; send it again."""

    http_status = 460  # what tus 1.0 has for this


class UnknownProtocol(BadInput):
    """The server takes resumable uploads by tus 1.0.0 and by the draft of the IETF; this is neither: {reason}."""

    http_status = 412


class WrongUploadType(BadInput):
    """Bytes of an upload are sent as {expected}, not as {found!r}."""

    http_status = 415


class UploadIncomplete(Conflict):
    """The upload {upload} has {found} of {size} bytes. Send the rest, then finish it."""


class ServerUnreachable(RemoteError):
    """The archive at {url} does not answer: {reason}. Check the address, or try again later."""

    outage = True


class TransferCut(RemoteError):
    """The transfer of {what} was cut off: {reason}. What had come is not kept; try again."""

    outage = True


class NotAnArchiveServer(RemoteError):
    """{url} is not an archive's server: {reason}. Check the address."""

    retry = False
    outage = True


class ServerFailed(RemoteError):
    """The server answered with {status}: {message}"""  # noqa: D415 - the sentence and its stop come from the server

    exit_status = EXIT_REMOTE
    outage = True


class OnlyLocally(BadInput):
    """{what} is not possible through a server. Do it on the machine that has the archive's folder."""
