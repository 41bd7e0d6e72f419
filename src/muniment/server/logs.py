"""Logs as JSON lines on standard error, with nothing secret in them."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

import structlog

_SECRET_NAMES = re.compile(r"authorization|cookie|password|secret|token|api[-_]?key|(^|[-_])key$", re.IGNORECASE)
_CREDENTIALS = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE)
_IN_URL = re.compile(r"(://)[^/@\s]+@|([?&](?:key|token|access_token|password|secret)=)[^&\s\"']+", re.IGNORECASE)
HIDDEN = "[hidden]"
_quoted = encode_basestring


def configure() -> None:
    """Let everything that logs, uvicorn included, write JSON lines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(ensure_ascii=False)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared[1:],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            redact,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = name != "uvicorn.access"  # the edge writes the line of each request


def tell_request(**said: str | float | bool) -> None:
    """Write the line of a request as structlog would with `configure`, in a quarter of the time.

    What it says is in the order given, behind what is bound to the request.
    """
    shown = ", ".join([f"{_quoted(name)}: {_shown(name, value)}" for name, value in (*_bound(), *said.items())])
    at = datetime.now(UTC).isoformat().removesuffix("+00:00")
    sys.stderr.write(f'{{{shown}, "event": "request", "level": "info", "timestamp": "{at}Z"}}\n')


def _bound() -> Iterable[tuple[str, Any]]:
    return structlog.contextvars.get_contextvars().items()


def _shown(name: str, value: object) -> str:
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return _quoted(HIDDEN if _is_secret(name) else str(hide(value)))


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, object]:
    """Hide what looks like a credential, by its name and by its form."""
    return {name: HIDDEN if _is_secret(name) else hide(value) for name, value in event.items()}


@lru_cache(maxsize=1000)
def _is_secret(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None


def hide(value: object) -> object:
    """A value with what looks like a credential hidden in it."""
    if isinstance(value, str):
        # Neither form is without one of these; nearly every value of a request's line is.
        if " " not in value and "=" not in value and "@" not in value and value.isascii() and value.isprintable():
            return value
        return _IN_URL.sub(lambda found: f"{found[1] or found[2]}{HIDDEN}", _CREDENTIALS.sub(rf"\1 {HIDDEN}", value))
    if isinstance(value, dict):
        return {name: HIDDEN if _is_secret(str(name)) else hide(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide(item) for item in value]
    return value
