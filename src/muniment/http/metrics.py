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
_MOST_TOLD = 1000


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        named: Any = {"registry": self._registry, "namespace": "muniment"}
        self._requests = Counter("http_requests", "Requests answered", ["method", "route", "status"], **named)
        self._seconds = Histogram("http_seconds", "Time to answer", ["method", "route"], buckets=_BUCKETS, **named)
        self._in = Counter("http_received_bytes", "Bytes of bodies received", **named)
        self._out = Counter("http_sent_bytes", "Bytes of bodies sent", **named)
        self._told: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
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
        self._current.dec()
        key = (method, route, status)
        told = self._told.get(key)
        if told is None:
            told = self._counters(*key)
            if len(self._told) < _MOST_TOLD:
                self._told[key] = told
        told[0].inc()
        told[1].observe(seconds)
        self._in.inc(received)
        self._out.inc(sent)

    def _counters(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """What counts such answers; looking it up by its labels takes as long as counting."""
        known = method if method in {"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"} else "other"
        return self._requests.labels(known, route, str(status)), self._seconds.labels(known, route)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)  # type: ignore[no-untyped-call] # the library's function has no types
        return generate_latest(everybody)
