"""The names of permissions, the addresses they are granted on, and what a set of rules grants to somebody."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from muniment.access.identities import Identity, is_label
from muniment.errors.access import BadAddress, UnknownPermissions

ADMIN = "admin"
"""Stands for every permission, on the address it is granted on and below."""

PERMISSIONS = (
    "acls/read",
    "acls/write",
    ADMIN,
    "archives/write",
    "events/read",
    "files/write",
    "organizations/create",
    "organizations/read",
    "organizations/write",
    "permissions/read",
    "projects/create",
    "projects/read",
    "projects/write",
    "realms/read",
    "realms/write",
    "resources/read",
    "resources/write",
    "version/read",
)
EVERY_PERMISSION = frozenset(PERMISSIONS)
NO_PERMISSION: frozenset[str] = frozenset()
ROOT = "/"

Acl = Mapping[Identity, frozenset[str]]
"""The rules on one address: what each identity may do there and below."""
Rules = Mapping[str, Acl]
"""All rules by their address."""


def check_address(text: str) -> str:
    """Accept `/`, `/org` or `/org/project`.

    Raises:
        BadAddress: The text is none of these.
    """
    if text == ROOT:
        return text
    labels = text[1:].split("/")
    if not text.startswith("/") or len(labels) > 2 or not all(map(is_label, labels)):  # noqa: PLR2004 - org, project
        raise BadAddress(address=text)
    return text


def address_of(project: str | None) -> str:
    """The address of a project (`org/project`), an organisation (`org`) or, for None, of everything.

    Raises:
        BadAddress: It is neither.
    """
    if project is None:
        return ROOT
    if not project:
        raise BadAddress(address=project)  # a project that was forgotten must not become all of them
    return check_address(project if project.startswith("/") else f"/{project}")


def ancestors(address: str) -> tuple[str, ...]:
    """The addresses whose rules count at `address`, from the top: `/`, `/org`, `/org/project`."""
    if address == ROOT:
        return (ROOT,)
    organisation, _, project = address[1:].partition("/")
    return (ROOT, f"/{organisation}", address) if project else (ROOT, address)


def check_permissions(names: Iterable[str]) -> frozenset[str]:
    """Accept permissions that exist.

    Raises:
        UnknownPermissions: Some do not.
    """
    given = frozenset(names)
    unknown = given - EVERY_PERMISSION
    if unknown:
        listed = ", ".join(sorted(map(repr, unknown)))
        raise UnknownPermissions(permissions=listed[:500], known=", ".join(PERMISSIONS))
    return given


def effective(rules: Rules, identities: frozenset[Identity], address: str) -> frozenset[str]:
    """What somebody with these identities may do at `address`: the union over its ancestors and the identities."""
    found: set[str] = set()
    for place in ancestors(address):
        acl = rules.get(place)
        if acl:
            for identity in identities & acl.keys():
                found |= acl[identity]
    return EVERY_PERMISSION if ADMIN in found else frozenset(found)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a key may be used for at most, whatever its name has been granted: empty parts limit nothing.

    `places` are addresses, `/org` or `/org/project`, that stand for all below them.
    """

    places: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()

    @classmethod
    def of(cls, places: Iterable[str], permissions: Iterable[str]) -> Self:
        """From what somebody says.

        Raises:
            BadAddress, UnknownPermissions: It names what cannot be.
        """
        found = frozenset(check_address(place if place.startswith("/") else f"/{place}") for place in places)
        return cls(found - {"/"} if "/" not in found else frozenset(), check_permissions(permissions))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """From how it is kept; None where there is none."""
        if not text:
            return None
        said = json.loads(text)
        return cls(frozenset(said["places"]), frozenset(said["permissions"]))

    def __str__(self) -> str:
        """As it is kept: JSON, or nothing where nothing is limited."""
        if not self.places and not self.permissions:
            return ""
        return json.dumps({"places": sorted(self.places), "permissions": sorted(self.permissions)})

    def within(self, permissions: frozenset[str], address: str) -> frozenset[str]:
        """Of what is granted at an address, what the scope leaves."""
        inside = not self.places or any(address == place or address.startswith(f"{place}/") for place in self.places)
        if not inside:
            return NO_PERMISSION
        return permissions & self.permissions if self.permissions else permissions
