"""What the server counts, for Prometheus.

With several serving processes each counts for itself; set PROMETHEUS_MULTIPROC_DIR to an empty folder
before starting, and every process answers for all (the client library's own way).
"""

from __future__ import annotations

import os
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        named: Any = {"registry": self._registry, "namespace": "muniment"}
        self._requests = Counter("http_requests", "Requests answered", ["method", "route", "status"], **named)
        self._seconds = Histogram("http_seconds", "Time to answer", ["method", "route"], buckets=_BUCKETS, **named)
        self._in = Counter("http_received_bytes", "Bytes of bodies received", **named)
        self._out = Counter("http_sent_bytes", "Bytes of bodies sent", **named)
        self._current = Gauge("http_current_requests", "Requests in work", multiprocess_mode="livesum", **named)
        self.transactions = Counter("transactions", "Transactions by how they ended", ["end"], **named)
        self.findings = Counter("audit_findings", "Findings of audits by severity", ["severity"], **named)
        self.refused = Counter("refused", "Requests refused for want of rights", ["status"], **named)
        self.damaged = Counter("damaged_transfers", "Transfers broken because a file is damaged", **named)
        self.policy = Counter("page_policy_reports", "What browsers say a page's policy refused", **named)

    def begin(self) -> None:
        """A request came."""
        self._current.inc()

    def end(self, method: str, route: str, status: int, seconds: float, received: int, sent: int) -> None:
        """It was answered; `status` 0 means that it never was."""
        known = method if method in {"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"} else "other"
        self._current.dec()
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(known, route).observe(seconds)
        self._in.inc(received)
        self._out.inc(sent)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)  # type: ignore[no-untyped-call] # the library's function has no types
        return generate_latest(everybody)
