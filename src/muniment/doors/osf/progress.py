"""How far each service of a container is, read from the ledger: what came, what did not, what it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from muniment.doors.osf import calls
from muniment.jobs import State, StepRow

if TYPE_CHECKING:
    from muniment.jobs import Ledger  # a database library comes with it

_MOST = 2000
"""Services of one submission that are told of."""
_WEIGHT = {"refused": 0, "failed": 1, "partly": 2, "waiting": 3, "running": 4, "not begun": 5, "cancelled": 6}


@dataclass(frozen=True, slots=True)
class ServiceProgress:
    """One service of a container. Times are seconds since 1970 UTC, sizes are bytes."""

    container: str
    label: str
    service: str
    """Its kind: github, s3 …"""
    state: str
    """`not begun`, `running`, `waiting` until `again`, `done`, `partly` (files could not be had), `refused` (the
    submission has to be changed), `failed` or `cancelled`."""
    files: int = 0
    size: int = 0
    failures: Sequence[Mapping[str, str]] = ()
    """Files that could not be had, with reasons."""
    reason: str = ""
    again: float | None = None
    attempts: int = 0

    def as_json(self) -> dict[str, object]:
        """The service as the interface for programs tells of it; of its failures the number."""
        return {
            "container": self.container,
            "label": self.label,
            "service": self.service,
            "state": self.state,
            "files": self.files,
            "bytes": self.size,
            "failures": len(self.failures),
            "reason": self.reason,
            "again": self.again,
            "attempts": self.attempts,
        }


def services_of(ledger: Ledger, job: str, tree: Mapping[str, Any], id: str) -> list[ServiceProgress]:
    """The services of a container of a job and of all below it, what needs a person first.

    `tree` is the submission's, without its credentials.
    """
    below = next((each for each in _containers(tree) if each["metadata"]["id"] == id), None)
    if below is None:
        return []
    rows: dict[tuple[str, str], StepRow] = {}
    for row in islice(ledger.steps(job, name=calls.SERVICE), _MOST):
        given = row.given if isinstance(row.given, Mapping) else {}
        service = given.get("service")
        # Of a container that was begun anew the later step counts.
        if isinstance(service, Mapping):
            rows[str(given.get("id")), str(service.get("label"))] = row
    found = [
        _progress(str(each["metadata"]["id"]), service, rows.get((str(each["metadata"]["id"]), str(service["label"]))))
        for each in _containers(below)
        for service in each["services"]
    ]
    return sorted(found, key=lambda each: _WEIGHT.get(each.state, 9))


def _containers(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield tree
    for child in tree["children"]:
        yield from _containers(child)


def _progress(container: str, service: Mapping[str, Any], row: StepRow | None) -> ServiceProgress:
    label, kind = str(service["label"]), str(service["service"])
    if row is None:
        return ServiceProgress(container, label, kind, "not begun")
    answer = row.result if row.state is State.DONE and isinstance(row.result, Mapping) else {}
    failures = answer.get("failures")
    listed = [
        {name: str(each.get(name, "")) for name in ("service", "file", "reason")}
        for each in (failures if isinstance(failures, list) else [])
        if isinstance(each, Mapping)
    ]
    fatal = str(answer.get("fatal") or "")
    waits = row.state is State.READY and bool(row.reason)
    files, size = answer.get("files"), answer.get("size")
    return ServiceProgress(
        container,
        label,
        kind,
        _state(row, refused=bool(fatal), failures=bool(listed), waits=waits),
        files if isinstance(files, int) else row.done,
        size if isinstance(size, int) else row.size,
        listed,
        fatal or row.reason,
        row.next_at if waits else None,
        row.attempt,
    )


def _state(row: StepRow, *, refused: bool, failures: bool, waits: bool) -> str:
    if row.state is State.DONE:
        return "refused" if refused else "partly" if failures else "done"
    if row.state is State.READY:
        return "waiting" if waits else "not begun"
    return {State.RUNNING: "running", State.FAILED: "failed", State.CANCELLED: "cancelled"}.get(row.state, "waiting")
