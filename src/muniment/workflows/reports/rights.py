"""The access rules that hold for one project, as the grants that PREMIS writes down."""

from __future__ import annotations

from muniment.access import Kind, address_of
from muniment.access.permissions import Rules, ancestors
from muniment.workflows.reports.premis import Grant


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
