"""Writing back to the portal: where the copy of a resource is, when it was made, and what it is.

A patch rewrites the whole dataset inside CKAN, without a lock. So: the fewest fields, only what differs, one dataset
at a time. `url` and `last_modified` are never sent: others load a resource again when they change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from muniment.catalogues.ckan import CkanPortal
from muniment.doors.ckan.records import Row
from muniment.doors.ckan.statuses import Status
from muniment.errors.catalogues import NotInPortal, PortalRefused

TASK_KEY = "muniment"


@dataclass(frozen=True, slots=True)
class WriteBackOutcome:
    """What came of it: the resources that were patched, those the portal refused, and whether task_status was taken."""

    patched: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    """`id: reason`"""
    task_status: str = "not asked"
    modified: str = ""
    """The dataset's `metadata_modified` after the last patch, where every patch was taken."""


def cache_url(root: str, row: Row) -> str:
    """The address of the newest copy of a link."""
    stamp, _, name = str(row["kept_as"]).partition("/")
    return f"{root}/archive/{quote(stamp, safe=':')}/{quote(str(row['resource']), safe='')}/{quote(name, safe='')}"


def wanted_fields(root: str, row: Row) -> dict[str, object]:
    """What the portal should say of a link whose copy is kept; nothing for one that has none."""
    if row["kept_as"] is None or not root:
        return {}
    stamp = datetime.fromisoformat(str(row["kept_as"]).partition("/")[0])
    fields: dict[str, object] = {
        "cache_url": cache_url(root, row),
        "cache_last_updated": stamp.strftime("%Y-%m-%dT%H:%M:%S.000000"),
        "hash": row["md5"],
        "size": row["size"],
        "mimetype": row["mimetype"],
    }
    return {name: value for name, value in fields.items() if value not in (None, "")}


def differing(fields: Mapping[str, object], resource: Mapping[str, object]) -> dict[str, object]:
    """Of these fields those that the portal has otherwise; times are compared as times, sizes as numbers."""
    return {name: value for name, value in fields.items() if not _same(name, value, resource.get(name))}


def write_back(
    portal: CkanPortal, root: str, dataset: Mapping[str, Any], rows: Sequence[Row], *, tasks: bool, updated: str
) -> WriteBackOutcome:
    """Patch what differs of a dataset's resources; whoever calls holds the dataset's slot.

    `tasks`: also say in `task_status` how each ended, which only a sysadmin's token may.

    Raises:
        RemoteError: The portal failed; do it again.
    """
    there = {str(each.get("id")): each for each in dataset.get("resources") or [] if isinstance(each, Mapping)}
    patched: list[str] = []
    refused: list[str] = []
    modified = ""
    for row in rows:
        resource = there.get(row["resource"])
        fields = differing(wanted_fields(root, row), resource) if resource is not None else {}
        if not fields:
            continue
        try:
            modified = str(portal.patch_resource(row["resource"], fields).get("metadata_modified") or "")
        except (PortalRefused, NotInPortal) as error:
            refused.append(f"{row['resource']}: {error.message}")
        else:
            patched.append(row["resource"])
    said = _task_status(portal, rows, updated) if tasks else "not asked"
    return WriteBackOutcome(tuple(patched), tuple(refused), said, modified)


def _task_status(portal: CkanPortal, rows: Sequence[Row], updated: str) -> str:
    for row in rows:
        if row["status"] is None:
            continue
        status = Status(row["status"])
        try:
            portal.update_task_status(
                row["resource"],
                TASK_KEY,
                status.text,
                error="" if status.is_broken is False else row["reason"],
                updated=updated,
            )
        except (PortalRefused, NotInPortal) as error:
            return f"left out: {error.message}"
    return "written"


def _same(name: str, wanted: Any, found: Any) -> bool:
    if found is None:
        return False
    if name == "cache_last_updated":
        try:
            return datetime.fromisoformat(str(found)).replace(tzinfo=None) == datetime.fromisoformat(wanted)
        except ValueError:
            return False
    return str(wanted) == str(found)
