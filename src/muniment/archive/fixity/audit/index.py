"""The index against the disk: it must list every resource there is, at its newest instance, and no other."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.archive.context import ArchiveContext
from muniment.archive.fixity.audit.again import locked
from muniment.archive.package.objects import head_of
from muniment.content import FINDINGS, Finding


class IndexCheck:
    """Compares the index with the objects that an audit walks, and keeps what differs until the end of the walk."""

    def __init__(self, context: ArchiveContext) -> None:
        self._context = context
        self._index = context.caught_up_index()
        self._differing: dict[tuple[str, str], None] = {}

    def note(self, project: str, resource: str, head: int) -> None:
        """Take in one object that is on disk."""
        if resource:
            row = self._index.find(project, resource)
            if row is None or row.head != head:
                self._differing[project, resource] = None

    def find(self) -> Iterator[Finding]:
        """A finding for each resource of which index and disk say different things still."""
        for row in self._index.all():
            if not self._context.layout.object(row.project, row.id).is_dir():
                self._differing[row.project, row.id] = None
        yield from self.differing()

    def differing(self) -> Iterator[Finding]:
        """As `find`, of the objects that were noted alone."""
        for project, resource in self._differing:
            root = self._context.layout.object(project, resource)
            with locked(self._context, root):
                head = head_of(root)
                found = self._context.caught_up_index().find(project, resource)
            listed = found.head if found else 0
            if listed != head:
                kind = FINDINGS["M701"]
                yield Finding(kind, f"{project} {resource}", _in_words(head), _in_words(listed), resource, "", project)


def _in_words(head: int) -> str:
    return f"instance {head}" if head else "nothing"
