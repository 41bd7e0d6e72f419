"""Extras: optional parts of an installation, and the error for one that is wanted and not there."""

from __future__ import annotations

from importlib.util import find_spec

from muniment.errors.base import ExtraMissing

_MODULES = {
    "celery": "celery",
    "distillery": "pyvips",
    "formats": "fido",
    "fsspec": "fsspec",
    "otel": "opentelemetry.instrumentation.fastapi",
    "postgres": "psycopg",
    "s3": "boto3",
    "server": "sqlalchemy",
    "timestamps": "rfc3161_client",
    "warc": "warcio",
}
_ALSO = {
    **dict.fromkeys(("alembic", "cryptography", "fastapi", "httptools", "jinja2", "joserfc"), "server"),
    **dict.fromkeys(("multipart", "prometheus_client", "pyld", "starlette", "structlog"), "server"),
    **dict.fromkeys(("python_multipart", "uvicorn"), "server"),
    "botocore": "s3",
}
"""What else an extra brings, by the name it is imported by."""


EXTRAS = tuple(_MODULES)
"""The names of the extras whose being there can be told."""


def installed(extra: str) -> bool:
    """Whether an extra is there."""
    try:
        return find_spec(_MODULES[extra]) is not None
    except ModuleNotFoundError:  # a folder above the module is missing already
        return False


def need(extra: str, what: str) -> None:
    """See that an extra is installed before `what` uses it.

    Args:
        extra: Its name in `pip install 'muniment[…]'`.
        what: What needs it, as the beginning of a sentence.

    Raises:
        ExtraMissing: It is not installed.
    """
    if not installed(extra):
        raise ExtraMissing(what=what, extra=extra)


def missing(error: ModuleNotFoundError, what: str) -> ExtraMissing | None:
    """The error for what `what` could not import, if an extra would bring it."""
    name = (error.name or "").partition(".")[0]
    extra = {module.partition(".")[0]: extra for extra, module in _MODULES.items()}.get(name) or _ALSO.get(name)
    return None if extra is None else ExtraMissing(what=what, extra=extra)
