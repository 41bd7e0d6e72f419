"""`/v1/projects`: projects, with the base, vocabulary and mappings of their ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from muniment.content.jsonld import CONTEXTS, METADATA
from muniment.doors.nexus.addresses import Addresses
from muniment.doors.nexus.http.answers import Answer, StreamedAnswer, simple
from muniment.doors.nexus.http.call import Call, label
from muniment.doors.nexus.http.orgs import history
from muniment.doors.nexus.http.paging import following, listed, page_of
from muniment.doors.nexus.projects import Project

Handler = Callable[[Call], Answer | StreamedAnswer]
_DESCRIBED = (f"{CONTEXTS}projects.json", f"{CONTEXTS}projects-metadata.json", METADATA)
_CHANGED = (f"{CONTEXTS}projects-metadata.json", METADATA)


def routes(parts: Sequence[str]) -> Mapping[str, Handler]:
    """What can be done at an address."""
    match parts:
        case [_] | [_, _]:
            return {"GET": listing}
        case [_, _, _]:
            return {"PUT": put, "GET": fetch, "DELETE": deprecate}
        case [_, _, _, "undeprecate"]:
            return {"PUT": undeprecate}
    return {}


def put(call: Call) -> Answer:
    """Make a project, or with `rev` change what it says."""
    name = call.project_name
    payload = call.json(empty=True)
    rev = call.rev()
    projects = call.nexus.projects
    if rev is None:
        call.require("projects/create", name)
        return _changed(call, projects.create(name, payload, call.actor), status=201)
    call.require("projects/write", name)
    return _changed(call, projects.update(name, rev, payload, call.actor), status=200)


def fetch(call: Call) -> Answer:
    """One project."""
    name = call.project_name
    call.require("projects/read", name)
    return simple(call, shown(call.nexus.addresses, call.nexus.projects.project(name, call.rev())), _DESCRIBED)


def deprecate(call: Call) -> Answer:
    """Take nothing new in."""
    name = call.project_name
    call.require("projects/write", name)
    return _changed(call, call.nexus.projects.deprecate(name, call.rev(needed=True), call.actor), status=200)


def undeprecate(call: Call) -> Answer:
    """Take a deprecation back."""
    name = call.project_name
    call.require("projects/write", name)
    found = call.nexus.projects.undeprecate(name, call.rev(needed=True), call.actor)
    return _changed(call, found, status=200)


def listing(call: Call) -> Answer:
    """The projects the caller may see, of all organisations or of one, page by page, by name."""
    organization = label(call.parts[1]) if len(call.parts) > 1 else None
    projects = call.nexus.projects
    page = page_of(call)
    visible = [name for name in projects.names(organization) if call.may("projects/read", name)]
    deprecated = call.choice("deprecated")
    if deprecated is not None:
        visible = [name for name in visible if projects.project(name).revision.deprecated == deprecated]
    part, more = page.of(visible)
    results = [shown(call.nexus.addresses, projects.project(name)) for name in part]
    address = f"{call.nexus.addresses.root}/projects{f'/{organization}' if organization else ''}"
    return listed(call, address, results, len(visible), following(page, part, more=more, deprecated=deprecated))


def shown(addresses: Addresses, found: Project) -> dict[str, object]:
    """A project as clients see it."""
    described = {} if found.description is None else {"description": found.description}
    mappings = [{"prefix": prefix, "namespace": space} for prefix, space in sorted(found.mappings.items())]
    return {
        **_metadata(addresses, found),
        **described,
        "base": found.base,
        "vocab": found.vocab,
        "apiMappings": mappings,
    }


def _changed(call: Call, found: Project, *, status: int) -> Answer:
    return simple(call, _metadata(call.nexus.addresses, found), _CHANGED, status=status)


def _metadata(addresses: Addresses, found: Project) -> dict[str, object]:
    own = addresses.project(found.name)
    effective = [{"_prefix": prefix, "_namespace": space} for prefix, space in sorted(found.space.mappings.items())]
    return {
        "@id": own,
        "@type": "Project",
        "_self": own,
        "_constrainedBy": "https://bluebrain.github.io/nexus/schemas/projects.json",
        "_label": found.label,
        "_organizationLabel": found.organization,
        "_organizationUuid": found.organization_uuid,
        "_uuid": found.uuid,
        "_effectiveApiMappings": effective,
        "_markedForDeletion": False,
        **history(addresses, found.revision),
    }
