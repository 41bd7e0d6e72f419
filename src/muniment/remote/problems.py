"""Turns a server's problem documents (RFC 9457) back into the errors they were made from."""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
from collections.abc import Mapping

import muniment.errors
from muniment.errors.base import MunimentError, every_error
from muniment.errors.remote import NotAnArchiveServer, ServerFailed

TYPE = "urn:muniment:error:"
_SHOWN = 300


def error_of(status: int, kind: str, body: bytes, url: str) -> MunimentError:
    """The error that an answer stands for."""
    if kind.partition(";")[0].strip() != "application/problem+json":
        text = body[:_SHOWN].decode("utf-8", "replace").strip()
        if status >= 500:  # noqa: PLR2004 - RFC 9110 §15.6: the server failed
            return ServerFailed(status=status, message=text or "no reason was given.")
        return NotAnArchiveServer(url=url, reason=f"it answers {status} and not as an archive does")
    try:
        document = json.loads(body)
    except ValueError:
        return ServerFailed(status=status, message="a problem that cannot be read.")
    return error_from(document if isinstance(document, dict) else {}, status)


def error_from(document: Mapping[str, object], status: int = 0) -> MunimentError:
    """The error that a problem document stands for; of a kind not known here, its message."""
    code = str(document.get("type", "")).removeprefix(TYPE)
    message = str(document.get("detail", "no reason was given."))
    details = document.get("details")
    found = _kinds().get(code)
    if found is not None and isinstance(details, dict):
        try:
            error = found(**details)
        except (KeyError, TypeError, IndexError, AttributeError):
            return ServerFailed(status=document.get("status", status), message=message)
        return error
    return ServerFailed(status=document.get("status", status), message=message)


@functools.cache
def _kinds() -> dict[str, type[MunimentError]]:
    for module in pkgutil.iter_modules(muniment.errors.__path__, "muniment.errors."):
        importlib.import_module(module.name)
    return {kind.code(): kind for kind in every_error() if kind.__module__.startswith("muniment.")}
