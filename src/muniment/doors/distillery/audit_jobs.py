"""The audit of a batch as a job whose result is kept: pages show what was found last, and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from muniment.doors.distillery.audit import audit
from muniment.jobs import Call, Context, Done, Job, Json

if TYPE_CHECKING:
    from muniment.doors.distillery.context import DistilleryContext

KIND_AUDIT, AUDIT = "distillery-audit", "distill.audit"


class AuditStep:
    """Compare what a batch was about, and keep what differs."""

    name = AUDIT
    failures = 3

    def __init__(self, given: DistilleryContext) -> None:
        self._given = given

    def run(self, given: Json, context: Context) -> Done:
        """Compare it."""
        batch = str(cast("Mapping[str, Any]", given)["batch"])
        found = []
        for each in audit(self._given, batch):
            context.check()
            found.append(asdict(each))
        return Done(cast("Json", {"differences": found}))


def request_audit(given: DistilleryContext, batch: str, *, requester: str) -> Job:
    """Ask for an audit of a batch; while one is under way it is that one.

    Raises:
        MunimentError: Nothing was recorded.
    """
    asked: Json = {"batch": batch}
    return given.ledger.submit_once(KIND_AUDIT, Call(AUDIT, asked), batch, requester=requester, given=asked)


def newest_audit(given: DistilleryContext, batch: str) -> Job | None:
    """The newest audit of a batch that was asked for."""
    return given.ledger.about(KIND_AUDIT, batch)


def audit_document(batch: str, audit: Job | None) -> dict[str, object]:
    """An audit as programs get it: its job and state, when it ended (seconds since 1970 UTC), and what differs.

    `differences` is null as long as none has ended, which is another thing than an empty list.
    """
    found = audit.result if audit is not None and isinstance(audit.result, Mapping) else None
    return {
        "batch": batch,
        "job": audit.id if audit is not None else None,
        "state": str(audit.state) if audit is not None else "not asked for",
        "ended": audit.ended_at if audit is not None else None,
        "reason": audit.reason if audit is not None else "",
        "differences": list(cast("Mapping[str, Any]", found)["differences"]) if found is not None else None,
    }
