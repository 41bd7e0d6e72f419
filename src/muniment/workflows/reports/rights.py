"""What PREMIS writes down from the control database: the access rules of a project, the copies of a resource."""

from __future__ import annotations

from muniment.access import Kind, address_of
from muniment.access.permissions import Rules, ancestors
from muniment.database import Database
from muniment.workflows.copies.table import CopyTable
from muniment.workflows.reports.premis import Grant, HeldCopy


def grants_of(rules: Rules, project: str, *, named: bool) -> list[Grant]:
    """What the rules on a project and above it grant, by permission.

    With `named` people, programs and groups are named; else only what everybody may do is told.
    """
    found: dict[str, set[str]] = {}
    for address in ancestors(address_of(project)):
        for identity, permissions in rules.get(address, {}).items():
            if named or identity.kind in {Kind.ANONYMOUS, Kind.AUTHENTICATED}:
                for permission in permissions:
                    found.setdefault(permission, set()).add(str(identity))
    return [Grant(permission, tuple(sorted(to))) for permission, to in sorted(found.items())]


def copies_of(database: Database, project: str, id: str) -> list[HeldCopy]:
    """The copies of a resource that were made.

    Raises:
        DatabaseUnavailable: It cannot be read.
    """
    made = (row for row in CopyTable(database).of(project, id) if row.state == "made" and row.number)
    return [HeldCopy(row.number, row.store, row.layout) for row in made]
