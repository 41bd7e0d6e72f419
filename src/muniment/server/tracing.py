"""Traces: a span for each request, sent to an OpenTelemetry collector as the OTEL_* variables say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fastapi import FastAPI

from muniment import __version__

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

_QUERIES = {"http.url": "?", "http.target": "?", "url.full": "?", "url.query": ""}
"""Attributes that may hold a query, and what it begins with there."""


def trace(server: FastAPI) -> object:
    """Have every request of `server` traced; the caller calls `shutdown` of what is returned at the end.

    The collector, the sampling and the batches are set by the variables of the OpenTelemetry specification;
    where a tracer was already installed (by `opentelemetry-instrument`), that one is used.

    Raises:
        ImportError: The extra `otel` is not installed; whoever starts a server looks beforehand.
    """
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor  # noqa: PLC0415 - an extra

    provider = _provider()
    FastAPIInstrumentor.instrument_app(
        server,
        server_request_hook=_without_query,
        tracer_provider=provider,
        exclude_spans=["receive", "send"],  # or an upload would have a span for each piece
    )
    return provider


def _provider() -> TracerProvider:
    from opentelemetry import trace as tracing  # noqa: PLC0415 - as above
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - as above
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace import TracerProvider as Provider  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above

    before = tracing.get_tracer_provider()
    if isinstance(before, Provider):
        return before
    # What is given here would win over the environment.
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    own = {"service.version": __version__, **({} if named else {"service.name": "muniment"})}
    made = Provider(resource=Resource.create(own))
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracing.set_tracer_provider(made)
    return made


def _without_query(span: Span, _: dict[str, object]) -> None:
    """Signed links carry their signature in the query, which no collector shall learn."""
    attributes = getattr(span, "attributes", None) or {}
    for name, mark in _QUERIES.items():
        said = attributes.get(name)
        if isinstance(said, str) and said:
            span.set_attribute(name, said.partition(mark)[0] if mark else "")
