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
