"""Routes of decisions: what a group of transactions over several archives was decided to be."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request

from muniment.errors.base import MissingThing
from muniment.http.authorization import authorized
from muniment.http.names import UUID_FORM
from muniment.http.throttling import ADMIN, WRITE
from muniment.server.native.routes import new_router
from muniment.server.native.schemas import Decision, DecisionOut

router = new_router("groups", "/groups")

Group = Annotated[str, Path(description="The id of the group.", json_schema_extra=UUID_FORM)]


@router.put("/{group}", operation_id="decide_group", status_code=204)
def decide(request: Request, group: Group, given: Decision) -> None:
    """Record that every prepared transaction of the group is to be committed."""
    access = authorized(request)
    access.require_somewhere(WRITE)
    access.archive.decide(group, [part.model_dump() for part in given.parts])


@router.get("/{group}", operation_id="get_decision")
def decision(request: Request, group: Group) -> DecisionOut:
    """What was decided about a group; 404 where nothing was."""
    access = authorized(request)
    access.require_somewhere(WRITE)
    found = access.archive.decision(group)
    if found is None:
        raise MissingThing(reason=f"nothing was decided about the group {group}")
    return DecisionOut(**found)


@router.delete("/{group}", operation_id="forget_decision", status_code=204)
def forget(request: Request, group: Group) -> None:
    """Remove a decision all of whose parts are committed: for who made it, and for those with the right `admin`."""
    access = authorized(request)
    access.require_somewhere(WRITE)
    found = access.archive.decision(group) or {}
    if found.get("agent", str(access.archive.context.agent)) != str(access.archive.context.agent):
        access.require(ADMIN, None)
    access.archive.forget(group)
