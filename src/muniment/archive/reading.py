"""Finding and reading what an archive holds; the half of `Archive` that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

from muniment.archive.config import Config
from muniment.archive.context import ArchiveContext
from muniment.archive.index.index import Index, Summary
from muniment.archive.index.rebuild import summaries
from muniment.archive.ingest.purge import read_tombstone
from muniment.archive.package.instance import Instance
from muniment.archive.package.inventory import Inventory
from muniment.archive.package.objects import head_of, newest_inventory
from muniment.content.events import Event
from muniment.content.identity import check_id, check_project
from muniment.content.times import parse_start
from muniment.errors.archive import AmbiguousId, InstanceNotFound, ResourceNotFound, ResourcePurged
from muniment.errors.base import BadInput

Start = str | float | datetime | None


class Reading:
    """What can be asked of an opened archive without changing it."""

    def __init__(self, context: ArchiveContext) -> None:
        self._context = context

    def __iter__(self) -> Iterator[str]:
        """The ids of all resources, sorted."""
        return (item.id for item in self.resources())

    def __contains__(self, resource: object) -> bool:
        """Whether there is a resource with this id."""
        return isinstance(resource, str) and self.exists(resource)

    @property
    def path(self) -> Path:
        """The archive's folder."""
        return self._context.layout.root

    @property
    def state(self) -> Path:
        """The folder of what is derived: index, ledger, bookmarks."""
        return self._context.layout.state

    @property
    def config(self) -> Config:
        """The archive's settings."""
        return self._context.config

    @property
    def context(self) -> ArchiveContext:
        """The archive from inside, for the modules of this package."""
        return self._context

    def instance(self, id: str, instance: str | int | None = None, *, project: str | None = None) -> Instance:
        """A resource's newest instance, or an earlier one by number, as 'v1', or by its identifier.

        Raises:
            ResourceNotFound, ResourcePurged: There is no such resource; nothing is made.
            InstanceNotFound: It has no such instance.
            AmbiguousId: Several projects use the id and none was named.
        """
        place = self.project_of(id, project)
        root = self._context.layout.object(place, id)
        try:
            inventory, _ = newest_inventory(root, self.config.digests[0])
        except FileNotFoundError:
            raise ResourceNotFound(id=id) from None
        number = inventory.head if instance is None else _number(root, place, id, inventory, instance)
        return Instance(root, place, id, inventory, number)

    def exists(self, id: str, project: str | None = None) -> bool:
        """Whether there is such a resource."""
        try:
            place = self.project_of(id, project)
        except (ResourceNotFound, BadInput):
            return False
        except AmbiguousId:
            return True
        return bool(head_of(self._context.layout.object(place, id)))

    def history(self, id: str, project: str | None = None) -> list[Instance]:
        """Every instance of a resource, the oldest first.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
        """
        newest = self.instance(id, project=project)
        return [newest.earlier(number) for number in range(1, newest.head + 1)]

    def resources(
        self, project: str | None = None, *, after: str | tuple[str, str] = "", limit: int | None = None, skip: int = 0
    ) -> Iterator[Summary]:
        """Resources in the order of their ids, with what a list shows of each.

        `after` is the last id of the page before (with its project, if ids repeat across projects);
        `skip` is how many of those that follow are passed over.
        """
        index = self._caught_up()
        start = (after, "\uffff" if after else "") if isinstance(after, str) else after
        if limit is None:
            return islice(index.all(project, start), skip, None)
        return iter(index.page(project, start, limit, skip))

    def projects(self) -> list[str]:
        """Every project that holds a resource."""
        return self._caught_up().projects()

    def count(self, project: str | None = None) -> int:
        """How many resources there are, in one project or in all."""
        return self._caught_up().count(project)

    def events(self, start: Start = None) -> Iterator[Event]:
        """The log, oldest event first: those strictly after `start`.

        `start` is an event's number, an ISO 8601 time, or a Unix time (whole numbers below
        1,000,000,000 are event numbers).

        Raises:
            BadTime: `start` is none of these.
            DamagedRecord: A line of the log is not an event.
        """
        return self._context.log.read(parse_start(start))

    def reindex(self) -> int:
        """Build the index anew from the objects on disk; returns how many resources there are."""
        head = self._context.log.head()
        return self._context.index.rebuild(summaries(self._context), head)

    def project_of(self, id: str, project: str | None) -> str:
        """The project a caller means who names an id and perhaps a project.

        Raises:
            ResourceNotFound, ResourcePurged: There is no such resource.
            AmbiguousId: Several projects use the id and none was named.
        """
        check_id(id)
        if project:
            self._refuse_purged(check_project(project), id)
            return project
        if head_of(self._context.layout.object(self.config.project, id)):
            return self.config.project
        layout = self._caught_up().projects_of(id)
        if not layout:
            self._refuse_purged(self.config.project, id)
            raise ResourceNotFound(id=id)
        if len(layout) > 1:
            raise AmbiguousId(id=id, projects=", ".join(layout))
        return layout[0]

    def _roots(self, id: str | None, project: str | None) -> list[Path] | None:
        if id is None:
            return None
        root = self._context.layout.object(self.project_of(id, project), id)
        if not head_of(root):
            raise ResourceNotFound(id=id)
        return [root]

    def _refuse_purged(self, project: str, resource: str) -> None:
        tombstone = read_tombstone(self._context, project, resource)
        if tombstone:
            raise ResourcePurged(id=resource, when=tombstone["purged"], why=tombstone["reason"])

    def _caught_up(self) -> Index:
        index = self._context.index
        head = self._context.log.head()
        if index.fresh or index.seen > head:
            # Nothing was indexed yet, or the log was lost and begun anew: only the objects can tell.
            self.reindex()
        seen = index.seen
        if seen != head:
            index.apply(self._context.log.read(seen))
        return index


def _number(root: Path, project: str, resource: str, inventory: Inventory, wanted: str | int) -> int:
    text = str(wanted).removeprefix("v")
    if text.isdecimal() and 1 <= int(text) <= inventory.head:
        return int(text)
    if not text.isdecimal():
        for number in range(inventory.head, 0, -1):
            if Instance(root, project, resource, inventory, number).instance == wanted:
                return number
    raise InstanceNotFound(id=resource, instance=wanted, head=inventory.head)
