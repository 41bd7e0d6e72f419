"""Routes of decisions: what a group of transactions over several archives was decided to be."""

from __future__ import annotations

from fastapi import APIRouter, Request

from muniment.errors.base import MissingThing
from muniment.web.api.native.gate import visit_of
from muniment.web.api.native.schemas import Decision, DecisionOut
from muniment.web.authority import WRITE

router = APIRouter(prefix="/groups")


@router.put("/{group}", operation_id="decide", status_code=204)
def decide(request: Request, group: str, given: Decision) -> None:
    """Record that every prepared transaction of the group is to be committed."""
    visit = visit_of(request)
    visit.require_somewhere(WRITE)
    visit.archive.decide(group, [part.model_dump() for part in given.parts])


@router.get("/{group}", operation_id="decision")
def decision(request: Request, group: str) -> DecisionOut:
    """What was decided about a group; 404 where nothing was."""
    visit = visit_of(request)
    visit.require_somewhere(WRITE)
    found = visit.archive.decision(group)
    if found is None:
        raise MissingThing(reason=f"nothing was decided about the group {group}")
    return DecisionOut(**found)


@router.delete("/{group}", operation_id="forget", status_code=204)
def forget(request: Request, group: str) -> None:
    """Remove a decision all of whose parts are committed."""
    visit = visit_of(request)
    visit.require_somewhere(WRITE)
    visit.archive.forget(group)
