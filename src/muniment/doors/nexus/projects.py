"""Organisations and projects: resources of the archive themselves, in projects of their own.

What a project says (base, vocabulary, mappings) decides what the ids in its documents mean, so it is kept
with them as files and not in the control database alone. A project that holds resources and was never
described has the defaults, and revision 0.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from muniment.archive import Archive, Transaction
from muniment.content.jsonld import IdSpace, Scope, is_iri, print_source
from muniment.doors.nexus.addresses import Addresses
from muniment.doors.nexus.changes import Actor, RevisionWriter, refuse_stale
from muniment.doors.nexus.records import Records
from muniment.doors.nexus.revision import SOURCE, Revision
from muniment.errors.nexus import (
    FieldsRefused,
    IdTaken,
    LabelRefused,
    OrganizationExists,
    OrganizationIsDeprecated,
    OrganizationNotFound,
    ProjectExists,
    ProjectIsDeprecated,
    ProjectNotFound,
    ThingIsNotDeprecated,
)

RESERVED = "_nexus"
"""The organisation whose projects hold what Nexus says about organisations and projects."""
ORGANIZATIONS, PROJECTS = f"{RESERVED}/organizations", f"{RESERVED}/projects"

_LABEL = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PREFIX = re.compile(r"[^\s/:?#\[\]@]{1,64}")
_MOST_MAPPINGS = 500


@dataclass(frozen=True, slots=True)
class Organization:
    """An organisation: a name for projects that belong together."""

    label: str
    uuid: str
    description: str | None
    revision: Revision


@dataclass(frozen=True, slots=True)
class Project:
    """A project and how ids are written in it."""

    name: str
    uuid: str
    organization_uuid: str
    description: str | None
    base: str
    vocab: str
    mappings: Mapping[str, str]
    revision: Revision
    space: IdSpace = field(compare=False)

    @property
    def label(self) -> str:
        """The second half of the name."""
        return self.name.partition("/")[2]

    @property
    def organization(self) -> str:
        """The first half of the name."""
        return self.name.partition("/")[0]

    def scope(self, find: Callable[[str], object | None] | None = None) -> Scope:
        """What the project adds to its documents."""
        return Scope(self.base, self.vocab, find)


class Projects:
    """Makes, changes and finds organisations and projects."""

    def __init__(self, archive: Archive, records: Records, changing: RevisionWriter, addresses: Addresses) -> None:
        self._archive = archive
        self._records = records
        self._changing = changing
        self._addresses = addresses
        self._built: dict[str, tuple[int, Project]] = {}

    def organization(self, label: str, rev: int | None = None) -> Organization:
        """An organisation, at its newest or another revision.

        Raises:
            OrganizationNotFound: There is none.
            RevNotThere: It has no such revision.
        """
        newest = self._records.find(ORGANIZATIONS, label) if _LABEL.fullmatch(label) else None
        if newest is None:
            raise OrganizationNotFound(label=label)
        revision = self._records.at(newest, rev)
        said = revision.document(SOURCE)
        return Organization(label, said["uuid"], said.get("description"), revision)

    def create_organization(self, label: str, payload: object, by: Actor) -> Organization:
        """Make an organisation.

        Raises:
            LabelRefused, FieldsRefused, OrganizationExists: It cannot be.
        """
        _refuse_label(label)
        said = {"uuid": str(uuid.uuid4()), **_described(payload)}
        try:
            self._changing.create(
                _blank(ORGANIZATIONS, label, "organization"), _keeping(said), by, message="Create the organisation"
            )
        except IdTaken:
            raise OrganizationExists(label=label) from None
        return self.organization(label)

    def update_organization(self, label: str, rev: int | None, payload: object, by: Actor) -> Organization:
        """Describe an organisation anew.

        Raises:
            OrganizationNotFound, OrganizationIsDeprecated, RevIsStale, FieldsRefused: It cannot be.
        """
        found = self.organization(label)
        refuse_stale(found.revision, rev)
        self._refuse_deprecated_organization(found)
        said = {"uuid": found.uuid, **_described(payload)}
        self._changing.revise(found.revision, rev, by, {}, _keeping(said), message="Describe the organisation")
        return self.organization(label)

    def deprecate_organization(self, label: str, rev: int | None, by: Actor) -> Organization:
        """Take no new projects in it.

        Raises:
            OrganizationNotFound, OrganizationIsDeprecated, RevIsStale: It cannot be.
        """
        found = self.organization(label)
        refuse_stale(found.revision, rev)
        self._refuse_deprecated_organization(found)
        self._changing.revise(found.revision, rev, by, {"deprecated": True}, message="Deprecate the organisation")
        return self.organization(label)

    def undeprecate_organization(self, label: str, rev: int | None, by: Actor) -> Organization:
        """Take new projects in it again.

        Raises:
            OrganizationNotFound, ThingIsNotDeprecated, RevIsStale: It cannot be.
        """
        found = self.organization(label)
        refuse_stale(found.revision, rev)
        if not found.revision.deprecated:
            raise ThingIsNotDeprecated(kind="Organization", id=label)
        self._changing.undeprecate(found.revision, rev, by)
        return self.organization(label)

    def organization_labels(self) -> list[str]:
        """Of all of them, sorted."""
        return [item.id for item in self._archive.resources(ORGANIZATIONS)]

    def project(self, name: str, rev: int | None = None) -> Project:
        """A project, at its newest or another revision.

        Raises:
            ProjectNotFound: There is none, and nothing in the archive is in a project of that name.
            RevNotThere: It has no such revision.
        """
        if not is_project_name(name):
            raise ProjectNotFound(project=name)
        newest = self._records.find(PROJECTS, name)
        if newest is None:
            return self._implied(name)
        built = self._built.get(name)
        if rev is None and built is not None and built[0] == newest.rev:
            return built[1]
        found = self._build(name, self._records.at(newest, rev))
        if rev is None:
            self._built[name] = (newest.rev, found)
        return found

    def writable(self, name: str) -> Project:
        """A project something may be added to.

        Raises:
            OrganizationNotFound, ProjectNotFound: There is none.
            ProjectIsDeprecated, OrganizationIsDeprecated: It is closed.
        """
        try:
            found = self.project(name)
        except ProjectNotFound:
            self.organization(name.partition("/")[0])
            raise
        if found.revision.deprecated:
            raise ProjectIsDeprecated(project=name)
        if found.revision.rev:
            self._refuse_deprecated_organization(self.organization(found.organization))
        return found

    def create(self, name: str, payload: object, by: Actor) -> Project:
        """Make a project in an organisation that is there.

        Raises:
            LabelRefused, FieldsRefused: Name or payload cannot be used.
            OrganizationNotFound, OrganizationIsDeprecated, ProjectExists: It cannot be.
        """
        organization, _, label = name.partition("/")
        _refuse_label(label)
        parent = self.organization(organization)
        self._refuse_deprecated_organization(parent)
        said = {"uuid": str(uuid.uuid4()), "organization_uuid": parent.uuid, **self._settings(name, payload)}
        try:
            self._changing.create(_blank(PROJECTS, name, "project"), _keeping(said), by, message="Create the project")
        except IdTaken:
            raise ProjectExists(project=name) from None
        return self.project(name)

    def update(self, name: str, rev: int | None, payload: object, by: Actor) -> Project:
        """Change what a project says.

        Raises:
            ProjectNotFound, ProjectIsDeprecated, RevIsStale, FieldsRefused: It cannot be.
        """
        found = self.writable(name)
        refuse_stale(found.revision, rev)
        said = {
            "uuid": found.uuid,
            "organization_uuid": found.organization_uuid,
            **self._settings(name, payload, found),
        }
        self._changing.revise(found.revision, rev, by, {}, _keeping(said), message="Change the project's settings")
        return self.project(name)

    def deprecate(self, name: str, rev: int | None, by: Actor) -> Project:
        """Take nothing new in.

        Raises:
            ProjectNotFound, ProjectIsDeprecated, RevIsStale: It cannot be.
        """
        found = self.project(name)
        refuse_stale(found.revision, rev)
        if found.revision.deprecated:
            raise ProjectIsDeprecated(project=name)
        self._changing.revise(found.revision, rev, by, {"deprecated": True}, message="Deprecate the project")
        return self.project(name)

    def undeprecate(self, name: str, rev: int | None, by: Actor) -> Project:
        """Take new things in again.

        Raises:
            ProjectNotFound, ThingIsNotDeprecated, RevIsStale: It cannot be.
        """
        found = self.project(name)
        refuse_stale(found.revision, rev)
        if not found.revision.deprecated:
            raise ThingIsNotDeprecated(kind="Project", id=name)
        self._changing.undeprecate(found.revision, rev, by)
        return self.project(name)

    def names(self, organization: str | None = None) -> list[str]:
        """Of all projects that were described, sorted; of one organisation or of all."""
        wanted = f"{organization}/" if organization else ""
        return [item.id for item in self._archive.resources(PROJECTS) if item.id.startswith(wanted)]

    def _settings(self, name: str, payload: object, before: Project | None = None) -> dict[str, object]:
        given = _fields(payload)
        base = before.base if before else self._addresses.base(name)
        vocab = before.vocab if before else self._addresses.vocab(name)
        return {
            **_described(payload),
            "base": _namespace(given, "base") or base,
            "vocab": _namespace(given, "vocab") or vocab,
            "mappings": _mappings(given.get("apiMappings")),
        }

    def _implied(self, name: str) -> Project:
        if name not in self._archive.projects():
            raise ProjectNotFound(project=name)
        base = self._addresses.base(name)
        blank = _blank(PROJECTS, name, "project")
        return Project(name, "", "", None, base, self._addresses.vocab(name), {}, blank, IdSpace(base))

    @staticmethod
    def _build(name: str, revision: Revision) -> Project:
        said = revision.document(SOURCE)
        return Project(
            name,
            said["uuid"],
            said["organization_uuid"],
            said.get("description"),
            said["base"],
            said["vocab"],
            said["mappings"],
            revision,
            IdSpace(said["base"], said["mappings"]),
        )

    @staticmethod
    def _refuse_deprecated_organization(found: Organization) -> None:
        if found.revision.deprecated:
            raise OrganizationIsDeprecated(label=found.label)


def is_project_name(name: str) -> bool:
    """Whether this may be the name of a project, `org/project`."""
    organization, _, label = name.partition("/")
    fits = _LABEL.fullmatch(organization) and _LABEL.fullmatch(label)
    return bool(fits) and organization != RESERVED


def _blank(project: str, id: str, kind: str) -> Revision:
    return Revision(project=project, id=id, iri=id, kind=kind, number=0, rev=0)


def _keeping(said: Mapping[str, object]) -> Callable[[Transaction, Revision], Revision]:
    def fill(transaction: Transaction, revision: Revision) -> Revision:
        content = print_source(said)
        if SOURCE in transaction:
            transaction.replace(content, SOURCE)
        else:
            transaction.add(content, SOURCE)
        return revision

    return fill


def _refuse_label(label: str) -> None:
    if not _LABEL.fullmatch(label):
        raise LabelRefused(label=label, reason="it is too long or holds other characters")
    if label == RESERVED:
        raise LabelRefused(label=label, reason="it is reserved")


def _fields(payload: object) -> Mapping[str, object]:
    if payload is None:
        return {}
    if not isinstance(payload, Mapping):
        raise FieldsRefused(details="The payload is not a JSON object.")
    return payload


def _described(payload: object) -> dict[str, object]:
    text = _fields(payload).get("description")
    if text is not None and not isinstance(text, str):
        raise FieldsRefused(details="'description' is not text.")
    return {"description": text}


def _namespace(given: Mapping[str, object], key: str) -> str | None:
    text = given.get(key)
    if text is None:
        return None
    if not isinstance(text, str) or not is_iri(text) or not text.endswith(("/", "#")):
        raise FieldsRefused(details=f"'{key}' is not an IRI that ends in '/' or '#'.")
    return text


def _mappings(given: object) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, list) or len(given) > _MOST_MAPPINGS:
        raise FieldsRefused(details=f"'apiMappings' is not a list of up to {_MOST_MAPPINGS} mappings.")
    found: dict[str, str] = {}
    for item in given:
        prefix = item.get("prefix") if isinstance(item, Mapping) else None
        namespace = item.get("namespace") if isinstance(item, Mapping) else None
        if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
            raise FieldsRefused(details="A mapping in 'apiMappings' has no usable 'prefix'.")
        if not isinstance(namespace, str) or not is_iri(namespace):
            raise FieldsRefused(details=f"The mapping '{prefix}' in 'apiMappings' has no IRI as 'namespace'.")
        found[prefix] = namespace
    return found
