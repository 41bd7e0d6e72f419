"""What is protected: all copies that the policy asks for are there and were verified in time; else why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from muniment.content.durations import duration_text
from muniment.workflows.copies.policy import Policy
from muniment.workflows.copies.registry import ARCHIVE
from muniment.workflows.copies.service import CopyService
from muniment.workflows.copies.table import CopyRow


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What a resource lacks of what its policy asks for; `copy` is its store and layout, `instance` 0 for all."""

    copy: str
    instance: int
    reason: str


@dataclass(frozen=True, slots=True)
class Protection:
    """Whether a resource is protected, and by what. Without a policy that asks for copies it is not."""

    project: str
    id: str
    head: int
    rows: tuple[CopyRow, ...]
    shortfalls: tuple[Shortfall, ...]

    @property
    def protected(self) -> bool:
        """Whether nothing is lacking."""
        return not self.shortfalls

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "project": self.project,
            "id": self.id,
            "instances": self.head,
            "protected": self.protected,
            "lacking": [asdict(each) for each in self.shortfalls],
            "copies": [asdict(row) for row in self.rows if row.store != ARCHIVE],
        }


def protection(service: CopyService, id: str, project: str | None = None) -> Protection:
    """How one resource is protected.

    Raises:
        ResourceNotFound, AmbiguousId: There is no such resource.
    """
    newest = service.archive.instance(id, project=project)
    what = newest.project, newest.id, newest.head
    return _judge(service, what, service.policies.of(newest.project), _reasons(service))


def protections(service: CopyService, project: str | None = None) -> Iterator[Protection]:
    """How every resource is protected, in the order of their ids."""
    policies: dict[str, Policy] = {}
    stores = _reasons(service)
    for found in service.archive.resources(project, whole=True):
        if found.project not in policies:
            policies[found.project] = service.policies.of(found.project)
        yield _judge(service, (found.project, found.id, found.head), policies[found.project], stores)


def _reasons(service: CopyService) -> Mapping[str, str]:
    """Every store that is known, and why it could not be used when that was last tried."""
    return {each.name: each.reason for each in service.registry.all()}


def _judge(service: CopyService, what: tuple[str, str, int], policy: Policy, stores: Mapping[str, str]) -> Protection:
    project, resource, head = what
    rows = {row.key: row for row in service.table.of(project, resource)}
    lacking = list(_lacking(rows, head, policy, service.table.now(), stores))
    return Protection(project, resource, head, tuple(rows.values()), tuple(lacking))


def _lacking(
    rows: Mapping[Any, CopyRow], head: int, policy: Policy, now: float, stores: Mapping[str, str]
) -> Iterator[Shortfall]:
    if not policy.copies:
        yield Shortfall("", 0, "no policy asks for copies of it")
        return
    by_place = {(row.store, row.layout, row.number): row for row in rows.values()}
    for rule in policy.copies:
        for number in range(1, head + 1):
            row = by_place.get((rule.store, rule.layout, number))
            if row is not None and row.state == "owed" and not row.reason:  # it was not its turn yet
                row = replace(row, reason=stores.get(rule.store, f"there is no store called {rule.store!r}"))
            if reason := _reason(row, rule.verify, now):
                yield Shortfall(f"{rule.store} {rule.layout}", number, reason)
    own = by_place.get((ARCHIVE, "ocfl", 0))
    if own is not None and (reason := _reason(own, policy.verify, now)):
        yield Shortfall(ARCHIVE, 0, reason)


def _reason(row: CopyRow | None, cadence: float, now: float) -> str:
    if row is None:
        return "not planned yet"
    if row.state == "owed":
        return f"owed: {row.reason}" if row.reason else "owed"
    if row.state != "made":
        return f"{row.state}: {row.reason}" if row.reason else row.state
    age = now - (row.verified_at or 0.0)
    if age > cadence:
        return f"verified {duration_text(age)} ago, and every {duration_text(cadence)} is asked"
    return ""
