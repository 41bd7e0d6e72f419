"""Watching over archive and ledger from the serving process: the numbers for Prometheus and for health checks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from muniment.app.operations import OperationsControl
from muniment.archive import Archive, Usage, UsageReader
from muniment.content.requests import Prices
from muniment.errors.base import MunimentError
from muniment.jobs.operations import Operations
from muniment.jobs.outages import OutageLog

if TYPE_CHECKING:
    from muniment.app.bucket import BucketArchive

logger = logging.getLogger(__name__)

_RULES_KEPT = 3600.0
_KEPT = 2.0
"""Seconds for which an answer about the ledger serves everybody: who may ask for health needs no key."""


class Monitor:
    """What the server knows of its archive and its ledger. Thread-safe."""

    def __init__(self, archive: Archive, control: OperationsControl, prices: Prices | None = None) -> None:
        """Watch over an archive; over one in a bucket with the `prices` of its requests."""
        self.latest: Usage | None = None
        self.ages: list[int] = []
        """How many resources were last verified how long ago, as `OperationsControl.ages`; empty where unknown."""
        self.longest_ago: tuple[float, float] | None = None
        """When the resource verified longest ago was, and the seconds that are allowed; None where that is unknown."""
        self.projects = self.owed = 0
        """How many projects hold something, and how many copies are owed to stores."""
        self.running: Mapping[str, int] = {}
        """How many jobs run, by kind."""
        self.bucket: dict[str, Any] | None = None
        """How an archive in a bucket stood when it was looked at last."""
        self.read_at = 0.0
        self._rules_at = 0.0
        self._archive = archive
        self._prices = prices
        self._usage = UsageReader(archive)
        self._control = control
        self._outages = OutageLog(logger)
        self._lock = threading.Lock()
        self._workers: int | None = None
        self._asked_at: float | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def refresh(self) -> None:
        """Read what the archive holds; what hinders that is told once."""
        with self._outages.watching():
            self.latest = self._usage.read()
            if self._prices is not None:
                self.bucket = self._of_bucket(self._prices)
            self.projects = len(self._archive.projects())
            self.ages = self._control.ages()
            self.longest_ago = self._control.longest_ago()
            self.owed = sum(
                count
                for (store, state), (count, _) in self._control.copies().items()
                if state == "owed" and store != "archive"
            )
            self.running = {
                kind: count for (kind, state), count in self._control.look().jobs_by_state.items() if state == "running"
            }
            self.read_at = time.time()

    def _of_bucket(self, prices: Prices) -> dict[str, Any]:
        """What the bucket's own rules are is asked once an hour: they seldom change, and each question is billed."""
        from muniment.app.bucket import bucket_document  # noqa: PLC0415 - few servers have a bucket

        archive = cast("BucketArchive", self._archive)
        fresh = self.bucket is not None and time.monotonic() - self._rules_at < _RULES_KEPT
        found = bucket_document(archive, prices, self.bucket["faults"] if fresh and self.bucket else None)
        self._rules_at = self._rules_at if fresh else time.monotonic()
        return found

    def owes_parity(self, project: str, resource: str) -> int | None:
        """How many instances of a resource lacked their parity when it was looked at last; None: not looked at yet."""
        return self._usage.owes(project, resource) if self.latest is not None else None

    def workers(self) -> int | None:
        """How many workers are alive; None where the ledger cannot be reached. Asked at most every two seconds."""
        with self._lock:
            if self._asked_at is None or time.monotonic() - self._asked_at > _KEPT:
                try:
                    self._workers = self._control.workers_alive()
                except MunimentError:
                    self._workers = None
                self._asked_at = time.monotonic()
            return self._workers

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing: Prometheus' library would collect once to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The numbers of this moment."""
        if self.latest is not None:
            yield from _of_archive(self.latest)
        try:
            found, copies = self._control.look(), self._control.copies()
        except MunimentError:
            yield _gauge("ledger_up", "Whether the ledger can be reached", 0)
            return
        yield _gauge("ledger_up", "Whether the ledger can be reached", 1)
        yield from _of_ledger(found)
        yield from _of_copies(copies)


def _of_archive(usage: Usage) -> Iterator[Metric]:
    yield _gauge("resources", "Resources in the archive", usage.resources)
    yield _gauge("resource_bytes", "Bytes of the resources' newest instances", usage.bytes)
    yield _gauge("disk_free_bytes", "Free bytes of the filesystem that holds the archive", usage.disk_free)
    yield _gauge("disk_size_bytes", "Bytes of the filesystem that holds the archive", usage.disk_size)
    audits = {"last_audit": usage.audited, "last_clean_audit": usage.audited_clean}
    for name, at in audits.items():
        what = (
            f"When the whole archive was audited last{', and nothing was wrong' if 'clean' in name else ''}; 0: never"
        )
        yield _gauge(f"{name}_timestamp_seconds", what, datetime.fromisoformat(at).timestamp() if at else 0)
    if usage.parity_owed is not None:
        yield _gauge("parity_owed_instances", "Instances that lack their parity", usage.parity_owed)


def _of_copies(counts: Mapping[tuple[str, str], tuple[int, int]]) -> Iterator[Metric]:
    what = "Copies by store and state; what is damaged could not be repaired, and 'archive' is the archive itself"
    copies = GaugeMetricFamily("muniment_copies", what, labels=["store", "state"])
    size = GaugeMetricFamily("muniment_copies_bytes", "Bytes of copies by store and state", labels=["store", "state"])
    for (store, state), (count, total) in sorted(counts.items()):
        copies.add_metric([store, state], count)
        size.add_metric([store, state], total)
    yield copies
    yield size


def _of_ledger(found: Operations) -> Iterator[Metric]:
    yield _gauge("workers", "Workers that are alive", found.alive)
    steps = GaugeMetricFamily("muniment_steps", "Steps of jobs under way", labels=["queue", "kind", "state"])
    for depth in found.depths:
        steps.add_metric([str(depth.queue), depth.kind, str(depth.state)], depth.steps)
    yield steps
    oldest = GaugeMetricFamily("muniment_oldest_due_seconds", "How long the oldest step is due", labels=["queue"])
    for queue, at in found.oldest_due.items():
        oldest.add_metric([str(queue)], max(0.0, found.at - at))
    yield oldest
    held = [found.at - step.since for worker in found.workers for step in worker.holds]
    yield _gauge("longest_step_seconds", "How long the step runs that runs longest", max(held, default=0.0))
    outages = GaugeMetricFamily("muniment_outage_seconds", "How long an outage lasts", labels=["outage"])
    for outage in found.outages:
        outages.add_metric([outage.name], max(0.0, found.at - outage.since))
    yield outages
    limits = GaugeMetricFamily("muniment_limit_closed_seconds", "How long a limit is closed yet", labels=["limit"])
    for limit in found.limits:
        limits.add_metric([limit.name], max(0.0, limit.until - found.at))
    yield limits
    waiting = GaugeMetricFamily("muniment_waiting_steps", "Steps that wait for something", labels=["waits_for"])
    for each in found.held_up:
        waiting.add_metric([each.waits_for], each.steps)
    yield waiting
    jobs = GaugeMetricFamily("muniment_jobs", "Jobs of the last thirty days", labels=["kind", "state"])
    for (kind, state), count in sorted(found.jobs_by_state.items()):
        jobs.add_metric([kind, state], count)
    yield jobs


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"muniment_{name}", what, value=value)
