"""Traces reach a collector, under the server's name, and without what stands in queries."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from muniment.testing.servers.loopback import Loopback, Reply, Request
from tests.servers.native.running import served_by_command
from tests.timing import eventually


class Collector(Loopback):
    """Takes what an OTLP exporter sends."""

    name = "collector"

    def answer(self, request: Request) -> Reply:
        """Every batch is welcome."""
        return Reply(headers={"Content-Type": "application/x-protobuf"})

    def batches(self) -> list[Any]:
        """What came so far, by resource."""
        found: list[Any] = []
        for request in self.asked("^/v1/traces$"):
            packed = request.headers.get("content-encoding") == "gzip"
            data = gzip.decompress(request.body) if packed else request.body
            found += ExportTraceServiceRequest.FromString(data).resource_spans
        return found

    def spans(self) -> list[Any]:
        """The spans of all batches."""
        return [span for batch in self.batches() for scope in batch.scope_spans for span in scope.spans]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def environment(collector: Collector, **more: str) -> dict[str, str]:
    return {"MUNIMENT_OTEL": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **more}


def test_every_door_is_traced_and_queries_are_not(collector: Collector, tmp_path: Path) -> None:
    with served_by_command(tmp_path / "archive", **environment(collector)) as server:
        headers = {"Authorization": f"Bearer {server.key}"}
        for path in ("archive/v1/projects?unsaid=s3cr3t", "v1/orgs?size=7", "api/v1/archives?unsaid=s3cr3t"):
            assert httpx2.get(server.url + path, headers=headers).status_code == 200
    # What the server still held when it was told to stop has been sent.
    spans = collector.spans()
    kept = {urlsplit(said["http.url"]).path for said in map(attributes, spans) if "http.url" in said}
    assert {"/archive/v1/projects", "/v1/orgs", "/api/v1/archives"} <= kept
    sent = b"".join(request.body for request in collector.requests)
    assert b"s3cr3t" not in sent
    assert server.key.encode() not in sent
    assert names(collector) == {"muniment"}


def test_a_name_of_the_environment_wins_and_batches_are_sent_on_the_way(collector: Collector, tmp_path: Path) -> None:
    given = environment(collector, OTEL_SERVICE_NAME="vault", OTEL_BSP_SCHEDULE_DELAY="50")
    with served_by_command(tmp_path / "archive", **given) as server:
        httpx2.get(server.url + "health/live")
        eventually(collector.spans, told=lambda: "nothing was sent while the server ran")
    assert names(collector) == {"vault"}


def attributes(span: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in span.attributes}


def names(collector: Collector) -> set[str]:
    said = [{each.key: each.value.string_value for each in batch.resource.attributes} for batch in collector.batches()]
    return {each["service.name"] for each in said}
