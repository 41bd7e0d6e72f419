"""Errors as problem documents (RFC 9457), from the one tree of errors."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from structlog import get_logger

from muniment.errors.access import AuthenticationFailed, Unauthenticated
from muniment.errors.base import MunimentError
from muniment.errors.remote import BadRequest, NoSuchPage, UnusableRequest, WrongMethod

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:muniment:error:"
"""What stands before an error's code in a problem's `type`."""

RETRY_AFTER = "2"
_LONGEST = 2048
_INTERNAL = 500
_FOLDERS = re.compile(r"(?<![\w.:/~-])/(?:[^/\s'\"`]+/)+")
"""The folders of an absolute path, of which the last name is left; an address with `//` has none."""


class ProblemResponse(Response):
    """A problem document with what belongs beside it."""

    media_type = MEDIA_TYPE

    def __init__(self, error: MunimentError, *, root: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(document_of(error, root=root), error.http_status)
        self.headers.update(headers or {})
        self.headers.update(getattr(error, "http_headers", {}))
        if isinstance(error, Unauthenticated):
            for challenge in error.challenges():
                self.headers.append("WWW-Authenticate", challenge)
        say_when(self, error)


def say_when(response: Response, error: MunimentError) -> None:
    """Name the seconds after which it is worth trying again, where it is (RFC 9110 §10.2.3)."""
    if error.retry:
        response.headers["Retry-After"] = str(error.details.get("seconds", RETRY_AFTER))


def document_of(error: MunimentError, *, root: str = "") -> bytes:
    """The document as it is sent."""
    return json.dumps(problem(error, root=root), ensure_ascii=False).encode("utf-8", "replace")


def problem(error: MunimentError, *, root: str = "") -> dict[str, object]:
    """The document: `details` are the error's own, in which places below `root` lose it.

    Advice for who has a shell at the archive is left out, and where the server's own means failed, every folder of it.
    """
    own = error.http_status >= _INTERNAL
    details = {name: _plain(value, root, own=own) for name, value in error.details.items()}
    return {
        "type": TYPE + error.code(),
        "title": _title(type(error).__name__),
        "status": error.http_status,
        "detail": public_text(error.statement, root, own=own)[:_LONGEST],
        "details": details,
    }


def public_text(text: str, root: str = "", *, own: bool = True) -> str:
    """A text without the archive's folder; and of an error that is the server's `own`, without any other folder."""
    if root:
        text = text.replace(f"{root}/", "").replace(root, ".")
    return _FOLDERS.sub("", text) if own else text


def _title(name: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip().capitalize()


def _plain(value: object, root: str, *, own: bool) -> object:
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, list | tuple | set):
        return [_plain(item, root, own=own) for item in value]
    text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    return public_text(text, root, own=own)[:_LONGEST]


def answer(error: Exception, path: str, root: str) -> ProblemResponse:
    """The answer to a request for `path` that failed; the log says of what is the server's own failure."""
    return ProblemResponse(_logged(error, path), root=root)


def _logged(error: Exception, path: str) -> MunimentError:
    if not isinstance(error, MunimentError):
        get_logger().error("failed", error=type(error).__name__, path=path, exc_info=error)
        return MunimentError(reason="something failed inside the server; its log says what")
    if error.http_status >= _INTERNAL:
        get_logger().error("failed", error=error.code(), message=str(error), path=path)
    return error


Page = Callable[[Request, MunimentError], Response | None]
"""The page that shows an error; None where a program asked, which gets a problem document."""


def install(app: FastAPI, root: str, page: Page) -> None:
    """Answer every error of `app` with a page or a problem document.

    `root` is the archive's folder, which none tells.
    """

    async def any_other(request: Request, error: Exception) -> Response:
        found = _logged(error, request.scope["path"])
        return page(request, found) or ProblemResponse(found, root=root)

    async def unusable(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = _unusable(error)
        return page(request, found) or ProblemResponse(found)

    async def foreign(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        found = _foreign(request, error)
        return page(request, found) or ProblemResponse(found, headers=_kept(error.headers))

    app.add_exception_handler(MunimentError, any_other)
    app.add_exception_handler(RequestValidationError, unusable)
    app.add_exception_handler(HTTPException, foreign)
    app.add_exception_handler(Exception, any_other)


def _unusable(error: RequestValidationError) -> MunimentError:
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"]) or "the request"
    if first["type"] == "json_invalid":
        return BadRequest(reason=f"its body is not JSON ({first.get('ctx', {}).get('error', '')})")
    return UnusableRequest(where=where, reason=str(first["msg"]).rstrip("."))


def _kept(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name: value for name, value in (headers or {}).items() if name.lower() != "www-authenticate"}


def _foreign(request: Request, error: HTTPException) -> MunimentError:
    path = request.scope["path"][:200]
    if error.status_code == NoSuchPage.http_status:
        return NoSuchPage(path=path)
    if error.status_code == WrongMethod.http_status:
        return WrongMethod(method=request.method[:20], path=path)
    if error.status_code == Unauthenticated.http_status:
        return AuthenticationFailed()
    found = BadRequest(reason=str(error.detail))
    found.http_status = error.status_code  # type: ignore[misc] # this one error says what the framework found
    return found
