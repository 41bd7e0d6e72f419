"""How far each folder of a batch is, from the steps of its job: made, sent, verified, shown, recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from muniment.doors.distillery.settings import STORES
from muniment.doors.distillery.steps import CLEAN, COLLECTION, MAKE, PUBLISH, RECORD, SEND, VERIFY
from muniment.jobs import State
from muniment.jobs.model import StepRow

MADE, RECORDED = "made", "recorded"


@dataclass(frozen=True, slots=True)
class StepProgress:
    """One folder at one stage.

    `state` is `waiting`, `running`, `sent` (and not verified), `done`, `partly`, `failed` or `cancelled`.
    """

    state: str = "waiting"
    reason: str = ""
    done: int = 0
    total: int = 0


@dataclass(slots=True)
class FolderProgress:
    """One folder of scans, or with an empty name the collection's record; `stages` is by the stage's name."""

    folder: str
    id: str = ""
    title: str = ""
    images: int = 0
    stages: dict[str, StepProgress] = field(default_factory=dict)
    failed: str = ""

    @property
    def state(self) -> str:
        """Its worst stage while something is owed or failed; else `done`."""
        found = {each.state for each in self.stages.values()}
        if self.failed or found & {"failed", "partly"}:
            return "failed"
        for state in ("running", "sent", "cancelled"):
            if state in found:
                return "running" if state == "sent" else state
        if found == {"waiting"} or not found:
            return "waiting"
        return "running" if "waiting" in found else "done"


def stages_of(to: Sequence[str]) -> list[str]:
    """The stages that a batch to these destinations goes through, in order."""
    return [MADE, *to, RECORDED]


def folders_of(to: Sequence[str], steps: Iterable[StepRow]) -> list[FolderProgress]:
    """Every folder of a batch, in the order of its steps; the collection's record is among them, without a name."""
    found: dict[str, FolderProgress] = {}
    for step in steps:
        given = cast("Mapping[str, Any]", step.given or {})
        if step.name not in {COLLECTION, MAKE, SEND, VERIFY, PUBLISH, RECORD, CLEAN}:
            continue
        name = str(given.get("folder", ""))
        if name not in found:
            stages = stages_of(to) if name else [MADE, *(each for each in to if each in STORES)]
            found[name] = FolderProgress(name, stages=dict.fromkeys(stages, StepProgress()))
        _take(found[name], step, given)
    return list(found.values())


def _take(here: FolderProgress, step: StepRow, given: Mapping[str, Any]) -> None:
    result = cast("Mapping[str, Any]", step.result if isinstance(step.result, Mapping) else {})
    if step.name == CLEAN:
        here.failed = step.reason if step.state is State.FAILED else ""
        return
    stage = {COLLECTION: MADE, MAKE: MADE, PUBLISH: "access", RECORD: RECORDED}.get(step.name, "")
    stage = stage or str(given.get("destination", ""))
    state = _state(step, result)
    if step.name == SEND and state.state == "done":
        # What was sent counts only when it was read back: that is the next step.
        state = StepProgress("sent")
    if step.name == SEND and here.stages.get(stage, StepProgress()).state != "waiting":
        return
    here.stages[stage] = state
    if step.name in {MAKE, COLLECTION}:
        here.id, here.title = str(result.get("id", "")), str(result.get("title", ""))
        here.images = int(result.get("images", 0))


def _state(step: StepRow, result: Mapping[str, Any]) -> StepProgress:
    if step.state is State.DONE:
        failed = [str(each) for each in result.get("failed", ())]
        return StepProgress("partly", ", ".join(failed)) if failed else StepProgress("done")
    if step.state in {State.FAILED, State.CANCELLED, State.RUNNING}:
        return StepProgress(str(step.state), step.reason, step.done, step.total or 0)
    return StepProgress("waiting", step.reason)
