"""Copies that no portal links to any more: found, and in dynamic mode purged, after a dry run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from muniment.doors.ckan.archiving import KEY
from muniment.doors.ckan.context import CkanContext
from muniment.doors.ckan.portals import Portal
from muniment.errors.base import MunimentError


@dataclass(frozen=True, slots=True)
class Orphan:
    """A copy without a link: `why` is "gone" when the portal has it no more, "unknown" when nothing is recorded."""

    resource: str
    why: str
    bytes: int


def orphans(given: CkanContext, portal: Portal) -> Iterator[Orphan]:
    """The archived resources of a portal whose link is gone or was never recorded."""
    for summary in given.archive.resources(portal.project, whole=True):
        if "/" in summary.id:
            continue  # a dataset's description, or a web archive
        row = given.links.find(portal.name, summary.id)
        if row is None or row["gone"]:
            yield Orphan(summary.id, "gone" if row is not None else "unknown", summary.bytes)


def missing(given: CkanContext, portal: Portal) -> Iterator[str]:
    """The links that are recorded as kept and of which the archive has nothing."""
    for row in given.links.all(portal.name):
        if row["kept_as"] is None:
            continue
        try:
            found = given.archive.instance(row["resource"], project=portal.project)
        except MunimentError:
            yield row["resource"]
        else:
            if KEY not in found.metadata:
                yield row["resource"]


def purge(given: CkanContext, portal: Portal, orphan: Orphan) -> None:
    """Remove a copy for ever, in dynamic mode.

    Raises:
        NotAllowedInMode, ResourceNotFound: It was not done.
    """
    given.archive.purge(orphan.resource, f"the portal {portal.name} links to it no more", portal.project)
    given.links.clear_copy(portal.name, orphan.resource)
