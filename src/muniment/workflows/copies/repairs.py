"""Checking one resource and repairing it, in the background, for somebody who asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, cast

from muniment.errors.base import BadInput
from muniment.jobs import Again, Call, Done, Job
from muniment.workflows.copies.ladder import Repaired, repair_resource
from muniment.workflows.copies.service import CopyService

if TYPE_CHECKING:
    from muniment.jobs import Context, Json, Ledger
    from muniment.workflows.copies.steps import CopyContext

REPAIR = "copies.repair"
KIND_REPAIR = "repair"
_ELSEWHERE = 3600.0
_NAMED = 50


class RepairStep:
    """Checks one resource, repairs what is found from parity and then from copies, and checks again."""

    name = REPAIR
    failures = 2

    def __init__(self, given: CopyContext) -> None:
        self._given = given

    def run(self, given: Json, context: Context) -> Done | Again:
        """Do it; what stays damaged is named in the result."""
        del context
        try:
            service = self._given.service
        except BadInput as error:
            return Again(self._given.ledger.database.now() + _ELSEWHERE, error.message)
        asked = cast("Mapping[str, str]", given)
        project, resource = asked["project"], asked["resource"]
        found = _look(service, project, resource)
        done = Repaired()
        if found:
            done = repair_resource(service, project, resource)
            found = _look(service, project, resource)
        result = {"damaged": found, "repaired": _some(done.repaired), "left": _some(done.left)}
        return Done(cast("Json", result))


def request_repair(ledger: Ledger, project: str, resource: str, *, requester: str) -> Job:
    """Ask that a resource be checked and repaired; while that is under way it is that job.

    Raises:
        DatabaseUnavailable: Nothing was asked.
    """
    call = Call(REPAIR, {"project": project, "resource": resource})
    return ledger.submit_once(KIND_REPAIR, call, repair_subject(project, resource), requester=requester)


def repair_subject(project: str, resource: str) -> str:
    """What such a job is about."""
    return f"{project} {resource}"


def _look(service: CopyService, project: str, resource: str) -> int:
    """How much of it is not as recorded; an event of the log says so too."""
    return sum(finding.failed for finding in service.archive.audit(resource, project=project))


def _some(said: Mapping[str, str]) -> dict[str, str]:
    return dict(islice(said.items(), _NAMED))
