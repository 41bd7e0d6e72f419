"""Extras: optional parts of an installation, and the error for one that is wanted and not there."""

from __future__ import annotations

from importlib.util import find_spec

from muniment.errors.base import ExtraMissing

_MODULES = {
    "celery": "celery",
    "distillery": "pyvips",
    "formats": "fido",
    "otel": "opentelemetry.instrumentation.fastapi",
    "postgres": "psycopg",
    "timestamps": "rfc3161_client",
    "warc": "warcio",
}


def need(extra: str, what: str) -> None:
    """See that an extra is installed before `what` uses it.

    Args:
        extra: Its name in `pip install 'muniment[…]'`.
        what: What needs it, as the beginning of a sentence.

    Raises:
        ExtraMissing: It is not installed.
    """
    try:
        found = find_spec(_MODULES[extra])
    except ModuleNotFoundError:  # a folder above the module is missing already
        found = None
    if found is None:
        raise ExtraMissing(what=what, extra=extra)
